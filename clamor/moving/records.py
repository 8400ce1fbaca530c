"""The records of one log copied to another, in the order of their keys, with a checksum of what was copied.

The other log gives offsets and times of its own, so that what is kept there is kept for its retention from the copy on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple

from clamor.moving.journal import Batch, Journal, Span
from clamor.moving.note import MoveError
from stream.ports import TOPICS, Append, Log, LogRecord

RECORDS = 500
BYTES = 4_000_000
"""Of a batch, unless one record alone has more."""
READ_BACK = 5_000
TWICE = "twice"
"""Mark of the journal: records that stand in the copy once more."""

Choose = Callable[[str, Sequence[LogRecord], int], list[LogRecord]]
"""Of (topic, records of a partition, the offset below which all are done): those to copy."""


class Compared(NamedTuple):
    """What was read back and found equal."""

    records: int
    twice: int
    """Of them, those that stand there once more, since a call that had appended them failed."""
    expired: int
    """Batches of which the other log's retention had taken records before they were read back."""


class LogCopy:
    """`step` as long as it copies anything; `compare` what was copied. Nobody else may append to `target`."""

    def __init__(
        self,
        source: Log,
        target: Log,
        journal: Journal,
        choose: Choose,
        through: Callable[[str], Mapping[int, int] | None],
    ) -> None:
        """`through`: by partition of a topic, below which offset our own group is done; None: no group of ours."""
        self._source, self._target, self._journal = source, target, journal
        self._choose, self._through = choose, through
        self._ends: dict[str, dict[int, int]] = {}

    def step(self) -> int:
        """A batch of each partition that has news; records that were dealt with. Raises Transient, LogUnusable."""
        return sum(self._copy(topic) for topic in TOPICS)

    def behind(self) -> int:
        """Records that wait to be copied."""
        return sum(
            max(0, end - max(low, self._journal.next(topic, part) or 0))
            for topic in TOPICS
            for part, (low, end) in self._source.bounds(topic).items()
        )

    def compare(self) -> Compared:
        """Read back what was copied since the last time, once `step` has nothing left to do. Raises MoveError where
        something else stands there."""
        found = [self._compare(topic, part) for topic in TOPICS for part in range(self._target.partitions(topic))]
        whole = Compared(*map(sum, zip(*found, strict=True)))
        self._journal.set({TWICE: (self._journal.mark(TWICE) or 0) + whole.twice})
        return whole

    def _copy(self, topic: str) -> int:
        bounds = self._source.bounds(topic)
        waiting = {}
        for part, (low, end) in bounds.items():
            place = self._journal.next(topic, part)
            if place is None:
                place = low
                self._journal.note(Batch(topic, part, low, self._ended(topic), 0, 0, ()))
            if max(place, low) < end:
                waiting[part] = max(place, low)
        if not waiting:
            return 0
        through = self._through(topic)
        if through is None:
            through = {part: end for part, (_, end) in bounds.items()}
        return sum(self._copy_batch(topic, part, place, through.get(part, 0)) for part, place in waiting.items())

    def _copy_batch(self, topic: str, part: int, place: int, through: int) -> int:
        found = _bounded(self._source.read(topic, part, place, RECORDS))
        if not found:
            return 0
        kept = self._choose(topic, found, through)
        tried = self._journal.try_out(topic, [_fingerprint(record) for record in kept])
        at = self._target.append([Append(topic, record.key, record.value) for record in kept])
        ends = self._ended(topic)
        for partition, offset in at:
            ends[partition] = max(ends[partition], offset + 1)
        left_out = len(found) - len(kept)
        batch = Batch(topic, part, found[-1].offset + 1, ends, len(kept), left_out, _spans(at, kept))
        self._journal.note(batch, tried)
        return len(found)

    def _ended(self, topic: str) -> dict[int, int]:
        """By partition of the copy: behind all that was put there."""
        if topic not in self._ends:
            self._ends[topic] = {part: end for part, (_, end) in self._target.bounds(topic).items()}
        return self._ends[topic]

    def _compare(self, topic: str, part: int) -> Compared:
        name, (low, end) = f"compared/{topic}/{part}", self._target.bounds(topic)[part]
        start = max(self._journal.mark(name) or 0, low)
        records, expired, strays = 0, 0, list[bytes]()
        reading = _read(self._target, topic, part, start, end)
        held: LogRecord | None = None
        for span in self._journal.spans(topic, part, self._journal.mark(name) or 0):
            if span.first < start:
                # Retention has taken the beginning of it at least.
                expired += 1
                reading = _read(self._target, topic, part, span.last + 1, end)
                continue
            digest = _Digest()
            for record in reading if held is None else chain((held,), reading):
                held = None
                if record.offset < span.first:
                    strays.append(_fingerprint(record))
                elif record.offset <= span.last:
                    digest.add(record)
                else:
                    held = record
                if record.offset >= span.last:
                    break
            if digest.value() != span.digest:
                raise MoveError(
                    f"records {span.first} to {span.last} of {topic}/{part} in the new log are not what was copied "
                    "there: does another program write to it? Give the move up, remove what it has copied, begin anew"
                )
            records += digest.records
        strays += [_fingerprint(record) for record in (reading if held is None else chain((held,), reading))]
        self._refuse_others(topic, part, strays)
        self._journal.set({name: end})
        return Compared(records, len(strays), expired)

    def _refuse_others(self, topic: str, part: int, strays: Sequence[bytes]) -> None:
        """What stands between the batches must be of a batch that was tried before, whether or not it was copied in the
        end: a post may have been deleted since."""
        unknown = set(strays) - self._journal.tried(topic) if strays else set()
        if not unknown:
            return
        low = self._target.bounds(topic)[part][0]
        spans = self._journal.spans(topic, part, low)
        span = next(spans, None)
        for record in _read(self._target, topic, part, low, self._target.bounds(topic)[part][1]):
            while span is not None and span.last < record.offset:
                span = next(spans, None)
            if span is not None and span.first <= record.offset:
                unknown.discard(_fingerprint(record))
        if unknown:
            raise MoveError(
                f"{topic}/{part} of the new log holds {len(unknown)} records that nobody copied there: another "
                "program writes to it. End that, give the move up, remove what it has copied, and begin anew"
            )


class _Digest:
    """Over keys and values, in order."""

    def __init__(self) -> None:
        self._hash, self.records = blake2b(digest_size=16), 0

    def add(self, record: LogRecord) -> None:
        self._hash.update(_fingerprint(record))
        self.records += 1

    def value(self) -> bytes:
        return self._hash.digest()


def _fingerprint(record: LogRecord) -> bytes:
    key = record.key.encode()
    return blake2b(len(key).to_bytes(4, "big") + key + record.value, digest_size=16).digest()


def _bounded(found: Sequence[LogRecord]) -> Sequence[LogRecord]:
    size = 0
    for count, record in enumerate(found):
        size += len(record.key) + len(record.value)
        if size > BYTES and count:
            return found[:count]
    return found


def _spans(at: Sequence[tuple[int, int]], records: Sequence[LogRecord]) -> list[Span]:
    """What was appended, cut where another record came in between."""
    placed = sorted((*place, number) for number, place in enumerate(at))
    spans: list[Span] = []
    digest = _Digest()
    for index, (part, offset, number) in enumerate(placed):
        if index and placed[index - 1][:2] == (part, offset - 1):
            digest.add(records[number])
            spans[-1] = Span(part, spans[-1].first, offset, digest.value())
        else:
            digest = _Digest()
            digest.add(records[number])
            spans.append(Span(part, offset, offset, digest.value()))
    return spans


def _read(log: Log, topic: str, part: int, start: int, end: int) -> Iterator[LogRecord]:
    while start < end:
        found = log.read(topic, part, start, READ_BACK)
        if not found:
            return
        yield from (record for record in found if record.offset < end)
        start = found[-1].offset + 1
