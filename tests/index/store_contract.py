"""What every store must do, written against `index.port` alone.

An implementation's tests subclass `StoreContract` and give it a fixture `place`; nothing here may be changed for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

import msgspec
import pytest

from index import search
from index.cursor import BadCursor
from index.embedded import MAX_LIMIT
from index.port import IndexStore
from index.work import IndexWork
from query.parse import MAX_DEPTH, MAX_TERMS
from query.tree import And, Equals, Node, Not, Or, Word
from stream.clock import HOUR, MINUTE, Clock, ManualClock
from stream.ports import (
    DECIDED,
    EVERYTHING,
    AccessScope,
    Commit,
    LogRecord,
    OffsetConflict,
    OffsetOutside,
    Work,
)
from stream.records import Decided, Mention, encode
from tests.index import made
from tests.index.made import NOW, asked, gone, ids, mention

SCOPE = AccessScope(brands=frozenset({"acme", "nimbus"}), queues=frozenset({"pr", "support"}))


class Place(Protocol):
    """Where a store's mentions are kept: it can be opened any number of times."""

    def open(self, clock: Clock | None = None) -> IndexStore:
        """By default with a clock that stands at NOW."""

    def settle(self, store: IndexStore) -> None:
        """Let all that was written be found."""

    def fresh(self) -> Place:
        """Another place, in which nothing is kept yet."""


@contextmanager
def opened(place: Place, clock: Clock | None = None) -> Iterator[IndexStore]:
    with closing(place.open(clock)) as store:
        yield store


def put(place: Place, store: IndexStore, *mentions: Mention, epoch: int = 0) -> None:
    made.put(store, *mentions, epoch=epoch)
    place.settle(store)


def good(offset: int) -> LogRecord:
    return LogRecord(DECIDED, 0, offset, f"key{offset}", encode(Decided(mention=mention(offset, "flight"))), NOW)


class StoreContract:
    @pytest.mark.parametrize("order", search.ORDERS)
    @pytest.mark.parametrize("text", ["flight", "", "followers:>0 OR flight"])
    def test_pages_joined_are_the_whole_in_order(self, place: Place, order: str, text: str) -> None:
        with opened(place) as store:
            put(place, store, *[mention(n, "flight " * (1 + n % 3), at=NOW + n // 3, risk=n % 7) for n in range(40)])
            whole = ids(store, text, limit=500, order=order)
            assert len(set(whole)) == 40
            assert pages(store, text, order, 7) == whole
            hits = store.search(asked(text), EVERYTHING, limit=99, order=order).hits  # type: ignore[arg-type]
            risks = [hit.mention.decision.risk for hit in hits if hit.mention.decision is not None]
            times = [hit.mention.event_time for hit in hits]
            if order == "risk":
                assert risks == sorted(risks, reverse=True)
            if order in ("newest", "oldest"):
                assert times == sorted(times, reverse=order == "newest")

    def test_mentions_without_a_risk_come_last_by_risk(self, place: Place) -> None:
        with opened(place) as store:
            put(place, store, *[mention(n, "flight", **({"decision": None} if n % 2 else {})) for n in range(12)])
            found = pages(store, "flight", "risk", 5)
            assert len(found) == 12
            assert {int(each.removeprefix("x:")) % 2 for each in found[6:]} == {1}

    def test_relevance_puts_the_text_that_says_more_of_it_first(self, place: Place) -> None:
        with opened(place) as store:
            much, little = (
                mention(1, "refund refund refund now"),
                mention(2, "a refund of what I paid" + " word" * 30),
            )
            put(place, store, much, little)
            put(place, store, *[mention(n, "nothing of the kind") for n in range(3, 30)])
            assert ids(store, "refund", order="relevance") == ["x:1", "x:2"]

    def test_pages_do_not_shift_when_mentions_come_in(self, place: Place) -> None:
        with opened(place) as store:
            put(place, store, *[mention(n, "flight") for n in range(10)])
            first = store.search(asked("flight"), EVERYTHING, limit=5)
            put(place, store, *[mention(n, "flight") for n in range(10, 20)])
            second = store.search(asked("flight"), EVERYTHING, limit=5, cursor=first.cursor)
            assert [hit.mention.post_id for hit in second.hits] == [f"x:{n}" for n in (4, 3, 2, 1, 0)]
            assert second.cursor is None

    @pytest.mark.parametrize(
        "spoil", [lambda text: text[:-2] + "zz", lambda _: "", lambda _: "ñ", lambda text: text * 2]
    )
    def test_a_cursor_that_was_changed_is_refused(self, place: Place, spoil) -> None:  # type: ignore[no-untyped-def]
        with opened(place) as store:
            put(place, store, mention(1, "flight"), mention(2, "flight"))
            cursor = store.search(asked("flight"), EVERYTHING, limit=1).cursor
            assert cursor is not None
            with pytest.raises(BadCursor, match="first page"):
                store.search(asked("flight"), EVERYTHING, limit=1, cursor=spoil(cursor))
            with pytest.raises(BadCursor):
                store.search(asked("delay"), EVERYTHING, limit=1, cursor=cursor)
            with pytest.raises(BadCursor):
                store.search(asked("flight"), EVERYTHING, limit=1, cursor=cursor, order="oldest")

    @pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
    def test_what_can_be_asked_for_is_bounded(self, place: Place, limit: int) -> None:
        with opened(place) as store:
            with pytest.raises(ValueError, match="between 1 and"):
                store.search(asked(""), EVERYTHING, limit=limit)
            with pytest.raises(ValueError, match="between 1 and"):
                store.facets(asked(""), EVERYTHING, ["brand"], size=limit)
            with pytest.raises(ValueError, match="created"):
                store.facets(asked(""), EVERYTHING, ["created"])
            with pytest.raises(ValueError, match="interval"):
                store.histogram(asked(""), EVERYTHING, 0)
            with pytest.raises(ValueError, match="order"):
                store.search(asked(""), EVERYTHING, order="fancy")  # type: ignore[arg-type]

    def test_a_query_as_deep_and_long_as_can_be_typed_is_answered_and_a_deeper_one_refused(self, place: Place) -> None:
        def deep(levels: int) -> Node:
            return And((Word("bread"), Or((deep(levels - 1), Not(Word("cake")))))) if levels else Word("flight")

        with opened(place) as store:
            put(place, store, mention(1, "bread and flight"))
            typed = "(bread (cake OR " * (MAX_DEPTH // 2 - 1) + "flight" + "))" * (MAX_DEPTH // 2 - 1)
            assert ids(store, typed, SCOPE) == ["x:1"]
            assert ids(store, " OR ".join(["flight"] + [f"w{n}" for n in range(MAX_TERMS - 1)]), SCOPE) == ["x:1"]
            with pytest.raises(ValueError, match="too deeply"):
                store.search(deep(40), SCOPE)

    def test_highlights_are_what_matched_in_the_text_as_it_was_written(self, place: Place) -> None:
        text = "¡Cancelaron mi VUELO! La cancelación: pérdida total, @acme 😡 wi-fi"
        with opened(place) as store:
            put(place, store, mention(1, text, at=NOW))

            def marked(query: str) -> list[str]:
                (hit,) = store.search(asked(query), EVERYTHING).hits
                return [text[start:end] for start, end in hit.highlights]

            assert marked("cancelaciones") == ["Cancelaron", "cancelación"]
            assert marked("vuelos 😡") == ["VUELO", "😡"]
            assert marked('"mi vuelo"') == ["mi", "VUELO"]
            assert marked("perd*") == ["pérdida"]
            assert marked("vuelo NEAR/2 cancelacion") == ["VUELO", "cancelación"]
            assert marked("brand:acme -tren") == []
            assert marked("acme OR tren") == ["@acme"]

    def test_offsets_move_with_the_mentions_or_not_at_all(self, place: Place) -> None:
        with opened(place) as store:
            one = [Decided(mention=mention(1, "flight"))]
            assert store.offsets("decided", frozenset({0, 1}), "log") == {}
            store.apply(one, [Commit("decided", 0, 5, 6), Commit("decided", 1, 0, 9)], "log", NOW)
            assert store.offsets("decided", frozenset({0, 1}), "log") == {0: 6, 1: 9}
            with pytest.raises(OffsetConflict, match="decided/0"):
                store.apply([Decided(mention=mention(2, "flight"))], [Commit("decided", 0, 5, 7)], "log", NOW)
            place.settle(store)
            assert ids(store, "flight") == ["x:1"]
            assert store.offsets("decided", frozenset({0}), "log") == {0: 6}
            for wrong in (
                lambda: store.offsets("decided", frozenset({0}), "another"),
                lambda: store.apply([], [Commit("decided", 0, 6, 7)], "another", NOW),
            ):
                with pytest.raises(OffsetOutside, match="clamor reindex"):
                    wrong()

    def test_a_crowd_in_one_millisecond_keeps_its_time(self, place: Place) -> None:
        """An import whose dates have no time of day: more mentions than a millisecond has numbers."""
        with opened(place) as store:
            for start in range(0, 600, 100):
                put(place, store, *[mention(n, "flight", at=NOW) for n in range(start, start + 100)])
            put(place, store, mention(1_000, "flight", at=NOW + 1), mention(1_001, "flight", at=NOW + 3_600_000))
            everything = f"created:>={_iso(NOW)} created:<={_iso(NOW)}"
            assert store.count(asked(f"flight {everything}"), EVERYTHING).value == 600
            assert store.count(asked(everything), EVERYTHING).value == 600
            assert store.count(asked(f"created:>{_iso(NOW)}"), EVERYTHING).value == 2
            put(place, store, *[mention(n, "bread", at=NOW, revision=2) for n in range(600)])
            assert store.count(asked("bread"), EVERYTHING).value == 600
            assert store.count(asked("flight"), EVERYTHING).value == 2

    def test_a_mention_whose_time_changes_moves(self, place: Place) -> None:
        with opened(place) as store:
            put(place, store, mention(1, "flight"), mention(2, "flight"))
            put(place, store, mention(1, "flight", at=NOW + HOUR, revision=2))
            assert ids(store, "flight") == ["x:1", "x:2"]
            assert [bucket.count for bucket in store.histogram(asked(""), EVERYTHING, MINUTE).buckets] == [1, 1]

    def test_private_labels_are_told_apart_by_case(self, place: Place) -> None:
        with opened(place) as store:
            labelled = [mention(1, "flight", access="Board"), mention(2, "flight", access="board")]
            put(place, store, *labelled, mention(3, "flight"))
            assert ids(store, "flight", AccessScope()) == ["x:3"]
            assert ids(store, "flight", AccessScope(access=frozenset({"Board"}))) == ["x:1"]
            assert ids(store, "flight", AccessScope(access=frozenset({"public", "board"}))) == ["x:3", "x:2"]
            assert store.count(asked(""), AccessScope()).value == 1
            assert store.get("x:1#acme", AccessScope(access=frozenset({"board"}))) is None

    @pytest.mark.parametrize("state", ["deleted", "expired", "forgotten", "retracted"])
    def test_what_does_not_stand_is_hidden_from_every_answer(self, place: Place, state: str) -> None:
        with opened(place) as store:
            put(place, store, mention(1, "flight"), mention(2, "flight"))
            put(place, store, msgspec.structs.replace(gone(1), state=state))
            assert ids(store, "flight") == ids(store, "") == ids(store, "brand:acme") == ["x:2"]
            assert store.count(asked("brand:acme"), EVERYTHING).value == 1
            assert store.get("x:1#acme", EVERYTHING) is None
            assert store.facets(asked(""), EVERYTHING, ["queue", "risk"])[0].values == (("support", 1),)
            assert sum(bucket.count for bucket in store.histogram(asked(""), EVERYTHING, 60_000).buckets) == 1

    def test_a_higher_epoch_wins_over_a_higher_revision(self, place: Place) -> None:
        with opened(place) as store:
            put(place, store, mention(1, "before", revision=9))
            put(place, store, mention(1, "after", revision=1), epoch=1)
            put(place, store, mention(1, "before", revision=10))
            assert ids(store, "after") == ["x:1"]
            assert ids(store, "before") == []

    def test_a_late_older_revision_does_not_bring_back_what_was_deleted(self, place: Place) -> None:
        with opened(place) as store:
            put(place, store, gone(1, revision=5))
            put(place, store, mention(1, "zanahorindigo", revision=4))
            put(place, store, mention(1, "zanahorindigo", revision=5))
            assert ids(store, "") == []
            put(place, store, mention(1, "restored", revision=6))
            assert ids(store, "restored") == ["x:1"]

    def test_the_commonest_values_come_first_and_ties_by_name(self, place: Place) -> None:
        with opened(place) as store:
            put(place, store, *[mention(n, "flight", brand=f"b{n % 5}", risk=10 * (n % 2)) for n in range(17)])
            brands, risk = store.facets(asked("flight"), EVERYTHING, ["brand", "risk"], size=4)
            assert brands.values == (("b0", 4), ("b1", 4), ("b2", 3), ("b3", 3))
            assert risk.values == (("0..9", 9), ("10..19", 8))
            every = store.facets(asked("flight"), EVERYTHING, ["id"], size=50, exact=True)[0]
            assert (len(every.values), every.estimated) == (17, False)

    def test_an_empty_store_answers_every_question_with_nothing(self, place: Place) -> None:
        with opened(place) as store:
            assert store.count(asked(""), EVERYTHING).value == 0
            facets = store.facets(asked("a"), EVERYTHING, ["brand", "risk", "author"])
            assert [facet.values for facet in facets] == [(), (), ()]
            assert store.histogram(asked(""), EVERYTHING, HOUR).buckets == ()
            assert store.get("x:1#acme", EVERYTHING) is None
            assert store.offsets("decided", frozenset({0}), "log") == {}
            for order in search.ORDERS:
                assert store.search(asked("flight"), EVERYTHING, order=order).hits == ()  # type: ignore[arg-type]

    def test_a_batch_and_its_offsets_are_taken_by_the_stage(self, place: Place) -> None:
        work: Work = IndexWork(place.open(), "log")
        with closing(work):
            assert work.run([good(0), good(1)], [Commit(DECIDED, 0, 0, 2)], NOW) == ()
            work.idle(NOW)
            assert work.offsets(frozenset({0}), "log") == {0: 2}
            with pytest.raises(OffsetOutside):
                work.offsets(frozenset({0}), "a new log")
        with opened(place) as store:
            place.settle(store)
            assert ids(store, "flight") == ["x:1", "x:0"]

    def test_what_stands_and_where_it_is_told_to_go_on(self, place: Place) -> None:
        with opened(place) as store:
            assert store.standing() == (None, {})
            store.apply([], [Commit("decided", 0, 0, 9), Commit("decided", 1, 0, 4)], "log", NOW)
            assert store.standing() == ("log", {("decided", 0): 9, ("decided", 1): 4})
            store.adopt("another", {("decided", 0): 2})
            assert store.standing() == ("another", {("decided", 0): 2})
            assert store.offsets("decided", frozenset({0, 1}), "another") == {0: 2}

    def test_a_batch_that_comes_again_changes_nothing(self, place: Place) -> None:
        with opened(place) as store:
            batch = [Decided(mention=mention(n, "flight")) for n in range(30)] + [Decided(mention=gone(3))]
            for _ in range(3):
                store.apply(batch, (), "log", NOW)
            place.settle(store)
            assert store.count(asked("flight"), EVERYTHING).value == 29

    def test_a_rebuild_holds_what_it_was_given_and_a_running_indexer_goes_on_from_there(self, place: Place) -> None:
        with opened(place) as indexer, opened(place) as tool:
            flights = [Decided(mention=mention(n, "flight")) for n in range(12)]
            indexer.apply(flights[:10], [Commit("decided", 0, 0, 10)], "log", NOW)
            place.settle(indexer)
            first = tool.search(asked(""), EVERYTHING, limit=3)
            assert tool.rebuild(flights[:8], "log", {("decided", 0): 8}) == 8
            assert tool.count(asked("flight"), EVERYTHING).value == 8
            assert len(indexer.search(asked(""), EVERYTHING, limit=3, cursor=first.cursor).hits) == 3
            with pytest.raises(OffsetConflict):
                indexer.apply(flights[10:], [Commit("decided", 0, 10, 12)], "log", NOW)
            assert indexer.offsets("decided", frozenset({0}), "log") == {0: 8}
            indexer.apply(flights[8:], [Commit("decided", 0, 8, 12)], "log", NOW)
            place.settle(indexer)
            assert tool.count(asked("flight"), EVERYTHING).value == 12

    def test_a_rebuild_that_fails_leaves_what_there_was(self, place: Place) -> None:
        def breaks() -> Iterator[Decided]:
            yield from (Decided(mention=mention(n, "new")) for n in range(5))
            raise ConnectionError("SQL went away")

        with opened(place) as store:
            put(place, store, mention(1, "old"))
            with pytest.raises(ConnectionError):
                store.rebuild(breaks(), "log")
            place.settle(store)
            assert ids(store, "") == ["x:1"]
            assert store.rebuild([Decided(mention=mention(2, "new"))], "log") == 1
            assert ids(store, "") == ["x:2"]

    def test_long_and_strange_values_are_kept_and_found(self, place: Place) -> None:
        with opened(place) as store:
            long, strange = "x:" + "é" * 900, 'x:a b/"c"\\d,*?#%'
            for id in (long, strange):
                put(place, store, msgspec.structs.replace(mention(1, "flight"), id=f"{id}#acme", post_id=id))
                found = store.get(f"{id}#acme", EVERYTHING)
                assert found is not None
                assert found.post_id == id
            put(place, store, mention(9, "tag " * 40_000 + "needle", source_id="s" * 2_000))
            assert ids(store, "source:ssss*") == ["x:9"]
            assert store.count(Equals("source", "s" * 2_000), EVERYTHING).value == 1

    def test_its_size_is_told(self, place: Place) -> None:
        with opened(place) as store:
            put(place, store, *[mention(n, "flight") for n in range(20)])
            assert store.size() > 0

    def test_latency_is_from_arrival_until_searchable_and_bounded(self, place: Place) -> None:
        clock = ManualClock(NOW)
        with opened(place, clock) as store, opened(place) as status:
            assert store.latency(NOW).count == 0
            clock.at = NOW + 99_000 + 400
            put(place, store, *[mention(n, "flight", appended_at=NOW + 99_000) for n in range(99)])
            put(place, store, mention(99, "flight", appended_at=NOW + 99_000 - 60_000))
            store.idle(clock.at)
            place.settle(store)
            found = status.latency(clock.at)
            assert found.count == 100
            assert found.p50 is not None
            assert found.p99 is not None
            assert 400 <= found.p50 <= 400 * 1.2
            assert 400 <= found.p99 <= 400 * 1.2
            put(place, store, mention(1, "flight again", revision=2), gone(2))
            store.idle(clock.at)
            place.settle(store)
            assert status.latency(clock.at).count == 100
            clock.at += 25 * HOUR
            put(place, store, mention(200, "flight", appended_at=clock.at - 10))
            store.idle(clock.at)
            place.settle(store)
            assert status.latency(clock.at, 48 * HOUR).count == 1
            assert status.latency(clock.at + 2 * MINUTE, MINUTE).count == 0
            assert store.count(asked("flight"), EVERYTHING).value == 100


def pages(store: IndexStore, text: str, order: str, size: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = store.search(asked(text), EVERYTHING, limit=size, cursor=cursor, order=order)  # type: ignore[arg-type]
        found += [hit.mention.post_id for hit in page.hits]
        if page.cursor is None:
            return found
        cursor = page.cursor


def _iso(time: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
