"""What only a cluster can do to a store: refuse one document, be full, be away; and what only it can do for one."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest

from index.files import IndexUnusable
from index.refusals import NotIndexed
from index.work import IndexWork
from query.tree import And, Node, Not, Or, Word
from stream.clock import DAY, ManualClock
from stream.ports import DECIDED, EVERYTHING, Commit, LogRecord, Refused, Transient
from stream.records import Decided, encode
from tests.index.made import NOW, asked, gone, ids, mention
from tests.index.store_contract import opened, put

if TYPE_CHECKING:
    from tests.services.elastic_node import Node as Server
    from tests.services.elastic_place import ElasticPlace

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:Elasticsearch built-in security features are not enabled:Warning"),
]

SECRET = "zanahorindigo"
YEAR = 365 * DAY


def spoilt(monkeypatch: pytest.MonkeyPatch, post_id: str) -> None:
    """Documents of this post get a value that the mapping does not take."""
    from index import elastic_documents

    made = elastic_documents._document

    def document(one: object) -> dict[str, object]:
        found = made(one)  # type: ignore[arg-type]
        if one.post_id == post_id:  # type: ignore[attr-defined]
            found["f"] = {**found["f"], "risk": f"{SECRET} is no number"}
        return found

    monkeypatch.setattr(elastic_documents, "_document", document)


def test_a_document_that_the_mapping_refuses_is_told_without_its_text_and_the_rest_is_written(
    place: ElasticPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(monkeypatch, "x:1")
    with opened(place) as store:
        batch = [Decided(mention=mention(n, "flight")) for n in range(3)]
        with pytest.raises(NotIndexed) as refused:
            store.apply(batch, [Commit("decided", 0, 0, 3)], "log", NOW)
        (refusal,) = refused.value.refusals
        assert refusal.mention_id == "x:1#acme"
        assert "f.risk" in refusal.reason
        assert SECRET not in str(refusal)
        assert store.offsets("decided", frozenset({0}), "log") == {}
        place.settle(store)
        assert ids(store, "flight") == ["x:2", "x:0"]


def test_the_stage_puts_a_refused_mention_aside_and_goes_on(
    place: ElasticPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(monkeypatch, "x:1")
    records = [
        LogRecord(DECIDED, 0, n, f"x:{n}#acme", encode(Decided(mention=mention(n, "flight"))), NOW) for n in range(3)
    ]
    with closing(IndexWork(place.open(), "log")) as work:
        with pytest.raises(Refused) as refused:
            work.run(records, [Commit(DECIDED, 0, 0, 3)], NOW)
        assert [record for record, _, _ in refused.value.records] == [records[1]]
        work.run([records[0], records[2]], [Commit(DECIDED, 0, 0, 3)], NOW)
        assert work.offsets(frozenset({0}), "log") == {0: 3}


def test_an_unknown_field_is_refused_and_makes_no_mapping(place: ElasticPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    from index import elastic_documents

    made = elastic_documents._document
    monkeypatch.setattr(elastic_documents, "_document", lambda one: {**made(one), "invented": 1})
    with opened(place) as store, pytest.raises(NotIndexed, match="strict_dynamic_mapping_exception"):
        store.apply([Decided(mention=mention(1, "flight"))], (), "log", NOW)


def test_read_only_indices_are_waited_for(place: ElasticPlace) -> None:
    """As a disk of the cluster that is nearly full makes them."""
    with closing(place.open()) as store:
        put(place, store, mention(1, "flight"))
        every = f"{place.cluster.names.read}-*"
        block = "index.blocks.read_only_allow_delete"
        store._client.indices.put_settings(index=every, settings={block: True})
        with pytest.raises(Transient, match="read-only"):
            store.apply([Decided(mention=mention(2, "flight"))], [Commit("decided", 0, 0, 1)], "log", NOW)
        assert store.offsets("decided", frozenset({0}), "log") == {}
        assert ids(store, "flight") == ["x:1"]
        store._client.indices.put_settings(index=every, settings={block: None})
        store.apply([Decided(mention=mention(2, "flight"))], [Commit("decided", 0, 0, 1)], "log", NOW)
        place.settle(store)
        assert ids(store, "flight") == ["x:2", "x:1"]


def test_a_cluster_that_is_away_is_waited_for_and_what_was_acknowledged_is_there_after_a_kill(mortal: Server) -> None:
    from tests.services.elastic_place import ElasticPlace

    place = ElasticPlace(mortal.address)
    with opened(place) as store:
        at = 0
        for _ in range(3):
            for _ in range(5):
                batch = [Decided(mention=mention(n, "flight")) for n in range(at, at + 50)]
                store.apply(batch, [Commit("decided", 0, at, at + 50)], "log", NOW)
                at += 50
            mortal.kill()
            with pytest.raises(Transient):
                store.apply([Decided(mention=mention(at, "flight"))], [Commit("decided", 0, at, at + 1)], "log", NOW)
            with pytest.raises(Transient):
                ids(store, "flight")
            mortal.start()
            assert store.offsets("decided", frozenset({0}), "log") == {0: at}
            place.settle(store)
            assert store.count(asked("flight"), EVERYTHING).value == at


def test_nobody_shows_a_secret(place: ElasticPlace) -> None:
    from pydantic import SecretStr

    from index.elastic import Cluster, ElasticStore

    for login in ({"api_key": SecretStr("c2VjcmV0")}, {"user": "eva", "password": SecretStr("hunter2")}):
        cluster = Cluster(("http://127.0.0.1:1",), **login)  # type: ignore[arg-type]
        with closing(ElasticStore(cluster)) as store:
            with pytest.raises(Transient) as away:
                store.count(asked(""), EVERYTHING)
            for shown in (repr(store), repr(cluster), repr(away.value), str(away.value)):
                assert "c2VjcmV0" not in shown
                assert "hunter2" not in shown


def test_two_indexers_with_the_same_partition_do_not_both_advance_it(place: ElasticPlace) -> None:
    with opened(place) as one, opened(place) as other:
        batch = [Decided(mention=mention(n, "flight")) for n in range(20)]
        wins: list[str] = []
        gate = threading.Barrier(2)

        def take(store: object, name: str) -> None:
            from stream.ports import OffsetConflict

            gate.wait()
            try:
                store.apply(batch, [Commit("decided", 0, 0, 20)], "log", NOW)  # type: ignore[attr-defined]
                wins.append(name)
            except OffsetConflict:
                pass

        threads = [threading.Thread(target=take, args=pair) for pair in ((one, "one"), (other, "other"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(wins) == 1
        place.settle(one)
        assert one.count(asked("flight"), EVERYTHING).value == 20


def test_a_mention_stays_at_home_when_its_time_moves_to_another_month(place: ElasticPlace) -> None:
    with opened(place) as store:
        for revision, at in enumerate((NOW, NOW + 90 * DAY, NOW - 90 * DAY), 1):
            moved = mention(1, "flight", at=at, revision=revision)
            store.apply([Decided(mention=moved, month=202609)], (), "log", NOW)
        place.settle(store)
        (hit,) = store.search(asked("flight"), EVERYTHING).hits
        assert hit.mention.revision == 3


def test_an_index_of_a_past_month_goes_once_nothing_in_it_is_needed(place: ElasticPlace) -> None:
    clock = ManualClock(NOW)
    with closing(place.open(clock)) as store:
        long_ago = mention(1, "flight", at=NOW - YEAR)
        put(place, store, long_ago, mention(2, "flight"))
        clock.advance(DAY)
        store.idle(clock.at)
        assert ids(store, "flight") == ["x:2", "x:1"]

        tombstone = msgspec.structs.replace(gone(1), event_time=long_ago.event_time)
        store.apply([Decided(mention=tombstone)], (), "log", clock.at)
        clock.advance(DAY)
        store.idle(clock.at)
        store.apply([Decided(mention=long_ago)], (), "log", clock.at)
        place.settle(store)
        assert ids(store, "flight") == ["x:2"], "the tombstone is remembered"

        clock.advance(31 * DAY)
        store.idle(clock.at)
        homes = store._client.indices.get_alias(index=f"{place.cluster.names.read}-*")
        assert [sorted(about["aliases"]) for about in homes.values()] == [
            [place.cluster.names.read, place.cluster.names.home("2026-09")]
        ]
        put(place, store, mention(3, "flight", at=NOW - YEAR))
        assert ids(store, "flight") == ["x:2", "x:3"]


def test_an_export_tells_of_one_moment_whatever_comes_in_meanwhile(
    place: ElasticPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index import elastic_answers

    monkeypatch.setattr(elastic_answers, "EXPORTED_AT_ONCE", 7)
    with closing(place.open()) as store:
        assert list(store.everything(asked(""), EVERYTHING)) == []
        put(place, store, *[mention(n, "flight") for n in range(40)])
        found = []
        for each in store.everything(asked("flight"), EVERYTHING):
            found.append(each.post_id)
            if len(found) == 10:
                put(place, store, *[mention(n, "flight") for n in range(40, 60)], *[gone(n) for n in range(30, 35)])
        assert found == [f"x:{n}" for n in range(40)]


def test_a_store_that_read_texts_in_another_way_asks_to_be_rebuilt(
    place: ElasticPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index import elastic_state

    with opened(place) as store:
        put(place, store, mention(1, "old"))
    monkeypatch.setattr(elastic_state, "reading", lambda: "otherwise")
    with opened(place) as store:
        with pytest.raises(IndexUnusable, match=r"another version.*clamor reindex"):
            ids(store, "old")
        assert store.rebuild([Decided(mention=mention(2, "new"))], "log") == 1
        assert ids(store, "") == ["x:2"]


def test_a_rebuild_that_is_cut_short_at_its_last_step_lets_nobody_skip_a_record(
    place: ElasticPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.elastic_state import State

    flights = [Decided(mention=mention(n, "flight")) for n in range(12)]
    with opened(place) as indexer, opened(place) as tool:
        indexer.apply(flights[:10], [Commit("decided", 0, 0, 10)], "log", NOW)
        with monkeypatch.context() as cut:
            cut.setattr(State, "rebuilt", lambda self, generation: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                tool.rebuild(flights[:8], "log", {("decided", 0): 8})
        with pytest.raises(Transient, match="clamor reindex"):
            indexer.apply(flights[10:], [Commit("decided", 0, 10, 12)], "log", NOW)
        assert tool.rebuild(flights[:8], "log", {("decided", 0): 8}) == 8
        assert indexer.offsets("decided", frozenset({0}), "log") == {0: 8}
        indexer.apply(flights[8:], [Commit("decided", 0, 8, 12)], "log", NOW)
        place.settle(indexer)
        assert tool.count(asked("flight"), EVERYTHING).value == 12


def test_a_query_of_many_levels_is_sent_in_pieces_that_the_cluster_takes(place: ElasticPlace) -> None:
    def deep(levels: int) -> Node:
        if not levels:
            return Word("flight")
        return Or((And((Word("bread"), Not(Not(deep(levels - 1))))), Word(f"w{levels}")))

    with opened(place) as store:
        put(place, store, mention(1, "bread and flight"), mention(2, "flight"))
        assert [hit.mention.post_id for hit in store.search(deep(13), EVERYTHING).hits] == ["x:1"]
        assert [hit.mention.post_id for hit in store.search(deep(13), EVERYTHING, order="relevance").hits] == ["x:1"]


def test_many_values_are_counted_to_the_last_on_demand(place: ElasticPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    from index import elastic_answers

    monkeypatch.setattr(elastic_answers, "COUNTED_AT_ONCE", 10)
    with closing(place.open()) as store:
        put(place, store, *[mention(n, "flight", at=NOW + 40 * DAY * (n % 3)) for n in range(90)])
        walked = dict(store._answers._to_the_last({"match_all": {}}, "id", 200))
        assert walked == {f"x:{n}": 1 for n in range(90)}
        histogram = store.histogram(asked("flight"), EVERYTHING, 10 * DAY)
        assert sum(bucket.count for bucket in histogram.buckets) == 90
