"""The look-up finds every entry within reach and window, and no other, however it came by them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from route_home import RouteHome

from database.engine import many, read, write
from routing.near import MOST_NEAR, REACH, WINDOW, Entry, Near, among, distance
from stream.clock import DAY

INSERT = "INSERT INTO cluster_post (post, cluster, fingerprint, event_time, joined_at, entry) VALUES (?, ?, ?, ?, 0, ?)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def turned(fingerprint: int, bits: int, dice: random.Random) -> int:
    for bit in dice.sample(range(64), bits):
        fingerprint ^= 1 << bit
    return signed(fingerprint)


def signed(value: int) -> int:
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def enter(home: RouteHome, rows: list[tuple[int, int, int]]) -> None:
    """(cluster, fingerprint, time) each."""
    with write(home.engine) as connection:
        many(connection, INSERT, [(n, cluster, mark, at, 1) for n, (cluster, mark, at) in enumerate(rows)])


def found(home: RouteHome, near: Near, mark: int, at: int = 0) -> set[int]:
    with read(home.engine) as connection:
        near.follow(connection)
    return {entry.cluster for entry in near.of([(mark, at)])[0]}


@pytest.mark.parametrize("others", [0, 300, 5_000, 40_000])
def test_seven_bits_are_always_found_and_eight_never(
    home: RouteHome, others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small and in large tables, wherever the bits lie."""
    monkeypatch.setattr("routing.near.MOST_NEAR", 10_000)
    dice = random.Random(others)
    centre = signed(dice.getrandbits(64))
    rows = [(bits * 1_000 + n, turned(centre, bits, dice), 0) for bits in range(9) for n in range(60)]
    far = [
        (-1, mark, 0) for mark in (signed(dice.getrandbits(64)) for _ in range(others)) if distance(mark, centre) > 8
    ]
    mixed = rows + far
    dice.shuffle(mixed)
    enter(home, mixed)
    assert found(home, Near(), centre) == {cluster for cluster, mark, _ in rows if distance(mark, centre) <= REACH}


def test_of_many_the_nearest_are_told(home: RouteHome) -> None:
    dice = random.Random(9)
    rows = [(n, turned(77, 1 + n % 7, dice), 0) for n in range(700)]
    enter(home, rows)
    near = Near()
    with read(home.engine) as connection:
        near.follow(connection)
    told = near.of([(77, 0), (-77, 0)])
    assert [(distance(entry.fingerprint, 77), entry.cluster) for entry in told[0]] == [
        (1, n) for n in range(0, 7 * MOST_NEAR, 7)
    ]
    assert told[1] == []


def test_it_follows_sql_in_small_steps(home: RouteHome) -> None:
    """Runs are merged many times over, and one who reads all at once finds the same."""
    dice, near = random.Random(3), Near()
    marks = [signed(dice.getrandbits(64)) for _ in range(900)]
    for start in range(0, len(marks), 30):
        enter(home, [(start + n, mark, 0) for n, mark in enumerate(marks[start : start + 30])])
        found(home, near, 0)
    at_once = Near()
    for n in range(0, 900, 45):
        assert found(home, near, marks[n]) == found(home, at_once, marks[n]) == {n}


def test_two_weeks_of_event_time_either_way(home: RouteHome) -> None:
    enter(home, [(1, 77, 100 * DAY)])
    near = Near()
    assert found(home, near, 77, 100 * DAY + WINDOW) == found(home, near, 77, 100 * DAY - WINDOW) == {1}
    assert found(home, near, 77, 100 * DAY + WINDOW + 1) == found(home, near, 77, 100 * DAY - WINDOW - 1) == set()


def test_what_was_lost_is_not_found_again(home: RouteHome) -> None:
    enter(home, [(1, 77, 0), (2, 78, 0)])
    near = Near()
    assert found(home, near, 77) == {1, 2}
    near.lose([1])
    assert found(home, near, 77) == {2}
    enter(home, [(n + 3, -1, 0) for n in range(50)])
    assert found(home, near, 77) == {2}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300), max_size=90))
def test_among_themselves(marks: list[int]) -> None:
    near = among(marks)
    assert near.tolist() == [[distance(one, other) <= REACH for other in marks] for one in marks] or not len(marks)
    assert near.dtype == np.bool_


def test_an_entry_is_its_row(home: RouteHome) -> None:
    enter(home, [(5, -77, 9)])
    near = Near()
    with read(home.engine) as connection:
        near.follow(connection)
    assert near.of([(-77, 9), (0, 9)]) == [[Entry(1, 5, -77, 9)], []]
