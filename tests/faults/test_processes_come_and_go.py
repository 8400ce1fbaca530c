"""Processes that join and leave every few seconds, and clocks that jump: every effect once all the same."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from big_program import BigProgram, CatchingUp, Feeder
from program import SOAK
from stories import doubled, history, judge

CHANGES = 150 if SOAK else 8
JUMPS = 100 if SOAK else 6
pytestmark = [pytest.mark.services, pytest.mark.timeout(7_200 if SOAK else 600)]

CLOCK = Path(__file__).parent / "jumping_clock"
MINUTE, HOUR = 60, 3_600


def test_a_storm_of_rebalances(big: BigProgram) -> None:
    """Workers of stage nlp join, and are killed or asked to leave, before the group has come to rest."""
    dice, final = random.Random(5), dict[int, str | None]()
    run = big.start("run")
    guests = []
    with Feeder(big, [history(dice, n, final) for n in range(CHANGES * 10)], pace=0.2):
        for _ in range(CHANGES):
            guests.append(big.start("stage", "nlp"))
            time.sleep(dice.uniform(0.5, 4.0))
            if len(guests) > 2 or dice.random() < 0.5:
                leaving = guests.pop(dice.randrange(len(guests)))
                if dice.random() < 0.5:
                    big.kill(leaving)
                else:
                    leaving.terminate()
        over = time.monotonic()
    for guest in guests:
        big.kill(guest)
    catching_up = CatchingUp()
    catching_up.wait(big, f"{CHANGES} changes", over)
    judge(big, final)
    print(f"caught up after {catching_up}")
    assert doubled(big) == 0
    assert big.clamor("dead-letter", "list").stderr.strip().startswith("0 of 0")
    assert big.stop(run) == 0


def test_clocks_that_jump(big: BigProgram, tmp_path: Path) -> None:
    """The wall clock of all processes is set: back by hours, ahead by less than makes a post too late to wake anybody.

    Brokers, servers and collectors keep the right time.
    """
    dice, final = random.Random(6), dict[int, str | None]()
    clock = tmp_path / "clock"
    clock.write_text("0")
    run = big.start("run", PYTHONPATH=f"{CLOCK}:{Path(__file__).parents[2]}", TEST_CLOCK_FILE=str(clock))
    catching_up = CatchingUp()
    for number in range(JUMPS):
        first = number * 10
        with Feeder(big, [history(dice, n, final) for n in range(first, first + 10)], pace=0.2):
            time.sleep(dice.uniform(0.0, 1.5))
            _set(clock, dice.choice((-3 * HOUR, -MINUTE, 0, 5 * MINUTE, 10 * MINUTE)))
            over = time.monotonic()
        catching_up.wait(big, "a jump of the clock", over)
        judge(big, final, range(first, first + 10))
    judge(big, final)
    print(f"caught up after {catching_up}")
    assert doubled(big) == 0
    assert big.stop(run) == 0


def _set(clock: Path, seconds: int) -> None:
    """At once for every reader: the file is never empty."""
    draft = clock.with_suffix(".new")
    draft.write_text(str(seconds))
    draft.replace(clock)
