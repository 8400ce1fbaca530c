"""The upper tail of a gamma, against values computed to many digits elsewhere (scipy.stats.gamma.isf)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.surge_tail import band, surprise

KNOWN = [
    (0.0001, 4.0, 0.26474035),
    (0.0001, 8.0, 7.1279581),
    (0.0001, 20.0, 33.307222),
    (0.01, 2.0, 0.26505255),
    (0.01, 4.0, 3.2260387),
    (0.01, 8.0, 11.339231),
    (0.01, 20.0, 37.830238),
    (0.5, 2.0, 3.3174483),
    (0.5, 4.0, 7.5683526),
    (0.5, 8.0, 16.420627),
    (0.5, 20.0, 43.580867),
    (3.0, 2.0, 8.4059469),
    (3.0, 4.0, 13.928171),
    (3.0, 8.0, 24.181314),
    (3.0, 20.0, 53.349774),
    (9.9, 2.0, 18.64597),
    (9.9, 4.0, 26.034534),
    (9.9, 8.0, 38.613233),
    (9.9, 20.0, 71.620303),
    (10.1, 2.0, 18.920077),
    (10.1, 4.0, 26.35115),
    (10.1, 8.0, 38.984376),
    (10.1, 20.0, 72.085354),
    (200.0, 2.0, 234.36225),
    (200.0, 4.0, 256.91788),
    (200.0, 8.0, 289.78176),
    (200.0, 20.0, 360.55432),
    (10000.0, 2.0, 10234.104),
    (10000.0, 4.0, 10376.186),
    (10000.0, 8.0, 10571.403),
    (10000.0, 20.0, 10954.698),
]
"""Shape, -log10 of the tail, value."""

positive = st.floats(1e-4, 1e6)


@pytest.mark.parametrize(("shape", "rarity", "value"), KNOWN)
def test_a_tail_of_so_many_digits(shape: float, rarity: float, value: float) -> None:
    found = float(surprise(np.array([value * 3.0]), np.array([shape * 3.0]), np.array([3.0]))[0])
    assert found == pytest.approx(rarity, rel=0.08)


@given(expected=positive, spread=st.floats(1e-2, 1e3), count=st.floats(0, 1e6), more=st.floats(0, 1e5))
def test_more_is_never_less_rare_and_always_a_number(expected: float, spread: float, count: float, more: float) -> None:
    few, many = surprise(np.array([count, count + more]), np.array([expected] * 2), np.array([spread] * 2))
    assert np.isfinite([few, many]).all()
    assert few >= 0
    assert many >= few - 0.02 * max(few, 1.0)


def test_the_band_holds_the_expected() -> None:
    expected = np.array([0.01, 1.0, 1000.0])
    low, high = band(expected, np.array([1.5, 1.5, 1.5]), 2.0)
    assert (low <= expected).all()
    assert (high[1:] > expected[1:]).all()
    assert high[2] == pytest.approx(1000 + 2 * np.sqrt(1500), rel=0.01)
