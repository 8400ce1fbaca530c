"""How long things took, as a histogram of Prometheus has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.timing import BOUNDS, Timer


@given(st.lists(st.floats(0, 100)))
def test_each_bound_counts_what_took_no_longer(spans: list[float]) -> None:
    timer = Timer()
    for span in spans:
        timer.note(span)
    timing = timer.timing()
    assert sum(timing.counts) == len(spans)
    assert timing.seconds == pytest.approx(sum(spans))
    for number, bound in enumerate(BOUNDS, 1):
        assert sum(timing.counts[:number]) == sum(span <= bound for span in spans)
