"""A member of a group on Kafka: partitions by cooperative-sticky assignment, offsets by compare-and-set.

Kafka knows no compare-and-set. It is had by three things: who is no member of the group's present generation cannot
commit; a member commits only what it holds and has not been asked to give back; and since it takes part in a new
division only inside `poll` and `stay`, nobody else can hold, or have moved, what it commits between two of these.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors
from kafka.structs import MemberState

from stream.clock import SECOND
from stream.kafka_clients import made, shut, speaking, told
from stream.kafka_division import Assignor, Change, Coordinator, Listener, options
from stream.ports import Commit, LogRecord, LogUnusable, OffsetConflict, OffsetOutside, Transient
from stream.records import Millis

if TYPE_CHECKING:
    from stream.kafka import KafkaLog

logger = structlog.get_logger(__name__)

SLICE_SECONDS = 0.2
"""The library's poll is left so often, so that a new division is noticed while no record comes."""
SHORTEST_SECONDS = 0.01
"""With none at all it would never join."""
SECOND_LOOK_SECONDS = 1.0
LEAVE: Millis = 3_000

_FENCED = (
    kafka_errors.CommitFailedError,
    kafka_errors.UnknownMemberIdError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.FencedInstanceIdError,
)


_ASTRAY = (kafka_errors.OffsetOutOfRangeError, kafka_errors.LogTruncationError, kafka_errors.NoOffsetForPartitionError)
"""Retention, or the election of a leader that had fallen behind, took what comes next."""


class KafkaMember:
    """`stream.ports.Consumer`: to be used by one thread at a time. It joins the group with its first poll."""

    def __init__(
        self,
        log: KafkaLog,
        group: str,
        topic: str,
        on_assigned: Callable[[frozenset[int]], Mapping[int, int] | None] | None,
        on_revoked: Callable[[frozenset[int]], None] | None,
    ) -> None:
        self.group, self.topic = group, topic
        self._log, self._settings = log, log.settings
        self._name = log.settings.prefix + topic
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._client: KafkaConsumer | None = None
        self._changes: deque[Change] = deque()
        self._member = ""
        """What the group calls this member; empty before it has joined."""
        self._waiting: set[int] = set()
        """Held, but nobody has said yet where to start."""
        self._positions: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        """What the group has committed, for each partition that this member may commit."""
        self._paused: set[int] = set()
        self._resting = False
        """All partitions are paused: it is `stay` that was called last."""
        self._last: dict[int, tuple[int, Millis]] = {}
        """Of the last record that was given: (the offset after it, its time)."""
        self._heard = time.monotonic()
        self._closed = False

    def poll(self, max_records: int, timeout: float) -> list[LogRecord]:
        """Raises Transient, also where no broker answers, LogUnusable, OffsetOutside, OffsetConflict, and whatever
        `on_assigned` raises (asked again next time)."""
        deadline = time.monotonic() + timeout
        self._rest(False)
        while True:
            found = self._fetch(max_records, deadline)
            try:
                begun = self._settle()
            except BaseException:
                self._put_back(found)
                raise
            records = self._taken(found, begun)
            if records:
                self._heard = time.monotonic()
                return records
            self._watch()
            if time.monotonic() >= deadline:
                return []

    def stay(self, timeout: float) -> bool:
        """What comes next is kept by the library until the next poll."""
        if self._client is None:
            time.sleep(timeout)
            return True
        deadline = time.monotonic() + timeout
        self._rest(True)
        while True:
            self._fetch(1, deadline)
            self._settle()
            self._watch()
            if time.monotonic() >= deadline:
                return not self._waiting and self._divided()

    def assignment(self) -> frozenset[int]:
        return frozenset(self._positions)

    def seek(self, partition: int, offset: int) -> None:
        self._check_held(partition)
        self._joined().seek(self._at(partition), offset)
        self._positions[partition] = offset

    def position(self, partition: int) -> int:
        self._check_held(partition)
        return self._positions[partition]

    def commit(self, commits: Sequence[Commit]) -> None:
        """All or none. A member that was taken for dead gets OffsetConflict, whatever the offsets are."""
        self._log.check_process()
        moved = {}
        for topic, partition, expected, following in commits:
            if topic != self.topic:
                raise ValueError(f"consumer of {self.topic!r} cannot commit {topic!r}")
            if self._stored.get(partition) != expected:
                raise self._conflict(f"no longer stands at {expected} in {topic}/{partition} for this member")
            moved[partition] = following
        self._store(moved)

    def pause(self, partition: int) -> None:
        self._check_held(partition)
        self._joined().pause(self._at(partition))
        self._paused.add(partition)

    def resume(self, partition: int) -> None:
        self._paused.discard(partition)
        if partition in self._positions and not self._resting:
            self._joined().resume(self._at(partition))

    def close(self) -> None:
        """Leaves the group: the others take its partitions over at once."""
        if self._closed:
            return
        try:
            if self._on_revoked and self._positions:
                # Still held: what is committed now counts.
                self._on_revoked(frozenset(self._positions))
        except (Transient, LogUnusable) as error:
            logger.warning("group_not_left", group=self.group, topic=self.topic, error=type(error).__name__)
        finally:
            self._closed = True
            self._forget({*self._stored, *self._waiting})
            client, self._client = self._client, None
            if client is not None:
                shut(client, LEAVE)
            self._log.closed(self)

    # --- records ---------------------------------------------------------------------------------------------------

    def _fetch(self, max_records: int, deadline: float) -> Mapping[TopicPartition, Sequence[Any]]:
        client = self._joined()
        seconds = min(max(deadline - time.monotonic(), SHORTEST_SECONDS), SLICE_SECONDS)
        with speaking(self._settings, f"give records of {self._name!r}"):
            try:
                found: Mapping[TopicPartition, Sequence[Any]] = client.poll(
                    timeout_ms=seconds * 1_000, max_records=max_records
                )
            except _ASTRAY as error:
                logger.warning("begins_anew", group=self.group, topic=self.topic, error=type(error).__name__)
                self._begin_anew(frozenset(self._stored))
                return {}
        return found

    def _rest(self, resting: bool) -> None:
        if resting == self._resting:
            return
        self._resting = resting
        client, open_ones = self._joined(), self._positions.keys() - self._paused
        each = [at for at in client.assignment() if at.partition in open_ones]
        if resting:
            client.pause(*each)
        else:
            client.resume(*each)

    def _taken(self, found: Mapping[TopicPartition, Sequence[Any]], begun: frozenset[int]) -> list[LogRecord]:
        """Not of what was begun since: it begins where `_start` said."""
        records: list[LogRecord] = []
        for at, fetched in found.items():
            if at.partition in self._positions.keys() - begun and fetched:
                following = fetched[-1].offset + 1
                self._positions[at.partition] = following
                self._last[at.partition] = (following, fetched[-1].timestamp)
                records += [as_record(self.topic, record) for record in fetched]
        return records

    def _put_back(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """They come again with the next poll, which they would not: the library has moved on."""
        for at in found:
            if at.partition in self._positions:
                with suppress(ValueError):
                    self._joined().seek(at, self._positions[at.partition])

    def _watch(self) -> None:
        """While brokers are away the library's poll gives nothing and raises nothing. Raises Transient instead."""
        if time.monotonic() - self._heard < self._settings.quiet / SECOND:
            return
        asked = [self._at(partition) for partition in sorted(self._positions) or (0,)]
        wait = max(1_000, min(self._settings.quiet, self._settings.patience))
        try:
            with speaking(self._settings, f"answer for {self._name!r}"):
                self._joined().end_offsets(asked, timeout_ms=wait)
                # The group is kept by another broker, maybe, than the records.
                self._joined().committed(asked[0], timeout_ms=wait)
        except Transient:
            self._log.check_there([self.topic])
            raise
        self._heard = time.monotonic()

    def _joined(self) -> KafkaConsumer:
        self._log.check_process()
        if self._closed:
            raise RuntimeError(f"this member of group {self.group!r} was closed")
        if self._client is None:
            assignor = Assignor()
            client = made(KafkaConsumer, self._settings, options(self._settings, self._log.group_id(self), assignor))
            assignor.present_generation = lambda: client.group_metadata().generation_id
            Coordinator.take_over(client)
            client.subscribe([self._name], listener=Listener(client, self._changes))
            self._client = client
            self._heard = time.monotonic()
        return self._client

    # --- partitions ------------------------------------------------------------------------------------------------

    def _settle(self) -> frozenset[int]:
        """Act on what the group's divisions have brought since, in their order, then start what waits for it; what."""
        while self._changes:
            kind, partitions = self._changes.popleft()
            if kind == "assigned":
                self._waiting |= partitions
                continue
            gone = partitions & self._stored.keys()
            self._forget(partitions)
            if kind == "lost":
                self._lost(partitions)
            if gone and self._on_revoked:
                # This member may be on its way to the next division: nothing of them can be committed any more.
                self._on_revoked(frozenset(gone))
        self._notice_another_name()
        begun = frozenset(self._waiting)
        if not begun or not self._divided():
            # Until the division is over, somebody else may hold them, and move where they begin.
            return frozenset()
        self._start(begun)
        return begun

    def _divided(self) -> bool:
        """No division is under way, as far as this member has heard."""
        return bool(self._joined().group_metadata().state == MemberState.STABLE)

    def _notice_another_name(self) -> None:
        """Who was put out of the group while it asked to stay comes back as another member, and the library tells
        nothing of that: it goes on with its partitions as if nobody else could have held them meanwhile."""
        member = self._joined().group_metadata().member_id
        if not member or member == self._member:
            return
        stale, first = frozenset(self._stored), not self._member
        self._member = member
        if stale and not first:
            self._lost(stale)
            self._begin_anew(stale)

    def _lost(self, partitions: frozenset[int]) -> None:
        logger.warning("partitions_lost", group=self.group, topic=self.topic, partitions=sorted(partitions))

    def _begin_anew(self, stale: frozenset[int]) -> None:
        """What of these is still assigned is asked for like what has just been assigned."""
        client, paused = self._joined(), self._paused & stale
        self._forget(stale)
        still = [at for at in client.assignment() if at.partition in stale]
        client.pause(*still)
        self._waiting |= {at.partition for at in still}
        self._paused |= paused & self._waiting
        if self._on_revoked and stale:
            self._on_revoked(stale)

    def _start(self, partitions: frozenset[int]) -> None:
        """Find where to start. An error leaves the partitions waiting, so that the next poll asks again."""
        kept = (self._on_assigned(partitions) if self._on_assigned else None) or {}
        stored = self._log.committed(self.group, self.topic)
        bounds = self._log.bounds(self.topic)
        if strange := sorted(partitions - bounds.keys()):
            raise LogUnusable(
                f"topic {self._name!r} of Kafka at {self._settings.where} was given partitions {strange} while Clamor "
                "ran, so that its keys are in other partitions from then on: stop every process, set `engines: log: "
                "partitions` to what it has, and start again"
            )
        begin = {p: kept.get(p, stored.get(p)) for p in partitions}
        if _outside(begin, bounds):
            # A person will be asked: not for the moment in which a new leader does not know its own end yet.
            time.sleep(SECOND_LOOK_SECONDS)
            bounds = self._log.bounds(self.topic)
        for partition in _outside(begin, bounds):
            raise OffsetOutside(
                f"group {self.group!r} stands at {begin[partition]} in {self.topic}/{partition}, but Kafka at "
                f"{self._settings.where} ends at {bounds[partition][1]}: the topic is not the one that this offset "
                "belongs to, or has lost records; decide with `clamor offsets` where to go on"
            )
        for partition, offset in begin.items():
            # Before it goes on: afterwards nobody could tell any more.
            self._log.tell_loss(self.group, self.topic, partition, offset or 0, bounds[partition][0])
        news = {p: kept[p] for p in partitions if p in kept and kept[p] != stored.get(p, 0)}
        if news:
            # For those who ask how far the group is; the truth stays where it is kept.
            self._write(news)
        client = self._joined()
        for partition, offset in begin.items():
            position = max(bounds[partition][0], offset or 0)
            client.seek(self._at(partition), position)
            if not self._resting and partition not in self._paused:
                client.resume(self._at(partition))
            self._positions[partition] = position
            self._stored[partition] = offset or 0
        self._waiting -= partitions

    def _forget(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._waiting.discard(partition)
            self._positions.pop(partition, None)
            self._stored.pop(partition, None)
            self._last.pop(partition, None)
            self._paused.discard(partition)

    # --- offsets ---------------------------------------------------------------------------------------------------

    def _store(self, moved: Mapping[int, int]) -> None:
        if moved:
            self._write(moved)
            self._stored |= moved

    def _write(self, moved: Mapping[int, int]) -> None:
        """In one request, which the group's coordinator writes or refuses as one."""
        offsets = {
            self._at(p): OffsetAndMetadata(offset, self._time_before(p, offset), -1) for p, offset in moved.items()
        }
        try:
            self._joined().commit(offsets, timeout_ms=self._settings.patience)
        except _FENCED as error:
            raise self._conflict(f"no longer knows this member ({type(error).__name__})") from error
        except (kafka_errors.KafkaError, OSError, RuntimeError) as error:
            # A division that is under way is one of these: it is over after one of the next polls.
            raise told(self._settings, f"store offsets of group {self.group!r}", error) from error
        self._log.lags.committed(self.group, self.topic)

    def _time_before(self, partition: int, offset: int) -> str:
        """What goes beside a stored offset: when the last record that is done was appended, as far as it is known."""
        following, time = self._last.get(partition, (0, 0))
        return str(time) if following == offset else ""

    def _conflict(self, what: str) -> OffsetConflict:
        return OffsetConflict(f"group {self.group!r} {what}: somebody else moved it or took the partition over")

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self._name, partition)

    def _check_held(self, partition: int) -> None:
        if partition not in self._positions:
            raise ValueError(f"{self.topic}/{partition} is not assigned to this member of group {self.group!r}")


def as_record(topic: str, record: Any) -> LogRecord:
    """A record of the library as the log's; what others have written need not be as ours is."""
    key = (record.key or b"").decode("utf-8", "replace")
    return LogRecord(topic, record.partition, record.offset, key, record.value or b"", record.timestamp)


def _outside(begin: Mapping[int, int | None], bounds: Mapping[int, tuple[int, int]]) -> list[int]:
    """Partitions in which one would start where the log has never been."""
    return [p for p, offset in begin.items() if offset is not None and not 0 <= offset <= bounds[p][1]]
