"""What could not be processed can be listed, looked at, and put back."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.clock import ManualClock
from stream.dead_letters import letter, letters, payload, replay
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, Append, TopicSpec
from stream.records import DeadLetter, encode

DAY = 86_400_000
START = 1_764_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def log(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedLog]:
    log = EmbeddedLog(tmp_path / "log.db", clock)
    log.ensure([TopicSpec(topic, 3, DAY) for topic in ("posts", "mentions", DEAD_LETTER)])
    yield log
    log.close()


def bury(log: EmbeddedLog, clock: ManualClock, offset: int, *, stage: str = "nlp", topic: str = "posts") -> None:
    record = DeadLetter(
        stage=stage,
        topic=topic,
        partition=0,
        offset=offset,
        key=f"x:{offset}",
        reason="no such field",
        error="ValidationError",
        payload=base64.b64encode(b"payload of %d" % offset).decode(),
        at=clock.now(),
    )
    log.append([Append(DEAD_LETTER, record.key, encode(record))])
    clock.advance(1_000)


def test_letters_come_oldest_first_and_each_once(log: EmbeddedLog, clock: ManualClock) -> None:
    for offset in (5, 3, 9, 3, 7):
        bury(log, clock, offset)
    assert [found.record.offset for found in letters(log)] == [5, 3, 9, 7]
    assert [found.record.offset for found in letters(log, since=START + 2_000)] == [9, 3, 7]


def test_letters_are_chosen_by_stage_and_topic(log: EmbeddedLog, clock: ManualClock) -> None:
    bury(log, clock, 1)
    bury(log, clock, 2, stage="routing", topic="mentions")
    assert [found.record.offset for found in letters(log, stage="routing")] == [2]
    assert [found.record.offset for found in letters(log, topic="posts")] == [1]


def test_one_letter_is_found_by_its_id(log: EmbeddedLog, clock: ManualClock) -> None:
    bury(log, clock, 1)
    bury(log, clock, 2)
    for known in letters(log):
        assert letter(log, known.id) == known
    for unknown in ("0:999", "9:1", "x", "", "1:", "-1:1"):
        with pytest.raises(ValueError, match="dead-letter list"):
            letter(log, unknown)


def test_a_replayed_letter_is_the_record_it_was(log: EmbeddedLog, clock: ManualClock) -> None:
    for offset in range(210):
        bury(log, clock, offset)
    assert replay(log, letters(log)) == 210
    kept = [record for p in range(3) for record in log.read("posts", p, 0, 1_000)]
    assert sorted((record.key, record.value) for record in kept) == sorted(
        (f"x:{offset}", b"payload of %d" % offset) for offset in range(210)
    )
    assert payload(next(letters(log)).record) == b"payload of 0"


def test_an_unreadable_letter_does_not_hide_the_others(log: EmbeddedLog, clock: ManualClock) -> None:
    bury(log, clock, 1)
    log.append([Append(DEAD_LETTER, key, b"{half") for key in ("x:1", "x:2", "x:3")])
    bury(log, clock, 2)
    assert [found.record.offset for found in letters(log)] == [1, 2]
