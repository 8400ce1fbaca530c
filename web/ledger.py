"""The collectors' ledger, as far as the asker may see it."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Select, or_, select

from database.engine import read
from database.tables.ingest import coverage
from database.tables.revisions import revision
from index.sql import apart, bounds
from query.tree import Node
from stream.clock import DAY
from stream.ports import AccessScope
from stream.records import Coverage, Millis

INCOMPLETE = ("gap", "partial", "lost")
SHOWN_GAPS = 20
LOOKS_BACK: Millis = 90 * DAY
"""How far, where a query names no beginning: reading a ledger of years would cost more than the search."""
_FAR: Millis = 2**62


def rows(
    engine: Engine, scope: AccessScope, since: Millis, until: Millis, most: int, *, source: str | None = None
) -> list[Coverage]:
    """The newest `most` rows that overlap [since, until), newest first."""
    with read(engine) as connection:
        statement = _seen(connection, scope, since, until)
        if source is not None:
            statement = statement.where(coverage.c.source_id == source)
        return [_row(found) for found in connection.execute(statement.limit(most))]


def incomplete(engine: Engine, scope: AccessScope, query: Node, now: Millis) -> list[Coverage]:
    """The newest SHOWN_GAPS holes in what was collected for the time that `query` asks for, newest first; of the last
    LOOKS_BACK of it where it names no beginning."""
    spans, _ = apart(query)
    low, high = bounds(spans)
    until = _FAR if high is None else high
    since = min(until, now) - LOOKS_BACK if low is None else low
    with read(engine) as connection:
        statement = _seen(connection, scope, since, until).where(
            coverage.c.state.in_(INCOMPLETE), or_(coverage.c.missed.is_(None), coverage.c.missed != 0)
        )
        return [_row(found) for found in connection.execute(statement.limit(SHOWN_GAPS))]


def _seen(connection: Connection, scope: AccessScope, since: Millis, until: Millis) -> Select[Any]:
    """Rows of sources whose every label, past ones included, `scope` covers, and that listen for one of its brands."""
    statement = select(coverage).where(coverage.c.until > since, coverage.c.since < until)
    if scope.access is not None:
        private = [id for id, labels in _labels(connection).items() if not labels <= scope.access]
        statement = statement.where(coverage.c.source_id.not_in(sorted(private)))
    if scope.brands is not None:
        ours = [coverage.c.brands.contains(f"|{brand}|", autoescape=True) for brand in sorted(scope.brands)]
        statement = statement.where(or_(coverage.c.brands == "", *ours))
    return statement.order_by(coverage.c.since.desc(), coverage.c.until.desc(), coverage.c.part.desc())


def _labels(connection: Connection) -> dict[str, frozenset[str]]:
    """Every label of access that a source ever had, by its id; a source that was never configured is public."""
    found: dict[str, frozenset[str]] = {}
    for (body,) in connection.execute(select(revision.c.body).where(revision.c.kind == "sources")):
        for id, label in _labels_in(body):
            found[id] = found.get(id, frozenset()) | {label}
    return found


class _Source(msgspec.Struct, gc=False):
    id: str
    access: str = "public"


@lru_cache(maxsize=256)
def _labels_in(body: str) -> Collection[tuple[str, str]]:
    return [(source.id, source.access) for source in msgspec.json.decode(body, type=list[_Source])]


def _row(found: Any) -> Coverage:
    return Coverage(
        source_id=found.source_id, query=found.query, since=found.since, until=found.until, state=found.state,
        asked=found.asked, received=found.received, missed=found.missed, refused=found.refused,
        reason=found.reason, recorded_at=found.recorded_at,
    )  # fmt: skip
