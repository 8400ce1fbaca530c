"""NAB's score by its formula: nothing found is 0, every window at its first row is 100, and what is false costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bench.nab import Series, on_the_scale, scored, windowed_gaussian

STANDARD = {"tpWeight": 1.0, "fnWeight": 1.0, "fpWeight": 0.11}
ROWS = 1000
START = datetime(2026, 1, 1, tzinfo=UTC)
SERIES = Series(
    "made", tuple(START + timedelta(minutes=row) for row in range(ROWS)), np.zeros(ROWS), ((300, 399), (600, 699))
)


def at(*rows: int) -> np.ndarray:
    found = np.zeros(ROWS, dtype=np.bool_)
    found[list(rows)] = True
    return found


def scale(*rows: int) -> float:
    return on_the_scale([scored(SERIES, at(*rows), STANDARD)], STANDARD)


def test_nothing_is_zero_and_all_at_once_is_a_hundred() -> None:
    assert scale() == 0
    assert scale(300, 600) == pytest.approx(100)
    assert scale(300, 301, 350, 600) == pytest.approx(100)


def test_later_in_a_window_is_less() -> None:
    assert 100 > scale(350, 600) > scale(390, 600) > scale(600)
    assert scale(350) == pytest.approx(25 + 25 * 0.8483 / 0.9866, abs=0.3)


def test_false_ones_cost_and_the_first_rows_do_not() -> None:
    assert scale(100) == 0
    assert scale(200) == pytest.approx(-100 * 0.11 / 4)
    assert scale(401) > scale(450) > scale(599)


def test_the_windowed_gaussian_is_sure_of_what_it_never_saw() -> None:
    values = np.random.default_rng(1).normal(10, 1, 7000)
    values[6700] = 60
    found = windowed_gaussian(values)
    assert found[6700] == 1.0
    assert np.flatnonzero(found == 1.0)[-1] == 6700
    assert found[0] == 0
