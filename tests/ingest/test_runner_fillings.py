"""A hole is filled from the history of its network, once, whatever ends a filling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from threading import Event, Thread

import pytest

from ingest.collector import CursorLost, Delivery, Interrupted, Span, Unfillable
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.gaps import SPEND_CAP, Gaps
from ingest.intake import Intake
from ingest.runner import Runner
from stream.clock import MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from stream.records import Coverage
from tests.ingest.conftest import NOW as START
from tests.ingest.scripted import Network, drafts


def fill(gaps: Gaps, clock: ManualClock, go_on: Callable[[str], None] = lambda query: None) -> None:
    gaps.fill_all(Event(), go_on, lambda delivery, query: None, before=clock.now(), besides=None)


def test_a_filling_that_a_stop_ends_leaves_the_gap_open(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    stop, begun = Event(), Event()

    def before(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(MINUTE)
        raise Interrupted("HTTP 503")

    def after(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        assert begun.wait(10)
        while True:
            yield Delivery()

    def history(span: Span) -> Iterator[Delivery]:
        yield Delivery(drafts=drafts(1))
        begun.set()
        stop.wait(10)

    Thread(target=lambda: begun.wait(10) and stop.set()).start()
    run(Network(clock, [before, after], history=history), stop=stop)
    assert [gap.state for gap in ledger.gaps()] == ["gap"]


def test_a_hole_that_always_fails_and_a_brand_without_budget_keep_no_other_hole_open(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START + 100 * MINUTE

    def history(span: Span) -> Iterator[Delivery]:
        if span.since == START + MINUTE:
            raise ValueError("a page that nobody understands")
        return iter(())

    for n, query in enumerate(("poor", "rich", "rich", "rich")):
        since = START + n * MINUTE
        ledger.record(Coverage(source_id="feed", query=query, since=since, until=since + 1, state="gap", missed=None))
    network = Network(clock, [], history=history)
    gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock)

    def go_on(query: str) -> None:
        if query == "poor":
            raise Interrupted("spend cap: the budget of this period is used up")

    faults: list[str] = []
    for _ in range(3):
        with pytest.raises((ValueError, Interrupted)) as failed:
            fill(gaps, clock, go_on)
        faults.append(failed.typename)
    assert faults == ["ValueError", "ValueError", "ValueError"]
    assert [row.since for row in ledger.gaps(fillable=True)] == [START, START + MINUTE]


def test_a_filling_whose_cursor_is_lost_begins_anew(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START + 100 * MINUTE
    ledger.record(Coverage(source_id="feed", query="", since=START, until=START + MINUTE, state="gap", missed=None))
    seen: list[str | None] = []

    class Forgetful(Network):
        def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
            seen.append(cursor)
            if cursor is not None:
                raise CursorLost("page 2 has expired")
            yield Delivery(drafts=drafts(1))

    network = Forgetful(clock, [])
    cursors.put("feed", f"fill::{START}-{START + MINUTE}", "page 2", 0)
    gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock)
    with pytest.raises(CursorLost):
        fill(gaps, clock)
    fill(gaps, clock)
    assert seen == ["page 2", None]
    assert ledger.gaps() == []


def test_a_filling_that_was_killed_goes_on_with_what_its_first_part_brought_and_missed(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    clock.at = START + 100 * MINUTE
    ledger.record(Coverage(source_id="feed", query="", since=START, until=START + MINUTE, state="gap", missed=None))
    seen: list[str | None] = []

    class Paged(Network):
        def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
            seen.append(cursor)
            if cursor is None:
                yield Delivery(drafts=drafts(1, 2), missed=7, reason="page cap", cursor="page 2", asked=3)
                raise SystemExit
            yield Delivery(drafts=drafts(3))

    network = Paged(clock, [])
    for ends in (True, False):
        gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock)
        with pytest.raises(SystemExit) if ends else nullcontext():
            fill(gaps, clock)
    assert seen == [None, "page 2"]
    (row,) = ledger.rows()
    assert (row.state, row.asked, row.received, row.missed, row.reason) == ("partial", 4, 3, 7, "page cap")
    assert (row.kept, row.filtered, row.duplicates) == (3, 0, 0)


@pytest.mark.parametrize("how", ["all is there", "some is missing", "there is no history", "it is not wanted"])
def test_what_a_cap_left_out_is_asked_for_once_when_its_budget_has_room(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock, how: str
) -> None:
    clock.at = START + 100 * MINUTE
    for since in (START, START + 5 * MINUTE, START + 50 * MINUTE):
        row = Coverage(
            source_id="feed", query="acme", since=since, until=since + 5 * MINUTE, state="partial", missed=None,
            reason="spend cap",
        )  # fmt: skip
        ledger.record(row)
    seen: list[Span] = []

    class Billed(Network):
        def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
            seen.append(span)
            if how == "there is no history":
                raise Unfillable("it is too old")
            missed = None if how == "some is missing" else 0
            yield Delivery(
                query=query, drafts=drafts(len(seen)), missed=missed, reason="page cap" if missed is None else ""
            )

    network, room = Billed(clock, []), [False]
    gaps = Gaps(network, Intake(log, network.source), cursors, ledger, clock, after_cap=how != "it is not wanted")

    def go_on(query: str) -> None:
        if not room[0]:
            raise Interrupted(f"{SPEND_CAP}: the budget of this period is used up")

    if how == "it is not wanted":
        fill(gaps, clock, go_on)
        assert seen == []
        return
    with pytest.raises(Interrupted):
        fill(gaps, clock, go_on)
    assert len(ledger.gaps()) == 3
    room[0] = True
    seen.clear()
    fill(gaps, clock, go_on)
    fill(gaps, clock, go_on)
    assert seen == [Span(START, START + 10 * MINUTE), Span(START + 50 * MINUTE, START + 55 * MINUTE)]
    states = [row.state for row in ledger.rows()]
    assert states == (["backfilled"] if how == "all is there" else ["partial"]) * 2
