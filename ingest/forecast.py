"""How many posts a query will bring, from what it brought in the hours before, with an interval that says how sure
that is.

The counts of days are taken as Poisson with a rate that is not known and varies more than chance: a Gamma-Poisson
mixture, that is, a negative binomial (Gelman et al., Bayesian Data Analysis, 3rd ed., 2.6). Its dispersion is Pearson's
(McCullagh and Nelder, Generalized Linear Models, 2nd ed., 6.2), drawn from its scaled inverse chi-squared distribution.
What a sample cannot show is added: hours of the day and days of the week that it did not see. A crisis is not foreseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INSIDE = 0.90
"""Part of the cases in which the truth lies within an interval."""
DRAWS = 2_000
DAY_HOURS, WEEK_HOURS, MONTH_DAYS = 24, 168, 30
DAYS_VARY = 0.3
"""Standard deviation of a day's rate as a part of it, as long as too few days were seen to tell."""
WORTH: float = 3.0
"""So many days of evidence that assumption counts as."""
HOURS_VARY = 0.8
"""Of the logarithm of an hour's rate over the day: what a sample of one hour is unsure by."""
WEEKDAYS_VARY = 0.25
"""The same over the days of a week."""
WEEKS_VARY = 0.15
"""The same from week to week: what the month ahead is unsure by, however long the sample."""

Draws = NDArray[np.float64]


class Interval(NamedTuple):
    """Of a number of posts, units or money."""

    low: float
    middle: float
    high: float | None
    """None: the sample was cut off, so that nobody can say."""


class Forecast(NamedTuple):
    """Possible futures, each as likely as any other; those of several queries can be added up."""

    day: Draws
    """Posts in the next 24 hours."""
    month: Draws
    """Posts in the next 30 days."""
    capped: bool
    """The numbers are a lower bound."""


def forecast(posts_by_hour: Sequence[int], *, capped: bool = False, seed: int = 0) -> Forecast:
    """From the counts of past hours, oldest first. The same sample gives the same forecast. Raises ValueError where
    there is no hour."""
    rate, dispersion, chance = _rate(posts_by_hour, seed)
    drifted = rate * np.exp(chance.normal(0.0, WEEKS_VARY, DRAWS))
    day = _ahead(rate, dispersion, DAY_HOURS, chance)
    return Forecast(day, _ahead(drifted, dispersion, DAY_HOURS * MONTH_DAYS, chance), capped)


def posts_elsewhen(posts_by_hour: Sequence[int], hours: float, *, seed: int = 0) -> Draws:
    """Posts in so many hours of another time than the sample's. Otherwise as `forecast`."""
    rate, dispersion, chance = _rate(posts_by_hour, seed)
    return _ahead(rate * np.exp(chance.normal(0.0, WEEKS_VARY, DRAWS)), dispersion, hours, chance)


def interval(draws: Draws, *, capped: bool = False) -> Interval:
    """The middle INSIDE of the draws, and their median."""
    low, middle, high = np.quantile(draws, [(1 - INSIDE) / 2, 0.5, (1 + INSIDE) / 2])
    return Interval(float(low), float(middle), None if capped else float(high))


def _rate(posts_by_hour: Sequence[int], seed: int) -> tuple[Draws, Draws, np.random.Generator]:
    """(posts an hour, dispersion, where further chance comes from)."""
    hours = len(posts_by_hour)
    if hours == 0:
        raise ValueError("a sample of no hour says nothing")
    chance = np.random.default_rng([seed, hours, sum(posts_by_hour)])
    counts = np.asarray(posts_by_hour, dtype=np.float64)
    dispersion = _dispersion(counts, chance)
    rate = dispersion * chance.gamma(counts.sum() / dispersion + 0.5) / hours
    rate *= np.exp(chance.normal(0.0, _unseen(hours), DRAWS))
    return rate, dispersion, chance


def _dispersion(counts: Draws, chance: np.random.Generator) -> Draws:
    """Variance of a day's posts over their mean, at least 1."""
    days = len(counts) // DAY_HOURS
    whole = counts[len(counts) - days * DAY_HOURS :].reshape(days, DAY_HOURS).sum(axis=1)
    mean = float(counts.mean()) * DAY_HOURS
    seen = float(((whole - whole.mean()) ** 2).sum() / whole.mean()) if days > 1 and whole.mean() > 0 else 0.0
    freedom = WORTH + max(0, days - 1)
    assumed = 1 + DAYS_VARY**2 * mean
    drawn: Draws = np.maximum(1.0, (WORTH * assumed + seen) / chance.chisquare(freedom, DRAWS))
    return drawn


def _unseen(hours: int) -> float:
    """Standard deviation of the logarithm of the rate, for what the sample's hours do not show of days and weeks."""
    of_day = HOURS_VARY**2 * max(0.0, 1 - hours / DAY_HOURS)
    of_week = WEEKDAYS_VARY**2 * max(0.0, 1 - hours / WEEK_HOURS)
    return float(np.sqrt(of_day + of_week))


def _ahead(rate: Draws, dispersion: Draws, hours: float, chance: np.random.Generator) -> Draws:
    # Poisson with a Gamma-distributed mean: variance over mean is the dispersion (1: Poisson itself).
    beyond = np.maximum(dispersion - 1, 1e-6)
    means = chance.gamma(np.maximum(rate * hours / beyond, 1e-12)) * beyond
    posts: Draws = chance.poisson(np.minimum(means, 1e15)).astype(np.float64)
    return posts
