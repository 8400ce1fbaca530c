"""Find mentions, count them, see them over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from ingest.coverage import UNSEEN
from query.error import short
from query.fields import FIELDS
from query.parse import parse
from query.tree import And, Between, Equals, Has, Node, Not, Or, StartsWith
from stream.clock import DAY, HOUR, MINUTE
from stream.ports import AccessScope
from web import ledger, models, truth
from web.auth import asker
from web.errors import Refusal, refusals
from web.services import Services
from web.shown import at, coverage_row, mention
from web.truth import hidden_from, standing

MOST = 200
MOST_FACETS = 12
BUCKETS = 5_000
INTERVALS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
COUNTABLE = tuple(sorted(name for name, field in FIELDS.items() if field.kind != "time"))

EXAMPLES = {
    "severe": {"summary": "Severe, of the last day", "value": "risk:>=70 since:-1d"},
    "words": {"summary": "Words and a phrase", "value": 'brand:aurelia "no me dejan" -lang:pt'},
}
Q = Annotated[
    str,
    Query(
        description="A query in the query language; empty finds everything.",
        max_length=4_000,
        openapi_examples=EXAMPLES,
    ),
]
Exact = Annotated[bool, Query(description="Count every hit, also above 20,000, where the default is an estimate.")]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["search"], responses=refusals(401, 422, 503))
    scope_of_asker = Depends(asker(services))

    def asked(q: str, scope: AccessScope) -> Node:
        node = parse(q, now=services.clock.now(), context="search")
        if scope.queues is not None and "case" in _fields(node):
            raise Refusal(
                422, "this token sees only some queues, and a case may stand in another", "ask without `case:`"
            )
        if (field := _of_copies(_fields(node), scope)) is not None:
            raise Refusal(422, _counted_over_all(field), f"ask without `{field}:`")
        return node

    def covered(node: Node, scope: AccessScope) -> dict[str, Any]:
        found = ledger.covered(services.engine, scope, node, services.clock.now(), services.unasked())
        return {"complete": found.complete, "gaps": [coverage_row(row) for row in found.gaps], "unseen": list(UNSEEN)}

    @routes.get("/search", summary="Mentions that match")
    def search(
        q: Q = "",
        limit: Annotated[int, Query(ge=1, le=MOST, description="Hits of a page.")] = 20,
        cursor: Annotated[str | None, Query(max_length=500, description="`cursor` of the page before.")] = None,
        order: Annotated[
            Literal["newest", "oldest", "risk", "relevance"],
            Query(description="`relevance` ranks the newest 10,000 hits."),
        ] = "newest",
        total: Annotated[bool, Query(description="Count all hits as well.")] = True,
        exact: Exact = False,
        scope: AccessScope = scope_of_asker,
    ) -> models.SearchPage:
        """A page may hold fewer hits than `limit` and go on: what was deleted since it was indexed is left out."""
        node = asked(q, scope)
        page = services.store.search(node, scope, limit=limit, cursor=cursor, order=order)
        hits = standing(services.engine, node, page.hits, scope)
        hidden = hidden_from(services.engine, [hit.mention for hit in hits], scope)
        found = services.store.count(node, scope, exact=exact) if total else None
        return models.SearchPage(
            hits=[models.Hit(mention=mention(hit.mention, hidden), highlights=list(hit.highlights)) for hit in hits],
            cursor=page.cursor,
            total=models.Count(value=found.value, estimated=found.estimated) if found else None,
            **covered(node, scope),
        )

    @routes.get("/count", summary="How many match")
    def count(q: Q = "", exact: Exact = True, scope: AccessScope = scope_of_asker) -> models.Counted:
        node = asked(q, scope)
        found = services.store.count(node, scope, exact=exact)
        return models.Counted(value=found.value, estimated=found.estimated, **covered(node, scope))

    @routes.get("/facets", summary="The most frequent values of some fields among what matches")
    def facets(
        field: Annotated[
            list[str],
            Query(
                min_length=1,
                max_length=MOST_FACETS,
                description=f"Once or more (up to {MOST_FACETS}): brand, queue, intent, lang …",
                examples=["queue"],
            ),
        ],
        q: Q = "",
        size: Annotated[int, Query(ge=1, le=100, description="Values of each field.")] = 10,
        exact: Exact = False,
        scope: AccessScope = scope_of_asker,
    ) -> models.Facets:
        """Risk is counted in steps of ten points; fields that hardly two mentions share (author, link) over the newest
        4,000 hits."""
        fields = list(dict.fromkeys(field))
        _countable(fields, scope)
        node = asked(q, scope)
        found = services.store.facets(node, scope, fields, size=size, exact=exact)
        return models.Facets(
            facets=[
                models.Facet(
                    field=one.field,
                    values=[models.Value(value=value, count=number) for value, number in one.values],
                    estimated=one.estimated,
                )
                for one in found
            ],
            **covered(node, scope),
        )

    @routes.get("/histogram", summary="How many match, over time")
    def histogram(
        q: Q = "",
        interval: Annotated[Literal["minute", "hour", "day"], Query(description="Width of a bucket.")] = "hour",
        exact: Exact = False,
        scope: AccessScope = scope_of_asker,
    ) -> models.Histogram:
        """The newest 5,000 buckets."""
        node, width = asked(q, scope), INTERVALS[interval]
        found = services.store.histogram(node, scope, width, exact=exact)
        return models.Histogram(
            interval_seconds=width // 1000,
            buckets=[models.Bucket(start=at(one.start), count=one.count) for one in found.buckets[-BUCKETS:]],
            estimated=found.estimated,
            truncated=len(found.buckets) > BUCKETS,
            **covered(node, scope),
        )

    return routes


def _countable(fields: list[str], scope: AccessScope) -> None:
    """Raises Refusal 422 for fields whose values cannot be counted, or not by this asker."""
    unknown = [name for name in fields if name not in COUNTABLE]
    if unknown:
        names = ", ".join(short(name) for name in unknown)
        raise Refusal(422, f"the values of {names} cannot be counted", f"these can: {', '.join(COUNTABLE)}")
    if scope.queues is not None and "case" in fields:
        raise Refusal(422, "this token sees only some queues, and a case may stand in another", "leave `case` out")
    if (field := _of_copies(fields, scope)) is not None:
        raise Refusal(422, _counted_over_all(field), f"leave `{field}` out")
    if scope.access is not None and "conversation" in fields:
        raise Refusal(
            422, "this token does not see private sources, and a conversation may begin there", "leave it out"
        )


def _of_copies(fields: Iterable[str], scope: AccessScope) -> str | None:
    """The first that would tell the asker of posts that it may not see."""
    return next(iter(sorted(truth.OF_COPIES.intersection(fields))), None) if truth.sees_a_part(scope) else None


def _counted_over_all(field: str) -> str:
    return f"this token sees a part of the posts, and near copies, which `{field}` rests on, are counted over all"


def _fields(node: Node) -> set[str]:
    return set(_named(node))


def _named(node: Node) -> Iterator[str]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _named(part)
        case Not(part):
            yield from _named(part)
        case Equals() | StartsWith() | Between() | Has():
            yield node.field
        case _:
            return
