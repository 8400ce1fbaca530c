"""Leases and numbers: one owner at a time, and nothing numbered twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from database.engine import open_database, write
from database.leases import held, release, renew, standing, take
from database.numbering import Dictionary, Serial
from tests.places import new_database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(new_database(tmp_path))
    yield engine
    engine.dispose()


def test_a_lease_is_taken_only_from_who_was_seen_to_have_it(engine: Engine) -> None:
    with write(engine) as connection:
        assert standing(connection, "relay") is None
        one = take(connection, "relay", "one", 1_000, None)
        assert one is not None
        assert take(connection, "relay", "two", 1_000, None) is None, "it is no longer as it was seen"
        two = take(connection, "relay", "two", 2_000, one)
        assert two is not None
        assert two.fence == one.fence + 1
        assert standing(connection, "relay") == two
        assert (held(connection, one), held(connection, two)) == (False, True)
        assert take(connection, "relay", "three", 3_000, one) is None
        assert take(connection, "other", "three", 1_000, None) is not None, "leases are by name"


def test_who_renews_a_lease_is_not_overtaken_by_one_who_saw_it_before(engine: Engine) -> None:
    with write(engine) as connection:
        one = take(connection, "relay", "one", 1_000, None)
        assert one is not None
        again = renew(connection, one, 1_500)
        assert again is not None
        assert (again.fence, again.expires) == (one.fence, 1_500)
        assert take(connection, "relay", "two", 2_000, one) is None
        assert held(connection, one), "it is the same hold"


def test_every_renewal_is_another_row_whatever_the_clock_says(engine: Engine) -> None:
    with write(engine) as connection:
        one = take(connection, "relay", "one", 3_600_000, None)
        assert one is not None
        seen = [one, *(renew(connection, one, wall) for wall in (3_600_000, 500, 500))]
        assert len(set(seen)) == len(seen)
        assert None not in seen


def test_a_former_owner_neither_renews_nor_gives_back(engine: Engine) -> None:
    with write(engine) as connection:
        one = take(connection, "relay", "one", 1_000, None)
        assert one is not None
        two = take(connection, "relay", "two", 1_000, one)
        assert two is not None
        assert renew(connection, one, 2_000) is None
        release(connection, one)
        assert standing(connection, "relay") == two
        release(connection, two)
        assert renew(connection, two, 2_000) is None, "what was given back is nobody's"


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
