"""Counts from rollups, from the inverted index and by hand are the same."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.rollups import FIELDS, KEYS, wanted
from query.document import Document
from query.tree import All, And, Between, Equals, Node, Not, Or
from stream.clock import HOUR, MINUTE
from stream.ports import EVERYTHING, AccessScope
from stream.records import Mention
from tests.index.made import NOW, mention, opened, put
from tests.index.reading_contract import by_hand
from tests.strategies import BRANDS, mentions

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
COUNTED = ("tag", "author", "risk", "emotion", "aspect", "complaint", "spam")
"""Of each kind of field that the rollups are not kept by."""
VALUES = {
    "brand": BRANDS,
    "queue": ("sales", "support", "pr", "none"),
    "network": ("x", "reddit", "mastodon"),
    "lang": ("es", "en"),
    "sentiment": ("negative", "neutral", "positive"),
    "reputation": ("negative", "neutral", "positive"),
    "intent": ("complaint", "praise", "other"),
}


@st.composite
def questions(draw: st.DrawFn) -> Node:
    """Brands, queues, at most one more field, and bounds on time: what rollups answer."""
    fields = [field for field in KEYS if draw(st.booleans())] + draw(st.lists(st.sampled_from(FIELDS), max_size=1))
    parts: list[Node] = []
    for field in fields:
        choice = draw(st.lists(st.sampled_from(VALUES[field]), min_size=1, max_size=2, unique=True))
        equal = tuple(Equals(field, value) for value in choice)
        parts.append(equal[0] if len(equal) == 1 else Or(equal))
    days = st.none() | st.integers(-21 * 24 * 60, 60).map(lambda minutes: float(NOW + minutes * MINUTE - 7))
    low, high = draw(days), draw(days)
    if low is not None or high is not None:
        parts.append(Between("created", low, high, draw(st.booleans()), draw(st.booleans())))
    return And(tuple(parts)) if parts else All()


def meant(batch: list[Mention], query: Node) -> list[Mention]:
    from query.aside import shown
    from query.predicate import compile_predicate

    holds = compile_predicate(shown(query))
    return [each for each in batch if holds(Document(each))]


@FEW
@given(
    batches=st.lists(st.lists(mentions(), min_size=1, max_size=8), min_size=1, max_size=3),
    asked=st.lists(questions(), min_size=4, max_size=12),
    brands=st.none() | st.frozensets(st.sampled_from(BRANDS), max_size=2),
)
def test_rollups_count_what_is_there(
    batches: list[list[Mention]], asked: list[Node], brands: frozenset[str] | None
) -> None:
    """After mentions were replaced by later revisions of themselves, with other labels and times."""
    scope = AccessScope(brands=brands, access=None)
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "index.db") as store:
        live: dict[str, Mention] = {}
        for batch in batches:
            put(store, *batch)
            for each in batch:
                if each.id not in live or each.revision > live[each.id].revision:
                    live[each.id] = each
        seen = [each for each in live.values() if brands is None or each.brand in brands]
        for query in asked:
            found = meant(seen, query)
            assert store.count(query, scope).value == len(found)
            for interval in (MINUTE, 5 * MINUTE, HOUR, 24 * HOUR, 90_001):
                expected = Counter(each.event_time - each.event_time % interval for each in found)
                histogram = store.histogram(query, scope, interval)
                assert {bucket.start: bucket.count for bucket in histogram.buckets} == expected
                assert [bucket.start for bucket in histogram.buckets] == sorted(expected)
            for facet in store.facets(query, scope, [*KEYS, *FIELDS, *COUNTED], size=50):
                assert dict(facet.values) == by_hand(found, facet.field), facet.field


def test_what_rollups_cannot_answer_is_not_asked_of_them() -> None:
    brand, intent, queue = Equals("brand", "acme"), Equals("intent", "praise"), Equals("queue", "pr")
    assert wanted(And((brand, intent, queue)), EVERYTHING) is not None
    assert wanted(And((intent, Equals("lang", "es"))), EVERYTHING) is None
    assert wanted(Not(brand), EVERYTHING) is None
    assert wanted(Or((brand, queue)), EVERYTHING) is None


def test_deletes_take_back_what_was_counted(tmp_path: Path) -> None:
    from tests.index.made import gone

    with opened(tmp_path / "index.db") as store:
        put(store, *[mention(n, "flight") for n in range(10)])
        put(store, *[gone(n) for n in range(10)])
        put(store, *[gone(n) for n in range(10)])
        assert store.count(All(), EVERYTHING).value == 0
        assert store.histogram(Equals("brand", "acme"), EVERYTHING, HOUR).buckets == ()
