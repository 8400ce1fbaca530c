"""What is asked of Elasticsearch and how its answers are read: pages, counts, values, intervals, whole exports."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from elasticsearch import Elasticsearch, NotFoundError

from index.counting import MAX_BUCKETS, commonest
from index.elastic_client import Cluster
from index.elastic_documents import record
from index.elastic_errors import speaking, too_slow
from index.elastic_mapping import FIRST_ONLY
from index.elastic_query import Body, ranked
from index.files import IndexUnusable
from index.search import Order
from query.tree import Node
from stream.ports import Bucket, Count, Facet, Histogram, Transient
from stream.records import Mention, Millis

WINDOW = 10_000
"""Elasticsearch counts off so many hits and no more (`index.max_result_window`): where the order by relevance ends."""
COUNTED_AT_ONCE = 1_000
"""Values of a field that are asked for in one request."""
EXPORTED_AT_ONCE = 1_000
KEPT_OPEN = "5m"
"""How long an export may take for what it does between two requests."""

NOTHING_YET: Mapping[str, Any] = {"hits": {"total": {"value": 0}, "hits": []}}
"""As of a search where there is no index yet."""

_BY_TIME: dict[str, list[dict[str, Any]]] = {
    "newest": [{"f.created": "desc"}, {"key": "desc"}],
    "oldest": [{"f.created": "asc"}, {"key": "asc"}],
    "risk": [{"f.risk": {"order": "desc", "missing": "_last"}}, {"f.created": "desc"}, {"key": "desc"}],
}
_BY_SCORE: list[dict[str, Any]] = [{"_score": "desc"}, *_BY_TIME["newest"]]


class After(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended. `sort`: the last hit's values in the order; for the order by relevance, `newest`: the time of
    the newest mention that is ranked, and `skip`: how many were shown."""

    sort: tuple[int | str, ...] = ()
    newest: Millis | None = None
    skip: int = 0


class Answers:
    """For several threads. Every question is bounded in time; a part of an answer is never taken for the whole."""

    def __init__(self, client: Elasticsearch, cluster: Cluster) -> None:
        self._client, self._cluster = client, cluster

    def page(
        self, query: Node, meant: Body, order: Order, after: After | None, limit: int
    ) -> list[tuple[Mention, After]]:
        """Up to `limit` mentions after `after`, in order, each with where it stands."""
        if order == "relevance":
            return self._by_relevance(query, meant, after, limit)
        more = {"search_after": list(after.sort)} if after is not None else {}
        found = self._asked(
            "search", query=meant, sort=_BY_TIME[order], size=limit, source_includes=["record"],
            track_total_hits=False, **more,
        )  # fmt: skip
        return [(_mention(hit), After(tuple(hit["sort"]))) for hit in found["hits"]["hits"]]

    def one(self, key: str) -> Mention | None:
        """The live mention with this document's id."""
        meant = {"bool": {"filter": [{"term": {"key": {"value": key}}}, {"term": {"live": True}}]}}
        found = self._asked("look up a mention", query=meant, size=1, source_includes=["record"])
        return next((_mention(hit) for hit in found["hits"]["hits"]), None)

    def count(self, meant: Body) -> Count:
        found = self._asked("count", query=meant, size=0, track_total_hits=True)
        return Count(found["hits"]["total"]["value"])

    def facets(self, meant: Body, fields: Sequence[str], size: int, *, exact: bool) -> list[Facet]:
        """The commonest values of each field, all fields in one request; with a second look at those of many values
        where they must be exact."""
        asked = {field: _counting(field, size) for field in fields}
        found = self._asked("count values", query=meant, size=0, track_total_hits=False, aggs=asked)
        counted = found.get("aggregations", {})
        return [self._facet(meant, field, counted.get(field, {}), size, exact=exact) for field in fields]

    def histogram(self, meant: Body, interval: Millis) -> Histogram:
        """Exact; intervals without any mention are left out, and so are those after the first MAX_BUCKETS."""
        buckets: list[Bucket] = []
        source = {"histogram": {"field": "f.created", "interval": interval}}
        for value, number in self._walked("make a histogram", meant, source):
            buckets.append(Bucket(int(value), number))
            if len(buckets) == MAX_BUCKETS:
                break
        return Histogram(interval, tuple(buckets))

    def everything(self, meant: Body) -> Iterator[Mention]:
        """All that is meant, as it stands at this moment, however long the reading takes, the oldest first."""
        with speaking(self._cluster.where, "begin an export"):
            if not self._client.indices.exists_alias(name=self._cluster.names.read):
                return
            pit: str = self._client.open_point_in_time(index=self._cluster.names.read, keep_alive=KEPT_OPEN)["id"]
        try:
            after: list[Any] | None = None
            while True:
                more: dict[str, Any] = {"search_after": after} if after is not None else {}
                with speaking(self._cluster.where, "export"):
                    found = self._client.search(
                        pit={"id": pit, "keep_alive": KEPT_OPEN}, query=meant, sort=_BY_TIME["oldest"],
                        size=EXPORTED_AT_ONCE, source_includes=["record"], track_total_hits=False,
                        allow_partial_search_results=False, **more,
                    )  # fmt: skip
                pit = found.get("pit_id", pit)
                hits = found["hits"]["hits"]
                yield from map(_mention, hits)
                if len(hits) < EXPORTED_AT_ONCE:
                    return
                after = hits[-1]["sort"]
        finally:
            # Where that fails it ends by itself.
            with suppress(Transient, IndexUnusable), speaking(self._cluster.where, "end an export"):
                self._client.options(ignore_status=404).close_point_in_time(id=pit)

    def _by_relevance(self, query: Node, meant: Body, after: After | None, limit: int) -> list[tuple[Mention, After]]:
        """Among those that were there when the first page was asked for, as far as time tells."""
        skip, newest = (after.skip, after.newest) if after is not None else (0, None)
        size = min(limit, WINDOW - skip)
        if size <= 0:
            return []
        among = meant
        if newest is not None:
            among = {"bool": {"filter": [meant, {"range": {"f.created": {"lte": newest}}}]}}
        found = self._asked(
            "search", query=ranked(query, among), sort=_BY_SCORE, from_=skip, size=size, source_includes=["record"],
            track_total_hits=False, aggs={"newest": {"max": {"field": "f.created"}}},
        )  # fmt: skip
        if newest is None:
            latest = found.get("aggregations", {}).get("newest", {}).get("value")
            newest = int(latest) if latest is not None else None
        hits = found["hits"]["hits"]
        return [(_mention(hit), After((), newest, skip + at)) for at, hit in enumerate(hits, 1)]

    def _facet(self, meant: Body, field: str, counted: Mapping[str, Any], size: int, *, exact: bool) -> Facet:
        buckets = counted.get("buckets", ())
        if field == "risk":
            tens = {int(bucket["key"]): bucket["doc_count"] for bucket in buckets}
            values = Counter({f"{low}..{low + 9}": number for low, number in tens.items()})
            return Facet(field, tuple(commonest(values, size)))
        values = Counter({_shown(bucket["key"]): bucket["doc_count"] for bucket in buckets})
        doubtful = bool(counted.get("doc_count_error_upper_bound"))
        if exact and doubtful:
            return Facet(field, tuple(self._to_the_last(meant, field, size)))
        return Facet(field, tuple(commonest(values, size)), estimated=doubtful)

    def _to_the_last(self, meant: Body, field: str, size: int) -> list[tuple[str, int]]:
        """The commonest of all values there are, in bounded memory."""
        walked = self._walked("count values", meant, {"terms": {"field": _path(field)}})
        best = heapq.nsmallest(size, ((-number, _shown(value)) for value, number in walked))
        return [(value, -negative) for negative, value in best]

    def _walked(self, doing: str, meant: Body, source: Mapping[str, Any]) -> Iterator[tuple[Any, int]]:
        """(value, count) of every value, rising, a stretch a request."""
        deadline = time.monotonic() + self._cluster.time_limit
        after: Mapping[str, Any] | None = None
        while True:
            composite: dict[str, Any] = {"size": COUNTED_AT_ONCE, "sources": [{"value": source}]}
            if after is not None:
                composite["after"] = after
            found = self._asked(
                doing, query=meant, size=0, track_total_hits=False, aggs={"all": {"composite": composite}}
            )
            counted = found.get("aggregations", {}).get("all", {})
            buckets = counted.get("buckets", ())
            yield from ((bucket["key"]["value"], bucket["doc_count"]) for bucket in buckets)
            after = counted.get("after_key")
            if after is None or len(buckets) < COUNTED_AT_ONCE:
                return
            if time.monotonic() > deadline:
                raise too_slow(doing, self._cluster.time_limit)

    def _asked(self, doing: str, **question: Any) -> Mapping[str, Any]:
        """The whole answer. What a login may not read is never left out of it in silence."""
        limit = self._cluster.time_limit
        with speaking(self._cluster.where, doing):
            body = self._found(f"{max(1, int(limit * 1_000))}ms", question)
        if not isinstance(body, Mapping):
            raise Transient(f"{self._cluster.where}: cannot {doing}: it does not answer as Elasticsearch; try again")
        if body.get("timed_out"):
            raise too_slow(doing, limit)
        return body

    def _found(self, timeout: str, question: Mapping[str, Any]) -> Any:
        """Twice, since a rebuild or retention may take an index away while it is being searched."""
        for last in (False, True):
            try:
                return self._client.search(
                    index=self._cluster.names.read, allow_partial_search_results=False, timeout=timeout, **question
                ).body
            except NotFoundError:
                if not self._client.indices.exists_alias(name=self._cluster.names.read):
                    return NOTHING_YET
                if last:
                    raise
        raise AssertionError


def _counting(field: str, size: int) -> dict[str, Any]:
    if field == "risk":
        return {"histogram": {"field": "f.risk", "interval": 10, "min_doc_count": 1}}
    return {"terms": {"field": _path(field), "size": size, "shard_size": max(COUNTED_AT_ONCE, 2 * size)}}


def _path(field: str) -> str:
    return f"first.{field}" if field in FIRST_ONLY else f"f.{field}"


def _shown(value: Any) -> str:
    """A value as people read it: flags as 1 and 0, numbers whole."""
    return value if isinstance(value, str) else str(int(value))


def _mention(hit: Mapping[str, Any]) -> Mention:
    return record(hit["_source"]["record"]["json"])
