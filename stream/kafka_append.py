"""Appends to Kafka: acknowledged by all copies in step, in order per partition, within a bound on time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from kafka import KafkaProducer
from kafka import errors as kafka_errors

from stream.clock import HOUR, SECOND
from stream.kafka_clients import Door, KafkaSettings, told
from stream.ports import RecordTooLarge, Transient
from stream.records import Millis

logger = structlog.get_logger(__name__)

DELIVERY: Millis = HOUR
"""After so long the library itself would give a batch up. It must never come to that: a producer whose batch expired
after it was tried accepts records, sends none and fails none (kafka-python 3.0.12). Our own bound is `patience`."""
LINGER: Millis = 20
"""Ends early, as soon as all records of a call are with the producer."""
BATCH_BYTES = 262_144
REQUEST_BYTES = 8 << 20
LEAVE_SECONDS = 1.0


class Outgoing(NamedTuple):
    topic: str
    """As the cluster calls it."""
    partition: int
    key: bytes
    value: bytes


class Appender:
    """One idempotent producer, for any number of threads; replaced by a new one as soon as it owes an answer too long.

    What a call that failed had sent may be in the topic, or still arrive: the caller appends it again, and readers work
    by key and revision.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None
        self._closed = False
        options = {
            "acks": "all",
            "enable_idempotence": True,
            "delivery_timeout_ms": DELIVERY,
            "linger_ms": LINGER,
            "batch_size": BATCH_BYTES,
            "max_request_size": max(REQUEST_BYTES, 3 * settings.max_record),
            "max_block_ms": settings.patience,
            "metrics_enabled": False,
        }
        self._door = Door(KafkaProducer, settings, options)

    def append(self, records: Sequence[Outgoing]) -> list[int]:
        """The offset of each. Raises Transient, LogUnusable, RecordTooLarge (by the topic's own bound)."""
        deadline = time.monotonic() + self._settings.patience / SECOND
        producer = self._current()
        try:
            offsets = _send(producer, records, deadline)
        except (kafka_errors.MessageSizeTooLargeError, kafka_errors.RecordListTooLargeError) as error:
            self._replace(producer, error)
            sizes = max(len(record.key) + len(record.value) for record in records)
            raise RecordTooLarge(
                f"a topic of {sorted({record.topic for record in records})} takes no record of {sizes} bytes: its "
                "max.message.bytes was lowered since Clamor made it; set it back or start Clamor anew"
            ) from error
        except (kafka_errors.KafkaError, OSError, RuntimeError, ValueError) as error:
            self._replace(producer, error)
            raise told(self._settings, "append", error) from error
        if min(offsets, default=0) < 0:
            raise Transient(f"Kafka at {self._settings.where} has the records and does not say where: appended again")
        return offsets

    def close(self) -> None:
        with self._lock:
            self._closed = True
            producer, self._producer = self._producer, None
        if producer is not None:
            # No call is under way, so that nothing waits to be sent.
            _end(producer)

    def _current(self) -> KafkaProducer:
        with self._lock:
            if self._closed:
                raise RuntimeError("the log was closed")
            if self._producer is None:
                self._producer = self._door.open()
            return self._producer

    def _replace(self, producer: KafkaProducer, error: BaseException) -> None:
        """The next call gets a new one, whose numbers begin anew: this one may never send again."""
        with self._lock:
            if self._producer is not producer:
                return
            self._producer = None
        logger.warning("producer_replaced", error=type(error).__name__)
        _end(producer)


def _send(producer: KafkaProducer, records: Sequence[Outgoing], deadline: float) -> list[int]:
    futures = [
        producer.send(topic, value=value, key=key, partition=partition) for topic, partition, key, value in records
    ]
    # Sends without waiting for more. What it says of its own about faults is said better by each record's future.
    with suppress(kafka_errors.KafkaError):
        producer.flush(timeout=max(0.0, deadline - time.monotonic()))
    return [int(future.get(timeout=max(0.001, deadline - time.monotonic())).offset) for future in futures]


def _end(producer: KafkaProducer) -> None:
    """Without waiting for what it owes: `close` would, and would then leave its thread running."""
    sender = producer._sender
    sender.force_close()
    sender.join(LEAVE_SECONDS)
    with suppress(Exception):
        producer.close(timeout=0)
    # Where its thread hangs in a connection attempt, close has given up before it noted this, and would try again when
    # the object is collected.
    producer._closed = True
