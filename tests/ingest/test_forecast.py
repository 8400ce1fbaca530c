"""The interval of a forecast holds the truth as often as it says, and is wide where little is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from ingest.forecast import DAY_HOURS, MONTH_DAYS, forecast, interval

SOURCES = 160


class Kind(NamedTuple):
    """How the posts of a simulated source come."""

    hours_seen: int
    days_vary: float
    hours_vary: float
    """Amplitude of the day's wave, 0 to 1."""


KINDS = {
    "as chance has it": Kind(168, 0.0, 0.0),
    "more by day than by night": Kind(168, 0.0, 0.8),
    "days that differ": Kind(168, 0.35, 0.6),
    "days that differ much": Kind(168, 0.6, 0.6),
    "two days seen": Kind(48, 0.3, 0.6),
    "one day seen": Kind(24, 0.3, 0.6),
    "six hours seen": Kind(6, 0.3, 0.6),
    "one hour seen": Kind(1, 0.2, 0.6),
}


def simulated(kind: Kind, chance: np.random.Generator) -> tuple[list[int], int, int]:
    """(posts by hour of the hours seen, posts of the day after, of the 30 days after)"""
    rate = 10 ** chance.uniform(-1.5, 2.5)
    days = kind.hours_seen // DAY_HOURS + MONTH_DAYS + 2
    vary = kind.days_vary**2
    of_days = chance.gamma(1 / vary, vary, days) if vary else np.ones(days)
    clock = np.arange(days * DAY_HOURS) + chance.integers(DAY_HOURS)
    wave = 1 + kind.hours_vary * np.sin(clock * 2 * np.pi / DAY_HOURS)
    counts = chance.poisson(rate * wave * of_days.repeat(DAY_HOURS))
    seen, after = counts[: kind.hours_seen], counts[kind.hours_seen :]
    return [int(one) for one in seen], int(after[:DAY_HOURS].sum()), int(after[: DAY_HOURS * MONTH_DAYS].sum())


@pytest.mark.parametrize("name", KINDS)
def test_nine_in_ten_intervals_hold_what_comes(name: str) -> None:
    chance = np.random.default_rng(6)
    held = np.zeros(2)
    for seed in range(SOURCES):
        seen, day, month = simulated(KINDS[name], chance)
        found = forecast(seen, seed=seed)
        for place, (truth, draws) in enumerate(((day, found.day), (month, found.month))):
            low, _, high = interval(draws)
            assert high is not None
            held[place] += low <= truth <= high
    by_day, by_month = held / SOURCES
    assert by_day >= 0.86, (by_day, by_month)
    assert by_month >= 0.86, (by_day, by_month)


def test_more_hours_make_it_surer() -> None:
    widths = []
    for hours in (1, 6, 24, 168, 672):
        low, middle, high = interval(forecast([20] * hours).month)
        assert high is not None
        assert low < 20 * 720 < high
        widths.append((high - low) / middle)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 2, "an hour says little"
    assert widths[-1] < 1


def test_nothing_seen_is_not_a_promise_that_nothing_comes() -> None:
    low, _, high = interval(forecast([0] * 24).month)
    assert low == 0
    assert high is not None
    assert 30 < high < 200, "three in a day would hardly have been missed"
    (_, _, after_a_week) = interval(forecast([0] * 168).month)
    assert after_a_week is not None
    assert after_a_week < high


def test_a_sample_that_was_cut_off_has_no_upper_bound() -> None:
    found = forecast([100] * 3, capped=True)
    assert found.capped
    assert interval(found.day, capped=found.capped).high is None


def test_the_same_sample_gives_the_same_forecast_and_none_is_refused() -> None:
    assert (forecast([3, 4, 5]).day == forecast([3, 4, 5]).day).all()
    with pytest.raises(ValueError, match="no hour"):
        forecast([])


def test_numbers_of_a_firehose_stay_finite() -> None:
    found = forecast([10_000_000] * 24)
    low, _, high = interval(found.month)
    assert high is not None
    assert 1e9 < low < high < 1e11
