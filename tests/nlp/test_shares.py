"""Wilson's interval: wide on few, never beyond a share, and around what was counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp.shares import Share


def test_known_intervals() -> None:
    assert Share(5, 10).interval == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert Share(0, 20).interval == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert Share(0, 0).interval == (0.0, 1.0)
    assert str(Share(3, 4)) == "75.0% (3 of 4; 30.1% to 95.4%)"


@given(st.integers(1, 10_000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_what_was_counted_and_narrows(counted: tuple[int, int]) -> None:
    hits, of = counted
    low, high = Share(hits, of).interval
    more_low, more_high = Share(hits * 4, of * 4).interval
    assert 0 <= low <= hits / of + 1e-9
    assert hits / of - 1e-9 <= high <= 1
    assert more_high - more_low <= high - low + 1e-9
