"""Counts are exact at every moment: between a batch and the compactor, during and after it."""

from __future__ import annotations

import threading
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
    assert fold(home.engine, most=2) == 2
    assert seen(home) == before
    while fold(home.engine):
        pass
    assert seen(home) == before
    assert home.sql("SELECT count(*) FROM count_delta") == [(0,)]


def test_a_revision_takes_the_old_contribution_back_also_after_it_was_folded(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint", detractor=2), text="a"))
    fold(home.engine)
    home.take(
        said(
            "1", reading(intent="praise", reputation="positive"), text="b", kind="edited", edited_at=NOW + 1, at=NOW + 1
        )
    )
    assert seen(home)[0][:5] == (1, 0, 1, 0, 0)
    home.take(passed("1", "deleted", NOW + 2))
    assert seen(home) == (Counted(), [], {})
    fold(home.engine)
    assert seen(home) == (Counted(), [], {})


def test_what_several_fold_at_once_is_folded_once(home: RouteHome) -> None:
    home.take(*[said(str(n), reading(), at=NOW - n * MINUTE) for n in range(20)])
    before, folded = seen(home), list[int]()

    def compact() -> None:
        while some := fold(home.engine, most=3):
            folded.append(some)

    threads = [threading.Thread(target=compact) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(folded) == 20
    assert seen(home) == before


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
