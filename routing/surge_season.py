"""What an hour and a day bring, as a share of the level: factors that are learnt and never switched on.

A factor is what was seen divided by what the rest of the forecast hoped for, both with one visit's worth of "as always"
added: it leaves 1 as evidence comes. A visit of an hour in which hardly a post is hoped for is little evidence.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from routing.surge_state import Columns
from routing.surge_tail import Flags, Numbers

VISITS: Final = 28
"""How many visits an hour's factor remembers; a day's factor remembers eight weeks of its kind."""
DAY_VISITS: Final = 8
SUNDAY: Final = 6
HOLIDAY: Final = 7
NIGHTLY: Final = 24
HOUR: Final = 60.0
DAY: Final = 1440.0


class Season:
    def __init__(self, columns: Columns, step: float) -> None:
        self.columns = columns
        self.step = step
        self.visit = max(HOUR / step, 1.0)
        self.day = max(DAY / step, 1.0)

    def factors(self, minute: float, off: Flags) -> tuple[Numbers, Numbers]:
        """Of the hour and of the day, at a step that begins at this minute (minutes since a Monday, 0:00)."""
        before, after, share = self._hours(minute)
        free = off | self._weekend(minute)
        hour = np.where(free, self._hour(NIGHTLY + before), self._hour(before)) * (1.0 - share)
        if share:
            hour += np.where(free, self._hour(NIGHTLY + after), self._hour(after)) * share
        day = self._day(_weekday(minute))
        return hour, np.where(off, self._holiday(), day) if off.any() else day

    def unsure(self, off: Flags) -> Numbers:
        """How much wider the usual is on holidays of which few were seen: a factor from 2 down to 1."""
        if not off.any():
            return np.ones(self.columns.series)
        return np.where(off, 1.0 + 1.0 / (1.0 + self.columns.day_hoped[HOLIDAY]), 1.0)

    def learn(
        self, minute: float, off: Flags, taught: Numbers, level: Numbers, hour: Numbers, day: Numbers, cover: Numbers
    ) -> None:
        """Take in one step: `taught` counts where `cover` of the step was seen (0 teaches nothing)."""
        columns = self.columns
        hoped = np.maximum(level * hour * day, 1e-12)
        seen = cover > 0
        share = np.where(seen, cover, 1.0)
        for free in (False, True):
            where = seen & ((off | self._weekend(minute)) == free)
            if where.any():
                row = (NIGHTLY if free else 0) + int((minute % DAY + self.step / 2) // HOUR) % NIGHTLY
                weight = np.where(where, _evidence(hoped * self.visit, columns.spread[-1]) / self.visit * cover, 0.0)
                ratio = taught / np.maximum(level * day * share, 1e-12)
                keep = np.where(where, 1.0 - 1.0 / (VISITS * self.visit), 1.0)
                columns.hour_seen[row] = columns.hour_seen[row] * keep + weight * ratio
                columns.hour_hoped[row] = columns.hour_hoped[row] * keep + weight
        for row, where in ((_weekday(minute), seen & ~off), (HOLIDAY, seen & off)):
            if where.any():
                weight = np.where(where, _evidence(hoped * self.day, columns.spread[-1]) / self.day * cover, 0.0)
                ratio = taught / np.maximum(level * hour * share, 1e-12)
                keep = np.where(where, 1.0 - 1.0 / (DAY_VISITS * self.day), 1.0)
                columns.day_seen[row] = columns.day_seen[row] * keep + weight * ratio
                columns.day_hoped[row] = columns.day_hoped[row] * keep + weight

    def _hours(self, minute: float) -> tuple[int, int, float]:
        """The two hours between whose middles the step's middle lies, and the share of the second."""
        middle = minute % DAY + self.step / 2
        if self.step >= HOUR:
            return int(middle // HOUR) % NIGHTLY, 0, 0.0
        place = middle / HOUR - 0.5
        first = int(np.floor(place))
        return first % NIGHTLY, (first + 1) % NIGHTLY, place - first

    def _hour(self, row: int) -> Numbers:
        return np.asarray((self.columns.hour_seen[row] + 1.0) / (self.columns.hour_hoped[row] + 1.0))

    def _day(self, row: int) -> Numbers:
        return np.asarray((self.columns.day_seen[row] + 1.0) / (self.columns.day_hoped[row] + 1.0))

    def _holiday(self) -> Numbers:
        """A Sunday, until holidays of this series were seen."""
        columns = self.columns
        return np.asarray((columns.day_seen[HOLIDAY] + self._day(SUNDAY)) / (columns.day_hoped[HOLIDAY] + 1.0))

    def _weekend(self, minute: float) -> bool:
        return _weekday(minute) >= SUNDAY - 1


def _weekday(minute: float) -> int:
    return int(minute // DAY) % 7


def _evidence(hoped: Numbers, spread: Numbers) -> Numbers:
    return np.asarray(hoped / (hoped + spread))
