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
    """What the program calls now. Everything people see uses `now`; what several processes agree on, such as leases,
    uses `wall`; waits within a process use `steady`, since the wall clock may be set back while they last."""

    def now(self) -> Millis: ...

    def wall(self) -> Millis: ...

    def steady(self) -> Millis:
        """Milliseconds since some moment, the same for one process only; they never run back, and go on while the
        machine sleeps, where the system can tell: a lease of before has run out then."""


class WallClock:
    def now(self) -> Millis:
        return time.time_ns() // 1_000_000

    def wall(self) -> Millis:
        return time.time_ns() // 1_000_000

    def steady(self) -> Millis:
        return _steady()


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

    def steady(self) -> Millis:
        return _steady()


class ManualClock:
    """Stands still until it is moved: for tests and the simulation."""

    def __init__(self, at: Millis) -> None:
        self.at = at
        self._set_by: Millis = 0

    def now(self) -> Millis:
        return self.at

    def wall(self) -> Millis:
        return self.at

    def steady(self) -> Millis:
        return self.at - self._set_by

    def advance(self, by: Millis) -> None:
        self.at += by

    def set(self, by: Millis) -> None:
        """As somebody who sets the machine's clock: no time passes."""
        self.at += by
        self._set_by += by


_ALSO_ASLEEP: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux: what `monotonic` counts there stands still while the machine is suspended."""


def _steady() -> Millis:
    return (time.monotonic_ns() if _ALSO_ASLEEP is None else time.clock_gettime_ns(_ALSO_ASLEEP)) // 1_000_000


def passed(since: Millis, now: Millis, length: Millis) -> bool:
    """Whether `length` has passed since a time that was written down, by this process or an earlier one.

    A time that lies ahead by more than `length` is of before the clock was set back, and nobody waits for it.
    """
    return not -length <= now - since < length


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
