"""Mentions and queries at random, made of few enough words and values that they often meet.

Whoever reads a query (predicate, SQL, Elasticsearch) is held to the same answers by them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from hypothesis import strategies as st

from query.fields import FIELDS, Field, canonical
from query.text import analyse
from query.tree import All, And, Between, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from stream.records import (
    DETRACTOR_LEVELS,
    EMOTIONS,
    INTENTS,
    NO_YES,
    QUEUES,
    SENTIMENTS,
    TIERS,
    Author,
    BrandKind,
    Correction,
    Decision,
    Labels,
    MatchedBy,
    Mention,
    Metrics,
    Origin,
    Post,
    Scores,
    Speaker,
    Term,
    Understanding,
    mention_id,
)

NOW = 1_790_000_000_000

WORDS = (
    *("vuelo", "vuelos", "Vuelo", "cancelado", "cancelación", "cancelaciones", "reclamo", "reclamación", "uña", "una"),
    *("año", "ano", "qué", "que", "flight", "flights", "delayed", "delays", "bread", "acme", "Acme's", "ACMÉ", "don't"),
    *("#acme", "#Huelga", "@acme", "@ana_viaja", "info@acme.example", "https://www.acme.example/a?b=1", "l'hotel"),
    *(
        "http://blog.example.org",
        "😡",
        "👍🏽",
        "🇪🇸",
        "24/7",
        "1.000",
        "漢字",
        "ñandú",
        "wi-fi",
        "AND",
        "or",
        "*",
        '"',
        "(",
    ),
)
HANDLES = ("ana_viaja", "Acme", "José", "acme.bsky.example", "x")
NETWORKS = ("x", "reddit", "mastodon")
BRANDS = ("acme", "nimbus-air", "panpan")
COUNTRIES = ("ES", "MX", "US")
LANGS = ("es", "en", "other", "")
SOURCES = ("stream", "reviews", "")
TAGS = ("legal", "Órdenes", "two words")
TERMS = ("reach", "safety", "history")
ASPECTS = ("delivery", "App móvil")
RULES = ("legal-threat", "default", "person")
MODELS = ("linear-1", "linear-2")
LINKS = ("https://x.example/ana/1", "https://www.news.example.org/a?b=c", "not an address")
POSTS = ("x:1", "x:2", "reddit:t1_a", "mastodon:9")

COUNTS = st.none() | st.integers(0, 12) | st.sampled_from((999, 1_000, 10_000, 2_500_000))
TIMES = st.integers(NOW - 20 * 86_400_000, NOW) | st.integers(NOW - 20, NOW)


@cache
def texts() -> st.SearchStrategy[str]:
    """Words of ours with separators of all kinds; now and then anything at all."""
    ours = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from((" ", "  ", ", ", ". ", "\n", "-"))), max_size=9)
    return ours.map(lambda pairs: "".join(word + gap for word, gap in pairs)) | st.text(max_size=30)


@cache
def mentions() -> st.SearchStrategy[Mention]:
    """Live mentions, whole; with and without author, reach, decision and correction."""
    return st.builds(
        _mention,
        post=_posts(),
        brand=st.sampled_from(BRANDS),
        revision=st.integers(1, 3),
        brand_kind=st.sampled_from(get_args(BrandKind)),
        source_id=st.sampled_from(SOURCES),
        access=st.sampled_from(("public", "private-reviews")),
        conversation=st.sampled_from(("", *POSTS)),
        lang=st.sampled_from(LANGS),
        understanding=st.none() | _understandings(),
        correction=st.none() | _corrections(),
        decision=st.none() | _decisions(),
        case_id=st.none() | st.integers(1, 12),
        cluster=st.none() | st.integers(1, 4),
        copies=st.integers(0, 12),
        spam=st.sampled_from(((), ("copies",))),
        decided_at=st.just(0) | TIMES,
    )


@cache
def nodes(*, fields: frozenset[str] | None = None, leaves: int = 6) -> st.SearchStrategy[Node]:
    """Trees as the parser makes them (values canonical, conjunctions of two parts and more)."""
    allowed = [field for name, field in FIELDS.items() if fields is None or name in fields]
    leaf = st.one_of(words(), comparisons(allowed), comparisons(allowed))
    tree = st.recursive(leaf, _combined, max_leaves=leaves)
    return st.just(All()) | tree


@cache
def words() -> st.SearchStrategy[Node]:
    surface = st.sampled_from(SURFACES)
    return st.one_of(
        surface.map(Word),
        surface.map(Word),
        st.lists(surface, min_size=2, max_size=3).map(lambda found: Phrase(tuple(found))),
        st.sampled_from(RUNS).map(Phrase),
        st.builds(Near, surface, surface, st.integers(0, 4)).filter(lambda near: near.left != near.right),
        surface.filter(lambda found: found.isalnum() and len(found) > 2).map(lambda found: Prefix(found[:-1])),
    )


def comparisons(fields: list[Field]) -> st.SearchStrategy[Node]:
    return st.sampled_from(fields).flatmap(_comparison)


SURFACES = tuple(dict.fromkeys(surface for word in WORDS for surface in analyse(word).surfaces))
RUNS = tuple(found for word in WORDS if len(found := analyse(word).surfaces) > 1)

_KEYWORDS: dict[str, tuple[str, ...]] = {
    "id": (*POSTS, mention_id("x:1", "acme")),
    "network": NETWORKS,
    "author": (*HANDLES, "id7", "Ana Pérez"),
    "country": COUNTRIES,
    "lang": ("es", "en", "other"),
    "hashtag": ("acme", "huelga"),
    "addressed": ("acme", "ana_viaja"),
    "link": ("acme.example", "example.org", "blog.example.org"),
    "site": ("x.example", "news.example.org", "example.org"),
    "address": LINKS,
    "media": ("https://cdn.example/1.jpg",),
    "conversation": POSTS,
    "reply_to": POSTS,
    "quote_of": POSTS,
    "cluster": ("1", "2", "12"),
    "source": ("stream", "reviews"),
    "query": ("q1", "Q2"),
    "access": ("public", "private-reviews"),
    "brand": BRANDS,
    "term": TERMS,
    "review": ("intent", "sentiment"),
    "aspect": ASPECTS,
    "model": MODELS,
    "person": ("eva", "luis"),
    "rule": RULES,
    "tag": TAGS,
}


def _comparison(field: Field) -> st.SearchStrategy[Node]:
    has = st.just(Has(field.name))
    if field.kind == "flag":
        return has | st.booleans().map(lambda value: Equals(field.name, value))
    if field.kind == "time":
        return has | _between(field.name, TIMES)
    if field.kind == "number":
        low, high = field.within or (0, 10_000)
        number = st.sampled_from([found for found in (*range(13), 70, 100, 999, 1_000, 10_000) if low <= found <= high])
        return has | number.map(lambda value: Equals(field.name, float(value))) | _between(field.name, number)
    known = field.vocabulary or _KEYWORDS[field.name]
    value = st.sampled_from(known).map(lambda text: canonical(field, text))
    start = value.filter(lambda text: len(text) > 2).map(lambda text: StartsWith(field.name, text[:2]))
    equal = value.map(lambda text: Equals(field.name, text))
    return (
        st.one_of(equal, equal, has, start) if any(len(canonical(field, text)) > 2 for text in known) else equal | has
    )


def _between(field: str, bound: st.SearchStrategy[int]) -> st.SearchStrategy[Node]:
    bounds = st.tuples(st.none() | bound, st.none() | bound).filter(lambda pair: pair != (None, None)).map(_in_order)
    return st.builds(_range, st.just(field), bounds, st.booleans(), st.booleans())


def _range(field: str, bounds: tuple[float | None, float | None], with_low: bool, with_high: bool) -> Node:
    low, high = bounds
    return Between(field, low, high, with_low or low is None, with_high or high is None)


def _in_order(pair: tuple[int | None, int | None]) -> tuple[float | None, float | None]:
    low, high = (None if bound is None else float(bound) for bound in pair)
    return (high, low) if low is not None and high is not None and low > high else (low, high)


def _combined(part: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    parts = st.lists(part, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        parts.map(lambda found: And(found)), parts.map(lambda found: Or(found)), part.map(lambda found: Not(found))
    )


def _posts() -> st.SearchStrategy[Post]:
    counts = st.builds(Metrics, likes=COUNTS, reposts=COUNTS, replies=COUNTS, views=COUNTS)
    return st.builds(
        _post,
        id=st.sampled_from(POSTS),
        network=st.sampled_from(NETWORKS),
        text=texts(),
        title=st.none() | texts(),
        rating=st.none() | st.integers(0, 5),
        author=_authors(),
        country=st.none() | st.sampled_from(COUNTRIES),
        claimed_at=TIMES,
        edited_at=st.none() | TIMES,
        reply_to=st.none() | st.sampled_from(POSTS),
        quote_of=st.none() | st.sampled_from(POSTS),
        link=st.none() | st.sampled_from(LINKS),
        media=st.sampled_from(((), ("https://cdn.example/1.jpg",))),
        metrics=st.none() | counts,
        origin=st.sampled_from(get_args(Origin)),
        query_ids=st.sampled_from(((), ("q1",), ("q1", "Q2"))),
    )


def _post(**fields: Any) -> Post:
    return Post(seen_at=fields["claimed_at"] + 5, event_time=fields["claimed_at"], **fields)


def _mention(post: Post, brand: str, **fields: Any) -> Mention:
    return Mention(
        id=mention_id(post.id, brand),
        post=post,
        post_id=post.id,
        brand=brand,
        network=post.network,
        event_time=post.event_time,
        **fields,
    )


def _authors() -> st.SearchStrategy[Author | None]:
    return st.none() | st.builds(
        Author,
        id=st.sampled_from(("id7", "id8")),
        handle=st.none() | st.sampled_from(HANDLES),
        name=st.none() | st.sampled_from(("Ana Pérez", "Acme")),
        followers=COUNTS,
        verified=st.none() | st.booleans(),
    )


def _scores(classes: tuple[str, ...]) -> st.SearchStrategy[Scores]:
    return st.sampled_from(classes).map(lambda label: Scores(label, tuple(float(name == label) for name in classes)))


def _some_emotions() -> st.SearchStrategy[Labels]:
    chosen = st.lists(st.sampled_from(EMOTIONS), max_size=3, unique=True)
    return chosen.map(lambda found: Labels(tuple(found), tuple(float(name in found) for name in EMOTIONS)))


def _some_terms() -> st.SearchStrategy[tuple[Term, ...]]:
    term = st.builds(Term, st.sampled_from(TERMS), st.sampled_from((-5.0, 0.0, 12.5)), st.just("for a reason"))
    return st.lists(term, max_size=3).map(tuple)


def _understandings() -> st.SearchStrategy[Understanding]:
    return st.builds(
        Understanding,
        brand=st.sampled_from(BRANDS),
        matched_by=st.sampled_from(get_args(MatchedBy)),
        speaker=st.sampled_from(get_args(Speaker)),
        sentiment=_scores(SENTIMENTS),
        reputation=st.none() | _scores(SENTIMENTS),
        intent=_scores(INTENTS),
        detractor=_scores(DETRACTOR_LEVELS),
        complaint=st.none() | _scores(NO_YES),
        emotion=st.none() | _some_emotions(),
        irony=st.none() | _scores(NO_YES),
        offensive=st.none() | _scores(NO_YES),
        aspects=st.lists(st.sampled_from(ASPECTS), max_size=2, unique=True).map(tuple),
        spam=st.sampled_from(((), ("links",))),
        about=st.sampled_from((None, None, Scores("yes", (0.1, 0.9)), Scores("no", (0.8, 0.2)))),
        suggested=st.sampled_from(QUEUES),
        terms=_some_terms(),
        review=st.sampled_from(((), ("intent",), ("intent", "sentiment"))),
    )


def _decisions() -> st.SearchStrategy[Decision]:
    return st.builds(
        Decision,
        queue=st.sampled_from(QUEUES),
        rule=st.sampled_from(RULES),
        rules_revision=st.just(1),
        why=st.just("because"),
        priority=st.sampled_from(("low", "normal", "high", "urgent")),
        tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(tuple),
        alert=st.booleans(),
        risk=st.integers(0, 100),
        terms=_some_terms(),
        model=st.sampled_from(MODELS),
        tier=st.sampled_from(TIERS),
    )


def _corrections() -> st.SearchStrategy[Correction]:
    return st.builds(
        Correction,
        person=st.sampled_from(("eva", "luis")),
        at=TIMES,
        content_hash=st.just("0" * 16),
        sentiment=st.none() | st.sampled_from(SENTIMENTS),
        reputation=st.none() | st.sampled_from(SENTIMENTS),
        intent=st.none() | st.sampled_from(INTENTS),
        detractor=st.none() | st.sampled_from(DETRACTOR_LEVELS),
        queue=st.none() | st.sampled_from(QUEUES),
        about=st.sampled_from((None, None, True, False)),
    )
