"""Counts per minute and hour, kept in the transaction that changes the mentions they count.

A minute counts by brand, access label and queue; an hour also by the values of one of FIELDS at a time (field and
value empty: all). They answer queries that ask for brands, queues and one of FIELDS, over any stretch of time.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from index.terms import label, values
from query.tree import All, And, Equals, Node, Or
from stream.clock import HOUR, MINUTE
from stream.ports import AccessScope
from stream.records import Millis

FIELDS = ("network", "lang", "sentiment", "reputation", "intent")
KEYS = ("brand", "queue")
REMEMBERED = 50_000


class Contribution(NamedTuple):
    """What a live mention is counted under: its minute, and those of its profiles that FIELDS and KEYS stand in."""

    minute: Millis
    came: str
    reads: str
    ruled: str


class Wanted(NamedTuple):
    """What the rollups are asked for: allowed values by field; a field that is not named allows all."""

    allowed: Mapping[str, frozenset[str]]
    access: frozenset[str] | None

    @property
    def field(self) -> str:
        """The one of FIELDS that is asked for; empty: none."""
        return next((field for field in FIELDS if field in self.allowed), "")


def wanted(query: Node, scope: AccessScope) -> Wanted | None:
    """`query` (without its bounds on time) as the rollups understand it; None where they cannot answer it."""
    allowed: dict[str, frozenset[str]] = {}
    if scope.brands is not None:
        allowed["brand"] = scope.brands
    if scope.queues is not None:
        allowed["queue"] = scope.queues
    for part in _parts(query):
        found = _alternatives(part)
        if found is None:
            return None
        field, choice = found
        allowed[field] = allowed[field] & choice if field in allowed else choice
    if sum(field in FIELDS for field in allowed) > 1:
        return None
    return Wanted(allowed, scope.access)


class _Kept(NamedTuple):
    """What a profile tells the rollups, as numbers of words."""

    brand: int
    access: int
    queue: int
    pairs: tuple[tuple[int, int], ...]
    """(field, value) of each row of an hour."""


_MINUTE = (
    "INSERT INTO minute (at, brand, access, queue, count) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET count = count + excluded.count"
)
_HOUR = (
    "INSERT INTO hour (field, at, brand, value, access, queue, count) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET count = count + excluded.count"
)


class Rollups:
    """The writer's side."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[str, int] = {}
        self._profiles: dict[str, _Kept] = {}

    def add(self, changes: Counter[Contribution]) -> None:
        """Count these in (or, where negative, out); inside the transaction that changes the mentions."""
        minutes: dict[tuple[int, ...], int] = defaultdict(int)
        hours: dict[tuple[int, ...], int] = defaultdict(int)
        for (minute, came, reads, ruled), count in changes.items():
            brand, access, _, pairs = self._kept(came)
            queue = self._kept(ruled).queue
            at = minute - minute % HOUR
            minutes[minute, brand, access, queue] += count
            for field, value in pairs + self._kept(reads).pairs:
                hours[field, at, brand, value, access, queue] += count
        self._connection.executemany(_MINUTE, sorted([(*key, count) for key, count in minutes.items() if count]))
        self._connection.executemany(_HOUR, sorted([(*key, count) for key, count in hours.items() if count]))

    def forget(self) -> None:
        """After a rollback: the numbers of words made in it are not there."""
        self._numbers.clear()
        self._profiles.clear()

    def _kept(self, profile: str) -> _Kept:
        found = self._profiles.get(profile)
        if found is None:
            if len(self._profiles) >= REMEMBERED:
                self._profiles.clear()
            found = self._profiles[profile] = self._numbered(profile)
        return found

    def _numbered(self, profile: str) -> _Kept:
        told = dict(values(profile))
        brand = self._number(told.get("brand", ""))
        pairs = [(self._number(field), self._number(told[field])) for field in FIELDS if field in told]
        if "state" in told:
            # Of the profiles the one that every mention has: it counts under no field as well.
            pairs.append((self._number(""), self._number("")))
        return _Kept(brand, self._number(label(profile)), self._number(told.get("queue", "")), tuple(pairs))

    def _number(self, text: str) -> int:
        known = self._numbers.get(text)
        if known is None:
            self._connection.execute("INSERT INTO word (text) VALUES (?) ON CONFLICT DO NOTHING", (text,))
            known = self._connection.execute("SELECT id FROM word WHERE text = ?", (text,)).fetchone()[0]
            if len(self._numbers) >= REMEMBERED:
                self._numbers.clear()
            self._numbers[text] = known
        return known


def counts(
    connection: sqlite3.Connection, wanted: Wanted, unit: Millis, low: Millis, high: Millis
) -> Iterator[tuple[Millis, int]]:
    """(start, count) of each minute or hour (`unit`) in [low, high) that has any; both bounds on whole units."""
    if unit == MINUTE:
        table, where, given = "minute", [], []
    else:
        table, where, given = "hour", ["field = (SELECT id FROM word WHERE text = ?)"], [wanted.field]
        chosen = wanted.allowed.get(wanted.field, frozenset({""}))
        _choose(where, given, "value", chosen)
    _within(where, given, wanted, low, high)
    yield from connection.execute(
        f"SELECT at, sum(count) FROM {table} WHERE {' AND '.join(where)} GROUP BY at HAVING sum(count) > 0", given
    )


def facet(
    connection: sqlite3.Connection, wanted: Wanted, field: str, low: Millis, high: Millis
) -> list[tuple[str, int]]:
    """(value, count) over the whole hours in [low, high), of one of FIELDS or KEYS; `wanted.field` is empty or it."""
    over = field if field in FIELDS else wanted.field
    where, given = ["field = (SELECT id FROM word WHERE text = ?)"], [over]
    if over in wanted.allowed or not over:
        _choose(where, given, "value", wanted.allowed.get(over, frozenset({""})))
    _within(where, given, wanted, low, high)
    shown = "value" if field in FIELDS else field
    found = connection.execute(
        f"SELECT w.text, sum(count) FROM hour JOIN word w ON w.id = {shown} WHERE {' AND '.join(where)} "
        "GROUP BY w.text HAVING sum(count) > 0",
        given,
    )
    return [(text, count) for text, count in found if text]


def _within(where: list[str], given: list[Any], wanted: Wanted, low: Millis, high: Millis) -> None:
    for field in KEYS:
        if field in wanted.allowed:
            _choose(where, given, field, wanted.allowed[field])
    if wanted.access is not None:
        _choose(where, given, "access", wanted.access)
    where.append("at >= ? AND at < ?")
    given += [low, high]


def _choose(where: list[str], given: list[Any], column: str, texts: frozenset[str]) -> None:
    places = ", ".join("?" * len(texts))
    where.append(f"{column} IN (SELECT id FROM word WHERE text IN ({places}))")
    given += sorted(texts)


def _parts(query: Node) -> Iterator[Node]:
    if isinstance(query, And):
        for part in query.parts:
            yield from _parts(part)
    elif not isinstance(query, All):
        yield query


def _alternatives(node: Node) -> tuple[str, frozenset[str]] | None:
    fields, choice = set(), set()
    for part in node.parts if isinstance(node, Or) else (node,):
        if not isinstance(part, Equals) or not isinstance(part.value, str):
            return None
        fields.add(part.field)
        choice.add(part.value)
    if len(fields) != 1 or not fields <= {*KEYS, *FIELDS}:
        return None
    return fields.pop(), frozenset(choice)
