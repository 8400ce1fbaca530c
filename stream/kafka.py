"""The log on Apache Kafka: the contract of the embedded log, for any number of processes on any number of machines."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

import structlog
from kafka import KafkaAdminClient, OffsetAndMetadata, TopicPartition
from kafka import errors as kafka_errors

from stream.kafka_append import Appender, Outgoing
from stream.kafka_clients import Door, KafkaSettings, insist
from stream.kafka_group import KafkaMember
from stream.kafka_lags import Lags
from stream.kafka_reading import Reader
from stream.kafka_topics import LONGEST_KEY, Topic, ensure, find, largest
from stream.losses import OnLoss, fallen_out
from stream.ports import (
    DECIDED,
    MENTIONS,
    POSTS,
    Append,
    LogRecord,
    LogUnusable,
    RecordTooLarge,
    TopicSpec,
    Transient,
)
from stream.records import Millis

logger = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

IDENTIFIED_BY: tuple[str, ...] = (POSTS, MENTIONS, DECIDED)
"""Topics whose offsets are kept elsewhere too: the log is another one when one of these was made anew."""
FEW = 100
"""Offsets so few that it is looked whether they are records: what transactions write takes offsets as well."""


class _Gap(NamedTuple):
    done: int
    end: int
    records: int | None
    """None: not yet looked into."""


class Mark(NamedTuple):
    """Where a group stands in a partition."""

    offset: int
    time: Millis | None
    """When the last record that it has done was appended; None where that was not noted."""


class KafkaLog:
    """`stream.ports.Log` on Kafka, for several threads. Each process opens its own: it is not carried over a fork.

    `append` is atomic a record, not a call: of a call that failed some records may have been taken, and come twice
    when it is repeated.
    """

    def __init__(self, settings: KafkaSettings, on_loss: OnLoss | None = None) -> None:
        """Connects with the first question, so that a cluster that is away is Transient and nothing worse.

        `on_loss` is told what retention took from a group before it had done it, in the thread of the member that goes
        on behind it, and before it does.
        """
        self.settings = settings
        self.lags = Lags()
        self._on_loss = on_loss
        self._pid = os.getpid()
        self._appender = Appender(settings)
        self._admin_door = Door(KafkaAdminClient, settings, {})
        self._admin_lock = threading.RLock()
        self._admin: KafkaAdminClient | None = None
        self._reader = Reader(settings)
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
        for topic, number in Counter(record.topic for record in records).items():
            self.lags.appended(topic, number)
        return [(record.partition, offset) for record, offset in zip(outgoing, offsets, strict=True)]

    def _outgoing(self, topic: str, key: str, value: bytes) -> Outgoing:
        encoded = key.encode()
        size, bound = len(encoded) + len(value), largest(self.settings, topic)
        if size > bound:
            raise RecordTooLarge(
                f"record {key[:100]!r} for topic {topic!r} has {size} bytes, the log takes {bound}: "
                "shorten it at its source"
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
        return {partition: mark.offset for partition, mark in self.marks(group, topic).items()}

    def marks(self, group: str, topic: str) -> dict[int, Mark]:
        """As `committed`, with what is noted beside each offset."""
        found, id = self.topic(topic), self._id(group, topic)
        asked = {id: [TopicPartition(found.name, partition) for partition in range(found.partitions)]}
        what = f"say where group {id!r} stands"
        told: Mapping[TopicPartition, Any] = self._ask(what, lambda admin: admin.list_group_offsets(asked)[id])
        return {
            at.partition: Mark(stored.offset, int(stored.metadata) if (stored.metadata or "").isdecimal() else None)
            for at, stored in told.items()
            if stored.offset >= 0
        }

    def move(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Raises Transient, LogUnusable where the group has members or this user may not."""
        found, id = self.topic(topic), self._id(group, topic)
        asked = {TopicPartition(found.name, p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}
        told = self._ask(f"move group {id!r}", lambda admin: _altered(admin, id, asked))
        refused = sorted({error.__name__ for error in told if error is not kafka_errors.NoError})
        if refused:
            raise LogUnusable(
                f"Kafka at {self.settings.where} did not move group {id!r} ({', '.join(refused)}): stop every process "
                "of the stage, wait until it has left the group, and give the user the right Read on it"
            )
        self.lags.committed(group, topic)

    def lag(self, group: str, topic: str) -> int:
        """Records not yet done, as of up to a quarter of a second ago; what this process did since is in it. What
        transactions of other programs write takes offsets too: it is left out where the group is nearly through and
        stands still, so that a group that has done everything has a lag of 0."""
        self.check_process()
        young = self.lags.young(group, topic)
        if young is not None:
            return young
        changes = self.lags.changes(topic)
        done = self.committed(group, topic)
        behind = 0
        for partition, (low, end) in self.bounds(topic).items():
            start = max(low, min(end, done.get(partition, 0)))
            behind += self._waiting(group, topic, partition, start, end) if start < end else 0
        self.lags.keep(group, topic, behind, changes)
        return behind

    def tell_loss(self, group: str, topic: str, partition: int, following: int, low: int) -> None:
        """Raises what `on_loss` raises, Transient, LogUnusable."""
        if not 0 < following < low:
            return
        mark = self.marks(group, topic).get(partition)
        done = mark.time if mark is not None and mark.offset == following else None
        loss = fallen_out(group, topic, partition, following, low, done, self.time_of(topic, partition, low))
        logger.error("records_lost", group=group, topic=topic, partition=partition, records=loss.records)
        if self._on_loss is not None:
            self._on_loss(loss)

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
        self.check_process()
        found = self.topic(topic)
        return self._reader.bounds([TopicPartition(found.name, partition) for partition in range(found.partitions)])

    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LogRecord]:
        return self._reader.read(topic, self._place(topic, partition), offset, max_records)

    def time_of(self, topic: str, partition: int, offset: int) -> Millis:
        """When the record there, or the next one, was appended; now, where there is none."""
        found = self.read(topic, partition, offset, 1)
        return found[0].time if found else time.time_ns() // 1_000_000

    def offset_at(self, topic: str, partition: int, time: Millis) -> int:
        return self._reader.offset_at(self._place(topic, partition), time)

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
        return self._id(member.group, member.topic)

    def closed(self, member: KafkaMember) -> None:
        if member in self._members:
            self._members.remove(member)

    def close(self) -> None:
        """In a process that was forked off it does nothing: the connections are its parent's."""
        if self._closed or os.getpid() != self._pid:
            return
        with ExitStack() as all_of_it:
            all_of_it.callback(self._close_clients)
            for member in list(self._members):
                all_of_it.callback(member.close)

    def _close_clients(self) -> None:
        self._closed = True
        self._appender.close()
        self._reader.close()
        self._drop_admin()

    def _ensure(self, spec: TopicSpec) -> Topic:
        what = f"make or check topic {self._name(spec.name)!r}"
        return self._ask(what, lambda admin: ensure(admin, self.settings, spec))

    def _id(self, group: str, topic: str) -> str:
        return f"{self._name(group)}.{topic}"

    def _name(self, topic: str) -> str:
        return self.settings.prefix + topic

    def _place(self, topic: str, partition: int) -> TopicPartition:
        self.check_process()
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


def _altered(
    admin: KafkaAdminClient, group_id: str, offsets: Mapping[TopicPartition, OffsetAndMetadata]
) -> list[type[BaseException]]:
    """The error of each partition, NoError where there is none. Raises one that passes."""
    told: list[type[BaseException]] = list(admin.alter_group_offsets(group_id, offsets).values())
    for error in told:
        if issubclass(error, kafka_errors.RetriableError):
            raise error(f"group {group_id}")
    return told
