"""Every reading of a query means the same mentions as the predicate; every count is that of the mentions.

An implementation's tests subclass `ReadingContract` and give it a fixture `place`; nothing in here may be changed for
one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.port import IndexStore
from query.aside import shown
from query.document import Document
from query.fields import FIELDS
from query.parse import parse
from query.predicate import compile_predicate
from query.tree import Has, Node
from query.unparse import unparse
from stream.clock import HOUR, MINUTE
from stream.ports import EVERYTHING, AccessScope
from stream.records import Mention
from tests.index.store_contract import Place, opened, put
from tests.strategies import BRANDS, NOW, mentions, nodes

SCOPES = st.builds(
    AccessScope,
    brands=st.none() | st.frozensets(st.sampled_from(BRANDS), max_size=2),
    queues=st.none() | st.frozensets(st.sampled_from(("pr", "support", "none")), max_size=2),
    access=st.none() | st.frozensets(st.sampled_from(("public", "private-reviews", "other")), max_size=2),
)

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))

COUNTED = (
    *("brand", "queue", "network", "lang", "sentiment", "reputation", "intent", "tag", "author", "risk", "emotion"),
    *("aspect", "complaint", "spam", "detractor", "rating", "likes", "corrected"),
)
"""Of each kind of field whose values can be counted."""


def distinct(found: Sequence[Mention]) -> list[Mention]:
    return list({mention.id: mention for mention in found}.values())


BATCHES = st.lists(mentions(), min_size=1, max_size=9).map(distinct)


class ReadingContract:
    def test_every_field_can_be_asked_for(self, place: Place) -> None:
        with opened(place) as store:
            for field in FIELDS:
                assert store.count(Has(field), EVERYTHING).value == 0

    @FEW
    @given(batch=BATCHES, queries=st.lists(nodes(), min_size=5, max_size=20))
    def test_predicate_and_store_find_the_same_mentions(
        self, place: Place, batch: list[Mention], queries: list[Node]
    ) -> None:
        here = place.fresh()
        with opened(here) as store:
            put(here, store, *batch)
            for query in queries:
                assert found_by(store, query) == meant_by(batch, query), unparse(query)

    @FEW
    @given(batch=BATCHES, queries=st.lists(nodes(), min_size=3, max_size=9))
    def test_a_query_that_was_typed_finds_the_same_mentions(
        self, place: Place, batch: list[Mention], queries: list[Node]
    ) -> None:
        here = place.fresh()
        with opened(here) as store:
            put(here, store, *batch)
            for query in queries:
                typed = parse(unparse(query), now=NOW)
                assert found_by(store, typed) == meant_by(batch, query), unparse(query)

    @FEW
    @given(batch=BATCHES, scopes=st.lists(SCOPES, min_size=1, max_size=6), query=nodes())
    def test_a_scope_shows_what_it_covers_and_nothing_else(
        self, place: Place, batch: list[Mention], scopes: list[AccessScope], query: Node
    ) -> None:
        here = place.fresh()
        with opened(here) as store:
            put(here, store, *batch)
            for scope in scopes:
                covered = [mention for mention in batch if store.get(mention.id, scope) is not None]
                assert covered == [mention for mention in batch if covers(scope, mention)]
                assert found_by(store, query, scope) == meant_by(covered, query)

    @FEW
    @given(versions=st.lists(mentions(), min_size=1, max_size=12), query=nodes(), cut=st.integers(0, 12))
    def test_what_was_replaced_is_found_as_it_is_now(
        self, place: Place, versions: list[Mention], query: Node, cut: int
    ) -> None:
        """Mentions share ids here: each keeps the highest revision, in whatever batches they come."""
        here = place.fresh()
        with opened(here) as store:
            for part in (versions[:cut], versions[cut:]):
                put(here, store, *part)
            highest: dict[str, Mention] = {}
            for mention in versions:
                if mention.id not in highest or mention.revision > highest[mention.id].revision:
                    highest[mention.id] = mention
            assert found_by(store, query) == meant_by(list(highest.values()), query)

    @FEW
    @given(batch=BATCHES, queries=st.lists(nodes(), min_size=2, max_size=5))
    def test_values_and_intervals_are_counted_as_by_hand(
        self, place: Place, batch: list[Mention], queries: list[Node]
    ) -> None:
        here = place.fresh()
        with opened(here) as store:
            put(here, store, *batch)
            for query in queries:
                holds = compile_predicate(shown(query))
                meant = [mention for mention in batch if holds(Document(mention))]
                for interval in (MINUTE, HOUR, 90_001):
                    buckets = store.histogram(query, EVERYTHING, interval).buckets
                    expected = Counter(each.event_time - each.event_time % interval for each in meant)
                    assert [(bucket.start, bucket.count) for bucket in buckets] == sorted(expected.items())
                for facet in store.facets(query, EVERYTHING, COUNTED, size=50):
                    assert dict(facet.values) == by_hand(meant, facet.field), facet.field


def found_by(store: IndexStore, query: Node, scope: AccessScope = EVERYTHING) -> set[str]:
    page = store.search(query, scope, limit=100)
    found = {hit.mention.id for hit in page.hits}
    assert store.count(query, scope).value == len(found)
    return found


def meant_by(batch: Sequence[Mention], query: Node) -> set[str]:
    holds = compile_predicate(shown(query))
    return {mention.id for mention in batch if holds(Document(mention))}


def covers(scope: AccessScope, mention: Mention) -> bool:
    decision, correction = mention.decision, mention.correction
    queue = (correction and correction.queue) or (decision and decision.queue)
    return (
        (scope.brands is None or mention.brand in scope.brands)
        and (scope.access is None or mention.access in scope.access)
        and (scope.queues is None or queue in scope.queues)
    )


def by_hand(found: Sequence[Mention], field: str) -> Counter[str]:
    counted: Counter[str] = Counter()
    for each in found:
        value = Document(each).value(field)
        if field == "risk" and value is not None:
            low = int(value) // 10 * 10  # type: ignore[arg-type]
            counted[f"{low}..{low + 9}"] += 1
        elif isinstance(value, tuple):
            counted.update(value[:1] if field == "author" else value)
        elif value is not None:
            counted[str(int(value))] += 1
    return counted
