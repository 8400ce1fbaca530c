"""What only a cluster can do to a store: refuse one document, be full, be away; and what only it can do for one."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from index.elastic_errors import speaking
from index.files import IndexUnusable
from index.refusals import NotIndexed
from index.work import IndexWork
from query.tree import And, Node, Not, Or, Word
from stream.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from stream.ports import DECIDED, EVERYTHING, Commit, LogRecord, Refused, Transient
from stream.records import Decided, encode
from tests.index.made import NOW, asked, gone, ids, mention
from tests.index.store_contract import opened, put

if TYPE_CHECKING:
    from tests.services.elastic_node import Node as Server
    from tests.services.elastic_place import ElasticPlace

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

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
        for store in (one, other):
            assert store.offsets("decided", frozenset({0}), "log") == {}
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


def test_an_index_that_was_left_closed_by_a_sweep_that_died_is_opened_by_who_writes_to_it(place: ElasticPlace) -> None:
    from index.elastic_state import SWEEP, SWEPT_WITHIN

    with closing(place.open()) as store:
        put(place, store, mention(1, "flight"))
        store._state.begun(SWEEP, NOW)
        (index,) = [each for each in place.indices() if place.cluster.names.parts(each)]
        store._client.indices.add_block(index=index, block="write")
        batch = [Decided(mention=mention(2, "flight"))]
        for now in (NOW, NOW + SWEPT_WITHIN - 1):
            with pytest.raises(Transient, match="about to be deleted"):
                store.apply(batch, [Commit("decided", 0, 0, 1)], "log", now)
        store.apply(batch, [Commit("decided", 0, 0, 1)], "log", NOW + SWEPT_WITHIN)
        place.settle(store)
        assert ids(store, "flight") == ["x:2", "x:1"]


def test_an_erasure_that_could_not_be_begun_is_begun_by_the_next_turn(
    place: ElasticPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from elastic_transport import ConnectionTimeout

    begun: list[object] = []

    def away(*_: object, **__: object) -> None:
        raise ConnectionTimeout("away")

    clock = ManualClock(NOW)
    with closing(place.open(clock)) as store:
        put(place, store, mention(1, "flight"), mention(2, "flight"))
        put(place, store, gone(1))
        indices = type(store._client.indices)
        real = indices.forcemerge
        monkeypatch.setattr(indices, "forcemerge", away)
        with pytest.raises(Transient, match="erase"):
            store.idle(clock.at)

        def noted(self: Any, **settings: Any) -> object:
            begun.append(settings)
            return real(self, **settings)

        monkeypatch.setattr(indices, "forcemerge", noted)
        clock.advance(2 * MINUTE)
        store.idle(clock.at)
        clock.advance(2 * MINUTE)
        store.idle(clock.at)
        assert len(begun) == 1


def test_a_mention_counts_as_searchable_when_a_search_finds_it(place: ElasticPlace) -> None:
    clock = ManualClock(NOW)
    with closing(place.open(clock)) as store:
        put(place, store, mention(1, "flight"))
        store.idle(clock.at)
        home = place.cluster.names.home("2026-09")
        store._client.indices.put_settings(index=home, settings={"index.refresh_interval": "-1"})
        clock.advance(2 * HOUR)
        store.apply([Decided(mention=mention(2, "flight", appended_at=clock.at - 100))], (), "log", clock.at)
        hidden = msgspec.structs.replace(gone(1), gone_since=clock.at - 100)
        store.apply([Decided(mention=hidden)], (), "log", clock.at)
        for _ in range(3):
            clock.advance(5 * SECOND)
            store.idle(clock.at)
        store._client.indices.refresh(index=place.cluster.names.state)
        assert store.latency(clock.at).count == 0, "it is written, and no search finds it"
        place.settle(store)
        clock.advance(5 * SECOND)
        store.idle(clock.at)
        place.settle(store)
        for found in (store.latency(clock.at), store.hidden(clock.at)):
            assert found.count == 1
            assert found.p50 is not None
            assert 20_100 <= found.p50 <= 20_100 * 1.2


def test_two_generations_do_not_both_make_a_month_s_home(place: ElasticPlace) -> None:
    """A process that has not heard of a rebuild yet, and one that has, in the first minute of a month."""
    with closing(place.open()) as store:
        put(place, store, mention(1, "flight"))
        names, client = place.cluster.names, store._client
        with pytest.raises(Transient), speaking("here", "make an index"):
            client.indices.create(
                index=names.index_of("2026-09", "abc123"),
                aliases={names.home("2026-09"): {"is_write_index": True}, names.read: {}},
            )
        assert len(place.indices()) == 2
