"""A rebuild may end at any instant: nothing is lost by it, nothing left lying about, nobody has to come for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from index.files import IndexUnusable
from stream.clock import DAY, MINUTE, ManualClock
from stream.ports import EVERYTHING, Commit, OffsetConflict, Transient
from stream.records import Decided
from tests.index.made import NOW, asked, ids, mention
from tests.index.store_contract import put

if TYPE_CHECKING:
    from index.elastic import ElasticStore
    from index.elastic_documents import Entry
    from tests.services.elastic_place import ElasticPlace

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

FLIGHTS = [Decided(mention=mention(n, "flight")) for n in range(12)]
"""A rebuild reads the first eight of SQL, and the log goes on behind them."""

CUTS = ("_put_in_place", "rebuilt", "adopt", "_remove")
"""What a rebuild does when its indices are whole, in this order: it dies instead of doing it."""


def cut(monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    from index import elastic_rebuild
    from index.elastic_state import State

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    if at == "_remove":
        real: Callable[..., None] = elastic_rebuild._remove

        def remove(client: object, cluster: object, indices: list[str]) -> None:
            if indices:
                raise KeyboardInterrupt
            real(client, cluster, indices)

        monkeypatch.setattr(elastic_rebuild, "_remove", remove)
    else:
        monkeypatch.setattr(State if at in ("rebuilt", "adopt") else elastic_rebuild, at, dies)


def died(tool: ElasticStore, at: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut(patch, at)
        with pytest.raises(KeyboardInterrupt):
            tool.rebuild(FLIGHTS[:8], "log", {("decided", 0): 8})


def goes_on(indexer: ElasticStore, place: ElasticPlace) -> None:
    """As the stage does once its offset is another one than it thought."""
    assert indexer.offsets("decided", frozenset({0}), "log") == {0: 8}
    indexer.apply(FLIGHTS[8:], [Commit("decided", 0, 8, 12)], "log", NOW)
    place.settle(indexer)
    assert indexer.count(asked("flight"), EVERYTHING).value == 12


@pytest.mark.parametrize("at", CUTS[:3])
def test_an_indexer_ends_what_a_rebuild_left_undone(place: ElasticPlace, at: str) -> None:
    clock = ManualClock(NOW)
    with closing(place.open(clock)) as indexer, closing(place.open(clock)) as tool:
        indexer.apply(FLIGHTS[:10], [Commit("decided", 0, 0, 10)], "log", NOW)
        died(tool, at)
        more = (FLIGHTS[10:], [Commit("decided", 0, 10, 12)], "log", NOW)
        with pytest.raises(Transient, match="being put in place"):
            indexer.apply(*more)
        assert indexer.offsets("decided", frozenset({0}), "log") == {0: 10}, "who does it may still be at work"
        clock.advance(2 * MINUTE)
        with pytest.raises(Transient, match="being put in place"):
            indexer.apply(*more)
        with pytest.raises(OffsetConflict):
            indexer.apply(*more)
        goes_on(indexer, place)
        assert len(place.indices()) == 2, "one month and the state"


def test_an_indexer_with_nothing_to_do_ends_it_as_well_and_reads_its_offsets_anew(place: ElasticPlace) -> None:
    clock = ManualClock(NOW)
    with closing(place.open(clock)) as indexer, closing(place.open(clock)) as tool:
        indexer.apply(FLIGHTS[:10], [Commit("decided", 0, 0, 10)], "log", NOW)
        assert indexer.offsets("decided", frozenset({0}), "log") == {0: 10}
        indexer.idle(clock.at)
        died(tool, "_put_in_place")
        clock.advance(2 * MINUTE)
        with pytest.raises(OffsetConflict, match="rebuilt"):
            indexer.idle(clock.at)
        goes_on(indexer, place)
        clock.advance(2 * MINUTE)
        assert indexer.offsets("decided", frozenset({0}), "log") == {0: 12}
        indexer.idle(clock.at)


@pytest.mark.parametrize("at", CUTS)
def test_a_second_rebuild_may_come_at_once(place: ElasticPlace, at: str) -> None:
    with closing(place.open()) as indexer, closing(place.open()) as tool:
        indexer.apply(FLIGHTS[:10], [Commit("decided", 0, 0, 10)], "log", NOW)
        died(tool, at)
        if at == "_remove":
            # The offsets are in place; only its word that it is at work stands for some minutes.
            tool._state.begun("rebuild", 0)
        assert tool.rebuild(FLIGHTS[:8], "log", {("decided", 0): 8}) == 8
        goes_on(indexer, place)
        assert len(place.indices()) == 2


def test_what_dead_rebuilds_left_is_deleted(place: ElasticPlace) -> None:
    """Old indices that no alias leads to, and new ones that were never whole: no delete reaches the texts in them."""
    clock = ManualClock(NOW)

    def breaks() -> Iterator[Decided]:
        yield from FLIGHTS[:3]
        raise SystemExit

    with closing(place.open(clock)) as store:
        put(place, store, mention(1, "flight"))
        died(store, "_remove")
        with pytest.MonkeyPatch.context() as patch:
            from index import elastic_rebuild

            patch.setattr(elastic_rebuild, "_remove", lambda *_: None)
            patch.setattr(elastic_rebuild, "BATCH", 2)
            store._state.begun("rebuild", 0)
            with pytest.raises(SystemExit):
                store.rebuild(breaks(), "log")
        assert len(place.indices()) == 4
        clock.advance(DAY)
        store.idle(clock.at)
        assert len(place.indices()) == 2
        assert store.count(asked("flight"), EVERYTHING).value == 8


def test_one_rebuild_at_a_time(place: ElasticPlace) -> None:
    with closing(place.open()) as one, closing(place.open()) as other:

        def meanwhile() -> Iterator[Decided]:
            yield FLIGHTS[0]
            with pytest.raises(IndexUnusable, match="being rebuilt by another process"):
                other.rebuild(FLIGHTS[:1], "log")
            yield FLIGHTS[1]

        assert one.rebuild(meanwhile(), "log") == 2
        place.settle(one)
        assert ids(one, "flight") == ["x:1", "x:0"]


def test_a_batch_that_was_half_written_before_a_rebuild_is_written_whole_after_it(place: ElasticPlace) -> None:
    """What a process remembers of the old indices does not pass for the new ones, wherever its offset stands."""
    from index import elastic_write

    with closing(place.open()) as indexer, closing(place.open()) as tool:
        indexer.apply(FLIGHTS[:8], [Commit("decided", 0, 0, 8)], "log", NOW)
        real = elastic_write.Writer._take

        def busy(self: Any, entry: Entry, done: dict[str, Any], *rest: Any) -> bool:
            if entry.mention.post_id == "x:11":
                done = {"status": 429, "error": {"type": "es_rejected_execution_exception"}}
            return real(self, entry, done, *rest)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(elastic_write.Writer, "_take", busy)
            with pytest.raises(Transient, match="429"):
                indexer.apply(FLIGHTS[8:], [Commit("decided", 0, 8, 12)], "log", NOW)
        assert tool.rebuild(FLIGHTS[:8], "log", {("decided", 0): 8}) == 8
        indexer.apply(FLIGHTS[8:], [Commit("decided", 0, 8, 12)], "log", NOW)
        place.settle(indexer)
        assert indexer.count(asked("flight"), EVERYTHING).value == 12
