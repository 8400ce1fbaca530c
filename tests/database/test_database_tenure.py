"""One process of all machines does a thing: it stays the one while it lives, and is followed soon after its death."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from database.engine import open_database, read, write
from database.leases import Lease, standing
from database.tenure import LENGTH, LOOK_EVERY, LeaseLost, Tenure, is_dead
from stream.clock import HOUR, SECOND, ManualClock, WallClock
from tests.places import new_database

NOW = 1_790_000_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(new_database(tmp_path))
    yield engine
    engine.dispose()


def of(engine: Engine, owner: str, clock: ManualClock) -> Tenure:
    return Tenure(engine, "thing", clock, owner)


def written_by(engine: Engine, tenure: Tenure) -> bool:
    """Whether it may write as the one that holds the lease."""
    try:
        with write(engine) as connection:
            tenure.guard(connection)
    except LeaseLost:
        return False
    return True


def stands(engine: Engine) -> Lease:
    with read(engine) as connection:
        found = standing(connection, "thing")
    assert found is not None
    return found


def test_whoever_gives_no_sign_of_life_is_followed_within_half_a_minute(engine: Engine) -> None:
    clock = ManualClock(NOW)
    one, two = of(engine, "one", clock), of(engine, "two", clock)
    assert one.hold()
    assert not two.hold()
    waited = 0
    while not two.hold():
        clock.advance(SECOND)
        waited += SECOND
    assert LENGTH <= waited <= 30 * SECOND
    assert one.left() == 0
    assert not one.hold()
    assert (written_by(engine, one), written_by(engine, two)) == (False, True)


def test_who_lives_keeps_it_however_long_others_wait(engine: Engine) -> None:
    clock = ManualClock(NOW)
    one, two = of(engine, "one", clock), of(engine, "two", clock)
    for _ in range(100):
        assert one.hold()
        assert not two.hold()
        clock.advance(SECOND)
    assert one.fence == 1


@pytest.mark.parametrize("apart", [-HOUR, -20 * SECOND, 20 * SECOND, HOUR])
def test_clocks_of_two_machines_that_differ_make_no_second_owner(engine: Engine, apart: int) -> None:
    here, there = ManualClock(NOW), ManualClock(NOW + apart)
    one, two = of(engine, "one", here), of(engine, "two", there)
    for _ in range(100):
        assert one.hold()
        assert not two.hold()
        here.advance(SECOND)
        there.advance(SECOND)
    for _ in range(LENGTH // SECOND + 1):
        there.advance(SECOND)
        two.hold()
    assert two.left() > 0, "the first one said nothing for the length of the lease"


def test_a_clock_that_is_set_while_it_is_held_changes_nothing(engine: Engine) -> None:
    clock = ManualClock(NOW)
    one, two = of(engine, "one", clock), of(engine, "two", clock)
    assert one.hold()
    for by in (-HOUR, 2 * HOUR):
        clock.set(by)
        for _ in range(20):
            assert not two.hold()
            assert one.hold()
            clock.advance(SECOND)


def test_a_holder_does_not_count_on_the_end_of_its_lease(engine: Engine) -> None:
    """Whoever waits may have seen the renewal later than it was written, never earlier."""
    clock = ManualClock(NOW)
    one, two = of(engine, "one", clock), of(engine, "two", clock)
    assert one.hold()
    two.hold()
    clock.advance(LENGTH - 2 * SECOND)
    assert one.left() == 0
    assert not two.hold()


def test_what_is_given_back_is_taken_at_the_next_look(engine: Engine) -> None:
    clock = ManualClock(NOW)
    one, two = of(engine, "one", clock), of(engine, "two", clock)
    assert one.hold()
    assert not two.hold()
    one.leave()
    clock.advance(LOOK_EVERY)
    assert two.hold()
    assert not one.hold()
    one.leave()
    assert written_by(engine, two), "who does not hold it gives nothing back"


def test_a_process_of_this_machine_that_was_killed_is_followed_at_once(engine: Engine) -> None:
    says = "from database.tenure import this_process; print(this_process())"
    said = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True).stdout.strip()
    clock = ManualClock(NOW)
    assert of(engine, said, clock).hold()
    assert is_dead(said)
    assert of(engine, "two", clock).hold(), "no time has passed"


def test_of_many_that_ask_at_once_one_gets_it(engine: Engine) -> None:
    asked = [Tenure(engine, "thing", WallClock(), f"process {number}") for number in range(8)]
    start, got = threading.Barrier(len(asked)), list[bool]()

    def ask(tenure: Tenure) -> None:
        start.wait()
        got.append(tenure.hold())

    threads = [threading.Thread(target=ask, args=(tenure,)) for tenure in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]


def test_work_that_takes_long_keeps_the_lease_and_no_longer(engine: Engine) -> None:
    tenure = Tenure(engine, "thing", WallClock(), "one", length=600)
    assert tenure.hold()
    with tenure.kept(HOUR):
        before = stands(engine)
        _until(lambda: stands(engine) != before)
        again = stands(engine)
        _until(lambda: stands(engine) != again)
    assert stands(engine)[:3] == before[:3]
    assert not [thread for thread in threading.enumerate() if thread.name == "lease-thing"]


def test_work_that_hangs_does_not_keep_the_lease(engine: Engine) -> None:
    hanging = Tenure(engine, "thing", WallClock(), "one", length=600)
    other = Tenure(engine, "thing", WallClock(), "two", length=600)
    assert hanging.hold()
    with hanging.kept(300):
        _until(other.hold)
    assert not written_by(engine, hanging)


def _until(true: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if true():
            return
        time.sleep(0.01)
    pytest.fail("not within 20 s")
