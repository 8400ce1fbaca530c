"""How long things took since their process began: counts between fixed bounds, as Prometheus keeps them."""

from __future__ import annotations

from bisect import bisect_left

import msgspec

BOUNDS: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds, rising; each counts what took no longer."""


class Timing(msgspec.Struct, frozen=True):
    """What a timer has gathered."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    """Between each bound and the one before it, then above the last."""
    seconds: float = 0.0
    """Of all together."""


class Timer:
    """Gathers spans of time, for one thread."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def note(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def timing(self) -> Timing:
        return Timing(tuple(self._counts), self._seconds)
