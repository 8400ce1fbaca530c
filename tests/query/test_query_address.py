"""Addresses that show the same thing are the same, and a brand that is called by one is found where it is linked to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.brands import Brand
from nlp.brands import BrandMatcher
from query.address import normal, whole
from query.prefilter import compile_prefilter
from query.text import analyse

STORY = "https://example.org/news/2026/bridge?page=2"


@pytest.mark.parametrize(
    "written",
    [
        "http://www.example.org/news/2026/bridge/?page=2",
        "https://EXAMPLE.org/news/2026/bridge?utm_source=x&page=2&fbclid=abc#top",
        "www.example.org/news/2026/bridge?page=2&gclid=1).",
        "https://example.org:443/news/2026/bridge?page=2",
    ],
)
def test_how_somebody_came_there_does_not_matter(written: str) -> None:
    assert normal(written) == normal(STORY) == "example.org/news/2026/bridge?page=2"


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/news/2026/bridge", "https://example.org/news/2026/Bridge?page=2",
        "https://sub.example.org/news/2026/bridge?page=2", "https://example.org:8080/news/2026/bridge?page=2",
    ],
)  # fmt: skip
def test_another_page_is_another(other: str) -> None:
    assert normal(other) != normal(STORY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://youtu.be/abcdefghijk?si=1", "https://www.youtube.com/watch?v=abcdefghijk&t=10s"),
        ("https://youtube.com/shorts/abcdefghijk", "https://m.youtube.com/watch?v=abcdefghijk"),
        ("https://twitter.com/ana/status/17?s=20", "https://x.com/i/status/17/photo/1"),
        ("https://old.reddit.com/r/trains/comments/abc123/a_title/", "https://redd.it/abc123"),
    ],
)
def test_a_site_shows_one_thing_under_several_addresses(one: str, other: str) -> None:
    assert normal(one) == normal(other) != ""


@given(st.text(max_size=80))
def test_nothing_breaks_it(text: str) -> None:
    for written in (text, f"https://{text}", f"https://example.org/{text}"):
        assert normal(written) == normal(written)


def test_a_domain_and_a_word_are_no_whole_addresses() -> None:
    assert whole("https://example.org") == whole("https://example.org/") == whole("example") == ""
    assert whole("https://example.org/a")


def test_a_brand_that_is_an_address_is_found_where_it_is_linked_to_and_nowhere_else() -> None:
    brand = Brand(id="bridge", name=STORY, kind="category", aliases=("https://youtu.be/abcdefghijk",))
    matcher, may_match = BrandMatcher([brand]), compile_prefilter([brand])
    for text, named in (
        ("Have you seen this? https://www.example.org/news/2026/bridge/?page=2&utm_medium=social.", True),
        ("Look\nhttps://www.youtube.com/watch?v=abcdefghijk", True),
        ("Look https://example.org/news/2026/tunnel", False),
        ("example.org has news about a bridge", False),
    ):
        assert may_match(text) is named, text
        assert bool(matcher.find(analyse(text))) is named, text
    text = "see https://example.org/news/2026/bridge?page=2 now"
    assert matcher.find(analyse(text)) == {0: [(4, 47)]}


def test_each_link_is_found_once_and_in_order_however_many_there_are() -> None:
    brand = Brand(id="bridge", name="Bridge", aliases=(STORY,))
    text = f"Bridge {STORY} " * 1_500
    found = BrandMatcher([brand]).find(analyse(text))[0]
    assert found == sorted(set(found))
    assert [text[start:end] for start, end in found] == ["Bridge", STORY] * 1_500
