"""Counts, facets and histograms: exact, estimated from a sample, or from the rollups; each over one connection."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from index import rollups
from index.body import unpacked
from index.schema import first_number
from index.search import statement, tighter
from index.sql import Reading, sampled
from index.terms import GROUPS, SAMPLE_RATE, values
from query.document import Document
from stream.clock import HOUR
from stream.ports import Bucket, Count, Facet, Histogram
from stream.records import Millis

Span: TypeAlias = tuple[Millis | None, Millis | None]
"""[low, high); None: open."""

EXACT_BELOW = 20_000
"""Hits up to which facets and histograms, and counts that may be estimated, are exact."""
READ_BODIES = 4_000
"""Facets over values that few mentions share read so many mentions, unless they are to be exact."""
ALWAYS: Millis = (1 << 60) // HOUR * HOUR
MAX_BUCKETS = 20_000


def count(connection: sqlite3.Connection, reading: Reading, *, exact: bool) -> Count:
    """Exact, or above EXACT_BELOW estimated from one mention in SAMPLE_RATE."""
    if exact:
        return Count(_count(connection, reading))
    some = _count(connection, reading, at_most=EXACT_BELOW + 1)
    if some <= EXACT_BELOW:
        return Count(some)
    estimate = SAMPLE_RATE * _count(connection, sampled(reading))
    return Count(max(some, estimate), estimated=True)


def facets(
    connection: sqlite3.Connection, reading: Reading, fields: Sequence[str], size: int, *, exact: bool
) -> list[Facet]:
    """The `size` commonest values of each field. `fields` are names of the registry whose values can be counted."""
    estimated = not exact and _count(connection, reading, at_most=EXACT_BELOW + 1) > EXACT_BELOW
    if estimated:
        reading = sampled(reading)
    factor = SAMPLE_RATE if estimated else 1
    counted = _profiled(connection, reading, [field for field in fields if _group(field)])
    counted |= _risks(connection, reading) if "risk" in fields else {}
    rare = [field for field in fields if field not in counted]
    read, whole = _from_bodies(connection, reading, rare, None if exact else READ_BODIES)
    counted |= read
    return [
        Facet(
            field,
            tuple((value, number * factor) for value, number in commonest(counted[field], size)),
            estimated or (field in rare and not whole),
        )
        for field in fields
    ]


def histogram(connection: sqlite3.Connection, reading: Reading, interval: Millis, *, exact: bool) -> Histogram:
    """Mentions per interval, from the epoch's start on; intervals without any are left out."""
    estimated = not exact and _count(connection, reading, at_most=EXACT_BELOW + 1) > EXACT_BELOW
    found = _per_interval(connection, sampled(reading) if estimated else reading, interval)
    factor = SAMPLE_RATE if estimated else 1
    return Histogram(interval, tuple(Bucket(start, number * factor) for start, number in found), estimated)


def rolled_up(
    connection: sqlite3.Connection, wanted: rollups.Wanted, reading: Reading, span: Span, unit: Millis, drift: Millis
) -> Counter[Millis]:
    """Exact mentions per `unit` (a minute or an hour) within `span`, from the rollups; the ragged ends are counted."""
    whole, ends = _cut(span, unit)
    found: Counter[Millis] = Counter()
    if whole is not None:
        found.update(dict(rollups.counts(connection, wanted, unit, *whole)))
    for end in ends:
        found.update(dict(_per_interval(connection, _narrowed(reading, end, drift), unit)))
    return found


def rolled_facets(
    connection: sqlite3.Connection,
    wanted: rollups.Wanted,
    reading: Reading,
    span: Span,
    fields: Sequence[str],
    drift: Millis,
) -> dict[str, Counter[str]]:
    """Exact counts of the values of fields that the rollups are kept by; the ragged ends are counted."""
    whole, ends = _cut(span, HOUR)
    found: dict[str, Counter[str]] = {field: Counter() for field in fields}
    if whole is not None:
        for field in fields:
            found[field].update(dict(rollups.facet(connection, wanted, field, *whole)))
    for end in ends:
        for field, counted in _profiled(connection, _narrowed(reading, end, drift), fields).items():
            found[field].update(counted)
    return found


def _cut(span: Span, unit: Millis) -> tuple[tuple[Millis, Millis] | None, list[tuple[Millis, Millis]]]:
    """The whole units within a span, and its ragged ends."""
    low = -ALWAYS if span[0] is None else span[0]
    high = ALWAYS if span[1] is None else span[1]
    if low >= high:
        return None, []
    first, last = -(-low // unit) * unit, high // unit * unit
    if first >= last:
        return None, [(low, high)]
    return (first, last), [end for end in ((low, first), (last, high)) if end[0] < end[1]]


def _narrowed(reading: Reading, span: tuple[Millis, Millis], drift: Millis) -> Reading:
    low, high = tighter(reading, (first_number(span[0]), first_number(span[1] + drift)))
    if not drift:
        return reading._replace(low=low, high=high)
    condition = "m.created >= ? AND m.created < ?"
    where = f"({reading.where}) AND {condition}" if reading.where else condition
    return reading._replace(where=where, values=(*reading.values, *span), low=low, high=high)


def _count(connection: sqlite3.Connection, reading: Reading, at_most: int | None = None) -> int:
    if at_most is None:
        select, given = statement(reading, "count(*)")
    else:
        inner, given = statement(reading, "1")
        select = f"SELECT count(*) FROM ({inner} LIMIT ?)"
        given.append(at_most)
    found: int = connection.execute(select, given).fetchone()[0]
    return found


def _per_interval(connection: sqlite3.Connection, reading: Reading, interval: Millis) -> list[tuple[Millis, int]]:
    start = "m.created - ((m.created % ?) + ?) % ?"
    select, given = statement(reading, f"{start}, count(*)", rows=True)
    return connection.execute(
        f"{select} GROUP BY 1 ORDER BY 1 LIMIT ?", [interval, interval, interval, *given, MAX_BUCKETS]
    ).fetchall()


def _group(field: str) -> str | None:
    """The column of `mention` that names the profile which holds this field."""
    return next((group for group, fields in GROUPS.items() if field in fields), None)


def _profiled(connection: sqlite3.Connection, reading: Reading, fields: Sequence[str]) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = {field: Counter() for field in fields}
    for group in dict.fromkeys(_group(field) for field in fields):
        select, given = statement(reading, f"m.{group} AS profile, count(*) AS number", rows=True)
        rows = connection.execute(
            f"SELECT p.tokens, f.number FROM ({select} GROUP BY 1) f JOIN profile p ON p.id = f.profile", given
        )
        for tokens, number in rows:
            for field, value in values(tokens):
                if field in counted:
                    counted[field][value] += number
    return counted


def _risks(connection: sqlite3.Connection, reading: Reading) -> dict[str, Counter[str]]:
    select, given = statement(reading, "m.risk / 10 * 10, count(*)", rows=True)
    found = connection.execute(f"{select} GROUP BY 1", given)
    return {"risk": Counter({f"{low}..{low + 9}": number for low, number in found if low is not None})}


def _from_bodies(
    connection: sqlite3.Connection, reading: Reading, fields: Sequence[str], most: int | None
) -> tuple[dict[str, Counter[str]], bool]:
    """Counts over the newest `most` hits, or over all; and whether these are all."""
    counted: dict[str, Counter[str]] = {field: Counter() for field in fields}
    if not fields:
        return counted, True
    select, given = statement(reading, "{n}")
    n = "h.rowid" if reading.match else "m.n"
    read = 0
    rows = connection.execute(
        f"SELECT record FROM body WHERE n IN ({select} ORDER BY {n} DESC LIMIT ?)",
        [*given, -1 if most is None else most],
    )
    for (record,) in rows:
        read += 1
        document = Document(unpacked(record))
        for field in fields:
            counted[field].update(_shown(document, field))
    return counted, most is None or read < most


def _shown(document: Document, field: str) -> Iterator[str]:
    value = document.value(field)
    if isinstance(value, tuple):
        yield from value[:1] if field in ("author", "id") else value
    elif value is not None:
        yield str(int(value))


def commonest(counted: Counter[str], size: int) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:size]
