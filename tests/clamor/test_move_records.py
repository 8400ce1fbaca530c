"""Records that were appended to the other log and never noted there, though they are not to be copied any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from clamor.moving.journal import Batch, Journal
from clamor.moving.note import MoveError
from clamor.moving.records import LogCopy
from stream.clock import DAY, ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import POSTS, TOPICS, Append, LogRecord, TopicSpec, Transient

CLOCK = ManualClock(1_790_000_000_000)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[EmbeddedLog]:
    with closing(made(tmp_path / "here.db")) as log:
        log.append([Append(POSTS, f"x:{n}", b"text %d" % n) for n in range(5)])
        yield log


@pytest.fixture
def target(tmp_path: Path) -> Iterator[EmbeddedLog]:
    with closing(made(tmp_path / "there.db")) as log:
        yield log


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "move.db")) as found:
        yield found


def made(path: Path) -> EmbeddedLog:
    log = EmbeddedLog(path, CLOCK)
    log.ensure([TopicSpec(topic, 1, DAY) for topic in TOPICS])
    return log


class Copy:
    """Of which `gone` are posts that were deleted by now."""

    def __init__(self, source: EmbeddedLog, target: EmbeddedLog, journal: Journal) -> None:
        self.gone: set[str] = set()
        self.copy = LogCopy(source, target, journal, self._choose, lambda topic: None)

    def _choose(self, topic: str, records: Sequence[LogRecord], through: int) -> list[LogRecord]:
        return [record for record in records if record.key not in self.gone]


def test_a_post_that_was_deleted_before_its_batch_was_noted_is_not_taken_for_another_programs(
    source: EmbeddedLog, target: EmbeddedLog, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(batch: Batch, *_: object) -> None:
        if batch.copied:
            raise KeyboardInterrupt
        original(batch)

    original = journal.note
    with monkeypatch.context() as patch:
        patch.setattr(journal, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            Copy(source, target, journal).copy.step()
    again = Copy(source, target, journal)
    again.gone = {"x:2"}
    copied(again)
    found = again.copy.compare()
    assert (found.records, found.twice) == (4, 5)


def test_a_call_of_which_a_part_was_appended_is_remembered(
    source: EmbeddedLog, target: EmbeddedLog, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(records: Sequence[Append]) -> list[tuple[int, int]]:
        original(records[:3])
        raise Transient("the broker is away")

    original, copy = target.append, Copy(source, target, journal)
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(target, "append", half)
            with pytest.raises(Transient):
                copied(copy)
    copy.gone = {"x:0"}
    copied(copy)
    found = copy.copy.compare()
    assert (found.records, found.twice) == (4, 6)


def test_what_was_noted_is_not_remembered_twice(source: EmbeddedLog, target: EmbeddedLog, journal: Journal) -> None:
    copied(Copy(source, target, journal))
    assert journal.tried(POSTS) == frozenset()


def test_what_nobody_tried_is_another_programs(source: EmbeddedLog, target: EmbeddedLog, journal: Journal) -> None:
    copy = Copy(source, target, journal)
    copied(copy)
    target.append([Append(POSTS, "x:foreign", b"of another program")])
    with pytest.raises(MoveError, match="holds 1 records that nobody copied"):
        copy.copy.compare()


def copied(copy: Copy) -> None:
    while copy.copy.step():
        pass
