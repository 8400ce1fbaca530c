"""Whose hole is filled next: that of a brand in a crisis, then the oldest, over all sources."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from ingest.collector import Delivery, Draft, Source, Span, Style
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.gaps import Gaps
from ingest.intake import Intake
from ingest.patience import Stopped
from ingest.turns import Rank, Turns
from stream.clock import MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from stream.records import Coverage

START = 1_795_000_000_000


class Past:
    style: Style = "poll"
    resumes = False
    interval = 1

    def __init__(self, asked: list[str], id: str = "feed") -> None:
        self.source = Source(id=id, network="x")
        self._asked = asked

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        yield Delivery()

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        for page in range(2):
            self._asked.append(f"{self.source.id} {query} {(span.since - START) // MINUTE}")
            yield Delivery(drafts=[Draft(native_id=f"{query}{span.since}{page}", text="Acme")])

    def close(self) -> None: ...


def hole(ledger: Ledger, source: str, query: str, minute: int) -> None:
    since = START + minute * MINUTE
    ledger.record(
        Coverage(
            source_id=source, query=query, since=since, until=since + MINUTE, state="gap", missed=None,
            recorded_at=since,
        )
    )  # fmt: skip


def paid(delivery: Delivery, query: str) -> None: ...


def test_holes_of_a_brand_in_a_crisis_come_first_then_the_oldest(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    for query, minute in (("calm", 0), ("crisis", 7), ("crisis", 5), ("calm", 1)):
        hole(ledger, "feed", query, minute)
    clock.at = START + 60 * MINUTE
    asked: list[str] = []
    past = Past(asked)
    gaps = Gaps(past, Intake(log, past.source), cursors, ledger, clock, urgent=lambda query: query == "crisis")
    gaps.fill_all(Event(), lambda _: None, paid, before=clock.at, besides=None)
    assert asked[::2] == ["feed crisis 5", "feed crisis 7", "feed calm 0", "feed calm 1"]
    assert {row.state for row in ledger.rows()} == {"backfilled"}


def test_between_two_requests_a_more_urgent_hole_of_another_source_goes_first(
    log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock
) -> None:
    hole(ledger, "calm", "a", 0)
    hole(ledger, "loud", "b", 9)
    clock.at = START + 60 * MINUTE
    turns, asked = Turns(at_once=1), list[str]()
    loud, calm = Past(asked, "loud"), Past(asked, "calm")
    urgent = Gaps(
        loud, Intake(log, loud.source), cursors, ledger, clock, turns=turns, urgent=lambda query: query == "b"
    )
    other: list[Thread] = []

    def begin_the_urgent_one(delivery: Delivery, query: str) -> None:
        if not other:
            other.append(
                Thread(target=lambda: urgent.fill_all(Event(), lambda _: None, paid, before=clock.at, besides=None))
            )
            other[0].start()
            other[0].join(10)

    slow = Gaps(calm, Intake(log, calm.source), cursors, ledger, clock, turns=turns)
    slow.fill_all(Event(), lambda _: None, begin_the_urgent_one, before=clock.at, besides=None)
    assert asked == ["calm a 0", "loud b 9", "loud b 9", "calm a 0"]


def test_who_waits_is_let_in_by_rank_and_ends_when_told_to() -> None:
    turns, came, stop = Turns(at_once=1), list[str](), Event()

    def take(rank: Rank) -> None:
        with turns.turn(rank, stop):
            came.append(rank.source)

    ranks = [Rank(True, 1, "old"), Rank(True, 2, "young"), Rank(False, 3, "crisis")]
    with turns.turn(Rank(True, 0, "first"), stop):
        threads = [Thread(target=take, args=(rank,)) for rank in ranks]
        for thread in threads:
            thread.start()
        while len(turns._waiting) < len(ranks):
            time.sleep(0.01)
    for thread in threads:
        thread.join(10)
    assert came == ["crisis", "old", "young"]
    with turns.turn(ranks[0], stop):
        stop.set()
        with pytest.raises(Stopped), turns.turn(ranks[1], stop):
            raise AssertionError("it had no turn")
