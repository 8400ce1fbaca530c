"""Made counts for the tests of the watch: a seed, a level, a day's wave."""

from __future__ import annotations

import numpy as np

from routing.surge import Reading, Watch
from routing.surge_tail import Numbers

STEP = 15.0
DAY = int(1440 / STEP)
MONDAY = 4 * 1440.0


def minute_of(number: int) -> float:
    return MONDAY + number * STEP


def counts(
    level: float, days: int, *, seed: int = 1, series: int = 1, wave: float = 0.8, bunch: float = 4.0
) -> Numbers:
    """Rows of steps, columns of series; over-dispersed (negative binomial), with a wave of a day."""
    dice = np.random.default_rng(seed)
    hours = np.arange(days * DAY) % DAY / DAY
    mean = level * np.exp(wave * np.sin(2 * np.pi * hours))[:, None] * np.ones(series)
    return dice.poisson(mean * dice.gamma(bunch, 1 / bunch, mean.shape)).astype(float)


def run(watch: Watch, values: Numbers, *, start: int = 0, cover: float = 1.0) -> list[Reading]:
    return [watch.update(minute_of(start + number), row, cover) for number, row in enumerate(values)]


def begun(readings: list[Reading]) -> Numbers:
    return np.sum([one.begins for one in readings], axis=0).astype(float)
