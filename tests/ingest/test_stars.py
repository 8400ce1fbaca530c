"""The stars of a review stand in front of its title."""

from __future__ import annotations

import pytest

from ingest.stars import starred
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


def test_so_many_stars_are_found_as_a_phrase_and_make_no_copies() -> None:
    surfaces = analyse("★★☆☆☆ Crashes").surfaces
    assert surfaces == (*"★★☆☆☆", "crashes")
    one, other = fingerprints(["★★★★★ It starts at once and is easy to read", "★☆☆☆☆ Nobody answers for weeks on end"])
    assert [one, other] == fingerprints(["It starts at once and is easy to read", "Nobody answers for weeks on end"])
