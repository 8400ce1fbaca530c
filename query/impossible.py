"""Queries that nothing can match, as far as two of their parts side by side show it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

from query.fields import FIELDS
from query.text import stems
from query.tree import (
    All,
    And,
    Between,
    Equals,
    Has,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    StartsWith,
    Word,
    field_of,
)  # fmt: skip

MOST_WAYS = 256
"""Ways to match a query that are looked at; of a query that has more, nothing is said."""


def implies(one: Node, other: Node) -> bool:
    """Whether whatever answers `one` answers `other` as well, as far as two parts side by side show it. False is no
    promise that something answers the first alone."""
    return isinstance(other, All) or impossible(And((one, Not(other)))) is not None


def covered(one: Node, others: Sequence[Node]) -> list[int]:
    """Places of those of the others that together answer whatever answers `one`, as far as the parts of each way to
    match it make sure of one of them; empty where that does not show, and for a query that nothing can match."""
    ways = _ways(one, True)
    found: set[int] = set()
    for way in ways or ():
        if _clash(way):
            continue
        place = next((n for n, other in enumerate(others) if _sure(other, True, way)), None)
        if place is None:
            return []
        found.add(place)
    return sorted(found)


class _Part(NamedTuple):
    leaf: Node
    holds: bool


_Way: TypeAlias = tuple[_Part, ...]


def impossible(node: Node) -> tuple[Node, Node] | None:
    """Two parts of the query that exclude one another, where that is so in every way to match it; else None.

    None is no promise that something can match.
    """
    ways = _ways(node, True)
    if ways is None:
        return None
    clashes = [_clash(way) for way in ways]
    return clashes[0] if clashes and all(clashes) else None


def _ways(node: Node, holds: bool) -> list[_Way] | None:
    """Each set of parts that makes the query true together; None where there are more than MOST_WAYS."""
    match node:
        case Not(part):
            return _ways(part, not holds)
        case And(parts) | Or(parts):
            of_parts = [_ways(part, holds) for part in parts]
            together = isinstance(node, And) == holds
            found: list[_Way] = [()] if together else []
            for ways in of_parts:
                if ways is None:
                    return None
                found = [a + b for a in found for b in ways] if together else found + ways
                if len(found) > MOST_WAYS:
                    return None
            return found
        case _:
            return [(_Part(node, holds),)]


def _sure(node: Node, holds: bool, way: _Way) -> bool:
    """Whether the parts of a way make sure that a query holds, or that it does not."""
    match node:
        case All():
            return holds
        case Not(part):
            return _sure(part, not holds, way)
        case And(parts) | Or(parts):
            some = all if isinstance(node, And) == holds else any
            return some(_sure(part, holds, way) for part in parts)
        case _:
            return any(_forces(part, node, holds) for part in way)


def _forces(part: _Part, leaf: Node, holds: bool) -> bool:
    if holds:
        return part.holds and _implies(part.leaf, leaf)
    return _apart(part.leaf, leaf) if part.holds else _implies(leaf, part.leaf)


def _clash(way: _Way) -> tuple[Node, Node] | None:
    for one, other in combinations(way, 2):
        if _exclude(one, other):
            return _said(one), _said(other)
    return None


def _said(part: _Part) -> Node:
    return part.leaf if part.holds else Not(part.leaf)


def _exclude(one: _Part, other: _Part) -> bool:
    if one.holds and other.holds:
        return _apart(one.leaf, other.leaf)
    if one.holds != other.holds:
        true, false = (one.leaf, other.leaf) if one.holds else (other.leaf, one.leaf)
        return _implies(true, false)
    return False


def _apart(one: Node, other: Node) -> bool:
    """Whether no value of their field answers both."""
    field = field_of(one)
    if field is None or field != field_of(other) or FIELDS[field].many or field == "site":
        return False
    if (left := _span(one)) is not None and (right := _span(other)) is not None:
        return _before(left, right) or _before(right, left)
    match one, other:
        case Equals(_, str(value)), Equals(_, str(second)):
            return value != second
        case Equals(_, str(value)), StartsWith(_, start):
            return not value.startswith(start)
        case StartsWith(), Equals():
            return _apart(other, one)
        case StartsWith(_, start), StartsWith(_, second):
            return not (start.startswith(second) or second.startswith(start))
        case Equals(_, bool(flag)), Equals(_, bool(second_flag)):
            return flag != second_flag
    return False


def _implies(true: Node, other: Node) -> bool:
    """Whether whatever answers `true` answers `other` too."""
    if true == other or isinstance(other, All):
        return True
    if isinstance(other, Has):
        return field_of(true) == other.field
    if isinstance(other, StartsWith):
        return field_of(true) == other.field and _begins(true, other.start)
    if isinstance(other, Word | Phrase | Near | Prefix):
        return _reads(true, other)
    if field_of(true) != field_of(other) or (inner := _span(true)) is None or (outer := _span(other)) is None:
        return False
    (low, with_low), (high, with_high) = inner
    (least, with_least), (most, with_most) = outer
    return (low > least or (low == least and (with_least or not with_low))) and (
        high < most or (high == most and (with_most or not with_high))
    )


def _begins(leaf: Node, start: str) -> bool:
    """Whether the keyword that it asks for starts so."""
    match leaf:
        case Equals(_, str(value)) | StartsWith(_, value):
            return value.startswith(start)
    return False


def _reads(true: Node, other: Node) -> bool:
    """Whether the words that `true` asks for answer `other` as well."""
    surfaces = _surfaces(true)
    match other:
        case Word(surface):
            wanted = set(stems(surface))
            return any(wanted & set(stems(one)) for one in surfaces) or (
                isinstance(true, Word) and set(stems(true.surface)) <= wanted
            )
        case Phrase(run):
            whole = surfaces if isinstance(true, Phrase) else ()
            return any(whole[at : at + len(run)] == run for at in range(len(whole) - len(run) + 1))
        case Prefix(start):
            return any(one.startswith(start) for one in surfaces) or (
                isinstance(true, Prefix) and true.start.startswith(start)
            )
        case Near(left, right, distance) if isinstance(true, Near):
            return {true.left, true.right} == {left, right} and true.distance <= distance
        case Near(left, right, distance):
            places = [(at, one) for at, one in enumerate(surfaces) if one in (left, right)]
            return any(a != b and abs(n - m) - 1 <= distance for (n, a), (m, b) in combinations(places, 2))
    return False


def _surfaces(leaf: Node) -> tuple[str, ...]:
    """Tokens that stand in the text as they are."""
    match leaf:
        case Phrase(run):
            return run
        case Near(left, right, _):
            return (left, right)
    return ()


_End: TypeAlias = tuple[float, bool]
"""(value, whether it belongs to the span)"""


def _span(leaf: Node) -> tuple[_End, _End] | None:
    match leaf:
        case Between(_, low, high, with_low, with_high):
            return (
                (low, with_low) if low is not None else (float("-inf"), False),
                (high, with_high) if high is not None else (float("inf"), False),
            )
        case Equals(_, value) if not isinstance(value, (str, bool)):
            return (float(value), True), (float(value), True)
    return None


def _before(one: tuple[_End, _End], other: tuple[_End, _End]) -> bool:
    (end, with_end), (start, with_start) = one[1], other[0]
    return end < start or (end == start and not (with_end and with_start))
