"""The records that a stage could not process: list them, look at one, put them back on their topic."""

from __future__ import annotations

import base64
import binascii
import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
import structlog

from stream.ports import DEAD_LETTER, Append, Log, LogRecord
from stream.records import DeadLetter, Millis, UnknownMajor, decode, encode

logger = structlog.get_logger(__name__)

BATCH = 200


class Letter(NamedTuple):
    """A dead letter and where it stands: `id` names it on the command line."""

    id: str
    time: Millis
    """When it was appended, by the log's clock."""
    record: DeadLetter


def letters(log: Log, *, stage: str | None = None, topic: str | None = None, since: Millis = 0) -> Iterator[Letter]:
    """Oldest first. A record that a crash has buried twice is told once."""
    told = set()
    streams = [_of_partition(log, partition, since) for partition in range(log.partitions(DEAD_LETTER))]
    for letter in heapq.merge(*streams, key=lambda letter: letter.time):
        record = letter.record
        origin = (record.stage, record.topic, record.partition, record.offset, record.key)
        if origin in told or stage not in (None, record.stage) or topic not in (None, record.topic):
            continue
        told.add(origin)
        yield letter


def letter(log: Log, id: str) -> Letter:
    """The letter of that id. Raises ValueError where there is none (any more)."""
    partition, _, offset = id.partition(":")
    if partition.isdecimal() and offset.isdecimal() and int(partition) < log.partitions(DEAD_LETTER):
        for found in _of_partition(log, int(partition), 0, int(offset)):
            if found.id == id:
                return found
            break
    raise ValueError(f"no dead letter {id!r}: `clamor dead-letter list` names those that are kept")


def payload(record: DeadLetter) -> bytes:
    """The refused record as it was. It may hold a post's text: show it only to the person who asked."""
    return base64.b64decode(record.payload)


def replay(log: Log, chosen: Iterable[Letter]) -> int:
    """Appends the payloads to the topics they came from; how many. Stages work by key, revision and merge, so that
    it does no harm to replay one twice, or one whose post was deleted since."""
    count, batch = 0, list[Append]()
    for found in chosen:
        batch.append(Append(found.record.topic, found.record.key, payload(found.record)))
        if len(batch) == BATCH:
            count += len(log.append(batch))
            batch = []
    return count + len(log.append(batch))


def dead_letter(stage: str, record: LogRecord, reason: str, error: str, now: Millis) -> Append:
    """The record of a record that `stage` could not process. `reason` is in words without the post's text."""
    letter = DeadLetter(
        stage=stage,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        reason=reason[:500],
        error=error,
        payload=base64.b64encode(record.value).decode("ascii"),
        at=now,
    )
    return Append(DEAD_LETTER, record.key, encode(letter))


def _of_partition(log: Log, partition: int, since: Millis, offset: int | None = None) -> Iterator[Letter]:
    # What is replayed and refused again comes after this end, and is not read in the same go.
    end = log.bounds(DEAD_LETTER)[partition][1]
    place = log.offset_at(DEAD_LETTER, partition, since) if offset is None else offset
    while place < end:
        records = log.read(DEAD_LETTER, partition, place, BATCH)
        if not records:
            return
        for record in records:
            place = record.offset + 1
            if record.offset >= end:
                return
            try:
                found = decode(DeadLetter, record.value)
                payload(found)
            except (msgspec.DecodeError, UnknownMajor, binascii.Error) as error:
                logger.warning("dead_letter_unreadable", place=f"{partition}:{record.offset}", error=str(error))
                continue
            yield Letter(f"{partition}:{record.offset}", record.time, found)
