"""How long it takes from a post's arrival until it can be found: a histogram per minute, in the index itself.

Buckets grow by a quarter of a doubling, so a percentile is right within 19 %.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Sequence

import msgspec

from stream.clock import DAY, HOUR, MINUTE
from stream.records import Mention, Millis

KEPT: Millis = DAY
STEPS = 4
_LAST = STEPS * 40


class Latency(msgspec.Struct, frozen=True):
    """Arrival → searchable of the mentions that came in a span, in milliseconds; None where there were none."""

    count: int
    p50: Millis | None
    p99: Millis | None


class Stopwatch:
    """Gathers latencies until the next transaction stores them."""

    def __init__(self) -> None:
        self._gathered: Counter[tuple[int, int]] = Counter()

    def note(self, mentions: Sequence[Mention], now: Millis) -> None:
        """These can be found since `now`; `now` is of the clock that stamps arrivals (`appended_at`)."""
        minute = now - now % MINUTE
        # Posts of one batch arrived in few milliseconds: the logarithm is taken once for each of these.
        for delay, count in Counter([now - each.appended_at for each in mentions if each.appended_at]).items():
            self._gathered[minute, _bucket(delay)] += count

    def store(self, connection: sqlite3.Connection) -> None:
        """Inside a transaction; `stored` follows its commit."""
        if not self._gathered:
            return
        connection.executemany(
            "INSERT INTO latency (minute, bucket, count) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [(*key, count) for key, count in self._gathered.items()],
        )
        newest = max(minute for minute, _ in self._gathered)
        connection.execute("DELETE FROM latency WHERE minute < ?", (newest - KEPT,))

    def stored(self) -> None:
        self._gathered.clear()

    def __bool__(self) -> bool:
        return bool(self._gathered)


def latency(connection: sqlite3.Connection, now: Millis, span: Millis = HOUR) -> Latency:
    """Of the mentions that became searchable within `span` before `now`."""
    rows = connection.execute(
        "SELECT bucket, sum(count) FROM latency WHERE minute > ? AND minute <= ? GROUP BY bucket ORDER BY bucket",
        (now - span, now),
    ).fetchall()
    total = sum(count for _, count in rows)
    return Latency(total, _percentile(rows, total, 0.5), _percentile(rows, total, 0.99))


def _bucket(delay: Millis) -> int:
    return 0 if delay < 1 else min(_LAST, 1 + int(STEPS * math.log2(delay)))


def _percentile(rows: Sequence[tuple[int, int]], total: int, share: float) -> Millis | None:
    """Upper edge of the bucket that holds it."""
    passed = 0
    for bucket, count in rows:
        passed += count
        if passed >= share * total:
            return math.ceil(2 ** (bucket / STEPS))
    return None
