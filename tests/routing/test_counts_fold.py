"""Counts are exact at every moment: between a batch and the compactor, during and after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from route_home import MINUTE, NOW, RouteHome, passed, reading, said

from database.engine import read
from routing.contribution import Contribution, Tally, contribution, written
from routing.contribution import read as read_contribution
from routing.counts import Counted, by, fold, minutes, totals

HOUR = 60 * MINUTE


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path)
    yield home
    home.close()


def seen(home: RouteHome) -> tuple[Counted, list[tuple[int, int]], dict[str, int]]:
    with read(home.engine) as connection:
        per_minute = minutes(connection, "acme", NOW - HOUR, NOW + HOUR)
        return (
            totals(connection, "acme", NOW - HOUR, NOW + HOUR),
            [(minute.start // MINUTE - NOW // MINUTE, minute.counted.mentions) for minute in per_minute],
            {
                key: counted.mentions
                for key, counted in by(connection, "acme", NOW - HOUR, NOW + HOUR, "intent").items()
            },
        )


def test_event_time_decides_the_minute_and_folding_changes_no_number(home: RouteHome) -> None:
    home.take(
        said("1", reading()), said("2", reading(intent="complaint", detractor=2), at=NOW - 5 * MINUTE),
        said("3", reading(), at=NOW - 5 * MINUTE, origin="backfill"), said("4", reading("brisa")),
    )  # fmt: skip
    before = seen(home)
    assert before[0][:5] == (3, 1, 0, 1, 0)
    assert before[1:] == ([(-5, 2), (0, 1)], {"help_request": 2, "complaint": 1})
    assert fold(home.engine, "one", 0, most=2) == 2
    assert seen(home) == before
    while fold(home.engine, "one", 0):
        pass
    assert seen(home) == before
    assert home.sql("SELECT count(*) FROM count_delta") == [(0,)]


def test_a_revision_takes_the_old_contribution_back_also_after_it_was_folded(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=2), text="a"))
    fold(home.engine, "one", 0)
    home.take(
        said(
            "1", reading(intent="praise", reputation="positive"), text="b", kind="edited", edited_at=NOW + 1, at=NOW + 1
        )
    )
    assert seen(home)[0][:5] == (1, 0, 1, 0, 0)
    home.take(passed("1", "deleted", NOW + 2))
    assert seen(home) == (Counted(), [], {})
    fold(home.engine, "one", 0)
    assert seen(home) == (Counted(), [], {})


def test_one_process_compacts_at_a_time(home: RouteHome) -> None:
    home.take(said("1", reading()))
    assert fold(home.engine, "one", 0) == 1
    home.take(said("2", reading()))
    assert fold(home.engine, "two", 1_000) == 0
    assert fold(home.engine, "two", 10 * MINUTE) == 1, "its lease has run out"


def test_a_contribution_is_read_as_it_was_written() -> None:
    made = contribution(3, NOW, 4, 5, "support", reputation="negative", detractor=3, risk=71, own=False)
    assert read_contribution(written(made)) == made
    assert made[5:] == (1, 1, 0, 1, 1, 71, 0)


def test_what_is_taken_back_and_added_again_leaves_no_delta() -> None:
    tally, made = Tally(), Contribution(1, 2, 3, 4, "pr", 1, 1, 0, 0, 0, 50, 0)
    tally.change(None, made)
    tally.change(made, made._replace(risk=60))
    tally.change(made._replace(risk=60), None)
    assert tally.rows() == []
