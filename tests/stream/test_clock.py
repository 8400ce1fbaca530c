"""The steady clock never runs back, and does not stand still while the machine sleeps."""

from __future__ import annotations

import time

import pytest

from stream import clock
from stream.clock import HOUR, Clock, SimulatedClock, WallClock

CLOCKS = [WallClock(), SimulatedClock(0, 0, 60.0)]


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this system does not tell how long it slept")
@pytest.mark.parametrize("ticking", CLOCKS, ids=lambda one: type(one).__name__)
def test_it_goes_on_while_the_machine_sleeps(ticking: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    system, before = time.clock_gettime_ns, ticking.steady()

    def after_an_hour_asleep(which: int) -> int:
        return system(which) + (HOUR * 1_000_000 if which == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime_ns", after_an_hour_asleep)
    assert ticking.steady() - before >= HOUR


@pytest.mark.parametrize("ticking", CLOCKS, ids=lambda one: type(one).__name__)
def test_a_system_that_does_not_tell_has_the_other_one(ticking: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_ALSO_ASLEEP", None)
    before = time.monotonic_ns() // 1_000_000
    assert before <= ticking.steady() <= time.monotonic_ns() // 1_000_000
