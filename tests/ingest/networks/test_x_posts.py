"""What X answers becomes drafts: versions of one post, whole texts, references by the names that posts have here."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.networks.x_posts import EPOCH, read, text, time_of, versions, withheld
from stream.records import Author, Metrics

AT = 1_795_000_000_000
ID = str((AT - EPOCH) << 22)
LATER = str((AT + 60_000 - EPOCH) << 22)


def answer(post: dict[str, Any], **includes: Any) -> dict[str, Any]:
    return {"data": {"id": ID, "text": "Acme is late again", **post}, "includes": includes}


def test_a_post_with_everything_that_x_tells() -> None:
    post = {
        "author_id": "7",
        "created_at": "2026-11-18T09:46:40.000Z",
        "lang": "es",
        "conversation_id": ID,
        "edit_history_tweet_ids": [ID],
        "public_metrics": {"retweet_count": 2, "reply_count": 3, "like_count": 4, "impression_count": 500},
        "geo": {"place_id": "p1"},
        "attachments": {"media_keys": ["3_1", "7_2"]},
    }
    user = {
        "id": "7", "username": "ana", "name": "Ana", "verified": True, "public_metrics": {"followers_count": 12}
    }  # fmt: skip
    media = [
        {"media_key": "3_1", "type": "photo", "url": "https://pbs.twimg.com/a.jpg"},
        {"media_key": "7_2", "type": "video", "preview_image_url": "https://pbs.twimg.com/b.jpg"},
    ]
    held = answer(post, users=[user], places=[{"id": "p1", "country_code": "ES"}], media=media)
    (draft,) = read(held, ("acme",), "x").drafts
    assert draft.native_id == ID
    assert draft.kind == "created"
    assert draft.claimed_at == 1_794_995_200_000
    assert draft.author == Author(id="7", handle="ana", name="Ana", followers=12, verified=True)
    assert draft.metrics == Metrics(likes=4, reposts=2, replies=3, views=500)
    assert (draft.lang, draft.country, draft.revision) == ("es", "ES", 0)
    assert draft.media == ("https://pbs.twimg.com/a.jpg", "https://pbs.twimg.com/b.jpg")
    assert draft.link == f"https://x.com/ana/status/{ID}"
    assert draft.query_ids == ("acme",)


def test_all_versions_of_a_post_have_the_id_of_the_first() -> None:
    held = answer({"id": LATER, "edit_history_tweet_ids": [ID, LATER], "created_at": "2026-11-18T10:00:00.000Z"})
    (draft,) = read(held, (), "x").drafts
    assert (draft.native_id, draft.kind, draft.revision) == (ID, "edited", 1)
    assert (draft.claimed_at, draft.edited_at) == (AT, AT + 60_000)


@pytest.mark.parametrize("names", [("referenced_tweets", "tweets"), ("referenced_posts", "posts")])
def test_references_name_the_first_version_of_what_they_refer_to(names: tuple[str, str]) -> None:
    field, included = names
    parent = {"id": LATER, "text": "edited", "edit_history_tweet_ids": [ID, LATER]}
    held = answer({"id": "90", field: [{"type": "replied_to", "id": LATER}]}, **{included: [parent]})
    (draft,) = read(held, (), "x").drafts
    assert draft.reply_to == ID


def test_a_repost_is_an_observation_of_its_original_which_comes_with_it() -> None:
    original = {"id": "80", "text": "Acme at last", "author_id": "8", "public_metrics": {"like_count": 9}}
    held = answer(
        {"text": "RT @bo: Acme at…", "referenced_tweets": [{"type": "retweeted", "id": "80"}]}, tweets=[original]
    )
    repost, came_along = read(held, ("acme",), "x").drafts
    assert (repost.repost_of, repost.text) == ("80", "")
    assert (came_along.native_id, came_along.text, came_along.query_ids) == ("80", "Acme at last", ("acme",))


def test_a_quote_does_not_bring_what_it_quotes() -> None:
    held = answer({"referenced_tweets": [{"type": "quoted", "id": "80"}]}, tweets=[{"id": "80", "text": "other"}])
    (draft,) = read(held, (), "x").drafts
    assert draft.quote_of == "80"


@pytest.mark.parametrize("name", ["note_tweet", "note_post"])
def test_a_long_post_is_read_whole(name: str) -> None:
    assert text({"text": "Acme is…", name: {"text": "Acme is late " + "again " * 60}}).endswith("again")


def test_short_addresses_are_written_out_and_that_of_a_picture_is_left_out() -> None:
    urls = [
        {"url": "https://t.co/a", "expanded_url": "https://example.org/?a=1&region=2"},
        {"url": "https://t.co/b", "expanded_url": "https://x.com/ana/status/1/photo/1", "media_key": "3_1"},
        {"url": "t.co", "expanded_url": "https://example.org"},
        {"url": "https://t.co/c", "expanded_url": "https://example.org/" + "x" * 3_000},
    ]
    said = text({"text": "A &amp; B &lt;3 https://t.co/a https://t.co/c https://t.co/b", "entities": {"urls": urls}})
    assert said == "A & B <3 https://example.org/?a=1&region=2 https://t.co/c"


@pytest.mark.parametrize(
    ("held", "countries", "away"),
    [
        (None, (), False),
        ({"copyright": True, "country_codes": ["XY"]}, (), True),
        ({"copyright": False, "country_codes": ["DE"]}, (), False),
        ({"copyright": False, "country_codes": ["DE"]}, ("DE",), True),
        ({"copyright": False, "country_codes": ["XX"]}, (), True),
    ],
)
def test_what_is_withheld_is_away_where_that_law_holds(held: Any, countries: tuple[str, ...], away: bool) -> None:
    assert withheld({"withheld": held}, countries) is away


def test_what_cannot_be_read_is_told_and_the_rest_goes_on() -> None:
    found = read({"data": [{"text": "no id"}, "nothing", None, {"id": "5", "text": "Acme"}]}, (), "x:search")
    assert [draft.native_id for draft in found.drafts] == ["5"]
    assert [one.number for one in found.malformed] == [0, 1, 2]


def test_an_id_says_when_it_was_given_out() -> None:
    assert time_of(ID) == AT
    assert time_of("20") is None
    assert time_of("no") is None
    assert versions({"id": "5", "edit_history_tweet_ids": ["9"]}) == ("5", 0, "5")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["id", "text", "author_id", "created_at", "lang", "conversation_id", "edit_history_tweet_ids", "public_metrics",
     "geo", "attachments", "referenced_tweets", "note_tweet", "entities", "withheld"]
)  # fmt: skip


@given(st.dictionaries(names, anything, max_size=8), anything)
def test_no_answer_whatever_it_holds_ends_the_reading(post: dict[str, Any], includes: Any) -> None:
    found = read({"data": [post, {"id": "5", "text": "Acme"}], "includes": includes}, (), "x")
    assert found.drafts[-1].native_id == "5"
    assert len(found.malformed) <= 1
