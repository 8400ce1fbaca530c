"""How often a series shows such a thing when all is well: learnt from its own record, not from a table of the normal.

First each window's surprise is put on the scale of its own past (how far above the value that one step in fifty
exceeds, in units of the mean excess), and the windows' evidence is added. What then stands out is an event, which ends
after a calm hour. The rate of an event as high as this one is the larger of two: the exponential tail above the mark
(peaks over threshold), and how many were as high in the past two months. Neither asks what a crisis looks like.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from routing.surge_state import Columns
from routing.surge_tail import LOG10, Flags, Numbers

RARE: Final = 0.02
"""Share of steps above a window's usual surprise."""
MARK: Final = 2.0
"""Evidence at which an event begins."""
CALM: Final = 60.0
"""Minutes without evidence after which it is over."""
MONTH_DAYS: Final = 30.0
MONTHS: Final = 2.0
"""How long a peak is remembered, fading: two storms of the same height in a month are both told where one is borne."""
MOST_EXCESS: Final = 6.0
"""One storm moves the mean excess no further than so many times itself."""
MEMORY: Final = 100.0
"""Events of which the mean peak remembers."""
FIRST_EVENTS: Final = 10.0
FIRST_RATE: Final = 0.0025
"""Events a step, believed with the weight of a week before the series has shown its own."""
ITSELF: Final = 0.5
"""What an event adds to the count of those as high, unless it is the highest: so the rate is kept in the long run."""
FADED: Final = 0.05
"""Weight below which a peak makes room."""
LEAST_USUAL: Final = 1.3
"""One in twenty; where hardly a post comes, the value that one step in fifty exceeds is none."""


class Record:
    def __init__(self, columns: Columns, step: float, bearable: float) -> None:
        self.columns = columns
        self.step = step
        self.bearable = bearable
        self.day = 1440.0 / step
        self.month = MONTH_DAYS * self.day

    def evidence(self, surprise: Numbers) -> Numbers:
        """All windows' surprise together: twice the mean, since they share posts; none says less than -1."""
        above = (surprise - self.columns.usual) / self.columns.excess
        return np.asarray(2.0 * np.maximum(above, -1.0).mean(axis=0))

    def a_month(self, evidence: Numbers) -> Numbers:
        """How many events as high as this one the record lets expect in 30 days."""
        columns = self.columns
        by_tail = self._events_a_month() * np.exp(-(evidence - MARK) / columns.mean_peak)
        higher = columns.peaks >= np.maximum(evidence, MARK)
        by_count = ((columns.weights * higher).sum(axis=0) + ITSELF * higher.any(axis=0)) / MONTHS
        return np.asarray(np.maximum(by_tail, by_count))

    def judge(self, evidence: Numbers, a_month: Numbers, where: Flags, passed: float) -> Flags:
        """Advance the events by one step; True where a surge begins: an event is rare enough, and was not told yet."""
        columns = self.columns
        high = where & (evidence >= MARK)
        began = high & (columns.going_on == 0)
        columns.going_on[high] = 1.0
        columns.peak[began] = 0.0
        columns.peak[high] = np.maximum(columns.peak, evidence)[high]
        columns.quiet[:] = np.where(high, 0.0, columns.quiet + passed * self.step)
        begins = high & (a_month <= self.bearable) & (columns.told == 0)
        columns.told[begins] = 1.0
        keep = (1.0 - 1.0 / self.month) ** passed
        columns.events[where] = (columns.events * keep + began)[where]
        columns.watched[where] = (columns.watched * keep + 1.0)[where]
        columns.weights *= keep ** (1.0 / MONTHS)
        self._end((columns.going_on > 0) & (columns.quiet >= CALM))
        return np.asarray(begins)

    def learn(self, surprise: Numbers, where: Flags) -> None:
        """What is usual in each window: the value that one step in fifty exceeds, and by how much it is exceeded."""
        columns = self.columns
        gain = np.maximum(1.0 / (columns.judged + self.day / 4 + 50.0), 1.0 / (14.0 * self.day))
        above = surprise > columns.usual
        moved = columns.usual + gain * (above - RARE) / RARE * columns.excess
        beyond = np.clip(surprise - columns.usual, 0.0, MOST_EXCESS * columns.excess)
        grown = columns.excess + np.minimum(gain / RARE, 0.1) * (beyond - columns.excess)
        columns.usual[:] = np.where(where, np.maximum(moved, LEAST_USUAL), columns.usual)
        columns.excess[:] = np.where(where & above, np.maximum(grown, 0.1), columns.excess)
        columns.judged[where] += 1.0

    def _events_a_month(self) -> Numbers:
        week = 7.0 * self.day
        columns = self.columns
        return np.asarray((columns.events + FIRST_RATE * week) / (columns.watched + week) * self.month)

    def _end(self, over: Flags) -> None:
        columns = self.columns
        kept = over & (columns.real == 0)
        if kept.any():
            highest = np.maximum(np.log(self._events_a_month() / self.bearable), 1.0) * columns.mean_peak
            height = np.clip(columns.peak - MARK, 0.0, highest)
            gain = 1.0 / np.minimum(columns.ended + 1.0, MEMORY)
            grown = np.maximum(columns.mean_peak + gain * (height - columns.mean_peak), 0.5)
            columns.mean_peak[kept] = grown[kept]
            columns.ended[kept] += 1.0
            self._keep(np.flatnonzero(kept))
        for column in (columns.going_on, columns.told, columns.real):
            column[over] = 0.0

    def _keep(self, series: np.ndarray[tuple[int], np.dtype[np.intp]]) -> None:
        """The highest of the events that have not faded, as many as there are places."""
        columns = self.columns
        standing = np.where(columns.weights[:, series] > FADED, columns.peaks[:, series], 0.0)
        place = standing.argmin(axis=0)
        higher = columns.peak[series] > standing[place, np.arange(len(series))]
        columns.peaks[place[higher], series[higher]] = columns.peak[series[higher]]
        columns.weights[place[higher], series[higher]] = 1.0


def as_new(columns: Columns) -> None:
    """What a record holds before it has seen anything: a model that is right."""
    columns.usual[:] = -np.log10(RARE)
    columns.excess[:] = 1.0 / LOG10
    columns.mean_peak[:] = 1.0
    columns.ended[:] = FIRST_EVENTS
