"""Time as an argument: the wall clock, the simulated clock of a replay, and which of a post's times counts."""

from __future__ import annotations

import time
from typing import Protocol

from stream.records import Millis, Origin

SECOND: Millis = 1_000
MINUTE: Millis = 60_000
HOUR: Millis = 3_600_000
DAY: Millis = 86_400_000

CREDIBLE_LEAD: Millis = 15 * MINUTE


class Clock(Protocol):
    """What the program calls now. Leases, retries and expiry of tokens use `wall`; everything people see uses `now`."""

    def now(self) -> Millis: ...

    def wall(self) -> Millis: ...


class WallClock:
    def now(self) -> Millis:
        return time.time_ns() // 1_000_000

    def wall(self) -> Millis:
        return time.time_ns() // 1_000_000


class SimulatedClock:
    """Runs `speed` times as fast as the wall from `start` on, shown at wall time `anchor`; stands still at `until`.

    Processes that share these four agree on the time.
    """

    def __init__(self, start: Millis, anchor: Millis, speed: float, until: Millis | None = None) -> None:
        self.start, self.anchor, self.speed, self.until = start, anchor, speed, until

    def now(self) -> Millis:
        now = self.start + int((self.wall() - self.anchor) * self.speed)
        return now if self.until is None else min(now, self.until)

    def wall(self) -> Millis:
        return time.time_ns() // 1_000_000


class ManualClock:
    """Stands still until it is moved: for tests and the simulation."""

    def __init__(self, at: Millis) -> None:
        self.at = at

    def now(self) -> Millis:
        return self.at

    def wall(self) -> Millis:
        return self.at

    def advance(self, by: Millis) -> None:
        self.at += by


def event_time(claimed: Millis | None, seen: Millis, origin: Origin) -> tuple[Millis, bool]:
    """(the time that counts, whether the claim was doubted).

    A live or gap-filled post is believed within [seen - 15 min, seen]; history is believed unless it lies ahead.
    """
    if claimed is None:
        return seen, False
    if origin in ("live", "gapfill"):
        credible = seen - CREDIBLE_LEAD <= claimed <= seen
    else:
        credible = claimed <= seen
    return (claimed, False) if credible else (seen, True)
