"""How far near copies have spread, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from route_home import NOW, RouteHome, passed, reading, said

from database.engine import read
from routing.spread import MANY, Spread, in_words, measured, spread_of
from stream.clock import DAY, HOUR, MINUTE


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def spread(home: RouteHome, id: str) -> Spread | None:
    with read(home.engine) as connection:
        return spread_of(connection, home.mention(id))


def test_counts_live_copies_their_authors_and_their_time(home: RouteHome) -> None:
    for n in range(6):
        copy = said(str(n), reading(), author=f"a{n % 2}", at=NOW + n * 10 * MINUTE)
        home.take(replace(copy, fingerprint=77))
    assert spread(home, "x:0#acme") == Spread(6, 2, 50 * MINUTE)
    home.take(
        passed("5", "deleted", NOW + HOUR), passed("1", "deleted", NOW + HOUR), passed("3", "deleted", NOW + HOUR)
    )
    assert spread(home, "x:4#acme") == Spread(MANY, 1, 40 * MINUTE)
    home.take(passed("4", "deleted", NOW + HOUR))
    assert spread(home, "x:2#acme") is None
    assert spread(home, "x:4#acme") is None


def test_in_words(home: RouteHome) -> None:
    for n in range(4):
        home.take(replace(said(str(n), reading(), author=f"a{n}", at=NOW + n * HOUR), fingerprint=77))
    first, last = home.mention("x:0#acme"), home.mention("x:3#acme")
    found = spread(home, "x:3#acme")
    assert in_words(first, found) == ["One of 4 near copies by 4 authors within 3 hours, as it stands now."]
    assert in_words(last, found)[0] == f"When it came it was number 4 of its near copies (cluster {last.cluster})."
    assert (
        in_words(last, Spread(1_200, 1, MINUTE))[1]
        == "One of 1,200 near copies by one author within 1 minute, as it stands now."
    )
    assert in_words(first, None) == []


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (0, ("minutes", 1)),
        (90 * MINUTE, ("minutes", 90)),
        (3 * HOUR - 1, ("hours", 3)),
        (3 * DAY, ("hours", 72)),
        (3 * DAY + 1, ("days", 4)),
    ],
)
def test_spans_as_people_say_them(span: int, told: tuple[str, int]) -> None:
    assert measured(span) == told
