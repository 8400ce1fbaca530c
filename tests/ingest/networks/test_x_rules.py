"""Brands are asked for in X's language: all of them that fits, split over rules, and nothing of other programs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.networks.x_rules import NO_ROOM, TOO_LONG, Asked, Rule, Shape, asked, change
from ingest.wanted import Wanted
from tests.standins.x_query import Shown, matches, rule_fault

SHAPE = Shape(length=1_024, accents=True)
TAG = "clamor/source/"


def test_names_handles_hashtags_and_own_accounts_are_asked_for_in_one_rule() -> None:
    brand = Wanted(
        brand="acme",
        phrases=("Acme", "Acme Mail"),
        handles=("@AcmeHelp",),
        hashtags=("#acme",),
        accounts=("x:acme_corp", "mastodon:acme@example.org", "@acme"),
    )
    (value,) = asked(brand, SHAPE).values
    assert value == '("Acme" OR "Acme Mail" OR @AcmeHelp OR #acme OR from:acme_corp OR from:acme) -is:retweet'


def test_a_link_is_asked_for_as_a_link() -> None:
    brand = Wanted(brand="watch-bridge", phrases=("https://www.example.org/bridge?utm_source=x",))
    assert asked(brand, SHAPE).values == ('url:"example.org/bridge" -is:retweet',)


def test_a_single_name_stands_without_brackets_and_reposts_are_asked_for_on_request() -> None:
    assert asked(Wanted(brand="a", phrases=("Acme",)), SHAPE._replace(reposts=True)).values == ('"Acme"',)


def test_what_a_name_needs_beside_it_is_not_needed_beside_a_handle() -> None:
    brand = Wanted(
        brand="delta", phrases=("Delta",), handles=("@delta",), require=("flight", "airline"), exclude=("Delta force",)
    )
    assert asked(brand, SHAPE).values == (
        '"Delta" ("flight" OR "airline") -"Delta force" -is:retweet',
        "@delta -is:retweet",
    )
    assert '-"Delta force"' not in " ".join(asked(brand, SHAPE._replace(exclude=False)).values)


def test_a_rule_of_the_stream_asks_with_and_without_accents_and_a_search_once() -> None:
    brand = Wanted(brand="t", phrases=("Telefónica",))
    assert asked(brand, SHAPE).values == ('("Telefónica" OR "Telefonica") -is:retweet',)
    assert asked(brand, SHAPE._replace(accents=False)).values == ('"Telefónica" -is:retweet',)


def test_languages_are_asked_for_with_every_rule() -> None:
    brand = Wanted(brand="a", phrases=("Acme",))
    assert asked(brand, SHAPE._replace(languages=("es", "ca"))).values == ('"Acme" -is:retweet (lang:es OR lang:ca)',)


@pytest.mark.parametrize("name", ['"', "-is:retweet", "OR", 'a" OR from:bob OR "b', "(acme", "#tag", "\\", "   "])
def test_a_name_is_never_taken_for_an_operator(name: str) -> None:
    told = asked(Wanted(brand="a", phrases=(name, "Acme")), SHAPE)
    assert told.values
    for value in told.values:
        assert not rule_fault(value)
        assert value.count('"') % 2 == 0
        assert not matches(value, Shown(("nothing",), "bob", "en", repost=False), accents=True)


def test_handles_of_other_networks_are_not_asked_for() -> None:
    brand = Wanted(brand="a", phrases=("Acme",), handles=("@acme@mastodon.social", "@acme.bsky.social"))
    assert asked(brand, SHAPE).values == ('"Acme" -is:retweet',)


words = st.text("abcdefghij ñé", min_size=1, max_size=40).filter(lambda text: bool(text.strip()))


@given(
    phrases=st.lists(words, min_size=1, max_size=60, unique=True),
    require=st.lists(words, max_size=40),
    exclude=st.lists(words, max_size=40),
)
def test_a_long_brand_is_split_and_no_name_is_lost(phrases: list[str], require: list[str], exclude: list[str]) -> None:
    brand = Wanted(brand="a", phrases=tuple(phrases), require=tuple(require), exclude=tuple(exclude))
    told = asked(brand, Shape(length=256, accents=True))
    assert all(len(value) <= 256 and not rule_fault(value) for value in told.values)
    assert not told.left_out
    for phrase in phrases:
        assert any(f'"{" ".join(phrase.split())}"' in value for value in told.values)


def test_a_name_that_fits_into_no_rule_is_told() -> None:
    told = asked(Wanted(brand="a", phrases=("x" * 300, "Acme")), Shape(length=256, accents=True))
    assert told == Asked(('"Acme" -is:retweet',), left_out=True)


def test_only_what_differs_changes_and_rules_of_others_stay() -> None:
    standing = [
        Rule("1", '"Acme"', TAG + "acme"),
        Rule("2", '"Old"', TAG + "old"),
        Rule("3", '"Theirs"', "their tag"),
        Rule("4", '"Also theirs"', "clamor/other/acme"),
    ]
    told = change([("acme", Asked(('"Acme"',))), ("new", Asked(('"New"',)))], standing, TAG, 10)
    assert told.add == (('"New"', TAG + "new"),)
    assert told.delete == ("2",)
    assert not told.left_out


def test_a_rule_that_another_program_has_already_serves_us_and_is_never_deleted() -> None:
    standing = [Rule("3", '"Acme"', "their tag")]
    told = change([("acme", Asked(('"Acme"',)))], standing, TAG, 10)
    assert not told.add
    assert told.values == {'"Acme"': ("acme",)}
    assert change([], standing, TAG, 10).delete == ()


def test_two_brands_with_the_same_rule_share_it() -> None:
    told = change([("a", Asked(('"Acme"',))), ("b", Asked(('"Acme"',)))], [], TAG, 10)
    assert told.add == (('"Acme"', TAG + "a"),)
    assert told.values == {'"Acme"': ("a", "b")}


def test_the_most_important_brands_get_the_rules_and_the_others_are_told() -> None:
    brands = [("a", Asked(('"A1"', '"A2"'))), ("b", Asked(('"B"',))), ("c", Asked(('"C"',), left_out=True))]
    told = change(brands, [Rule("9", '"Theirs"', "t")], TAG, 3)
    assert [value for value, _ in told.add] == ['"A1"', '"A2"']
    assert told.left_out == {"b": NO_ROOM, "c": NO_ROOM}
    assert change([("c", Asked((), left_out=True))], [], TAG, 3).left_out == {"c": TOO_LONG}


def test_a_rule_of_ours_that_stands_twice_is_taken_away_once() -> None:
    standing = [Rule("1", '"Acme"', TAG + "acme"), Rule("2", '"Acme"', TAG + "acme")]
    told = change([("acme", Asked(('"Acme"',)))], standing, TAG, 10)
    assert not told.add
    assert told.delete in (("1",), ("2",))
