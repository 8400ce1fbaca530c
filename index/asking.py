"""What was asked for, made ready for every way of answering it: bounds on time apart from the rest, scope applied."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from index import counting, rollups
from index.schema import meta
from index.sql import Reading, apart, bounds, read, without_aside
from index.terms import ASIDE
from query.aside import asks
from query.tree import And, Node
from stream.clock import HOUR, MINUTE
from stream.ports import AccessScope, Bucket, Count, Facet, Histogram
from stream.records import Millis


class Asked(NamedTuple):
    reading: Reading
    wanted: rollups.Wanted | None
    """What the rollups are asked for, where they can answer."""
    span: tuple[Millis | None, Millis | None]
    """[low, high) in time."""
    drift: Millis


def asked(connection: sqlite3.Connection, query: Node, scope: AccessScope) -> Asked:
    drift = meta(connection, "drift")
    assert isinstance(drift, int)
    spans, rest = apart(query)
    reading = read(query, scope, drift=drift)
    if not asks(query) and _some_aside(connection):
        reading = without_aside(reading)
    return Asked(reading, rollups.wanted(And(rest), scope), bounds(spans), drift)


def _some_aside(connection: sqlite3.Connection) -> bool:
    """Whether anything is set aside at all: where nothing is, no query pays for leaving it out."""
    return connection.execute("SELECT 1 FROM hits WHERE hits MATCH ? LIMIT 1", (f'"{ASIDE}"',)).fetchone() is not None


def count(connection: sqlite3.Connection, asked: Asked, *, exact: bool) -> Count:
    """From the rollups where they can answer; else by counting, or estimated from a sample."""
    if asked.wanted is not None:
        return Count(counting.rolled_up(connection, asked.wanted, asked.reading, asked.span, HOUR, asked.drift).total())
    return counting.count(connection, asked.reading, exact=exact)


def histogram(connection: sqlite3.Connection, asked: Asked, interval: Millis, *, exact: bool) -> Histogram:
    """As `count`; intervals start at the epoch's multiples."""
    unit = HOUR if interval % HOUR == 0 else MINUTE
    if asked.wanted is None or interval % unit or (unit == MINUTE and asked.wanted.field):
        return counting.histogram(connection, asked.reading, interval, exact=exact)
    found = counting.rolled_up(connection, asked.wanted, asked.reading, asked.span, unit, asked.drift)
    folded: Counter[Millis] = Counter()
    for start, number in found.items():
        folded[start - start % interval] += number
    return Histogram(interval, tuple(Bucket(start, folded[start]) for start in sorted(folded)))


def facets(
    connection: sqlite3.Connection, asked: Asked, fields: Sequence[str], size: int, *, exact: bool
) -> list[Facet]:
    """As `count`, field by field, in the order asked for."""
    wanted = asked.wanted
    kept = [field for field in fields if wanted is not None and wanted.field in ("", field) and _is_kept(field)]
    found: dict[str, Facet] = {}
    if wanted is not None and kept:
        for field, counted in counting.rolled_facets(
            connection, wanted, asked.reading, asked.span, kept, asked.drift
        ).items():
            found[field] = Facet(field, tuple(counting.commonest(counted, size)))
    rest = [field for field in fields if field not in found]
    if rest:
        found |= {facet.field: facet for facet in counting.facets(connection, asked.reading, rest, size, exact=exact)}
    return [found[field] for field in fields]


def _is_kept(field: str) -> bool:
    return field in rollups.FIELDS or field in rollups.KEYS
