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


class _Part(NamedTuple):
    leaf: Node
    holds: bool


_Way: TypeAlias = tuple[_Part, ...]


def impossible(node: Node) -> tuple[Node, Node] | None:
    """Two parts of the query that exclude one another, where that is so in every way to match it; else None.

    None is no promise that something can match.
    """
    return Ways(node).clash


class Ways:
    """All ways to match a query, to be held against many others."""

    def __init__(self, node: Node) -> None:
        ways = _ways(node, True)
        clashes = [_clash(way) for way in ways or ()]
        self.clash = clashes[0] if clashes and all(clashes) else None
        """As `impossible` gives it."""
        self._told = bool(ways)
        open_ways = [way for way, clash in zip(ways or (), clashes, strict=True) if clash is None]
        bit = {part: 1 << n for n, part in enumerate(dict.fromkeys(part for way in open_ways for part in way))}
        self._masks = [sum({bit[part] for part in way}) for way in open_ways]
        self._by_key: dict[str, dict[_Part, int]] = {}
        for part, one in bit.items():
            for key in _keys(part.leaf):
                self._by_key.setdefault(key, {})[part] = one

    def imply(self, other: Node) -> bool:
        """Whether whatever answers the query answers `other` as well, as far as two parts side by side show it.
        False is no promise that something answers the query alone."""
        if isinstance(other, All):
            return True
        sure: dict[tuple[Node, bool], int] = {}
        return self._told and all(self._sure(other, True, way, sure) for way in self._masks)

    def covered(self, others: Sequence[Node]) -> list[int]:
        """Places of those of the others that together answer whatever answers the query, as far as the parts of each
        way to match it make sure of one of them; empty where that does not show, and where nothing can match."""
        sure: dict[tuple[Node, bool], int] = {}
        found: set[int] = set()
        for way in self._masks:
            place = next((n for n, other in enumerate(others) if self._sure(other, True, way, sure)), None)
            if place is None:
                return []
            found.add(place)
        return sorted(found)

    def _sure(self, node: Node, holds: bool, way: int, sure: dict[tuple[Node, bool], int]) -> bool:
        """Whether the parts of a way make sure that a query holds, or that it does not. `sure` is filled: bits of the
        parts that do so for a leaf."""
        match node:
            case All():
                return holds
            case Not(part):
                return self._sure(part, not holds, way, sure)
            case And(parts) | Or(parts):
                some = all if isinstance(node, And) == holds else any
                return some(self._sure(part, holds, way, sure) for part in parts)
        forcing = sure.get((node, holds))
        if forcing is None:
            near = [self._by_key.get(key, {}) for key in _keys(node)]
            found = {one for parts in near for part, one in parts.items() if _forces(part, node, holds)}
            forcing = sure[node, holds] = sum(found)
        return bool(forcing & way)


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
                if ways is None or (len(found) * len(ways) if together else len(found) + len(ways)) > MOST_WAYS:
                    return None
                found = [a + b for a in found for b in ways] if together else found + ways
            return found
        case _:
            return [(_Part(node, holds),)]


def _keys(leaf: Node) -> tuple[str, ...]:
    """Of two leaves that have none in common, neither makes sure of the other."""
    if (field := field_of(leaf)) is not None:
        return (f"{field}:",)
    match leaf:
        case Word(surface):
            return stems(surface)
        case Phrase() | Near():
            return ("*", *{key for surface in _surfaces(leaf) for key in (surface, *stems(surface))})
        case Prefix():
            return ("*",)
    return ()


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
