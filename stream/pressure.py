"""Back-pressure: a stage waits while the one after it has too much to do."""

from __future__ import annotations

from collections.abc import Callable

from stream.clock import SECOND, Clock
from stream.ports import Log
from stream.records import Millis

LOOK_EVERY: Millis = SECOND // 4


def behind(log: Log, group: str, topic: str, limit: int, clock: Clock) -> Callable[[], bool]:
    """True from the moment when `group` has more than `limit` records of `topic` to do, until it has half as many.

    A group that never read the topic counts as one that has done nothing: give the topics of those that run. The log
    is asked every quarter of a second.
    """
    held, looked = False, -LOOK_EVERY

    def pressure() -> bool:
        nonlocal held, looked
        wall = clock.wall()
        if abs(wall - looked) >= LOOK_EVERY:
            looked = wall
            held = log.lag(group, topic) > (limit // 2 if held else limit)
        return held

    return pressure
