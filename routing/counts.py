"""Mentions per minute: folding the routers' deltas, and reading sums over both.

Routers append deltas, one compactor folds them into `count_minute`; every read adds the two, so that a number is right
at any moment between.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, Engine

from database.engine import delete_numbered, many, read, rows, write
from stream.records import Millis

MINUTE: Millis = 60_000
MINUTES_A_DAY = 1_440
FOLDED_AT_ONCE = 2_000

Dimension: TypeAlias = Literal["network", "intent", "queue"]


class Counted(NamedTuple):
    """Sums over mentions. `risk` is the sum of scores; `own` counts the brand's own posts, which count nowhere else."""

    mentions: int = 0
    negative: int = 0
    positive: int = 0
    detractors: int = 0
    severe: int = 0
    risk: int = 0
    own: int = 0


class Minute(NamedTuple):
    start: Millis
    counted: Counted


def fold(engine: Engine, *, most: int = FOLDED_AT_ONCE) -> int:
    """Fold up to `most` deltas into their minutes; how many were. Several processes may: one waits for the other."""
    with read(engine) as connection:
        if not rows(connection, "SELECT 1 FROM count_delta LIMIT 1"):
            return 0
    with write(engine) as connection:
        return _fold(connection, most)


def minutes(connection: Connection, brand: str, since: Millis, until: Millis) -> list[Minute]:
    """Per minute of event time in [since, until), minutes without anything left out."""
    sql = f"SELECT minute, {_SUMS} FROM {_both()} GROUP BY minute ORDER BY minute"
    found = rows(connection, sql, _bounds(brand, since, until) * 2)
    return [Minute(minute * MINUTE, Counted(*sums)) for minute, *sums in found if any(sums)]


def totals(connection: Connection, brand: str, since: Millis, until: Millis) -> Counted:
    """Sums over [since, until), in whole minutes."""
    found = rows(connection, f"SELECT {_SUMS} FROM {_both()}", _bounds(brand, since, until) * 2)
    return Counted(*[value or 0 for value in found[0]])


def by(connection: Connection, brand: str, since: Millis, until: Millis, dimension: Dimension) -> dict[str, Counted]:
    """Sums per network, intent or queue, the largest first."""
    sql = f"SELECT {dimension}, {_SUMS} FROM {_both(dimension)} GROUP BY {dimension} ORDER BY 2 DESC"
    found = rows(connection, sql, _bounds(brand, since, until) * 2)
    names = {} if dimension == "queue" else dict(rows(connection, "SELECT n, value FROM dictionary"))
    return {str(names.get(key, key)): Counted(*sums) for key, *sums in found if any(sums)}


def _fold(connection: Connection, most: int) -> int:
    picked = rows(connection, f"SELECT n, {_KEY}, {_VALUES} FROM count_delta ORDER BY n LIMIT ?", (most,))
    sums: dict[tuple[Any, ...], list[int]] = {}
    for _, *row in picked:
        held = sums.setdefault(tuple(row[:5]), [0] * 7)
        for place, value in enumerate(row[5:]):
            held[place] += value
    many(connection, _FOLD, [(*key, *values) for key, values in sums.items()])
    days = Counter[tuple[int, int, int]]()
    for (brand, minute, network, *_), values in sums.items():
        days[minute // MINUTES_A_DAY, brand, network] += values[0]
    many(connection, _FOLD_DAY, [(*key, mentions) for key, mentions in sorted(days.items()) if mentions])
    delete_numbered(connection, "count_delta", [row[0] for row in picked])
    return len(picked)


def _bounds(brand: str, since: Millis, until: Millis) -> tuple[object, ...]:
    return (brand, since // MINUTE, -(-until // MINUTE))


def _both(*dimensions: str) -> str:
    columns = ", ".join(("minute", *dimensions, _VALUES))
    where = "WHERE brand = (SELECT n FROM dictionary WHERE kind = 'brand' AND value = ?) AND minute >= ? AND minute < ?"
    one, other = (f"SELECT {columns} FROM {table} {where}" for table in ("count_minute", "count_delta"))
    return f"({one} UNION ALL {other}) counted"


_KEY = "brand, minute, network, intent, queue"
_VALUES = "mentions, negative, positive, detractors, severe, risk, own"
_SUMS = ", ".join(f"sum({name})" for name in _VALUES.split(", "))
_FOLD = (
    f"INSERT INTO count_minute ({_KEY}, {_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    f"ON CONFLICT ({_KEY}) DO UPDATE SET "
    + ", ".join(f"{name} = count_minute.{name} + excluded.{name}" for name in _VALUES.split(", "))
)
_FOLD_DAY = (
    "INSERT INTO count_day (day, brand, network, mentions) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (day, brand, network) DO UPDATE SET mentions = count_day.mentions + excluded.mentions"
)
