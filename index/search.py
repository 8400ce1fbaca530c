"""Pages of mentions in their order, over one connection; what a scope hides is part of every statement."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

from index.body import unpacked
from index.cursor import Cursor
from index.sql import Expression, Reading
from index.terms import tenth
from stream.records import Mention

Order: TypeAlias = Literal["newest", "oldest", "risk", "relevance"]
ORDERS: tuple[str, ...] = get_args(Order)
Row: TypeAlias = tuple[int, Cursor]
"""Number of a mention, and the cursor that goes on after it."""

RANKED = 10_000
"""The order by relevance ranks so many of the newest hits."""

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
    low, high = tighter(reading, limits)
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


def bodies(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Mention]:
    places = ", ".join("?" * len(numbers))
    found = connection.execute(f"SELECT n, record FROM body WHERE n IN ({places})", list(numbers))
    return {n: unpacked(record) for n, record in found}


def tighter(reading: Reading, limits: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    lows = [bound for bound in (reading.low, limits[0]) if bound is not None]
    highs = [bound for bound in (reading.high, limits[1]) if bound is not None]
    return max(lows, default=None), min(highs, default=None)


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
