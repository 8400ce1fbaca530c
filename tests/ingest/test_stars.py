"""The stars of a review stand in front of its title."""

from __future__ import annotations

import pytest

from ingest.stars import rated, starred
from nlp.fingerprint import fingerprints
from query.text import analyse


@pytest.mark.parametrize(
    ("stars", "title", "shown"),
    [
        (2, "Crashes", "★★☆☆☆ Crashes"),
        (5, None, "★★★★★"),
        (0, "Nothing", "☆☆☆☆☆ Nothing"),
        (None, " Crashes ", "Crashes"),
        (6, "Crashes", "Crashes"),
        (-1, "", None),
        (None, None, None),
    ],
)
def test_stars_stand_in_front_of_the_title(stars: int | None, title: str | None, shown: str | None) -> None:
    assert starred(stars, title) == shown


@pytest.mark.parametrize(
    ("stars", "rating"),
    [(0, 0), (5, 5), (3.0, 3), (4.5, None), (6, None), (-1, None), (None, None), (float("nan"), None)],
)
def test_a_rating_is_a_whole_number_of_stars(stars: float | None, rating: int | None) -> None:
    assert rated(stars) == rating


def test_so_many_stars_are_found_as_a_phrase_and_make_no_copies() -> None:
    surfaces = analyse("★★☆☆☆ Crashes").surfaces
    assert surfaces == (*"★★☆☆☆", "crashes")
    one, other = fingerprints(["★★★★★ It starts at once and is easy to read", "★☆☆☆☆ Nobody answers for weeks on end"])
    assert [one, other] == fingerprints(["It starts at once and is easy to read", "Nobody answers for weeks on end"])
