"""What the stage loop costs on Kafka: a stage that only copies, beside kafka-python alone with the same promises.

    python -m bench.loops --records 200000 --size 1000

Both read a topic that is full, append each record to another one with acks=all and idempotence, wait for the answers
of a batch and then commit it, one after the other on the same broker.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

import structlog
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from bench.servers import broker
from stream.clock import HOUR, WallClock
from stream.kafka import KafkaLog
from stream.kafka_clients import KafkaSettings
from stream.ports import ALERTS, DEAD_LETTER, Append, Commit, LogRecord, TopicSpec
from stream.stage import Stage, StageOptions

GOAL = 0.7
PARTITIONS = 4


class Took(NamedTuple):
    wall: float
    cpu: float


class Copy:
    """The least work a stage can do."""

    name, topic, group, owns_offsets = "copy", "in", "copy", False

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: int) -> Sequence[Append]:
        return [Append("out", record.key, record.value) for record in records]

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        return {}

    def idle(self, now: int) -> None: ...

    def close(self) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=1_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    # As the program by default: a line a batch, with the keys of all its records, costs more than the loop.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    address = broker().address
    print(f"{asked.records:,} records of {asked.size} bytes, batches of {asked.batch}, {PARTITIONS} partitions")
    best: dict[str, float] = {}
    for _ in range(asked.rounds):
        for name, loop in (("kafka-python alone", alone), ("the stage loop", staged)):
            settings = KafkaSettings(servers=(address,), prefix=f"b{uuid4().hex[:8]}.")
            fill(settings, asked.records, asked.size)
            took = loop(settings, asked.records, asked.batch)
            best[name] = max(best.get(name, 0.0), asked.records / took.wall)
            print(
                f"{name:<20}{asked.records / took.wall:9,.0f} records/s  {took.cpu / asked.records * 1e6:6.1f} µs CPU"
            )
    share = best["the stage loop"] / best["kafka-python alone"]
    print(f"the stage loop reaches {share:.0%} of kafka-python alone, the best of each (goal {GOAL:.0%})")


def fill(settings: KafkaSettings, records: int, size: int) -> None:
    log = KafkaLog(settings)
    try:
        log.ensure([TopicSpec(topic, PARTITIONS, HOUR) for topic in ("in", "out", ALERTS, DEAD_LETTER)])
        value = os.urandom(size)
        for start in range(0, records, 2_000):
            log.append([Append("in", f"x:{n}", value) for n in range(start, min(records, start + 2_000))])
    finally:
        log.close()


def alone(settings: KafkaSettings, records: int, batch: int) -> Took:
    consumer = KafkaConsumer(
        f"{settings.prefix}in", bootstrap_servers=settings.servers[0], group_id=f"{settings.prefix}alone",
        enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_bytes=16 << 20, metrics_enabled=False,
    )  # fmt: skip
    producer = KafkaProducer(
        bootstrap_servers=settings.servers[0], acks="all", enable_idempotence=True, linger_ms=20, batch_size=262_144,
        metrics_enabled=False,
    )  # fmt: skip
    to = f"{settings.prefix}out"

    def step() -> int:
        found = consumer.poll(timeout_ms=200, max_records=batch)
        futures = [
            producer.send(to, value=record.value, key=record.key, partition=at.partition)
            for at, fetched in found.items()
            for record in fetched
        ]
        producer.flush()
        for future in futures:
            future.get(timeout=60)
        if futures:
            ends = {at: fetched[-1].offset + 1 for at, fetched in found.items()}
            consumer.commit({TopicPartition(*at): OffsetAndMetadata(end, "", -1) for at, end in ends.items()})
        return len(futures)

    try:
        return timed(step, records)
    finally:
        consumer.close(autocommit=False)
        producer.close()


def staged(settings: KafkaSettings, records: int, batch: int) -> Took:
    log = KafkaLog(settings)
    stage = Stage(log, Copy(), WallClock(), options=StageOptions(max_batch=batch, first_batch=batch))
    try:
        return timed(stage.step, records)
    finally:
        stage.close()
        log.close()


def timed(step: Callable[[], int], records: int) -> Took:
    """From the end of the first batch, so that joining the group does not count, to that of the last."""
    done = 0
    while not done:
        done = step()
    wall, cpu, first = time.perf_counter(), time.process_time(), done
    while done < records:
        done += step()
    share = records / (records - first)
    return Took((time.perf_counter() - wall) * share, (time.process_time() - cpu) * share)


if __name__ == "__main__":
    main()
