"""What a stage loses by standing still is told before, and stands in the ledger once, on a log whose brokers remove."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from living import NOW, Living, settled_home

from clamor.losses import laggards, record
from clamor.offsets import Place
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from stream.losses import Loss, fallen_out
from stream.ports import POSTS, Append, TopicSpec

RETENTION = 6 * DAY


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def log(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedLog]:
    """Its brokers are asked what every log is asked."""
    log = EmbeddedLog(tmp_path / "log.db", clock)
    log.ensure([TopicSpec(POSTS, 1, RETENTION)])
    yield log
    log.close()


def place(log: EmbeddedLog, following: int | None, *, ours: bool = True) -> Place:
    low, end = log.bounds(POSTS)[0]
    return Place("nlp", POSTS, 0, following, low, end, "epoch", ours)


def test_a_stage_that_stands_still_is_reported_before_it_loses(log: EmbeddedLog, clock: ManualClock) -> None:
    log.append([Append(POSTS, "x:1", b""), Append(POSTS, "x:2", b"")])
    clock.advance(DAY)
    ((_, third),) = log.append([Append(POSTS, "x:3", b"")])

    def found(following: int | None) -> list[tuple[int, int, int]]:
        return [
            (one.level, one.percent, one.behind)
            for one in laggards(log, [place(log, following)], RETENTION, clock.now())
        ]

    clock.advance(2 * DAY - MINUTE)
    assert found(third - 1) == []
    clock.advance(2 * MINUTE)
    assert found(third - 1) == [(50, 50, 2)]
    assert found(None) == [(50, 50, 3)], "who never began loses the oldest record first"
    assert found(third) == [], "what comes next is a day younger"
    assert found(third + 1) == [], "nothing is left to do"
    clock.advance(2 * DAY)
    assert found(third) == [(50, 66, 1)]
    assert found(third - 1) == [(80, 83, 2)]
    assert laggards(log, [place(log, third - 1, ours=False)], RETENTION, clock.now()) == []


def test_what_was_lost_lies_between_what_was_done_and_what_is_kept() -> None:
    loss = fallen_out("nlp", POSTS, 2, 40, 100, NOW - DAY, NOW)
    assert (loss.first, loss.records, loss.since, loss.until) == (40, 60, NOW - DAY, NOW)
    unknown = fallen_out("nlp", POSTS, 2, 40, 100, None, NOW)
    assert (unknown.records, unknown.since, unknown.until) == (60, NOW, NOW)


def test_a_loss_that_grows_while_the_stage_stands_is_one_row(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        ledger = living.opened.ledger
        for records, until in ((10, NOW), (25, NOW + HOUR)):
            loss = Loss(
                group="nlp", topic=POSTS, partition=1, first=40, records=records, since=NOW - DAY, until=until
            )  # fmt: skip
            record(ledger, loss, NOW)
        (row,) = ledger.rows(["log:posts"])
        assert (row.query, row.state, row.missed) == ("nlp", "lost", 25)
        assert (row.since, row.until) == (NOW - DAY, NOW + HOUR + 1)
        assert "stage nlp stood still" in row.reason
