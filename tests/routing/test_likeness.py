"""Which accounts may pass for a brand's own, by handle and by shown name; all names are invented."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.brands import Brand
from routing.likeness import resembles, skeleton
from stream.records import Author

BRAND = Brand(
    id="rivera",
    name="Rivera Coffee",
    aliases=("RiveraCoffee",),
    handles=("@riveracoffee",),
    accounts=("bluesky:riveracoffee.example", "@riveracoffee", "mastodon:riveracoffee@social.example"),
    press=("@rivera_coffee",),
    rivals=("@riveracofee",),
)


@pytest.mark.parametrize(
    ("handle", "name", "why"),
    [
        ("riverac0ffee", "", "looks the same"),
        ("r\u0456v\u0435racoff\u0435\u0435", "", "looks the same"),
        ("River-a-Coffee.bsky.social", "", "looks the same"),
        ("riveracoffees", "", "one sign"),
        ("riveracofefe", "", "one sign"),
        ("rivera_coffee_help", "", "a word beside it"),
        ("soporteRiveraCoffee", "", "a word beside it"),
        ("somebody9", "R\u0456vera  C0ffee", "calls itself Rivera Coffee"),
    ],
)
def test_what_looks_like_the_brand(handle: str, name: str, why: str) -> None:
    assert why in resembles(BRAND, "x", Author(id="1", handle=handle, name=name or None))


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        ("riveracoffee", "Rivera Coffee"),
        ("rivera_coffee", "Plaza Daily"),
        ("riveracofee", "Rivera Coffee"),
        ("rivera", "Ana Rivera"),
        ("coffeelover", "I love Rivera Coffee"),
        ("riveratea", "Rivera Tea"),
        ("", ""),
    ],
)
def test_what_does_not(handle: str, name: str) -> None:
    assert resembles(BRAND, "x", Author(id="1", handle=handle or None, name=name or None)) == ""


def test_an_own_account_elsewhere_is_no_excuse_here() -> None:
    own = Brand(id="acme", name="Acme Air", accounts=("bluesky:acmeair.example",))
    assert resembles(own, "bluesky", Author(id="did:1", handle="acmeair.example", name="Acme Air")) == ""
    assert resembles(own, "x", Author(id="7", handle="acmeair"))


def test_a_brand_that_names_no_account_cannot_be_told_from_others() -> None:
    assert resembles(Brand(id="acme", name="Acme Air"), "x", Author(id="1", handle="acmeair", name="Acme Air")) == ""


@given(st.text(max_size=60))
def test_every_name_has_a_skeleton_that_is_its_own(name: str) -> None:
    assert skeleton(skeleton(name)) == skeleton(skeleton(skeleton(name)))
