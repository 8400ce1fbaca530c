"""Leases and numbers: one owner at a time, and nothing numbered twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from database.engine import open_database, write
from database.leases import acquire, held, release
from database.numbering import Dictionary, Serial
from tests.places import new_database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(new_database(tmp_path))
    yield engine
    engine.dispose()


def test_a_lease_has_one_owner_until_it_runs_out_or_is_given_back(engine: Engine) -> None:
    with write(engine) as connection:
        one = acquire(connection, "relay", "one", 1_000, 500)
        assert one is not None
        assert acquire(connection, "relay", "two", 1_499, 500) is None
        two = acquire(connection, "relay", "two", 1_500, 500)
        assert two is not None
        assert two.fence == one.fence + 1
        assert (held(connection, one), held(connection, two)) == (False, True)
        release(connection, one)
        assert acquire(connection, "relay", "three", 1_600, 500) is None, "a former owner gives nothing back"
        release(connection, two)
        assert acquire(connection, "relay", "three", 1_600, 500) is not None


def test_an_owner_prolongs_its_lease_under_the_same_fence(engine: Engine) -> None:
    with write(engine) as connection:
        first = acquire(connection, "relay", "one", 0, 500)
        again = acquire(connection, "relay", "one", 400, 500)
        assert first is not None
        assert again is not None
        assert (again.fence, again.expires) == (first.fence, 900)
        assert acquire(connection, "other", "two", 0, 500) is not None, "leases are by name"


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(engine: Engine) -> None:
    with write(engine) as connection:
        one = acquire(connection, "relay", "one", 3_600_000, 500)
        assert one is not None
        two = acquire(connection, "relay", "two", 0, 500)
        assert two is not None, "it lies an hour ahead and is half a second long"
        assert (two.fence, two.expires, held(connection, one)) == (one.fence + 1, 500, False)
        assert acquire(connection, "relay", "one", 1, 500) is None


def test_numbers_are_never_given_twice_also_after_a_rollback(engine: Engine) -> None:
    one, two = Serial("thing", block=4), Serial("thing", block=4)
    taken: list[int] = []
    with write(engine) as connection:
        for serial in (one, two, one, two):
            taken += [serial.take(connection) for _ in range(3)]
    with pytest.raises(RuntimeError), write(engine) as connection:  # noqa: PT012
        lost = [one.take(connection) for _ in range(6)]
        assert lost
        raise RuntimeError
    one.forget()
    with write(engine) as connection:
        taken += [one.take(connection) for _ in range(9)]
    assert len(set(taken)) == len(taken)
    assert min(taken) >= 1


def test_a_word_has_one_number_in_all_processes(engine: Engine) -> None:
    one, two = Dictionary("brand"), Dictionary("brand")
    with write(engine) as connection:
        number = one.number(connection, "acme")
        assert two.number(connection, "acme") == number
        assert Dictionary("network").number(connection, "acme") != number
        assert Dictionary("brand").word(connection, number) == "acme"
        assert two.find(connection, "unknown") is None
        with pytest.raises(KeyError):
            two.word(connection, 999)
