"""What a rise is made of: shares that add up, words that are new in it, heaps of copies, nothing of what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from route_home import MINUTE, NOW, RouteHome, passed, reading, said

from database.engine import read
from routing.incidents.cause import Cause, cause_of
from stream.records import Metrics

HOUR = 60 * MINUTE
BEGAN = NOW - HOUR


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def cause(home: RouteHome, *, hurts: bool = True, access: tuple[str, ...] | None = None) -> Cause:
    with read(home.engine) as connection:
        return cause_of(connection, "acme", BEGAN, NOW + MINUTE, hurts=hurts, access=access)


def storm(home: RouteHome) -> None:
    """Two days of ordinary complaints, then ten about palm oil on two networks, beside two ordinary ones."""
    home.take(
        *(
            said(f"old{n}", reading(intent="complaint"), text=f"my bag number {n} is late again", author=f"o{n}",
                 at=NOW - 48 * HOUR + n * HOUR)
            for n in range(40)
        )
    )  # fmt: skip
    network = ("reddit", "x")
    home.take(
        *(
            said(f"{network[n % 5 == 0]}:palm{n}", reading(intent="public_issue", reputation="negative", detractor=3),
                 text=f"their palm oil burns the forest, reader {n} of https://www.leaf.example/report",
                 author=f"p{n}", at=BEGAN + n * MINUTE, followers=1_000 * n, metrics=Metrics(likes=n))
            for n in range(10)
        ),
        *(
            said(f"new{n}", reading(intent="complaint"), text=f"my bag number {n} is late", author=f"n{n}",
                 at=BEGAN + n * MINUTE)
            for n in range(2)
        ),
        said("praise", reading(intent="praise", reputation="positive"), text="lovely palm oil", at=BEGAN),
    )  # fmt: skip


def test_shares_and_new_words_say_what_it_is(home: RouteHome) -> None:
    storm(home)
    found = cause(home)
    assert (found.posts, found.authors, found.reach) == (12, 12, 45_000)
    assert [(one.name, one.posts) for one in found.networks] == [("reddit", 8), ("x", 4)]
    assert found.intents[0].name == "public_issue"
    assert {"palm", "oil", "forest"} <= {one.name for one in found.words}
    assert not {"bag", "late", "number"} & {one.name for one in found.words}
    assert [(one.name, one.posts) for one in found.links] == [("leaf.example", 10)]
    assert all("palm" in mention.post.text for _, mention in found.top if mention.post)


def test_praise_counts_only_in_a_rise_of_everything(home: RouteHome) -> None:
    storm(home)
    assert cause(home, hurts=False).posts == 13


def test_what_was_deleted_is_in_no_cause(home: RouteHome) -> None:
    storm(home)
    home.take(*(passed(f"{('reddit', 'x')[n % 5 == 0]}:palm{n}", "deleted", at=NOW) for n in range(10)))
    found = cause(home)
    assert found.posts == 2
    assert not {"palm", "oil"} & {one.name for one in found.words}
    assert not found.links


def test_a_private_source_counts_and_is_not_shown(home: RouteHome) -> None:
    home.take(
        *(
            said(f"s{n}", reading(intent="complaint"), text="secret launch fails", author=f"s{n}", at=BEGAN + n,
                 access="staff")
            for n in range(6)
        )
    )  # fmt: skip
    found = cause(home, access=("public",))
    assert found.posts == 6
    assert (found.words, found.top, found.loudest) == ((), (), ())
    assert {one.name for one in cause(home, access=("staff",)).words} >= {"secret", "launch"}


def test_nothing_is_made_of_nothing(home: RouteHome) -> None:
    assert cause(home) == Cause(0, 0, 0, 0)
