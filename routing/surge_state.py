"""What is kept of a watched series: one column of numbers in memory, 2.3 kB at rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from routing.surge_tail import Numbers

FORMAT: Final = 2
PEAKS: Final = 12
HOURS: Final = 48
"""Hours of a working day, then hours of a day off."""
DAYS: Final = 8
"""Monday to Sunday, then a holiday."""


class State(msgspec.Struct, frozen=True, array_like=True):
    """One series at rest. A state of other windows or of another format is refused, never guessed at."""

    format: int
    step: float
    minute: float | None
    numbers: bytes


class Columns:
    """All series side by side: a row for each quantity, a column for each series. The attributes are views of rows."""

    def __init__(self, series: int, windows: int) -> None:
        self.rows = dict(_layout(windows))
        self.numbers: Numbers = np.zeros((sum(self.rows.values()), series))
        self._cut()

    @property
    def series(self) -> int:
        return int(self.numbers.shape[1])

    def grow(self, series: int, fresh: Numbers) -> None:
        """Room for so many more series, each as new."""
        before = self.series
        wider = np.empty((len(self.numbers), before + series))
        wider[:, :before], wider[:, before:] = self.numbers, fresh[:, None]
        self.numbers = wider
        self._cut()

    def _cut(self) -> None:
        start = 0
        for name, rows in self.rows.items():
            part = self.numbers[start : start + rows]
            if name in DEEP:
                part = part.reshape(rows // PEAKS, PEAKS, -1)
            setattr(self, name, part if name in WIDE or name in DEEP else part[0])
            start += rows

    level: Numbers
    steps: Numbers
    broken: Numbers
    hour_seen: Numbers
    hour_hoped: Numbers
    day_seen: Numbers
    day_hoped: Numbers
    near: Numbers
    hoped: Numbers
    spread: Numbers
    events: Numbers
    mean_peak: Numbers
    ended: Numbers
    going_on: Numbers
    quiet: Numbers
    peak: Numbers
    real: Numbers
    watched: Numbers
    told: Numbers
    calm: Numbers
    peaks: Numbers
    weights: Numbers


WIDE: Final = {
    *("hour_seen", "hour_hoped", "day_seen", "day_hoped"),
    *("near", "hoped", "spread"),
    *("events", "mean_peak", "ended", "going_on", "quiet", "peak", "real"),
}
"""A row for each window, hour or day."""
DEEP: Final = {"peaks", "weights"}
"""PEAKS rows for each window."""


def _layout(windows: int) -> Iterator[tuple[str, int]]:
    for name in Columns.__annotations__:
        if name.startswith("hour_"):
            yield name, HOURS
        elif name.startswith("day_"):
            yield name, DAYS
        elif name in DEEP:
            yield name, windows * PEAKS
        else:
            yield name, windows if name in WIDE else 1
