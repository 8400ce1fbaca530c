"""Reads from Kafka outside of any group: for tools, snapshots, and those who ask where a topic begins and ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from stream.clock import SECOND
from stream.kafka_clients import Door, KafkaSettings, shut, speaking
from stream.kafka_division import FETCH_BYTES
from stream.kafka_group import as_record
from stream.ports import LogRecord, Transient
from stream.records import Millis

READ_SLICE: Millis = 200
LEAVE: Millis = 1_000
OPTIONS: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "isolation_level": "read_committed",
    "fetch_max_bytes": FETCH_BYTES,
    # A question about what comes after the records that were read must not keep the next read waiting.
    "fetch_max_wait_ms": 10,
    "metrics_enabled": False,
}


class Reader:
    """One consumer for several threads, one of them at a time; a new one after a fault."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._door = Door(KafkaConsumer, settings, OPTIONS)
        self._lock = threading.RLock()
        self._consumer: KafkaConsumer | None = None

    def bounds(self, places: Sequence[TopicPartition]) -> dict[int, tuple[int, int]]:
        """Of places in one topic, by partition. Raises Transient, LogUnusable, as all here."""
        with self._asking(f"say where topic {places[0].topic!r} begins and ends") as consumer:
            low = consumer.beginning_offsets(places, timeout_ms=self._settings.patience)
            high = consumer.end_offsets(places, timeout_ms=self._settings.patience)
        return {at.partition: (low[at], max(low[at], high[at])) for at in places}

    def read(self, topic: str, at: TopicPartition, offset: int, max_records: int) -> list[LogRecord]:
        """`topic`: what the log calls it."""
        with self._asking(f"give records of {at.topic!r}") as consumer:
            wait = self._settings.patience
            start = max(offset, consumer.beginning_offsets([at], timeout_ms=wait)[at])
            end = consumer.end_offsets([at], timeout_ms=wait)[at]
            if start >= end or max_records <= 0:
                return []
            consumer.assign([at])
            consumer.seek(at, start)
            records = list[LogRecord]()
            deadline = time.monotonic() + wait / SECOND
            while len(records) < max_records and time.monotonic() < deadline:
                found = consumer.poll(timeout_ms=READ_SLICE, max_records=max_records - len(records))
                records += [as_record(topic, record) for record in found.get(at, ())]
                # What ends a transaction is passed over without a record.
                if (consumer.position(at, timeout_ms=wait) or 0) >= end:
                    return records
        if not records:
            raise Transient(f"Kafka at {self._settings.where} gave no record of {at.topic!r}: it is tried again")
        return records

    def offset_at(self, at: TopicPartition, time: Millis) -> int:
        with self._asking(f"find a time in {at.topic!r}") as consumer:
            wait = self._settings.patience
            found = consumer.offsets_for_times({at: max(0, time)}, timeout_ms=wait)[at]
            end: int = consumer.end_offsets([at], timeout_ms=wait)[at]
        return end if found is None or found.offset < 0 else min(end, found.offset)

    def close(self) -> None:
        with self._lock:
            self._drop()

    @contextmanager
    def _asking(self, what: str) -> Iterator[KafkaConsumer]:
        with self._lock:
            if self._consumer is None:
                self._consumer = self._door.open()
            try:
                with speaking(self._settings, what):
                    yield self._consumer
            except BaseException:
                self._drop()
                raise

    def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            shut(consumer, LEAVE)
