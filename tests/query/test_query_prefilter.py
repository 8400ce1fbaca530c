"""A firehose's pre-filter never takes away what brand matching would have found."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from config.brands import Brand
from nlp.brands import BrandMatcher
from query.prefilter import compile_prefilter
from query.text import analyse
from stream.records import Author, Post
from tests.strategies import WORDS, texts

NAMES = (
    "Acme",
    "Ácme Air",
    "peña",
    "Peña's",
    "l'hotel",
    "wi-fi",
    "@acme",
    "#Huelga",
    "uña",
    "24/7",
    "😡",
    "acme.example",
    "漢字",
)
NAME = st.sampled_from(NAMES) | st.sampled_from(WORDS).filter(lambda word: bool(analyse(word).surfaces))
SOME = st.lists(NAME, max_size=2).map(tuple)
BRAND = st.builds(
    Brand, id=st.just("acme"), name=NAME, aliases=SOME, handles=SOME, hashtags=SOME, require=SOME, exclude=SOME
)
POST = st.lists(st.sampled_from((*NAMES, *WORDS, "pena", "PENAS", "l", "hotel", "air", " ", "\n")), max_size=8).map(
    " ".join
)


def test_what_passes_and_what_does_not() -> None:
    may_match = compile_prefilter(
        [Brand(id="acme", name="Acme Air", aliases=("Peña's",), handles=("@acme_es",), hashtags=("#acmefail",))]
    )
    for text in ("I flew ACME, air!", "@ácme_es hola", "#AcmeFail", "la PEÑA'S", "penas", "acme\nair"):
        assert may_match(text), text
    for text in ("", "acme", "air acme", "acme and air", "acme_e", "macme air", "peña", "fail"):
        assert not may_match(text), text


def test_without_brands_nothing_passes() -> None:
    assert not compile_prefilter([])("acme")


def test_a_brand_s_own_posts_pass_by_their_author() -> None:
    brand = Brand(id="acme", name="Acme Air", accounts=("x:AcmeHelps", "@acme.bsky.example"))
    may_match = compile_prefilter([brand])
    for handle in ("acmehelps", "@AcmeHelps", "acme.bsky.example"):
        author = Author(id="7", handle=handle)
        post = Post(id="x:1", network="x", text="we are on it", author=author, seen_at=1, event_time=1)
        assert BrandMatcher([brand]).match(post, analyse(post.text))
        assert may_match(f"{post.text}\n{handle}")
    assert not may_match("we are on it")


@settings(max_examples=300, deadline=None)
@given(st.lists(BRAND, min_size=1, max_size=2), POST | texts())
def test_whatever_is_matched_passes(brands: list[Brand], text: str) -> None:
    if BrandMatcher(brands).find(analyse(text)):
        assert compile_prefilter(brands)(text)
