"""How long something takes: a histogram per minute, small and of bounded size, wherever it is stored.

Buckets grow by a quarter of a doubling, so a percentile is right within 19 %.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from stream.clock import DAY, MINUTE
from stream.records import Millis

KEPT: Millis = DAY
"""Older minutes are deleted."""
STEPS = 4
_LAST = STEPS * 40


class Latency(msgspec.Struct, frozen=True):
    """What ended in a span, in milliseconds from its beginning; None where nothing did."""

    count: int
    p50: Millis | None
    p99: Millis | None


class Stopwatch:
    """Gathers latencies until the next transaction stores them."""

    def __init__(self) -> None:
        self._gathered: Counter[tuple[int, int]] = Counter()

    def note(self, begun: Iterable[Millis], now: Millis) -> None:
        """These are over since `now`; times are of one clock, 0 is none."""
        minute = now - now % MINUTE
        # Posts of one batch arrived in few milliseconds: the logarithm is taken once for each of these.
        for delay, count in Counter([now - at for at in begun if at]).items():
            self._gathered[minute, _bucket(delay)] += count

    def rows(self) -> list[tuple[Millis, int, int]]:
        """(minute, bucket, how many), to be added to what is stored; `stored` follows the commit."""
        return [(*key, count) for key, count in self._gathered.items()]

    def forgotten(self) -> Millis:
        """Stored minutes before this one are of no more use."""
        return max(minute for minute, _ in self._gathered) - KEPT

    def stored(self) -> None:
        self._gathered.clear()

    def __bool__(self) -> bool:
        return bool(self._gathered)


def latency_of(buckets: Sequence[tuple[int, int]]) -> Latency:
    """From (bucket, how many), buckets rising."""
    total = sum(count for _, count in buckets)
    return Latency(total, _percentile(buckets, total, 0.5), _percentile(buckets, total, 0.99))


def _bucket(delay: Millis) -> int:
    return 0 if delay < 1 else min(_LAST, 1 + int(STEPS * math.log2(delay)))


def _percentile(buckets: Sequence[tuple[int, int]], total: int, share: float) -> Millis | None:
    """Upper edge of the bucket that holds it."""
    passed = 0
    for bucket, count in buckets:
        passed += count
        if passed >= share * total:
            return math.ceil(2 ** (bucket / STEPS))
    return None
