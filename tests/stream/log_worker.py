"""A process that the contract's tests start and kill: `log_worker.py OPENER ARGUMENT TASK …`."""

from __future__ import annotations

import importlib
import sys
from itertools import count

import structlog

from stream.ports import Append, Commit, Log, OffsetConflict


def append(log: Log, topic: str, calls: str, size: str, key: str = "k") -> None:
    """Appends consecutive numbers, and says after each call which and where: `first partition:offset …`."""
    for call in range(int(calls)):
        first = call * int(size)
        places = log.append([Append(topic, f"{key}{n % 5}", str(n).encode()) for n in range(first, first + int(size))])
        print(first, *(f"{partition}:{offset}" for partition, offset in places), flush=True)


def consume(log: Log, topic: str, group: str, size: str) -> None:
    """Consumes for ever, and says after each commit what was done."""
    consumer = log.consumer(group, topic)
    for _ in count():
        records = consumer.poll(int(size), 1.0)
        if records:
            stored = log.committed(group, topic)
            ends = {record.partition: record.offset + 1 for record in records}
            consumer.commit([Commit(topic, p, stored.get(p, 0), end) for p, end in ends.items()])
            print(*(f"{record.partition}:{record.offset}" for record in records), flush=True)


def hold(log: Log, topic: str, group: str, size: str) -> None:
    """Takes so many records, waits for a line, and then tries to commit them."""
    consumer = log.consumer(group, topic)
    records = consumer.poll(int(size), 0.5)
    while len(records) < int(size):
        records += consumer.poll(int(size), 0.5)
    print("holds", len(records), flush=True)
    sys.stdin.readline()
    ends = {record.partition: record.offset + 1 for record in records}
    try:
        consumer.commit([Commit(topic, p, 0, end) for p, end in ends.items()])
        print("committed", flush=True)
    except OffsetConflict:
        print("conflict", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    # Its words are read line by line.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    module, _, function = sys.argv[1].partition(":")
    log = getattr(importlib.import_module(module), function)(sys.argv[2])
    {"append": append, "consume": consume, "hold": hold}[sys.argv[3]](log, *sys.argv[4:])
    log.close()
