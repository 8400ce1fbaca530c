"""Reads the body of a search as Elasticsearch documents that it does, over documents in memory.

It knows the few kinds of query that `index.elastic_query` makes, and nothing of scores. What a node makes of them is
told by tests/services; this tells at once, and on every machine, that a body says what was meant.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec


def holds(body: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether a document, as `index.elastic_documents` makes it, is meant. Raises KeyError for any other kind."""
    ((kind, inner),) = body.items()
    return _READ[kind](inner, document)


def depth(body: Mapping[str, Any]) -> int:
    """Levels of compound queries that are parsed as one piece, of the deepest piece."""
    ((kind, inner),) = body.items()
    if kind == "wrapper":
        return max(1, depth(_unwrapped(inner)))
    if kind != "bool":
        return 1
    below = [each for clauses in inner.values() if isinstance(clauses, list) for each in clauses]
    deepest = max((0 if "wrapper" in each else depth(each) for each in below), default=0)
    wrapped = max((depth(each) for each in below if "wrapper" in each), default=0)
    return max(1 + deepest, wrapped)


def _unwrapped(inner: Mapping[str, str]) -> Any:
    return msgspec.json.decode(base64.b64decode(inner["query"]))


def _bool(inner: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    assert inner.keys() <= {"filter", "should", "must_not", "minimum_should_match"}
    if not all(holds(each, document) for each in inner.get("filter", ())):
        return False
    if any(holds(each, document) for each in inner.get("must_not", ())):
        return False
    least = inner.get("minimum_should_match", 0)
    return sum(holds(each, document) for each in inner.get("should", ())) >= least


def _values(field: str, document: Mapping[str, Any]) -> list[Any]:
    found: Any = document
    for step in field.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    if found is None:
        return []
    if field in ("text", "stems"):
        return str(found).split(" ")
    return list(found) if isinstance(found, list) else [found]


def _term(inner: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    ((field, wanted),) = inner.items()
    value = wanted["value"] if isinstance(wanted, Mapping) else wanted
    return any(type(found) is type(value) and found == value for found in _values(field, document))


def _terms(inner: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    ((field, wanted),) = inner.items()
    return not set(wanted).isdisjoint(_values(field, document))


def _prefix(inner: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    ((field, wanted),) = inner.items()
    return any(found.startswith(wanted["value"]) for found in _values(field, document))


def _range(inner: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    ((field, bounds),) = inner.items()
    assert all(type(bound) is int for bound in bounds.values())
    return any(
        bounds.get("gte", found) <= found <= bounds.get("lte", found) for found in _values(field, document)
    )  # fmt: skip


def _exists(inner: Mapping[str, str], document: Mapping[str, Any]) -> bool:
    return bool(_values(inner["field"], document))


def _match_phrase(inner: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    ((field, wanted),) = inner.items()
    return f" {wanted['query']} " in f" {' '.join(_values(field, document))} "


def _span_near(inner: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    left, right = (clause["span_term"]["text"]["value"] for clause in inner["clauses"])
    tokens = _values("text", document)
    places = [(a, b) for a, one in enumerate(tokens) if one == left for b, other in enumerate(tokens) if other == right]
    ordered = inner["in_order"]
    return any(a != b and abs(b - a) - 1 <= inner["slop"] and (a < b or not ordered) for a, b in places)


_READ = {
    "bool": _bool,
    "match_all": lambda inner, document: True,
    "match_none": lambda inner, document: False,
    "term": _term,
    "terms": _terms,
    "prefix": _prefix,
    "range": _range,
    "exists": _exists,
    "match_phrase": _match_phrase,
    "span_near": _span_near,
    "wrapper": lambda inner, document: holds(_unwrapped(inner), document),
}
