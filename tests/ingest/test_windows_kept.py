"""What a killed stream is known to have read: its hole begins there, and no more is paid for again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ingest.collector import Delivery, Draft, Exhausted
from ingest.coverage import Ledger
from ingest.runner import WINDOWS_EVERY, Runner
from stream.clock import MINUTE, ManualClock
from tests.ingest.conftest import NOW as START
from tests.ingest.scripted import Network, drafts

pytestmark = pytest.mark.parametrize("kept_in", ["sqlite"], indirect=True)


def test_the_hole_of_a_killed_stream_begins_where_its_open_window_was_kept(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    latest: list[int | None] = []

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        for n in range(3):
            clock.advance(WINDOWS_EVERY)
            yield Delivery(drafts=drafts(n, at=clock.now()))
        latest.append(ledger.latest("feed"))
        raise Exhausted

    run(Network(clock, [stream]))
    assert latest == [START + 3 * WINDOWS_EVERY]
    (row,) = ledger.rows()
    assert (row.state, row.received, row.since, row.until) == ("complete", 3, START, START + 3 * WINDOWS_EVERY)


def test_what_is_said_in_the_moment_of_the_beginning_stands_in_the_ledger(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    """A place that cannot be read is told of before time has passed, and what it took to learn it was asked for."""

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery(query="r/closed", asked=2, missed=None, reason="it is private")
        raise Exhausted

    run(Network(clock, [stream]))
    (row,) = ledger.gaps()
    assert (row.query, row.state, row.asked, row.reason) == ("r/closed", "partial", 2, "it is private")
    assert (row.since, row.until) == (START, START + 1)


def test_it_is_kept_only_as_far_as_what_came_goes(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger
) -> None:
    """More may wait behind posts that are a minute old: whoever is killed now has missed that."""
    latest: list[int | None] = []

    def stream(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(2 * MINUTE)
        yield Delivery(drafts=[Draft(native_id="1", text="late", claimed_at=START + MINUTE)])
        latest.append(ledger.latest("feed"))
        raise Exhausted

    run(Network(clock, [stream]))
    assert latest == [START + MINUTE]


@pytest.mark.parametrize("style", ["poll", "stream"])
def test_what_a_source_that_resumes_has_read_stands_in_the_ledger_before_it_is_killed(
    run: Callable[..., Runner], clock: ManualClock, ledger: Ledger, style: str
) -> None:
    """Else each kill takes up to five minutes of it out of every figure."""
    seen: list[tuple[int, int, int]] = []

    def first(_: str | None) -> Iterator[Delivery]:
        yield Delivery()
        clock.advance(WINDOWS_EVERY)
        yield Delivery(drafts=drafts(1, 2, at=clock.now()), cursor="2")
        if style == "stream":
            seen.extend((row.received, row.kept, row.until) for row in ledger.rows())
            raise Exhausted

    def second(_: str | None) -> Iterator[Delivery]:
        seen.extend((row.received, row.kept, row.until) for row in ledger.rows())
        yield Delivery()
        raise Exhausted

    run(Network(clock, [first, second], style=style, resumes=True))
    assert seen == [(2, 2, START + WINDOWS_EVERY)]
