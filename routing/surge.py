"""Whether more comes in than the hour lets expect: a watch over many series of counts, online, step by step.

Each step is compared with a forecast made before it (level, hour of the day, day of the week, holidays), in windows of
one step to twelve hours, so that both a blow and a slow start are seen. How rare that is comes from a gamma of the
series' own spread (surge_tail); how often this series shows such a thing when all is well, from its own record
(surge_record). A surge begins where that is at most the one setting: how many false alarms a month will you bear?

Nothing here knows of tables, clocks or people. A step is judged once; what was not covered is not calm; what comes late
goes into the windows and is judged with the next step; what comes by a backfill is not told to this watch at all.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from routing.surge_record import Record, as_new
from routing.surge_season import Season
from routing.surge_state import FORMAT, Columns, State
from routing.surge_tail import Flags, Numbers, band, surprise

BLOWS: Final = (5, 15)
STARTS: Final = (60, 240, 720)
"""Minutes of the windows. Each is a leaky sum of that mean age: it forgets smoothly, and needs one number, not 720.

A blow is counted as it comes. For a start each step counts for at most three standard deviations: one mad minute is no
slow start, and a series of mad minutes that mean nothing doesn't hide a true one.
"""
HOUR: Final = 60.0
"""What no window of an hour or less shows is over, whatever the longer ones still hold."""
BOUND: Final = 3.0
LEVEL_DAYS: Final = 1.0
SPREAD_DAYS: Final = 14.0
ONE_IN: Final = 10.0
"""The spread is such that one step in ten is as rare as one in ten: no storm can bend that."""
LEARNING_STEPS: Final = 30.0
LEARNING_DAYS: Final = 1.0
NEVER_LESS: Final = 0.5
"""Posts that are hoped for in any window: three posts where there were none are no surge, ten are."""
EDGES: Final = 2.0
LEAST_COVER: Final = 0.05


class Reading(msgspec.Struct, frozen=True):
    """What one step says; arrays as long as the watch is wide."""

    expected: Numbers
    """Posts in this step, were it fully covered, as forecast before it."""
    low: Numbers
    high: Numbers
    """The band in which 19 steps of 20 lie."""
    evidence: Numbers
    """How rare that is: -log10, in the loudest window."""
    a_month: Numbers
    """How many calm events as high as this one the series' record lets expect in 30 days; infinite while it learns."""
    probability: Numbers
    """That this is a real surge, if real ones are as frequent as the false ones that you bear; an alarm from 0.5."""
    begins: Flags
    """Wake somebody: the first step of an event that is rare enough."""
    lasts: Flags
    """A surge was told, and isn't over (an hour without evidence)."""


class Watch:
    """Of `series` series with a common step; give each its number and keep it.

    Args:
        step: minutes.
        false_alarms_a_month: of each series, one number for all or one for each; the only thing to set.
    """

    def __init__(self, series: int, *, step: float = 1.0, false_alarms_a_month: Numbers | float = 1.0) -> None:
        if not step > 0:
            raise ValueError(f"a step is {step} minutes long; it must be more than 0")
        if not np.all(np.asarray(false_alarms_a_month) > 0):
            raise ValueError(
                f"{false_alarms_a_month} false alarms a month: it must be more than 0, as 0.1 (one in ten months)"
            )
        self.step = step
        self.bearable = np.full(series, false_alarms_a_month, dtype=np.float64)
        self.minute: float | None = None
        blows = sorted({max(1.0, minutes / step) for minutes in BLOWS})
        starts = sorted({max(1.0, minutes / step) for minutes in STARTS} - {1.0})
        self._blows = len(blows)
        self._keep = 1.0 - 1.0 / np.array([*blows, *starts])[:, None]
        self._present = np.array([window <= max(HOUR / step, 1.0) for window in (*blows, *starts)])
        self._day = 1440.0 / step
        self._columns = Columns(series, len(blows) + len(starts))
        self._as_new(self._columns)
        self._season = Season(self._columns, step)
        self._record = Record(self._columns, step, self.bearable)

    @property
    def series(self) -> int:
        return self._columns.series

    def grow(self, series: int, false_alarms_a_month: Numbers | float = 1.0) -> None:
        """Watch so many more; their numbers follow the last."""
        self.bearable = np.concatenate([self.bearable, np.full(series, false_alarms_a_month, dtype=np.float64)])
        self._record.bearable = self.bearable
        fresh = Columns(1, len(self._keep))
        self._as_new(fresh)
        self._columns.grow(series, fresh.numbers[:, 0])

    def update(
        self, minute: float, values: Numbers, cover: Numbers | float = 1.0, holiday: Flags | bool = False
    ) -> Reading:
        """Judge one step of all series, then learn from it.

        Args:
            minute: when the step begins, in minutes since 1970; after the last one. Steps left out were not covered.
            values: posts in the step (what was seen, not scaled up).
            cover: which share of the step was collected, 0 to 1; 0 judges nothing and teaches nothing.
            holiday: the day behaves as a day off, with a factor that holidays share.
        """
        if self.minute is not None and minute <= self.minute:
            raise ValueError(
                f"minute {minute:g} was judged: the last one was {self.minute:g}; use late() for what comes late"
            )
        passed = 1.0 if self.minute is None else max((minute - self.minute) / self.step, 1.0)
        self.minute = minute
        columns, series = self._columns, self.series
        off = np.broadcast_to(np.asarray(holiday, dtype=np.bool_), (series,))
        share = np.broadcast_to(np.asarray(cover, dtype=np.float64), (series,))
        covered = share >= LEAST_COVER
        share = np.where(covered, np.minimum(share, 1.0), 0.0)
        values = np.where(covered, np.asarray(values, dtype=np.float64), 0.0)
        columns.broken[:] = np.maximum(columns.broken, values != np.floor(values))

        since_monday = minute + MONDAY
        hour, day = self._season.factors(since_monday, off)
        fresh = columns.steps == 0
        whole_step = np.where(covered, share, 1.0)
        level = np.maximum(np.where(fresh, values / whole_step / (hour * day), columns.level), 0.5 / self._day)
        expected = level * hour * day
        hoped = expected * share
        spread = self._spread() * self._season.unsure(off)
        deviation = BOUND * np.sqrt(spread[0] * (hoped + spread[0]))
        bounded = np.clip(values, hoped - deviation, hoped + deviation)

        self._fill(values, bounded, hoped, passed)
        least = np.where(columns.broken > 0, 1e-9, NEVER_LESS)
        found = surprise(columns.near, columns.hoped + least, spread)
        ready = covered & (columns.steps >= max(LEARNING_DAYS * self._day, LEARNING_STEPS))
        evidence = np.minimum(found, found[self._present].max(axis=0))
        a_month = np.where(ready, self._record.a_month(self._record.rates(evidence)), np.inf)
        begins = self._record.judge(evidence, a_month, ready, passed)
        lasts = columns.told > 0

        self._learn_spread(found, covered & ~fresh)
        taught = np.where(fresh, values, bounded)
        gain = np.maximum(1.0 / (columns.steps + 1.0), 1.0 / (LEVEL_DAYS * self._day))
        moved = np.maximum(level + gain * (taught - hoped) / (hour * day), 0.0)
        columns.level[covered] = moved[covered]
        columns.steps += share
        self._season.learn(since_monday, off, taught, level, hour, day, share)
        low, high = band(np.maximum(expected, 1e-9), spread[0], EDGES)
        probability = self.bearable / (self.bearable + a_month)
        return Reading(expected, low, high, evidence.max(axis=0), a_month, probability, begins, lasts)

    def late(self, series: int, minute: float, more: float) -> None:
        """Posts of a step that was judged (negative: deleted ones): they weigh as if they had been there.

        Only for what may wake people: an old post that a backfill brings changes numbers elsewhere, not here.
        """
        if self.minute is None or minute > self.minute:
            raise ValueError(f"minute {minute:g} was not judged: give its posts to update()")
        columns = self._columns
        faded = more * self._keep[:, 0] ** ((self.minute - minute) / self.step)
        columns.near[:, series] = np.maximum(columns.near[:, series] + faded, 0.0)

    def forecast(self, minute: float, steps: int = 1, holiday: Flags | bool = False) -> tuple[Numbers, Numbers]:
        """(expected, upper end of what is usual) of so many fully covered steps from `minute` on, as it looks now."""
        off = np.broadcast_to(np.asarray(holiday, dtype=np.bool_), (self.series,))
        hour, day = self._season.factors(minute + MONDAY + self.step * (steps - 1) / 2, off)
        expected = np.maximum(self._columns.level * hour * day * steps, 1e-9)
        lengths = 1.0 / (1.0 - self._keep[:, 0] + 1e-12)
        window = int(np.abs(np.log(lengths / steps)).argmin())
        return expected, band(expected, self._spread()[window], EDGES)[1]

    def was_real(self, series: int) -> None:
        """A person says that the surge going on is a real one: it will not count in the record of what is usual."""
        columns = self._columns
        columns.real[:, series] = np.maximum(columns.real, columns.going_on)[:, series]

    def save(self, series: int) -> State:
        return State(FORMAT, self.step, self.minute, self._columns.numbers[:, series].tobytes())

    def load(self, series: int, state: State) -> None:
        """Go on where a saved series was; the time since then was not covered.

        Raises:
            ValueError: a state of another step or of another version of this module; learn it anew from history.
        """
        numbers = np.frombuffer(state.numbers)
        if state.format != FORMAT or state.step != self.step or len(numbers) != len(self._columns.numbers):
            raise ValueError(
                f"the saved state (format {state.format}, step {state.step:g} min) is not for this watch "
                f"(format {FORMAT}, step {self.step:g} min): learn the series anew from its history"
            )
        self._columns.numbers[:, series] = numbers
        if self.minute is None:
            self.minute = state.minute
        elif state.minute is not None and self.minute > state.minute:
            faded = self._keep[:, 0] ** ((self.minute - state.minute) / self.step)
            self._columns.near[:, series] *= faded
            self._columns.hoped[:, series] *= faded

    def _as_new(self, columns: Columns) -> None:
        as_new(columns)
        columns.spread[:] = 1.5

    def _spread(self) -> Numbers:
        """Never less than that of chance where only whole posts were counted."""
        return np.maximum(self._columns.spread, np.where(self._columns.broken > 0, 1e-3, 1.0))

    def _fill(self, values: Numbers, bounded: Numbers, hoped: Numbers, passed: float) -> None:
        columns = self._columns
        keep = self._keep**passed
        columns.near *= keep
        columns.near[: self._blows] += values
        columns.near[self._blows :] += bounded
        np.maximum(columns.near, 0.0, out=columns.near)
        columns.hoped[:] = columns.hoped * keep + hoped

    def _learn_spread(self, found: Numbers, where: Flags) -> None:
        columns = self._columns
        nine = ONE_IN - 1.0
        gain = np.minimum(nine / (columns.steps + 30.0), np.minimum(0.3, 0.1 * nine * (1.0 - self._keep)))
        gain = np.maximum(gain, np.minimum(nine / (SPREAD_DAYS * self._day), 0.1))
        moved = columns.spread * np.exp(gain * ((found > np.log10(ONE_IN)) - 1.0 / ONE_IN))
        least = np.where(columns.broken > 0, 1e-3, 1.0)
        columns.spread[:] = np.where(where, np.clip(moved, least, 1e12), columns.spread)


MONDAY: Final = 3 * 1440.0
"""1970 began on a Thursday."""
