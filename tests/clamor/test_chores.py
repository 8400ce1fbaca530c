"""A chore is done by one process of all machines, goes on in another one, and outlives its own faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from clamor.chores import by_one
from clamor.threads import Chore, repeat
from database.engine import open_database
from database.tenure import LENGTH, LOOK_EVERY, Tenure
from stream.clock import ManualClock
from stream.ports import Transient
from tests.places import new_database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(new_database(tmp_path))
    yield engine
    engine.dispose()


def test_of_two_that_have_the_same_chore_one_does_it_until_it_is_gone(engine: Engine) -> None:
    clock, done = ManualClock(1_790_000_000_000), list[str]()

    def on(machine: str) -> Chore:
        def step() -> bool:
            done.append(machine)
            return True

        return by_one(Tenure(engine, "keeper", clock, machine), Chore("chore", step, 0.0))[0]

    one, two = on("one"), on("two")
    assert (one.step(), two.step(), one.step()) == (True, False, True)
    clock.advance(LENGTH)
    assert (two.step(), one.step()) == (True, False)
    two.leave()
    clock.advance(LOOK_EVERY)
    assert one.step(), "what was given back is not waited for"
    assert done == ["one", "one", "two", "one"]


def test_a_lease_that_chores_share_is_given_back_by_the_last_of_them(engine: Engine) -> None:
    clock = ManualClock(1_790_000_000_000)
    here = Tenure(engine, "keeper", clock, "here")
    first, second = by_one(here, Chore("first", lambda: True, 0.0), Chore("second", lambda: True, 0.0))
    assert (first.step(), second.step()) == (True, True)
    fence = here.fence
    first.leave()
    assert (second.step(), here.fence) == (True, fence), "it works on under the same lease"
    second.leave()
    assert Tenure(engine, "keeper", clock, "there").hold(), "nobody is waited for"


def test_a_chore_is_handed_on_when_it_is_told_to_stop(engine: Engine) -> None:
    halt, left = threading.Event(), list[str]()

    def step() -> bool:
        halt.set()
        raise Transient("not now")

    def leave() -> None:
        left.append("left")
        raise Transient("the database is away")

    repeat(Chore("chore", step, 0.0, leave), halt)
    assert left == ["left"]
