"""The collectors' ledger, as far as the asker may see it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, Select, or_, select

from database.engine import read
from database.tables.ingest import coverage
from database.tables.revisions import revision
from index.sql import apart, bounds
from ingest.coverage import ASKED_BY_ID, figure
from ingest.unasked import Unasked
from query.tree import And, Equals, Node, Or
from stream.clock import DAY
from stream.ports import AccessScope
from stream.records import Coverage, Millis

INCOMPLETE = ("gap", "partial", "lost")
SHOWN_GAPS = 20
FIGURED = 20_000
"""Ledger rows that a figure rests on, the newest."""
LOOKS_BACK: Millis = 90 * DAY
"""How far, where a query names no beginning: reading a ledger of years would cost more than the search."""
_FAR: Millis = 2**62


def rows(
    engine: Engine, scope: AccessScope, since: Millis, until: Millis, most: int, *, source: str | None = None,
    unasked: Sequence[Unasked] = (),
) -> list[Coverage]:  # fmt: skip
    """The newest `most` rows that overlap [since, until), newest first; holes of sources that are `unasked` now before
    all."""
    with read(engine) as connection:
        statement = _seen(connection, scope, since, until)
        if source is not None:
            statement = statement.where(coverage.c.source_id == source)
        holes = _holes(connection, scope, since, until, unasked, None if source is None else {source}, None)
        return [*holes, *(_row(found) for found in connection.execute(statement.limit(most)))][:most]


class Covered(NamedTuple):
    """How far a number over the time that a query asks for can be trusted."""

    complete: float | None
    """Part of the time asked for that was received, 0 to 1; None: nothing was asked for."""
    gaps: list[Coverage]
    """The newest SHOWN_GAPS holes, newest first."""


def covered(engine: Engine, scope: AccessScope, query: Node, now: Millis, unasked: Sequence[Unasked] = ()) -> Covered:
    """Of the sources and brands that `query` names (all, where it names none), over the time that it asks for; of the
    last LOOKS_BACK of it where it names no beginning. The part rests on the newest FIGURED rows of the ledger."""
    spans, rest = apart(query)
    low, high = bounds(spans)
    until = min(_FAR if high is None else high, now)
    since = until - LOOKS_BACK if low is None else low
    sources, brands = _named(rest, "source"), _named(rest, "brand")
    with read(engine) as connection:
        others = frozenset[str]() if brands is None else _brands(connection) - brands
        # Posts that were looked up again, or that a reply answers, are no time that was listened to.
        listened = coverage.c.query.not_in(ASKED_BY_ID)
        statement = _seen(connection, scope, since, _FAR if high is None else high).where(listened)
        if sources is not None:
            statement = statement.where(coverage.c.source_id.in_(sorted(sources)))
        if brands is not None:
            ours = [coverage.c.brands.contains(f"|{brand}|", autoescape=True) for brand in sorted(brands)]
            statement = statement.where(or_(coverage.c.brands == "", *ours), coverage.c.query.not_in(sorted(others)))
        missing = statement.where(
            coverage.c.state.in_(INCOMPLETE), or_(coverage.c.missed.is_(None), coverage.c.missed != 0)
        )
        holes = _holes(connection, scope, since, _FAR if high is None else high, unasked, sources, brands)
        gaps = [*holes, *(_row(found) for found in connection.execute(missing.limit(SHOWN_GAPS)))][:SHOWN_GAPS]
        if not gaps:
            return Covered(1.0 if connection.execute(statement.limit(1)).first() else None, [])
        rows = [_row(found) for found in connection.execute(statement.limit(FIGURED))]
    if len(rows) == FIGURED:
        since = max(since, rows[-1].since)
    return Covered(figure([*holes, *rows], since, max(until, since)).share, gaps)


def _named(parts: Sequence[Node], field: str) -> frozenset[str] | None:
    """The only values of a keyword field that a mention which all the parts fit may have; None: any."""
    found: frozenset[str] | None = None
    for part in parts:
        values = _values(part, field)
        if values is not None:
            found = values if found is None else found & values
    return found


def _values(part: Node, field: str) -> frozenset[str] | None:
    match part:
        case Equals(field=name, value=str() as value) if name == field:
            return frozenset({value})
        case And(parts=parts):
            return _named(parts, field)
        case Or(parts=parts):
            each = [_values(one, field) for one in parts]
            return None if None in each else frozenset().union(*(one for one in each if one is not None))
    return None


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


def _holes(
    connection: Connection, scope: AccessScope, since: Millis, until: Millis, unasked: Sequence[Unasked],
    sources: Collection[str] | None, brands: Collection[str] | None,
) -> list[Coverage]:  # fmt: skip
    """Those that overlap [since, until), as `_seen` chooses among rows."""
    labels = _labels(connection) if unasked and scope.access is not None else {}
    found = []
    for row, of in unasked:
        hidden = scope.access is not None and not labels.get(row.source_id, frozenset()) <= scope.access
        others = any(wanted is not None and of and not set(of) & set(wanted) for wanted in (scope.brands, brands))
        elsewhere = sources is not None and row.source_id not in sources
        if not (hidden or others or elsewhere) and row.since < until and row.until > since:
            found.append(row)
    return found


def hears_all(connection: Connection, scope: AccessScope) -> bool:
    """Whether `scope` covers every label, past ones included, that a source has: then numbers made of all posts of its
    brands tell of none that it may not see."""
    if scope.access is None:
        return True
    return all(labels <= scope.access for labels in _labels(connection).values())


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
    private: dict[str, str] = {}
    """Of parts of it (categories of a community): their labels."""


@lru_cache(maxsize=256)
def _labels_in(body: str) -> Collection[tuple[str, str]]:
    found = msgspec.json.decode(body, type=list[_Source])
    return [(source.id, label) for source in found for label in (source.access, *source.private.values())]


def _brands(connection: Connection) -> frozenset[str]:
    """Ids of all brands that ever were in force: a query of the ledger that is called so asked for that brand."""
    bodies = connection.execute(select(revision.c.body).where(revision.c.kind == "brands"))
    return frozenset(id for (body,) in bodies for id, _ in _labels_in(body))


def _row(found: Any) -> Coverage:
    return Coverage(
        source_id=found.source_id, query=found.query, since=found.since, until=found.until, state=found.state,
        asked=found.asked, received=found.received, kept=found.kept, filtered=found.filtered,
        duplicates=found.duplicates, late=found.late, missed=found.missed, refused=found.refused,
        reason=found.reason, recorded_at=found.recorded_at,
    )  # fmt: skip
