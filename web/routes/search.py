"""Find mentions, count them, see them over time."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from query.fields import FIELDS
from query.parse import parse
from query.tree import Node
from stream.clock import DAY, HOUR, MINUTE
from stream.ports import AccessScope
from stream.records import Coverage, Millis
from web.auth import asker
from web.errors import Refusal
from web.models import CountOut, FacetOut, HistogramOut, SearchOut, at, coverage_out, hit_out
from web.services import Services

MOST = 200
BUCKETS = 5_000
INTERVALS = {"minute": MINUTE, "hour": HOUR, "day": DAY}
INCOMPLETE = frozenset({"gap", "partial", "lost"})

Q = Annotated[str, Query(description="A query; empty finds everything.", max_length=4_000)]
Exact = Annotated[bool, Query(description="Count every hit, however long it takes.")]


def router(services: Services) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["search"])
    scope_of_asker = Depends(asker(services))

    def tree(q: str) -> Node:
        return parse(q, now=services.clock.now(), context="search")

    @routes.get("/search", summary="Mentions that match, newest first")
    def search(
        q: Q = "",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
        cursor: Annotated[str | None, Query(max_length=500)] = None,
        order: Literal["newest", "oldest", "risk", "relevance"] = "newest",
        exact: Exact = False,
        scope: AccessScope = scope_of_asker,
    ) -> SearchOut:
        node = tree(q)
        page = services.store.search(node, scope, limit=limit, cursor=cursor, order=order)
        total = services.store.count(node, scope, exact=exact)
        times = [hit.mention.event_time for hit in page.hits]
        return SearchOut(
            query=q,
            hits=[hit_out(hit) for hit in page.hits],
            cursor=page.cursor,
            total=CountOut(value=total.value, estimated=total.estimated),
            incomplete=[coverage_out(row) for row in _gaps(services, min(times), max(times))] if times else [],
        )

    @routes.get("/count", summary="How many match")
    def count(q: Q = "", exact: Exact = True, scope: AccessScope = scope_of_asker) -> CountOut:
        found = services.store.count(tree(q), scope, exact=exact)
        return CountOut(value=found.value, estimated=found.estimated)

    @routes.get("/facets", summary="The most frequent values of some fields among what matches")
    def facets(
        field: Annotated[list[str], Query(description="Once or more: brand, queue, lang …", max_length=12)],
        q: Q = "",
        size: Annotated[int, Query(ge=1, le=100)] = 10,
        exact: Exact = False,
        scope: AccessScope = scope_of_asker,
    ) -> list[FacetOut]:
        unknown = [name for name in field if name not in FIELDS]
        if unknown:
            raise Refusal(422, f"no such field: {', '.join(unknown)}", f"fields: {', '.join(sorted(FIELDS))}")
        found = services.store.facets(tree(q), scope, field, size=size, exact=exact)
        return [FacetOut(field=f.field, values=list(f.values), estimated=f.estimated) for f in found]

    @routes.get("/histogram", summary="How many match, over time")
    def histogram(
        q: Q = "",
        interval: Literal["minute", "hour", "day"] = "hour",
        exact: Exact = False,
        scope: AccessScope = scope_of_asker,
    ) -> HistogramOut:
        width = INTERVALS[interval]
        found = services.store.histogram(tree(q), scope, width, exact=exact)
        buckets = found.buckets[-BUCKETS:]
        gaps = _gaps(services, buckets[0].start, buckets[-1].start + width) if buckets else []
        return HistogramOut(
            interval_seconds=width // 1000,
            buckets=[(at(bucket.start), bucket.count) for bucket in buckets],
            estimated=found.estimated,
            incomplete=[coverage_out(row) for row in gaps],
        )

    return routes


def _gaps(services: Services, since: Millis, until: Millis) -> list[Coverage]:
    return [row for row in services.coverage.rows(None, None, since, until) if row.state in INCOMPLETE][:50]
