"""Old rows of the ledger: complete ones that touch become one a day, very old ones go.

A source writes a row every few minutes. Once nothing of a day can be fetched again, one row says the same: its span is
theirs, its numbers are their sums. Rows with anything missing stay as they are, and so do those that are known by a
page or a file, which may be given again at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, write
from ingest.coverage import COLUMNS, COUNTS, REPLACE, span_key
from stream.clock import DAY, HOUR
from stream.records import Millis

CHUNK = 1_000
LAST: Millis = HOUR
"""A source that stood still begins again where its cursor was: so much of a lane's end may yet be fetched again."""


def next_day(engine: Engine, since: Millis) -> Millis | None:
    """Beginning of the first UTC day from `since` on that a row ends in; None where there is none."""
    with read(engine) as connection:
        first = rows(connection, "SELECT min(until) FROM coverage WHERE until > ?", (since,))[0][0]
    return None if first is None else int((first - 1) // DAY * DAY)


def thin(engine: Engine, day: Millis) -> int:
    """Merge the complete rows that end within the UTC day beginning at `day`: those of one source and query that touch
    become one. Each source and query is a transaction of its own. How many rows less there are."""
    with read(engine) as connection:
        lanes = [tuple(row) for row in rows(connection, _LANES, (day, day + DAY))]
    return sum(_thin_lane(engine, source_id, query, day) for source_id, query in lanes)


def forget(engine: Engine, before: Millis) -> int:
    """Delete up to CHUNK rows that end before `before`, whatever they say; how many."""
    with write(engine) as connection:
        return many(connection, _OLD, [(before, CHUNK)])


def _thin_lane(engine: Engine, source_id: str, query: str, day: Millis) -> int:
    with write(engine) as connection:
        newest = rows(connection, _NEWEST, (source_id, query))[0][0] or 0
        found = rows(connection, _COMPLETE, (source_id, query, day, min(day + DAY, newest - LAST)))
        ours = [row for row in found if row[_PART] == span_key(row[_SINCE], row[_UNTIL])]
        return sum(_unite(connection, run) for run in _runs(ours))


def _runs(found: Sequence[Sequence[object]]) -> Iterator[list[Sequence[object]]]:
    """Rows of the same brands of which each begins where the one before it ends, two at least."""
    run: list[Sequence[object]] = []
    for row in found:
        if run and (row[_SINCE] != run[-1][_UNTIL] or row[_BRANDS] != run[-1][_BRANDS]):
            if len(run) > 1:
                yield run
            run = []
        run.append(row)
    if len(run) > 1:
        yield run


def _unite(connection: Connection, run: Sequence[Sequence[object]]) -> int:
    first, last = run[0], run[-1]
    values = dict(zip(_NAMES, last, strict=True))
    values["since"] = first[_SINCE]
    values["part"] = span_key(int(str(first[_SINCE])), int(str(last[_UNTIL])))
    for name in COUNTS:
        values[name] = sum(int(str(row[_NAMES.index(name)])) for row in run)
    reasons = [str(row[_NAMES.index("reason")]) for row in run]
    values["reason"] = ", ".join(dict.fromkeys(part for reason in reasons for part in reason.split(", ") if part))
    gone = "DELETE FROM coverage WHERE source_id = ? AND query = ? AND part = ?"
    many(connection, gone, [(first[0], first[1], row[_PART]) for row in run])
    many(connection, REPLACE, [tuple(values[name] for name in _NAMES)])
    return len(run) - 1


_NAMES = COLUMNS.split(", ")
_PART, _SINCE, _UNTIL, _BRANDS = (_NAMES.index(name) for name in ("part", "since", "until", "brands"))
_LANES = (
    "SELECT source_id, query FROM coverage WHERE until > ? AND until <= ? AND state = 'complete' "
    "GROUP BY source_id, query HAVING count(*) > 1"
)
_NEWEST = "SELECT max(until) FROM coverage WHERE source_id = ? AND query = ?"
_COMPLETE = (
    f"SELECT {COLUMNS} FROM coverage WHERE source_id = ? AND query = ? AND state = 'complete' "
    "AND until > ? AND until <= ? ORDER BY since, until"
)
_OLD = (
    "DELETE FROM coverage WHERE (source_id, query, part) IN "
    "(SELECT source_id, query, part FROM coverage WHERE until <= ? ORDER BY until LIMIT ?)"
)
