"""The tree that a query is parsed into. Its three readings (predicate, SQL, Elasticsearch) give the same mentions.

A comparison on a field that a mention does not have is false, and its negation is true.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class _Node(msgspec.Struct, frozen=True, tag=True):
    pass


class All(_Node, frozen=True):
    """The empty query: every mention."""


class And(_Node, frozen=True):
    parts: tuple[Node, ...]


class Or(_Node, frozen=True):
    parts: tuple[Node, ...]


class Not(_Node, frozen=True):
    part: Node


class Word(_Node, frozen=True):
    """A bare word (already a single surface token): matches the Spanish stem, the English stem or the surface."""

    surface: str


class Phrase(_Node, frozen=True):
    """Surface tokens that stand side by side, in this order."""

    surfaces: tuple[str, ...]


class Near(_Node, frozen=True):
    """Two surface tokens in any order with at most `distance` tokens between them."""

    left: str
    right: str
    distance: int


class Prefix(_Node, frozen=True):
    """A surface token that starts so."""

    start: str


class Equals(_Node, frozen=True):
    """A keyword field whose (folded) value, or one of whose values, is this; a number or flag field likewise."""

    field: str
    value: str | float | bool


class StartsWith(_Node, frozen=True):
    """A keyword field whose (folded) value, or one of whose values, starts so."""

    field: str
    start: str


class Between(_Node, frozen=True):
    """A number or time field (milliseconds UTC) within bounds; None is open."""

    field: str
    low: float | None = None
    high: float | None = None
    with_low: bool = True
    with_high: bool = True


class Has(_Node, frozen=True):
    """A field that has a value."""

    field: str


Node: TypeAlias = All | And | Or | Not | Word | Phrase | Near | Prefix | Equals | StartsWith | Between | Has


def field_of(leaf: Node) -> str | None:
    """The field that a comparison asks for; None for words and phrases."""
    return leaf.field if isinstance(leaf, Equals | StartsWith | Between | Has) else None
