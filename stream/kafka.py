"""The log on Apache Kafka: the contract of the embedded log, for any number of processes on any number of machines."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from stream.clock import SECOND
from stream.kafka_append import Appender, Outgoing
from stream.kafka_clients import Door, KafkaSettings, insist, speaking
from stream.kafka_group import FETCH_BYTES, KafkaMember, as_record
from stream.kafka_topics import LONGEST_KEY, Topic, ensure, find, largest
from stream.ports import DECIDED, MENTIONS, POSTS, Append, LogRecord, LogUnusable, RecordTooLarge, TopicSpec, Transient
from stream.records import Millis

Answer = TypeVar("Answer")

IDENTIFIED_BY: tuple[str, ...] = (POSTS, MENTIONS, DECIDED)
"""Topics whose offsets are kept elsewhere too: the log is another one when one of these was made anew."""
READ_SLICE: Millis = 200
READER: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
    "fetch_max_bytes": FETCH_BYTES,
    # A question about what comes after the records that were read must not keep the next read waiting.
    "fetch_max_wait_ms": 10,
    "metrics_enabled": False,
}
FEW = 100
"""Offsets so few that it is looked whether they are records: what transactions write takes offsets as well."""


class _Gap(NamedTuple):
    done: int
    end: int
    records: int | None
    """None: not yet looked into."""


class KafkaLog:
    """`stream.ports.Log` on Kafka, for several threads. Each process opens its own: it is not carried over a fork.

    `append` is atomic a record, not a call: of a call that failed some records may have been taken, and come twice
    when it is repeated.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        """Connects with the first question, so that a cluster that is away is Transient and nothing worse."""
        self.settings = settings
        self._pid = os.getpid()
        self._appender = Appender(settings)
        self._admin_door = Door(KafkaAdminClient, settings, {})
        self._admin_lock = threading.RLock()
        self._admin: KafkaAdminClient | None = None
        self._reader_door = Door(KafkaConsumer, settings, READER)
        self._reader_lock = threading.RLock()
        self._reader: KafkaConsumer | None = None
        self._topics: dict[str, Topic] = {}
        self._members: list[KafkaMember] = []
        self._gaps: dict[tuple[str, str, int], _Gap] = {}
        self._closed = False

    # --- topics ----------------------------------------------------------------------------------------------------

    def epoch(self) -> str:
        """Identity of the cluster and of the topics whose offsets others keep. Raises Transient, LogUnusable."""
        names = [self._name(topic) for topic in IDENTIFIED_BY]
        cluster = self._ask("say which cluster it is", lambda admin: admin.describe_cluster()["cluster_id"])
        found = self._ask("say which topics it has", lambda admin: find(admin, names))
        ids = ",".join(f"{topic.name}={topic.id}" for _, topic in sorted(found.items()))
        return f"{cluster}/{hashlib.sha256(ids.encode()).hexdigest()[:12]}"

    def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """Makes what is missing and adopts new retention. Raises ValueError where the partitions would change,
        LogUnusable where a topic that is there would not do, Transient."""
        for spec in topics:
            self._topics[spec.name] = self._ensure(spec)

    def partitions(self, topic: str) -> int:
        return self.topic(topic).partitions

    def topic(self, name: str) -> Topic:
        """Raises ValueError where there is no such topic."""
        found = self._topics.get(name)
        if found is None:
            full = self._name(name)
            there = self._ask(f"say what topic {full!r} is", lambda admin: find(admin, [full]))
            if full not in there:
                raise ValueError(
                    f"Kafka at {self.settings.where} has no topic {full!r}: it is made by `ensure` when a stage starts"
                )
            found = self._topics[name] = there[full]
        return found

    def check_there(self, topics: Sequence[str]) -> None:
        """For after a fault: raises LogUnusable where one of these was deleted, or made anew, since it was first used.

        Asks once, and takes no answer for yes.
        """
        known = {self._name(name): found for name in topics if (found := self._topics.get(name)) is not None}
        there = None
        with suppress(Exception):
            there = find(self._administrator(), list(known))
        if there is None:
            return
        for full, before in known.items():
            now = there.get(full)
            if now is None or now.id != before.id:
                what = "was deleted" if now is None else "was made anew"
                raise LogUnusable(
                    f"topic {full!r} of Kafka at {self.settings.where} {what} while Clamor ran: start Clamor again, "
                    "which makes what is missing, and decide with `clamor offsets` where its stages go on"
                )

    # --- appending -------------------------------------------------------------------------------------------------

    def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
        """Returns when all copies that are in step have all of them.

        Raises RecordTooLarge before any is sent, ValueError (unknown topic), Transient, LogUnusable.
        """
        self.check_process()
        outgoing = [self._outgoing(*record) for record in records]
        if not outgoing:
            return []
        try:
            offsets = self._appender.append(outgoing)
        except Transient:
            self.check_there(sorted({record.topic for record in records}))
            raise
        return [(record.partition, offset) for record, offset in zip(outgoing, offsets, strict=True)]

    def _outgoing(self, topic: str, key: str, value: bytes) -> Outgoing:
        encoded = key.encode()
        size, bound = len(encoded) + len(value), largest(self.settings, topic)
        if size > bound:
            raise RecordTooLarge(
                f"record {key[:100]!r} for topic {topic!r} has {size} bytes, the log takes {bound}: "
                "shorten it at its source or raise log.max_record"
            )
        if len(key) > LONGEST_KEY:
            raise RecordTooLarge(f"key {key[:100]!r} for topic {topic!r} has {len(key)} characters of {LONGEST_KEY}")
        found = self.topic(topic)
        return Outgoing(found.name, crc32(encoded) % found.partitions, encoded, value)

    # --- groups ----------------------------------------------------------------------------------------------------

    def consumer(
        self,
        group: str,
        topic: str,
        *,
        on_assigned: Callable[[frozenset[int]], Mapping[int, int] | None] | None = None,
        on_revoked: Callable[[frozenset[int]], None] | None = None,
    ) -> KafkaMember:
        """Raises ValueError where there is no such topic."""
        self.topic(topic)
        member = KafkaMember(self, group, topic, on_assigned, on_revoked)
        self._members.append(member)
        return member

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """What the group stored; partitions that it has done nothing in are missing."""
        found, id = self.topic(topic), f"{self._name(group)}.{topic}"
        asked = {id: [TopicPartition(found.name, partition) for partition in range(found.partitions)]}
        what = f"say where group {id!r} stands"
        told: Mapping[TopicPartition, Any] = self._ask(what, lambda admin: admin.list_group_offsets(asked)[id])
        return {at.partition: stored.offset for at, stored in told.items() if stored.offset >= 0}

    def lag(self, group: str, topic: str) -> int:
        """Records not yet done. What transactions of other programs write takes offsets too: it is left out where the
        group is nearly through and stands still, so that a group that has done everything has a lag of 0."""
        done = self.committed(group, topic)
        behind = 0
        for partition, (low, end) in self.bounds(topic).items():
            start = max(low, min(end, done.get(partition, 0)))
            behind += self._waiting(group, topic, partition, start, end) if start < end else 0
        return behind

    def _waiting(self, group: str, topic: str, partition: int, start: int, end: int) -> int:
        if end - start > FEW:
            return end - start
        key = (group, topic, partition)
        before = self._gaps.get(key)
        if before is None or (before.done, before.end) != (start, end):
            self._gaps[key] = _Gap(start, end, None)
            return end - start
        if before.records is not None:
            return before.records
        records = sum(record.offset < end for record in self.read(topic, partition, start, end - start))
        self._gaps[key] = _Gap(start, end, records)
        return records

    # --- reading without a group -----------------------------------------------------------------------------------

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """The end is behind the last record of a transaction that is over."""
        found = self.topic(topic)
        places = [TopicPartition(found.name, partition) for partition in range(found.partitions)]
        with self._reading(f"say where topic {found.name!r} begins and ends") as reader:
            low = reader.beginning_offsets(places, timeout_ms=self.settings.patience)
            high = reader.end_offsets(places, timeout_ms=self.settings.patience)
        return {at.partition: (low[at], max(low[at], high[at])) for at in places}

    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LogRecord]:
        at = self._place(topic, partition)
        with self._reading(f"give records of {at.topic!r}") as reader:
            wait = self.settings.patience
            start = max(offset, reader.beginning_offsets([at], timeout_ms=wait)[at])
            end = reader.end_offsets([at], timeout_ms=wait)[at]
            if start >= end or max_records <= 0:
                return []
            reader.assign([at])
            reader.seek(at, start)
            records = list[LogRecord]()
            deadline = time.monotonic() + wait / SECOND
            while len(records) < max_records and time.monotonic() < deadline:
                found = reader.poll(timeout_ms=READ_SLICE, max_records=max_records - len(records))
                records += [as_record(topic, record) for record in found.get(at, ())]
                # What ends a transaction is passed over without a record.
                if (reader.position(at, timeout_ms=wait) or 0) >= end:
                    return records
        if not records:
            raise Transient(f"Kafka at {self.settings.where} gave no record of {at.topic!r}: it is tried again")
        return records

    def offset_at(self, topic: str, partition: int, time: Millis) -> int:
        at = self._place(topic, partition)
        with self._reading(f"find a time in {at.topic!r}") as reader:
            wait = self.settings.patience
            found = reader.offsets_for_times({at: max(0, time)}, timeout_ms=wait)[at]
            end: int = reader.end_offsets([at], timeout_ms=wait)[at]
        return end if found is None or found.offset < 0 else min(end, found.offset)

    # --- its clients -----------------------------------------------------------------------------------------------

    def check_process(self) -> None:
        """Raises RuntimeError in a process that was forked off after the log was opened."""
        if os.getpid() != self._pid:
            raise RuntimeError(
                f"the log on Kafka was opened by process {self._pid} and is used by {os.getpid()}: its connections are "
                "not carried over a fork, open one in each process"
            )
        if self._closed:
            raise RuntimeError("the log was closed")

    def group_id(self, member: KafkaMember) -> str:
        return f"{self._name(member.group)}.{member.topic}"

    def closed(self, member: KafkaMember) -> None:
        if member in self._members:
            self._members.remove(member)

    def close(self) -> None:
        """In a process that was forked off it does nothing: the connections are its parent's."""
        if self._closed or os.getpid() != self._pid:
            return
        for member in list(self._members):
            member.close()
        self._closed = True
        self._appender.close()
        with self._reader_lock:
            self._drop_reader()
        self._drop_admin()

    def _ensure(self, spec: TopicSpec) -> Topic:
        what = f"make or check topic {self._name(spec.name)!r}"
        return self._ask(what, lambda admin: ensure(admin, self.settings, spec))

    def _name(self, topic: str) -> str:
        return self.settings.prefix + topic

    def _place(self, topic: str, partition: int) -> TopicPartition:
        found = self.topic(topic)
        if not 0 <= partition < found.partitions:
            raise ValueError(f"topic {topic!r} has partitions 0 to {found.partitions - 1}, not {partition}")
        return TopicPartition(found.name, partition)

    def _ask(self, what: str, ask: Callable[[KafkaAdminClient], Answer]) -> Answer:
        self.check_process()
        return insist(self.settings, what, lambda: ask(self._administrator()), self._drop_admin)

    def _administrator(self) -> KafkaAdminClient:
        self.check_process()
        with self._admin_lock:
            if self._admin is None:
                self._admin = self._admin_door.open()
            return self._admin

    def _drop_admin(self) -> None:
        with self._admin_lock:
            admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(Exception):
                admin.close()

    @contextmanager
    def _reading(self, what: str) -> Iterator[KafkaConsumer]:
        """The consumer for reads outside of a group, one thread at a time; a new one after a fault."""
        self.check_process()
        with self._reader_lock:
            if self._reader is None:
                self._reader = self._reader_door.open()
            try:
                with speaking(self.settings, what):
                    yield self._reader
            except BaseException:
                self._drop_reader()
                raise

    def _drop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with suppress(Exception):
                reader.close(autocommit=False, timeout_ms=1_000)
