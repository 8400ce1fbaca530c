"""Searching, counting, facets and histograms over one connection; what a scope hides is part of every statement."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias, get_args

from index import rollups
from index.body import unpacked
from index.cursor import Cursor
from index.schema import first_number
from index.sql import Expression, Reading, sampled
from index.terms import GROUPS, SAMPLE_RATE, tenth, values
from query.document import Document
from stream.clock import HOUR
from stream.ports import Bucket, Count, Facet, Histogram
from stream.records import Mention, Millis

Order: TypeAlias = Literal["newest", "oldest", "risk", "relevance"]
ORDERS: tuple[str, ...] = get_args(Order)
Span: TypeAlias = tuple[Millis | None, Millis | None]
"""[low, high); None: open."""
Row: TypeAlias = tuple[int, Cursor]
"""Number of a mention, and the cursor that goes on after it."""

EXACT_BELOW = 20_000
"""Hits up to which facets and histograms, and counts that may be estimated, are exact."""
RANKED = 10_000
"""The order by relevance ranks so many of the newest hits."""
READ_BODIES = 4_000
"""Facets over values that few mentions share read so many mentions at most."""
ALWAYS: Millis = (1 << 60) // HOUR * HOUR
MAX_BUCKETS = 20_000

_TENTHS = tuple(f'"{tenth(low)}"' for low in range(100, -1, -10))
_RISK_STEPS: tuple[tuple[float, Expression], ...] = (
    *((low, Expression((tenth,))) for low, tenth in zip(range(100, -1, -10), _TENTHS, strict=True)),
    (-math.inf, Expression(no=_TENTHS)),
)
"""From the highest risks to none at all: the lowest risk of each step, and its mentions."""

# How much a match in each column counts: words as written, stems, facts.
_WEIGHTS = "1.0, 0.5, 0.0"


def statement(
    reading: Reading, shown: str, *, rows: bool = False, limits: tuple[int | None, int | None] = (None, None)
) -> tuple[str, list[Any]]:
    """SELECT `shown` over all that is meant, with `n` as the mention's number and, where `rows`, `m` as its row.

    FTS5 comes first by CROSS JOIN: left to itself the planner may walk the rows and probe FTS5 at each.
    """
    n, source = "m.n", "mention m"
    if reading.match:
        n = "h.rowid"
        source = "hits h CROSS JOIN mention m ON m.n = h.rowid" if rows or reading.where else "hits h"
    low, high = _tighter(reading, limits)
    conditions: list[tuple[str, tuple[Any, ...]]] = []
    if reading.match:
        conditions.append(("hits MATCH ?", (str(reading.match),)))
    if low is not None:
        conditions.append((f"{n} >= ?", (low,)))
    if high is not None:
        conditions.append((f"{n} < ?", (high,)))
    if reading.where:
        conditions.append((f"({reading.where})", reading.values))
    where = " WHERE " + " AND ".join(condition for condition, _ in conditions) if conditions else ""
    given = [value for _, values in conditions for value in values]
    return f"SELECT {shown.replace('{n}', n)} FROM {source}{where}", given


def page(connection: sqlite3.Connection, reading: Reading, order: Order, after: Cursor | None, limit: int) -> list[Row]:
    """Up to `limit` mentions after `after`, in order."""
    if order == "risk":
        return _by_risk(connection, reading, after, limit)
    if order == "relevance" and reading.match:
        return _by_relevance(connection, reading, after, limit)
    newest = order != "oldest"
    bound = None if after is None else after.last
    limits = (None, bound) if newest else (None if bound is None else bound + 1, None)
    select, given = statement(reading, "{n}", limits=limits)
    n = "h.rowid" if reading.match else "m.n"
    found = connection.execute(f"{select} ORDER BY {n} {'DESC' if newest else 'ASC'} LIMIT ?", [*given, limit])
    return [(row[0], Cursor(row[0])) for row in found]


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
    read, whole = _from_bodies(connection, reading, rare)
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


def bodies(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Mention]:
    places = ", ".join("?" * len(numbers))
    found = connection.execute(f"SELECT n, record FROM body WHERE n IN ({places})", list(numbers))
    return {n: unpacked(record) for n, record in found}


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
    low, high = _tighter(reading, (first_number(span[0]), first_number(span[1] + drift)))
    if not drift:
        return reading._replace(low=low, high=high)
    condition = "m.created >= ? AND m.created < ?"
    where = f"({reading.where}) AND {condition}" if reading.where else condition
    return reading._replace(where=where, values=(*reading.values, *span), low=low, high=high)


def _tighter(reading: Reading, limits: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    lows = [bound for bound in (reading.low, limits[0]) if bound is not None]
    highs = [bound for bound in (reading.high, limits[1]) if bound is not None]
    return max(lows, default=None), min(highs, default=None)


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


def _by_risk(connection: sqlite3.Connection, reading: Reading, after: Cursor | None, limit: int) -> list[Row]:
    """One step of ten points after the other, so that no more hits are sorted than are needed; no risk comes last."""
    found: list[Row] = []
    for low, step in _RISK_STEPS:
        if after is not None and low > (-1 if after.risk is None else after.risk):
            continue
        stepped = reading._replace(match=reading.match.also(step))
        select, given = statement(stepped, "{n}, m.risk", rows=True)
        if after is not None:
            select += " AND (coalesce(m.risk, -1), h.rowid) < (?, ?)"
            given += [-1 if after.risk is None else after.risk, after.last]
        rows = connection.execute(f"{select} ORDER BY m.risk DESC, h.rowid DESC LIMIT ?", [*given, limit - len(found)])
        found += [(n, Cursor(n, risk=risk)) for n, risk in rows]
        if len(found) >= limit:
            break
    return found


def _by_relevance(connection: sqlite3.Connection, reading: Reading, after: Cursor | None, limit: int) -> list[Row]:
    """By BM25 among the newest RANKED hits, as they were when the first page was asked for."""
    newest = after.newest if after is not None else None
    select, given = statement(
        reading, f"{{n}} AS n, bm25(hits, {_WEIGHTS}) AS score", limits=(None, None if newest is None else newest + 1)
    )
    rows = connection.execute(
        f"SELECT n FROM ({select} ORDER BY n DESC LIMIT ?) ORDER BY score, n DESC",
        [*given, RANKED],
    ).fetchall()
    if not rows:
        return []
    newest = newest if newest is not None else max(n for (n,) in rows)
    skip = after.skip if after is not None else 0
    shown = rows[skip : skip + limit]
    return [(n, Cursor(n, newest=newest, skip=skip + at)) for at, (n,) in enumerate(shown, 1)]


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
    connection: sqlite3.Connection, reading: Reading, fields: Sequence[str]
) -> tuple[dict[str, Counter[str]], bool]:
    """Counts over the newest READ_BODIES hits; and whether these are all."""
    counted: dict[str, Counter[str]] = {field: Counter() for field in fields}
    if not fields:
        return counted, True
    select, given = statement(reading, "{n}")
    n = "h.rowid" if reading.match else "m.n"
    read = 0
    rows = connection.execute(
        f"SELECT record FROM body WHERE n IN ({select} ORDER BY {n} DESC LIMIT ?)", [*given, READ_BODIES]
    )
    for (record,) in rows:
        read += 1
        document = Document(unpacked(record))
        for field in fields:
            counted[field].update(_shown(document, field))
    return counted, read < READ_BODIES


def _shown(document: Document, field: str) -> Iterator[str]:
    value = document.value(field)
    if isinstance(value, tuple):
        yield from value[:1] if field in ("author", "id") else value
    elif value is not None:
        yield str(int(value))


def commonest(counted: Counter[str], size: int) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:size]
