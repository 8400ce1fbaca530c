"""Which brands a post is about: names as whole words, homonyms kept out, accounts known."""

from __future__ import annotations

import gc
import random

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.brands import Brand
from nlp.brands import BrandMatcher, Span, _Near
from query.text import analyse
from stream.records import Author, Post

DELTA = Brand(
    id="delta",
    name="Delta",
    aliases=("Delta Air Lines",),
    handles=("@DeltaHelp",),
    hashtags=("#FlyDelta",),
    exclude=("delta variant", "river", "variante delta", "río"),
)
ORANGE = Brand(id="orange", name="Orange", require=("fibra", "móvil", "factura", "internet"), kind="competitor")
PENA = Brand(
    id="pena", name="Peña Azul", accounts=("x:penaazul", "@PenaAzulOficial"), press=("@diario",), rivals=("@rival",)
)
MANGO = Brand(id="mango", name="Mango", exclude=("fruit", "fruta", "juice", "lassi"))
BRANDS = (DELTA, ORANGE, PENA, MANGO)


@pytest.fixture(scope="module")
def matcher() -> BrandMatcher:
    return BrandMatcher(BRANDS)


def post(text: str, **fields: object) -> Post:
    return Post(id="x:1", network="x", text=text, seen_at=0, event_time=0, **fields)  # type: ignore[arg-type]


def found(matcher: BrandMatcher, text: str, **fields: object) -> dict[str, list[str]]:
    matches = matcher.match(post(text, **fields), analyse(text))
    return {match.brand.id: [text[start:end] for start, end in match.spans] for match in matches}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DELTA lost my bag", ["DELTA"]),
        ("thanks #delta and @Delta", ["#delta", "@Delta"]),
        ("Delta Air Lines again", ["Delta Air Lines"]),
        ("@deltahelp answer me", ["@deltahelp"]),
        ("Delta's crew was kind", ["Delta"]),
    ],
)
def test_names_are_found_as_whole_words_without_case(matcher: BrandMatcher, text: str, expected: list[str]) -> None:
    assert found(matcher, text) == {"delta": expected}


@pytest.mark.parametrize(
    "text",
    [
        "deltas of all rivers",
        "the Delta variant is spreading",
        "la variante Delta preocupa",
        "the river has a delta of mud",
        "deltahelp without the sigil",
        "https://delta.example/offer",
        "a mango lassi, please",
        "compra fruta: piña, mango y kiwi",
        "naranja or orange, who cares",
    ],
)
def test_homonyms_are_not_the_brand(matcher: BrandMatcher, text: str) -> None:
    assert found(matcher, text) == {}


def test_an_exclusion_far_away_excludes_nothing(matcher: BrandMatcher) -> None:
    far = "word " * 20
    assert "delta" in found(matcher, f"Delta cancelled my flight {far} down by the river")


def test_listed_handles_and_hashtags_count_whatever_stands_beside(matcher: BrandMatcher) -> None:
    assert found(matcher, "the river #FlyDelta") == {"delta": ["#FlyDelta"]}


def test_a_name_with_required_context_needs_it(matcher: BrandMatcher) -> None:
    assert found(matcher, "Orange me ha subido la FACTURA") == {"orange": ["Orange"]}
    assert found(matcher, "sin internet otra vez, gracias orange") == {"orange": ["orange"]}
    assert found(matcher, "orange " + "word " * 60 + "internet") == {}


def test_accents_and_the_missing_tilde_do_not_matter(matcher: BrandMatcher) -> None:
    assert found(matcher, "Voy a la PENA azul") == {"pena": ["PENA azul"]}
    assert found(matcher, "la peña azúl cierra") == {"pena": ["peña azúl"]}


@pytest.mark.parametrize("written", ["AT&T", "at&amp;t", "AT&#38;T"])
def test_an_ampersand_may_be_escaped_as_networks_pass_it_on(written: str) -> None:
    brands = BrandMatcher([Brand(id="att", name="AT&T"), Brand(id="ms", name="M&S")])
    text = f"why is {written} down again"
    [(number, spans)] = brands.find(analyse(text)).items()
    assert (number, [text[a:b] for a, b in spans]) == (0, [written])


def test_two_brands_in_one_post_each_with_its_places(matcher: BrandMatcher) -> None:
    text = "Delta or Mango? Mango!"
    assert found(matcher, text) == {"delta": ["Delta"], "mango": ["Mango", "Mango"]}


def test_a_source_gives_its_brand_and_the_text_comes_first(matcher: BrandMatcher) -> None:
    [silent] = matcher.match(post("five stars", brands=("mango", "gone")), analyse("five stars"))
    assert (silent.brand.id, silent.matched_by, silent.spans) == ("mango", "source", ())
    [named] = matcher.match(post("Mango!", brands=("mango",)), analyse("Mango!"))
    assert named.matched_by == "text"


@pytest.mark.parametrize(
    ("network", "handle", "speaker"),
    [
        ("x", "PenaAzul", "own"),
        ("mastodon", "PenaAzul", None),
        ("mastodon", "@penaazuloficial", "own"),
        ("x", "Diario", "press"),
        ("x", "rival", "competitor"),
        ("x", "ana", "public"),
    ],
)
def test_who_speaks(matcher: BrandMatcher, network: str, handle: str, speaker: str | None) -> None:
    one = Post(
        id="n:1", network=network, text="Peña Azul abre", seen_at=0, event_time=0, author=Author(id="7", handle=handle)
    )
    [match] = matcher.match(one, analyse(one.text))
    assert match.speaker == (speaker or "public")


def test_a_post_of_the_brands_own_account_is_about_it_though_it_does_not_name_it(matcher: BrandMatcher) -> None:
    [match] = matcher.match(post("Sent you a message", author=Author(id="1", handle="PenaAzul")), analyse("Sent you"))
    assert (match.brand.id, match.speaker, match.matched_by) == ("pena", "own", "source")


def test_what_is_remembered_of_few_words_is_what_is_found_anew(matcher: BrandMatcher) -> None:
    """The same words of brands at other places and beside other words; more of them than are remembered, too."""
    words = ("Delta", "air", "lines", "@DeltaHelp", "#FlyDelta", "river", "orange", "factura", "x", "y")
    draw, fresh = random.Random(5), BrandMatcher(BRANDS)
    for _ in range(2_000):
        found = analyse(" ".join(draw.choices(words, k=draw.randrange(1, 16))))
        fresh._repeated.cache_clear()
        assert matcher.find(found) == fresh.find(found)


def test_memory_does_not_grow_with_new_words(matcher: BrandMatcher) -> None:
    draw = random.Random(3)

    def text() -> str:
        return "Delta " + " ".join("".join(draw.choices("abcdefghijklmnop", k=9)) for _ in range(12))

    for _ in range(3_000):
        matcher.find(analyse(text()))
    gc.collect()
    words, before = len(matcher._phrases._vocab), psutil.Process().memory_info().rss
    for _ in range(3_000):
        matcher.find(analyse(text()))
    gc.collect()
    assert len(matcher._phrases._vocab) == words
    assert psutil.Process().memory_info().rss - before < 8 * 2**20


def test_a_brand_is_found_wherever_it_stands_in_a_long_text(matcher: BrandMatcher) -> None:
    before = "we waited and waited " * 4_000
    assert found(matcher, f"{before} for Delta") == {"delta": ["Delta"]}
    assert found(matcher, f"{before} Orange me cobra la fibra") == {"orange": ["Orange"]}
    assert found(matcher, f"Delta {before} the river Delta") == {"delta": ["Delta"]}


SPANS = st.tuples(st.integers(0, 60), st.integers(1, 6)).map(lambda found: (found[0], sum(found)))


@given(SPANS, st.lists(SPANS, max_size=8), st.integers(1, 12))
def test_what_is_near_overlaps_or_has_few_tokens_between(span: Span, others: list[Span], reach: int) -> None:
    tokens = [min(abs(a - b) for a in range(*span) for b in range(*other)) - 1 for other in others]
    assert _Near(others).within(span, reach) == any(between < reach for between in tokens)
