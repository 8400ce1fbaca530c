"""A time in which nobody listened is a gap in the ledger, until it is filled or said to be lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest

from ingest.backfill import Backfill
from ingest.collector import CursorLost, Delivery, Denied, Exhausted, Interrupted, Span
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.intake import Intake
from ingest.runner import Runner
from stream.clock import HOUR, MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from stream.records import Coverage
from tests.ingest.conftest import NOW as START
from tests.ingest.scripted import Network, drafts, ids


def test_a_cut_is_a_gap_until_the_network_fills_it(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger
) -> None:
    noticed: list[str] = []

    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(1, at=clock.now()))
        clock.advance(5 * MINUTE)
        raise Interrupted("HTTP 503")

    def down(_: str | None) -> Iterator[Delivery]:
        noticed.extend(f"{gap.state} {gap.reason} {(gap.until - gap.since) // MINUTE}" for gap in ledger.gaps())
        clock.advance(MINUTE)
        raise Interrupted("HTTP 503")
        yield

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(4, at=clock.now()))
        raise Exhausted

    def history(span: Span) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(2, 3, at=span.since + MINUTE))

    network = Network(clock, [before, down, after], history=history)
    run(network)
    assert noticed == ["gap HTTP 503 5"]
    assert sorted(ids(held)) == ["1", "2", "3", "4"]
    assert {post.id[2:]: post.origin for post in held.posts()} == {
        "1": "live",
        "2": "gapfill",
        "3": "gapfill",
        "4": "live",
    }
    assert network.filled == [Span(START + MINUTE, START + 7 * MINUTE)]
    assert [row.state for row in ledger.rows()] == ["complete", "backfilled", "complete"]
    assert ledger.figure(START, clock.now()).complete


@pytest.mark.parametrize("fault", [Interrupted("the quota of today is used up", 12 * HOUR), Denied("no token")])
def test_a_hole_grows_while_its_network_is_left_alone_for_long(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger, fault: Exception
) -> None:
    """Else a count of the last hours would say that nothing is missing of them."""
    known: list[int] = []

    class Waited(Event):
        """Waits on the clock; what the ledger knows of the hole is looked at after each wait."""

        def wait(self, timeout: float | None = None) -> bool:
            clock.advance(round(1000 * (timeout or 0)))
            known.extend(clock.now() - gap.until for gap in ledger.gaps())
            if len(known) > 20:
                self.set()
            return self.is_set()

    def refused(_: str | None) -> Iterator[Delivery]:
        raise fault
        yield

    run(Network(clock, [refused, refused]), stop=Waited())
    assert max(known) <= MINUTE
    (gap,) = ledger.gaps()
    assert (gap.state, gap.since) == ("gap", START)


def test_a_gap_that_cannot_be_filled_is_said_to_be_lost(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        raise TimeoutError("some text of a post")

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        raise Exhausted

    run(Network(clock, [before, after]))
    (lost,) = ledger.gaps()
    assert (lost.state, lost.missed) == ("lost", None)
    assert "unexpected TimeoutError" in lost.reason
    assert "no search in this plan" in lost.reason
    assert "some text" not in lost.reason


def test_a_hole_that_was_being_closed_when_the_process_died_is_closed_by_the_next(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger, cursors: Cursors
) -> None:
    def caught_up(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(2), cursor="2")
        raise Exhausted

    cursors.put("feed", "", "1", START)
    ledger.record(
        Coverage(source_id="feed", since=START, until=START + MINUTE, state="gap", reason="killed", recorded_at=0),
        f"gap:{START}",
    )
    clock.advance(3 * MINUTE)
    run(Network(clock, [caught_up], resumes=True))
    assert ledger.gaps() == []
    assert ledger.figure(START, clock.now()).complete


def test_a_network_that_rewinds_closes_its_gap_itself(
    run: Callable[..., Runner], clock: ManualClock, held: Any, ledger: Ledger
) -> None:
    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1, at=clock.now()), cursor="1")
        clock.advance(3 * MINUTE)
        raise Interrupted("reset")

    def after(cursor: str | None) -> Iterator[Delivery]:
        assert cursor == "1"
        yield Delivery(drafts=drafts(2, at=START + MINUTE), cursor="2")
        assert [gap.state for gap in ledger.gaps()] == ["gap"]
        yield Delivery(drafts=drafts(3, at=clock.now()), cursor="3")
        assert ledger.gaps() == []
        raise Exhausted

    network = Network(clock, [before, after], resumes=True)
    run(network)
    assert [(post.id[2:], post.origin) for post in held.posts()] == [("1", "live"), ("2", "gapfill"), ("3", "live")]
    assert network.filled == []


def test_what_came_in_part_while_a_gap_was_open_stays_so_when_it_closes(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    def first(_: str | None) -> Iterator[Delivery]:
        yield Delivery(cursor="1")

    def broken(_: str | None) -> Iterator[Delivery]:
        clock.advance(3 * MINUTE)
        raise Interrupted("reset")
        yield

    def partly(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(missed=None, reason="page cap", cursor="2")
        raise Interrupted("one of several places failed")

    def again(_: str | None) -> Iterator[Delivery]:
        clock.advance(MINUTE)
        yield Delivery(cursor="3")

    run(Network(clock, [first, broken, partly, again], style="poll", resumes=True))
    assert [(gap.state, gap.reason) for gap in ledger.gaps()] == [("partial", "page cap")]


def test_a_round_that_a_stop_ends_closes_no_gap(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger, cursors: Cursors
) -> None:
    stop = Event()

    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery(cursor="1")

    def broken(_: str | None) -> Iterator[Delivery]:
        clock.advance(3 * MINUTE)
        raise Interrupted("reset")
        yield

    def stopped(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(2), cursor="2")
        stop.set()

    run(Network(clock, [before, broken, stopped], style="poll", resumes=True), stop=stop)
    assert cursors.get("feed") == "2"
    assert [(gap.state, gap.since, gap.until) for gap in ledger.gaps()] == [("gap", START, START + 3 * MINUTE)]


def test_what_waited_behind_others_when_a_stream_was_stopped_is_in_no_whole_window(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    """Left in hand for minutes, since the stages lagged."""
    stop = Event()

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery(reached=clock.now())
        clock.advance(4 * MINUTE)
        stop.set()
        yield Delivery(drafts=drafts(1), reached=START + MINUTE)

    runner = run(Network(clock, [stream]), stop=stop)
    assert runner.reached_at == START + MINUTE
    assert [(row.since, row.until, row.received) for row in ledger.rows()] == [(START, START + MINUTE, 1)]


def test_a_firehose_that_is_replayed_has_caught_up_when_it_says_so(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    def first(_: str | None) -> Iterator[Delivery]:
        yield Delivery(cursor="1")
        clock.advance(MINUTE)
        raise Interrupted("cut")

    holes: list[int] = []

    def replay(_: str | None) -> Iterator[Delivery]:
        yield Delivery(reached=START)
        holes.append(len(ledger.gaps()))
        yield Delivery(filtered=1_000, reached=START + MINUTE // 2)
        holes.append(len(ledger.gaps()))
        clock.advance(MINUTE)
        yield Delivery(filtered=1_000, reached=START + MINUTE)
        holes.append(len(ledger.gaps()))
        raise Exhausted

    runner = run(Network(clock, [first, replay], style="stream", resumes=True))
    assert holes == [1, 1, 0]
    assert runner.filtered == 2_000
    assert sum(row.received for row in ledger.rows()) == 2_000


def test_a_lost_cursor_makes_the_hole_a_gap_to_be_filled(
    run: Callable[..., Runner], clock: ManualClock, held: Any
) -> None:
    def first(_: str | None) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1), cursor="1")
        clock.advance(MINUTE)
        raise CursorLost("older than 24 h")

    def second(cursor: str | None) -> Iterator[Delivery]:
        assert cursor is None
        yield Delivery()
        raise Exhausted

    network = Network(clock, [first, second], resumes=True, history=lambda span: iter([Delivery(drafts=drafts(2))]))
    run(network)
    assert network.filled == [Span(START, START + MINUTE)]
    assert sorted(ids(held)) == ["1", "2"]


def test_the_time_it_was_not_running_is_a_gap(run: Callable[..., Runner], clock: ManualClock, ledger: Ledger) -> None:
    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery()
        raise Exhausted

    run(Network(clock, [stream]))
    clock.advance(10 * MINUTE)
    run(Network(clock, [stream]))
    assert [(row.state, (row.until - row.since) // MINUTE) for row in ledger.rows()] == [
        ("complete", 1),
        ("lost", 10),
        ("complete", 1),
    ]
    assert "not running" in ledger.gaps()[0].reason


def test_killed_before_its_first_row_it_knows_that_it_had_begun(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    def killed(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        yield Delivery(drafts=drafts(1))
        raise KeyboardInterrupt

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        raise Exhausted

    network = Network(clock, [killed, after], history=lambda span: iter(()))
    first = Runner(network, log, cursors, ledger, clock)
    first.windows.close_all = lambda now: None  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        first.run()
    assert ledger.rows() == []
    clock.advance(MINUTE)
    Runner(network, log, cursors, ledger, clock).run()
    assert network.filled == [Span(START, START + MINUTE)]


def test_a_span_asked_for_by_hand_hides_no_time_in_which_nobody_listened(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        yield Delivery(drafts=drafts(1))
        raise Exhausted

    def again(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        raise Exhausted

    network = Network(clock, [stream, again], history=lambda span: iter(()))
    Runner(network, log, cursors, ledger, clock).run()
    clock.advance(9 * MINUTE)
    by_hand = Backfill(network, Intake(log, network.source), cursors, ledger, clock, query="acme", name="by hand")
    by_hand.run(by_hand.begun(Span(START - MINUTE, clock.now())), Event(), lambda far, why: None)
    network.filled.clear()
    clock.advance(MINUTE)
    Runner(network, log, cursors, ledger, clock).run()
    assert network.filled == [Span(START + MINUTE, START + 11 * MINUTE)]
