"""The third reading of a query: the body of a search in Elasticsearch.

It means the same mentions as the predicate and the SQL reading: the tokens and values that it asks for are made by the
same analyser, and so is what stands in the documents. Nothing in it is analysed or scripted on the other side.
"""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from index.elastic_documents import LARGEST, cut
from index.elastic_mapping import BUILT_IN
from index.highlight import sought_in
from query.aside import shown
from query.fields import FIELDS
from query.text import stems
from query.tree import All, And, Between, Equals, Has, Near, Node, Not, Or, Phrase, Prefix, StartsWith, Word
from stream.ports import AccessScope

Body: TypeAlias = dict[str, Any]

NOTHING: Body = {"match_none": {}}

PARSED = 20
"""Levels of a query that are sent as they are. Elasticsearch takes 30 of one piece, so what lies deeper goes in a piece
of its own (a `wrapper` query), which is parsed apart."""
DEEPEST = 60
"""Levels in all; what a person can type has fewer."""
RANKED_BY = 60
"""Words of a query that the order by relevance looks at."""
STEM_WEIGHT = 0.5
"""How much a match of a stem counts beside one of the word as it was written."""


def read(query: Node, scope: AccessScope, *, builtin: bool = False) -> Body:
    """What `query` means to somebody who may see `scope`; what is set aside is left out unless it asks for that.

    `builtin`: a word is found as well where the cluster's own analysers give it a stem of the text; then more mentions
    may be meant than by the other readings. Raises ValueError for a field that does not exist, and for a query that
    nests deeper than DEEPEST.
    """
    return {"bool": {"filter": [{"term": {"live": True}}, *visible(scope), _read(shown(query), 1, builtin)]}}


def ranked(query: Node, meant: Body) -> Body:
    """`meant`, scored by how much of the words of `query` stand in a text."""
    looked_for = [_scored(node) for node in itertools.islice(sought_in(query), RANKED_BY)]
    return {"bool": {"filter": [meant], "should": looked_for}} if looked_for else meant


def visible(scope: AccessScope) -> list[Body]:
    """What may be seen; empty where that is all."""
    parts = (("f.brand", scope.brands), ("f.queue", scope.queues), ("access", scope.access))
    return [_one_of(field, sorted(allowed)) for field, allowed in parts if allowed is not None]


def _read(node: Node, level: int, builtin: bool) -> Body:
    if level > DEEPEST:
        raise ValueError("cannot search: the query nests too deeply: make two of it")
    if level % PARSED == 0 and isinstance(node, And | Or | Not):
        return _piece(_read_here(node, level, builtin))
    return _read_here(node, level, builtin)


def _read_here(node: Node, level: int, builtin: bool) -> Body:
    match node:
        case All():
            return {"match_all": {}}
        case And(parts):
            return (
                {"bool": {"filter": [_read(part, level + 1, builtin) for part in parts]}}
                if parts
                else {"match_all": {}}
            )
        case Or(parts):
            return _some(parts, level, builtin)
        case Not(part):
            return {"bool": {"must_not": [_read(part, level + 1, builtin)]}}
        case Word(surface):
            return _any(_words([surface], builtin))
        case Phrase(surfaces):
            return _phrase(surfaces)
        case Near():
            return _near(node)
        case Prefix(start):
            return {"prefix": {"text": {"value": _sent(start)}}}
        case Equals(field, value):
            return _equals(field, value)
        case StartsWith(field, start):
            return {"prefix": {_of(field): {"value": _sent(start)}}} if _kind(field) == "keyword" else NOTHING
        case Between():
            return _between(node)
        case Has(field):
            return {"exists": {"field": _of(field)}}


def _some(parts: Sequence[Node], level: int, builtin: bool) -> Body:
    """Words are answered by one look at the stems, values of a keyword field by one look at the field."""
    wanted: list[str] = []
    fields: dict[str, list[str]] = {}
    rest: list[Body] = []
    for part in parts:
        if isinstance(part, Word):
            wanted.append(part.surface)
        elif isinstance(part, Equals) and isinstance(part.value, str) and _kind(part.field) == "keyword":
            fields.setdefault(part.field, []).append(part.value)
        else:
            rest.append(_read(part, level + 1, builtin))
    looks = [_one_of(_of(field), values) for field, values in fields.items()] + rest
    return _any(looks + (_words(wanted, builtin) if wanted else []))


def _words(surfaces: Sequence[str], builtin: bool) -> list[Body]:
    """Looks of which one has to find one of the words."""
    looks = [_one_of("stems", [stem for surface in surfaces for stem in stems(surface)])]
    plain = " ".join(_sent(surface) for surface in surfaces if surface.isalpha())
    if builtin and plain:
        looks += [{"match": {field: {"query": plain}}} for field in BUILT_IN]
    return looks


def _any(looks: Sequence[Body]) -> Body:
    if not looks:
        return NOTHING
    return looks[0] if len(looks) == 1 else {"bool": {"should": list(looks), "minimum_should_match": 1}}


def _piece(body: Body) -> Body:
    return {"wrapper": {"query": base64.b64encode(msgspec.json.encode(body)).decode()}}


def _phrase(surfaces: tuple[str, ...]) -> Body:
    if not surfaces:
        return NOTHING
    if len(surfaces) == 1:
        return {"term": {"text": {"value": _sent(surfaces[0])}}}
    return {"match_phrase": {"text": {"query": _sent(" ".join(surfaces))}}}


def _near(node: Near) -> Body:
    """In any order; of a word near itself two must be there, which only the ordered form of Lucene's spans asks for."""
    clauses = [{"span_term": {"text": {"value": _sent(surface)}}} for surface in (node.left, node.right)]
    return {"span_near": {"clauses": clauses, "slop": node.distance, "in_order": node.left == node.right}}


def _equals(field: str, value: str | float | bool) -> Body:
    kind = _kind(field)
    if kind == "keyword":
        return {"term": {_of(field): {"value": cut(_sent(value))}}} if isinstance(value, str) else NOTHING
    if isinstance(value, str) or not math.isfinite(value) or value != int(value) or abs(value) > LARGEST:
        return NOTHING
    if kind == "flag":
        return {"term": {_of(field): {"value": bool(value)}}} if value in (0, 1) else NOTHING
    return {"term": {_of(field): {"value": int(value)}}}


def _between(node: Between) -> Body:
    """Bounds as whole numbers that are in, since all values are whole."""
    if _kind(node.field) not in ("number", "time"):
        return NOTHING
    bounds: dict[str, int] = {}
    if node.low is not None:
        bounds["gte"] = _whole(node.low, up=True, beyond=not node.with_low)
    if node.high is not None:
        bounds["lte"] = _whole(node.high, up=False, beyond=not node.with_high)
    if not bounds:
        return {"exists": {"field": _of(node.field)}}
    if bounds.get("gte", -LARGEST) > bounds.get("lte", LARGEST):
        return NOTHING
    return {"range": {_of(node.field): bounds}}


def _whole(bound: float, *, up: bool, beyond: bool) -> int:
    """The first whole number at the bound (or, where `beyond`, past it) in the direction that is in."""
    bound = max(-float(2**62), min(float(2**62), bound))
    if up:
        return math.floor(bound) + 1 if beyond else math.ceil(bound)
    return math.ceil(bound) - 1 if beyond else math.floor(bound)


def _scored(node: Word | Phrase | Near | Prefix) -> Body:
    if not isinstance(node, Word):
        return _read_here(node, 1, builtin=False)
    found: list[Body] = [{"term": {"text": {"value": _sent(node.surface)}}}]
    found += [{"term": {"stems": {"value": _sent(stem), "boost": STEM_WEIGHT}}} for stem in stems(node.surface)]
    return {"dis_max": {"queries": found, "tie_breaker": 0.3}}


def _one_of(field: str, values: Sequence[str]) -> Body:
    kept = list(dict.fromkeys(cut(_sent(value)) for value in values))
    return {"terms": {field: kept}} if kept else NOTHING


def _kind(field: str) -> str:
    if field not in FIELDS:
        raise ValueError(f"a query asks for the field {field!r}: there is none of that name in query/fields.py")
    return FIELDS[field].kind


def _of(field: str) -> str:
    _kind(field)
    return f"f.{field}"


def _sent(text: str) -> str:
    """As it can be sent: a lone surrogate stands in no document, and would break the request."""
    return text.encode(errors="replace").decode()
