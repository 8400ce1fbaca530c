"""Queries that nothing can match, as far as two of their parts side by side show it."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple, TypeAlias

from query.fields import FIELDS
from query.tree import All, And, Between, Equals, Has, Node, Not, Or, StartsWith, field_of

MOST_WAYS = 256
"""Ways to match a query that are looked at; of a query that has more, nothing is said."""


def implies(one: Node, other: Node) -> bool:
    """Whether whatever answers `one` answers `other` as well, as far as two parts side by side show it. False is no
    promise that something answers the first alone."""
    return isinstance(other, All) or impossible(And((one, Not(other)))) is not None


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
    if field_of(true) != field_of(other) or (inner := _span(true)) is None or (outer := _span(other)) is None:
        return False
    (low, with_low), (high, with_high) = inner
    (least, with_least), (most, with_most) = outer
    return (low > least or (low == least and (with_least or not with_low))) and (
        high < most or (high == most and (with_most or not with_high))
    )


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
