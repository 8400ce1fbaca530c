"""How often a series shows such a thing when all is well: learnt from its own record, not from a table of the normal.

Each window has a record of its own: in a series of mad minutes that mean nothing, a minute must be madder than those,
while a slow start is as strange there as anywhere. What stands out in a window is an event, which ends after a calm
hour. The rate of an event as high as this one is the larger of two: the exponential tail above the mark (peaks over
threshold), whose rate and mean the window teaches, and how many were as high in the past two months. Neither asks what
a crisis looks like.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from routing.surge_state import Columns
from routing.surge_tail import Flags, Numbers

Places = np.ndarray[tuple[int], np.dtype[np.intp]]

MARK: Final = 1.0
"""Evidence at which an event begins."""
CALM: Final = 60.0
"""Minutes without evidence after which it is over."""
DAILY: Final = 30.0
"""A surge that was told lasts while something is seen that comes not once a day (so many a month)."""
MONTH_DAYS: Final = 30.0
MONTHS: Final = 2.0
"""How long a peak is remembered, fading. Where one false alarm a month is borne by five windows, an event of which
nobody said that it was real keeps one that is no higher in any window from being told for eight weeks."""
MEMORY: Final = 100.0
"""Events of which the mean peak remembers."""
FIRST_EVENTS: Final = 10.0
FIRST_PEAK: Final = 0.42
FIRST_RATE: Final = 58.0
"""So high above the mark, and so many a month, are the events of made series: believed as much as ten events and a week
of the series' own."""
MOST_RATE: Final = 0.01
"""Events a step, where steps are long."""
LEAST_PEAK: Final = 0.2
FADED: Final = 0.05
"""Weight below which a peak makes room."""


class Record:
    """Of each window of each series. `bearable`: events a month of a series; each window may tell its share of them."""

    def __init__(self, columns: Columns, step: float, bearable: Numbers) -> None:
        self.columns = columns
        self.step = step
        self.bearable = bearable
        self.day = 1440.0 / step
        self.month = MONTH_DAYS * self.day

    def rates(self, evidence: Numbers) -> Numbers:
        """How many events as high as this the record of each window lets expect in 30 days."""
        columns = self.columns
        by_tail = self._events_a_month() * np.exp(-(evidence - MARK) / columns.mean_peak)
        higher = columns.peaks >= np.maximum(evidence, MARK)[:, None]
        by_count = (columns.weights * higher).sum(axis=1) / MONTHS
        return np.asarray(np.maximum(by_tail, by_count))

    def a_month(self, rates: Numbers) -> Numbers:
        """Of a series, of all windows together: one of them is enough, and each may err."""
        return np.asarray(rates.min(axis=0) * len(rates))

    def judge(self, evidence: Numbers, a_month: Numbers, where: Flags, passed: float) -> Flags:
        """Advance the events by one step; True where a surge begins: an event is rare enough, and was not told yet."""
        columns = self.columns
        high = where & (evidence >= MARK)
        began = high & (columns.going_on == 0)
        columns.going_on[high] = 1.0
        columns.peak[began] = 0.0
        columns.peak[high] = np.maximum(columns.peak, evidence)[high]
        columns.quiet[:] = np.where(high, 0.0, columns.quiet + passed * self.step)
        unusual = where & (a_month <= np.maximum(self.bearable, DAILY))
        columns.calm[:] = np.where(unusual, 0.0, columns.calm + passed * self.step)
        begins = where & (a_month <= self.bearable) & (columns.told == 0)
        columns.told[begins] = 1.0
        keep = (1.0 - 1.0 / self.month) ** passed
        columns.events[:] = np.where(where, columns.events * keep + began, columns.events)
        columns.watched[where] = (columns.watched * keep + 1.0)[where]
        columns.weights *= keep ** (1.0 / MONTHS)
        self._end((columns.going_on > 0) & (columns.quiet >= CALM))
        columns.told[columns.calm >= CALM] = 0.0
        return np.asarray(begins)

    def _events_a_month(self) -> Numbers:
        week = 7.0 * self.day
        first = min(FIRST_RATE / MONTH_DAYS / self.day, MOST_RATE)
        columns = self.columns
        return np.asarray((columns.events + first * week) / (columns.watched + week) * self.month)

    def _end(self, over: Flags) -> None:
        columns = self.columns
        kept = over & (columns.real == 0)
        if kept.any():
            bearable = self.bearable / len(over)
            highest = np.maximum(np.log(self._events_a_month() / bearable), 1.0) * columns.mean_peak
            height = np.clip(columns.peak - MARK, 0.0, highest)
            gain = 1.0 / np.minimum(columns.ended + 1.0, MEMORY)
            grown = np.maximum(columns.mean_peak + gain * (height - columns.mean_peak), LEAST_PEAK)
            columns.mean_peak[kept] = grown[kept]
            columns.ended[kept] += 1.0
            self._keep(*np.nonzero(kept))
        for column in (columns.going_on, columns.real):
            column[over] = 0.0

    def _keep(self, window: Places, series: Places) -> None:
        """The highest of the events that have not faded, as many as there are places."""
        columns = self.columns
        standing = np.where(columns.weights[window, :, series] > FADED, columns.peaks[window, :, series], 0.0)
        place = standing.argmin(axis=1)
        peak = columns.peak[window, series]
        higher = peak > standing[np.arange(len(place)), place]
        at = (window[higher], place[higher], series[higher])
        columns.peaks[at] = peak[higher]
        columns.weights[at] = 1.0


def as_new(columns: Columns) -> None:
    """What a record holds before it has seen anything: a model that is right."""
    columns.mean_peak[:] = FIRST_PEAK
    columns.ended[:] = FIRST_EVENTS
