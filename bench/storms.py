"""Made series for `bench.surges`: brand-months of counts by the minute, and what can befall them.

A brand is spoken of with a wave of the day, quieter weekends, a holiday, a level that wanders for hours, and more
variance than chance (negative binomial). Collectors fail for hours; what they missed comes later, by a backfill.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

DAY: Final = 1440
MONDAY: Final = 4 * DAY
"""1970-01-05."""


class Brands(NamedTuple):
    """The constants of each brand; arrays of the same length."""

    posts: Numbers
    """A minute, on average."""
    wave: Numbers
    peak: Numbers
    weekend: Numbers
    wander: Numbers
    shape: Numbers


class Made(NamedTuple):
    counts: Numbers
    """Minutes by brands."""
    cover: Numbers
    holiday: bool


def brands(count: int, seed: int, least: float = 0.005, most: float = 20.0) -> Brands:
    """From 7 posts a day to 29,000, as many of each order of magnitude."""
    dice = np.random.default_rng(seed)
    return Brands(
        posts=np.exp(np.linspace(np.log(least), np.log(most), count)),
        wave=dice.uniform(0.3, 1.2, count),
        peak=dice.uniform(0, 24, count),
        weekend=dice.uniform(0.4, 1.1, count),
        wander=dice.uniform(0.05, 0.3, count),
        shape=np.exp(dice.uniform(np.log(2.0), np.log(30.0), count)),
    )


class World:
    """Day after day of the same brands."""

    def __init__(self, made: Brands, seed: int, *, holidays: tuple[int, ...] = (), holes: float = 0.07) -> None:
        self.brands = made
        self.dice = np.random.default_rng(seed)
        self.holidays = holidays
        self.holes = holes
        self._mood = np.zeros(len(made.posts))

    def day(self, number: int) -> Made:
        holiday = number in self.holidays
        hours = np.arange(DAY)[:, None] / 60.0
        mean = self.brands.posts * np.exp(self.brands.wave * np.cos((hours - self.brands.peak) * np.pi / 12.0))
        if holiday or number % 7 >= 5:
            mean = mean * self.brands.weekend
        mean = mean * np.repeat(self._moods(), 10, axis=0)
        counts = self.dice.poisson(mean * self.dice.gamma(self.brands.shape, 1.0 / self.brands.shape, mean.shape))
        return Made(counts.astype(np.float64), self._cover(), holiday)

    def _moods(self) -> Numbers:
        """A level that wanders with a memory of three hours, by ten minutes."""
        keep = np.exp(-10.0 / 180.0)
        found = np.empty((DAY // 10, len(self._mood)))
        for row in range(len(found)):
            self._mood = keep * self._mood + np.sqrt(1 - keep**2) * self.dice.standard_normal(len(self._mood))
            found[row] = np.exp(self.brands.wander * self._mood)
        return found

    def _cover(self) -> Numbers:
        """On a day in fourteen a brand's collector is down for one to six hours, or sees only half."""
        cover = np.ones((DAY, len(self._mood)))
        for brand in np.flatnonzero(self.dice.random(len(self._mood)) < self.holes):
            start, long = self.dice.integers(0, DAY - 360), self.dice.integers(60, 360)
            cover[start : start + long, brand] = self.dice.choice([0.0, 0.5])
        return cover


def slow_start(minutes: int = 240) -> Numbers:
    """An attack that doubles every half hour: shares of its posts by the minute."""
    rate = 2.0 ** (np.arange(minutes) / 30.0)
    return np.asarray(rate / rate.sum())


def viral(minutes: int = 360, rise: int = 40) -> Numbers:
    """A post that goes round: up within 40 minutes, down by half every hour."""
    at = np.arange(minutes)
    rate = np.where(at < rise, (at + 1) / rise, 2.0 ** (-(at - rise) / 60.0))
    return np.asarray(rate / rate.sum())
