"""The SQL reading of a query means the same mentions as the predicate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.embedded import EmbeddedStore
from index.terms import AS_TOKENS
from query.aside import shown
from query.document import Document
from query.fields import FIELDS
from query.parse import parse
from query.predicate import compile_predicate
from query.tree import Has, Node
from query.unparse import unparse
from stream.ports import EVERYTHING, AccessScope
from stream.records import Decided, Mention
from tests.strategies import BRANDS, NOW, mentions, nodes

SCOPES = st.builds(
    AccessScope,
    brands=st.none() | st.frozensets(st.sampled_from(BRANDS), max_size=2),
    queues=st.none() | st.frozensets(st.sampled_from(("pr", "support", "none")), max_size=2),
    access=st.none() | st.frozensets(st.sampled_from(("public", "private-reviews", "other")), max_size=2),
)

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def distinct(found: Sequence[Mention]) -> list[Mention]:
    return list({mention.id: mention for mention in found}.values())


BATCHES = st.lists(mentions(), min_size=1, max_size=9).map(distinct)


def found_by(store: EmbeddedStore, query: Node, scope: AccessScope = EVERYTHING) -> set[str]:
    page = store.search(query, scope, limit=100)
    found = {hit.mention.id for hit in page.hits}
    assert store.count(query, scope).value == len(found)
    return found


def meant_by(batch: Sequence[Mention], query: Node) -> set[str]:
    holds = compile_predicate(shown(query))
    return {mention.id for mention in batch if holds(Document(mention))}


def test_every_field_is_a_token_or_a_column() -> None:
    """A field that is new in the registry has to find its place here, else queries for it would fail."""
    assert set(FIELDS) >= AS_TOKENS
    assert {field for field in FIELDS if FIELDS[field].kind in ("keyword", "flag")} <= AS_TOKENS
    with tempfile.TemporaryDirectory() as folder, closing(EmbeddedStore(Path(folder) / "index.db")) as store:
        for field in FIELDS:
            assert store.count(Has(field), EVERYTHING).value == 0


@FEW
@given(batch=BATCHES, queries=st.lists(nodes(), min_size=5, max_size=20))
def test_predicate_and_sql_find_the_same_mentions(batch: list[Mention], queries: list[Node]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "index.db")
        store.apply([Decided(mention=mention) for mention in batch], (), "log", NOW)
        for query in queries:
            assert found_by(store, query) == meant_by(batch, query), unparse(query)
        store.close()


@FEW
@given(batch=BATCHES, queries=st.lists(nodes(), min_size=3, max_size=9))
def test_a_query_that_was_typed_finds_the_same_mentions(batch: list[Mention], queries: list[Node]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "index.db")
        store.apply([Decided(mention=mention) for mention in batch], (), "log", NOW)
        for query in queries:
            typed = parse(unparse(query), now=NOW)
            assert found_by(store, typed) == meant_by(batch, query), unparse(query)
        store.close()


@FEW
@given(batch=BATCHES, scopes=st.lists(SCOPES, min_size=1, max_size=6), query=nodes())
def test_a_scope_shows_what_it_covers_and_nothing_else(
    batch: list[Mention], scopes: list[AccessScope], query: Node
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "index.db")
        store.apply([Decided(mention=mention) for mention in batch], (), "log", NOW)
        for scope in scopes:
            covered = [mention for mention in batch if store.get(mention.id, scope) is not None]
            assert covered == [mention for mention in batch if covers(scope, mention)]
            assert found_by(store, query, scope) == meant_by(covered, query)
        store.close()


def covers(scope: AccessScope, mention: Mention) -> bool:
    decision, correction = mention.decision, mention.correction
    queue = (correction and correction.queue) or (decision and decision.queue)
    return (
        (scope.brands is None or mention.brand in scope.brands)
        and (scope.access is None or mention.access in scope.access)
        and (scope.queues is None or queue in scope.queues)
    )


@FEW
@given(versions=st.lists(mentions(), min_size=1, max_size=12), query=nodes(), cut=st.integers(0, 12))
def test_what_was_replaced_is_found_as_it_is_now(versions: list[Mention], query: Node, cut: int) -> None:
    """Mentions share ids here: each keeps the highest revision, in whatever batches they come."""
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "index.db")
        for part in (versions[:cut], versions[cut:]):
            store.apply([Decided(mention=mention) for mention in part], (), "log", NOW)
        highest: dict[str, Mention] = {}
        for mention in versions:
            if mention.id not in highest or mention.revision > highest[mention.id].revision:
                highest[mention.id] = mention
        assert found_by(store, query) == meant_by(list(highest.values()), query)
        store.close()
