"""What the store promises to whoever searches it."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest

from index import counting, search
from index.cursor import BadCursor
from index.embedded import MAX_LIMIT, EmbeddedStore, QueryTooSlow
from query.parse import MAX_DEPTH, MAX_TERMS
from query.tree import And, Node, Not, Or, Word
from stream.clock import HOUR, MINUTE
from stream.ports import EVERYTHING, AccessScope, Commit, OffsetConflict, OffsetOutside
from stream.records import Decided
from tests.index.made import NOW, asked, ids, mention, opened, put

SCOPE = AccessScope(brands=frozenset({"acme", "nimbus"}), queues=frozenset({"pr", "support"}))


def pages(store: EmbeddedStore, text: str, order: str, size: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = store.search(asked(text), EVERYTHING, limit=size, cursor=cursor, order=order)
        found += [hit.mention.post_id for hit in page.hits]
        if page.cursor is None:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("order", search.ORDERS)
@pytest.mark.parametrize("text", ["flight", "", "followers:>0 OR flight"])
def test_pages_joined_are_the_whole_in_order(tmp_path: Path, order: str, text: str) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight " * (1 + n % 3), at=NOW + n // 3, risk=n % 7) for n in range(40)])
        whole = ids(store, text, limit=500, order=order)
        assert len(set(whole)) == 40
        assert pages(store, text, order, 7) == whole
        risks = [hit.mention.decision.risk for hit in store.search(asked(text), EVERYTHING, limit=99, order=order).hits]
        times = [hit.mention.event_time for hit in store.search(asked(text), EVERYTHING, limit=99, order=order).hits]
        if order == "risk":
            assert risks == sorted(risks, reverse=True)
        if order in ("newest", "oldest"):
            assert times == sorted(times, reverse=order == "newest")


def test_mentions_without_a_risk_come_last_by_risk(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight", **({"decision": None} if n % 2 else {})) for n in range(12)])
        found = pages(store, "flight", "risk", 5)
        assert len(found) == 12
        assert {int(each.removeprefix("x:")) % 2 for each in found[6:]} == {1}


def test_relevance_puts_the_text_that_says_more_of_it_first(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, mention(1, "refund refund refund now"), mention(2, "a refund of what was paid for " + "word " * 30))
        put(store, *[mention(n, "nothing of the kind") for n in range(3, 30)])
        assert ids(store, "refund", order="relevance") == ["x:1", "x:2"]


def test_pages_do_not_shift_when_mentions_come_in(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight") for n in range(10)])
        first = store.search(asked("flight"), EVERYTHING, limit=5)
        put(store, *[mention(n, "flight") for n in range(10, 20)])
        second = store.search(asked("flight"), EVERYTHING, limit=5, cursor=first.cursor)
        assert [hit.mention.post_id for hit in second.hits] == [f"x:{n}" for n in (4, 3, 2, 1, 0)]
        assert second.cursor is None


@pytest.mark.parametrize("spoil", [lambda text: text[:-2] + "zz", lambda _: "", lambda _: "ñ", lambda text: text * 2])
def test_a_cursor_that_was_changed_is_refused(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    with opened(tmp_path / "index.db") as store:
        put(store, mention(1, "flight"), mention(2, "flight"))
        cursor = store.search(asked("flight"), EVERYTHING, limit=1).cursor
        assert cursor is not None
        with pytest.raises(BadCursor, match="first page"):
            store.search(asked("flight"), EVERYTHING, limit=1, cursor=spoil(cursor))
        with pytest.raises(BadCursor):
            store.search(asked("delay"), EVERYTHING, limit=1, cursor=cursor)
        with pytest.raises(BadCursor):
            store.search(asked("flight"), EVERYTHING, limit=1, cursor=cursor, order="oldest")


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_what_can_be_asked_for_is_bounded(tmp_path: Path, limit: int) -> None:
    with opened(tmp_path / "index.db") as store:
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


def test_a_search_that_takes_too_long_is_stopped_with_advice(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db", time_limit=0.0001) as store:
        put(store, *[mention(n, "flight") for n in range(3_000)])
        with pytest.raises(QueryTooSlow, match="shorter time"):
            store.search(asked("likes:>1 OR -flight"), EVERYTHING, order="risk")
        assert isinstance(QueryTooSlow(), TimeoutError)


def test_a_query_as_deep_and_long_as_can_be_typed_is_answered_and_a_deeper_one_refused(tmp_path: Path) -> None:
    def deep(levels: int) -> Node:
        return And((Word("bread"), Or((deep(levels - 1), Not(Word("cake")))))) if levels else Word("flight")

    with opened(tmp_path / "index.db") as store:
        put(store, mention(1, "bread and flight"))
        typed = "(bread (cake OR " * (MAX_DEPTH // 2 - 1) + "flight" + "))" * (MAX_DEPTH // 2 - 1)
        assert ids(store, typed, SCOPE) == ["x:1"]
        assert ids(store, " OR ".join(["flight"] + [f"w{n}" for n in range(MAX_TERMS - 1)]), SCOPE) == ["x:1"]
        with pytest.raises(ValueError, match="too deeply"):
            store.search(deep(40), SCOPE)


def test_highlights_are_what_matched_in_the_text_as_it_was_written(tmp_path: Path) -> None:
    text = "¡Cancelaron mi VUELO! La cancelación: pérdida total, @acme 😡 wi-fi"
    with opened(tmp_path / "index.db") as store:
        put(store, mention(1, text, at=NOW))

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


def test_offsets_move_with_the_mentions_or_not_at_all(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        one = [Decided(mention=mention(1, "flight"))]
        assert store.offsets("decided", frozenset({0, 1}), "log") == {}
        store.apply(one, [Commit("decided", 0, 5, 6), Commit("decided", 1, 0, 9)], "log", NOW)
        assert store.offsets("decided", frozenset({0, 1}), "log") == {0: 6, 1: 9}
        with pytest.raises(OffsetConflict, match="decided/0"):
            store.apply([Decided(mention=mention(2, "flight"))], [Commit("decided", 0, 5, 7)], "log", NOW)
        assert ids(store, "flight") == ["x:1"]
        assert store.offsets("decided", frozenset({0}), "log") == {0: 6}
        for wrong in (
            lambda: store.offsets("decided", frozenset({0}), "another"),
            lambda: store.apply([], [Commit("decided", 0, 6, 7)], "another", NOW),
        ):
            with pytest.raises(OffsetOutside, match="clamor reindex"):
                wrong()


def test_a_crowd_in_one_millisecond_keeps_its_time(tmp_path: Path) -> None:
    """An import whose dates have no time of day: more mentions than a millisecond has numbers."""
    with opened(tmp_path / "index.db") as store:
        for start in range(0, 600, 100):
            put(store, *[mention(n, "flight", at=NOW) for n in range(start, start + 100)])
        put(store, mention(1_000, "flight", at=NOW + 1), mention(1_001, "flight", at=NOW + 3_600_000))
        everything = f"created:>={_iso(NOW)} created:<={_iso(NOW)}"
        assert store.count(asked(f"flight {everything}"), EVERYTHING).value == 600
        assert store.count(asked(everything), EVERYTHING).value == 600
        assert store.count(asked(f"created:>{_iso(NOW)}"), EVERYTHING).value == 2
        put(store, *[mention(n, "bread", at=NOW, revision=2) for n in range(600)])
        assert store.count(asked("bread"), EVERYTHING).value == 600
        assert store.count(asked("flight"), EVERYTHING).value == 2


def _iso(time: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def test_a_mention_whose_time_changes_moves(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, mention(1, "flight"), mention(2, "flight"))
        put(store, mention(1, "flight", at=NOW + HOUR, revision=2))
        assert ids(store, "flight") == ["x:1", "x:2"]
        assert [bucket.count for bucket in store.histogram(asked(""), EVERYTHING, MINUTE).buckets] == [1, 1]


def test_above_twenty_thousand_numbers_are_estimated_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "EXACT_BELOW", 500)
    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight", queue="pr" if n % 4 else "sales") for n in range(4_000)])
        query = asked("flight")
        assert store.count(query, EVERYTHING).value == 4_000
        estimate = store.count(query, EVERYTHING, exact=False)
        assert estimate.estimated
        assert abs(estimate.value - 4_000) < 1_000
        (queues,) = store.facets(query, EVERYTHING, ["queue"])
        assert queues.estimated
        assert [value for value, _ in queues.values] == ["pr", "sales"]
        histogram = store.histogram(query, EVERYTHING, HOUR)
        assert histogram.estimated
        assert store.facets(query, EVERYTHING, ["queue"], exact=True)[0].values == (("pr", 3_000), ("sales", 1_000))
        exact = store.histogram(query, EVERYTHING, HOUR, exact=True)
        assert not exact.estimated
        assert sum(bucket.count for bucket in exact.buckets) == 4_000
        assert not store.count(asked("flight queue:sales risk:100"), EVERYTHING, exact=False).estimated
        assert store.histogram(asked("brand:acme"), EVERYTHING, HOUR).estimated is False


def test_private_labels_are_told_apart_by_case(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, mention(1, "flight", access="Board"), mention(2, "flight", access="board"), mention(3, "flight"))
        assert ids(store, "flight", AccessScope()) == ["x:3"]
        assert ids(store, "flight", AccessScope(access=frozenset({"Board"}))) == ["x:1"]
        assert ids(store, "flight", AccessScope(access=frozenset({"public", "board"}))) == ["x:3", "x:2"]
        assert store.count(asked(""), AccessScope()).value == 1
        assert store.get("x:1#acme", AccessScope(access=frozenset({"board"}))) is None


def test_threads_and_processes_search_while_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store:
        put(store, *[mention(n, "flight") for n in range(100)])
        wrong: list[object] = []
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                found = store.count(asked("flight"), EVERYTHING).value
                if found % 100:
                    wrong.append(found)

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        spawn = multiprocessing.get_context("spawn")
        with spawn.Pool(1) as pool:
            other = pool.apply_async(counted, (path,))
            for batch in range(1, 8):
                put(store, *[mention(n, "flight") for n in range(100 * batch, 100 * batch + 100)])
            assert other.get(60) % 100 == 0
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert ids(store, "flight", limit=1_000)[0] == "x:799"


def counted(path: Path) -> int:
    with opened(path) as store:
        return store.count(asked("flight"), EVERYTHING).value


def test_values_that_few_share_are_counted_to_the_last_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "READ_BODIES", 5)
    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight") for n in range(12)])
        some = store.facets(asked("flight"), EVERYTHING, ["id"], size=50)[0]
        every = store.facets(asked("flight"), EVERYTHING, ["id"], size=50, exact=True)[0]
        assert (len(some.values), some.estimated) == (5, True)
        assert (len(every.values), every.estimated) == (12, False)
