"""The ledger of what was asked for, received and missed.

A row belongs to (source, query, part); a part is a span, a page cursor or a file, and its row is replaced when it is
fetched again, never added to. `received` counts distinct native ids.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, write
from ingest.collector import Span
from stream.records import Coverage, Millis

_KEY = ("source_id", "query", "part")
_REST = (
    "since", "until", "state", "asked", "received", "kept", "filtered", "duplicates", "late", "missed", "refused",
    "reason", "brands", "recorded_at",
)  # fmt: skip
COLUMNS = ", ".join(_KEY + _REST)
REPLACE = (
    f"INSERT INTO coverage ({COLUMNS}) VALUES ({', '.join('?' * len(_KEY + _REST))}) "
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _REST)}"
)
_BRANDS = (_KEY + _REST).index("brands")
COUNTS = ("asked", "received", "kept", "filtered", "duplicates", "late", "refused")
"""Columns that are summed up where rows become one."""
SWEEP = "(sweep)"
"""Query, by a name that no brand can have, of the rows that say how many posts were looked up again: requests and
answers, no time that was listened to, so no figure rests on them."""
CONTEXT = "(context)"
"""Query of the rows that say how many posts came because a person asked what a reply answers; no figure rests on them
either."""
ASKED_BY_ID = (SWEEP, CONTEXT)
"""Queries that no figure rests on."""
BY_HAND = "by hand:"
"""How the part of a row begins whose span a person asked for."""
UNSEEN = (
    "closed groups and private accounts",
    "messengers",
    "organic TikTok",
    "print",
    "radio and television",
)
"""Where people speak as well and no collector of any source listens: said wherever a number is shown, since 100 % of
what was asked for is not 100 % of what was said."""
NOT_SEEN = f"Not seen by Clamor: {', '.join(UNSEEN)}."
_FAR: Millis = 2**62
_WORST_FIRST = {"gap": 0, "lost": 0, "partial": 1, "complete": 2, "backfilled": 2}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """How far a number over a time range can be trusted: shown wherever the number is shown."""

    since: Millis
    until: Millis
    share: float | None
    """Part of the time asked for that was received, 0 to 1, over all sources; None: nothing was asked for."""
    received: int
    kept: int
    filtered: int
    duplicates: int
    late: int
    refused: int
    """Came and could be no post: known, kept as dead letters, not missed."""
    known_missed: int
    unknown_gaps: int
    """Holes of which nobody can say how many posts they hold."""
    gaps: tuple[Coverage, ...]
    """Rows with something missing, oldest first."""

    @property
    def complete(self) -> bool:
        return self.share == 1.0 and not self.gaps


class Ledger:
    """Records and reads coverage, each call one short transaction."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def record(self, row: Coverage, part: str = "", brands: Collection[str] = ()) -> None:
        """Write or replace a row. `part` is the page cursor or file where the row is not known by its span."""
        with write(self.engine) as connection:
            _put(connection, row, part or span_key(row.since, row.until), brands)

    def fill(self, row: Coverage, brands: Collection[str] = (), part: str = "") -> None:
        """A missed span was fetched: gaps of (source, query) inside [since, until) are replaced by `row`, whose state
        becomes `backfilled`, or `partial` where it still misses something; what sticks out on either side stays a gap.
        `part`: of a span that was asked for by hand (`BY_HAND`), which says nothing of how far the source itself came.
        """
        state = "backfilled" if row.missed == 0 else "partial"
        self._replace_gaps(msgspec.structs.replace(row, state=state), brands, part)

    def close(self, row: Coverage, brands: Collection[str] = ()) -> None:
        """A missed span came after all: its gap becomes `backfilled`. What of it came in part, and was not asked for
        once more, stays so."""
        self._replace_gaps(msgspec.structs.replace(row, state="backfilled"), brands, states=("gap",))

    def lose(self, row: Coverage, brands: Collection[str] = ()) -> None:
        """The network cannot give a missed span any more: it becomes `lost`."""
        self._replace_gaps(msgspec.structs.replace(row, state="lost", missed=row.missed or None), brands)

    def gaps(
        self,
        sources: Collection[str] | None = None,
        brand: str | None = None,
        since: Millis = 0,
        until: Millis = _FAR,
        *,
        fillable: bool = False,
    ) -> list[Coverage]:
        """Rows with something missing that overlap [since, until), oldest first; `fillable`: only state `gap`."""
        states = ("gap",) if fillable else ("gap", "partial", "lost")
        return self._rows(sources, brand, since, until, states)

    def rows(
        self, sources: Collection[str] | None = None, brand: str | None = None, since: Millis = 0, until: Millis = _FAR
    ) -> list[Coverage]:
        """All rows that overlap [since, until), oldest first; with `brand`, those of sources that listen for it."""
        return self._rows(sources, brand, since, until)

    def _rows(
        self,
        sources: Collection[str] | None,
        brand: str | None,
        since: Millis,
        until: Millis,
        missing: Sequence[str] = (),
    ) -> list[Coverage]:
        """`missing`: only rows of these states that miss something. A source that has long been listened to has
        thousands that do not."""
        sql = f"SELECT {COLUMNS} FROM coverage WHERE until > ? AND since < ?"
        values: list[Any] = [since, until]
        if missing:
            sql += f" AND state IN ({', '.join('?' * len(missing))}) AND (missed IS NULL OR missed <> 0)"
            values += missing
        if sources is not None:
            sql += f" AND source_id IN ({', '.join('?' * len(sources))})" if sources else " AND 1 = 0"
            values += sources
        if brand is not None:
            sql += " AND (brands = '' OR brands LIKE ? ESCAPE '!')"
            values.append(f"%|{_escaped(brand)}|%")
        with read(self.engine) as connection:
            return [_row(found) for found in rows(connection, sql + " ORDER BY since, until, part", values)]

    def latest(self, source_id: str) -> Millis | None:
        """Up to when a source was listened to, as far as is known: what was asked for by hand tells nothing of it."""
        with read(self.engine) as connection:
            sql = "SELECT max(until) FROM coverage WHERE source_id = ? AND query NOT IN (?, ?) AND part NOT LIKE ?"
            found = rows(connection, sql, (source_id, *ASKED_BY_ID, f"{BY_HAND}%"))
        return found[0][0] if found else None

    def figure(
        self, since: Millis, until: Millis, *, sources: Collection[str] | None = None, brand: str | None = None
    ) -> Figure:
        """Coverage of [since, until), over the sources named or those that listen for `brand`."""
        return figure(self.rows(sources, brand, since, until), since, until)

    def _replace_gaps(
        self,
        row: Coverage,
        brands: Collection[str],
        part: str = "",
        states: Sequence[str] = ("gap", "partial"),
    ) -> None:
        with write(self.engine) as connection:
            found = rows(
                connection,
                f"SELECT {COLUMNS} FROM coverage WHERE source_id = ? AND query = ? AND until > ? AND since < ? "
                f"AND state IN ({', '.join('?' * len(states))})",
                (row.source_id, row.query, row.since, row.until, *states),
            )
            for old in found:
                if old[5] == "partial" and (old[3] < row.since or old[4] > row.until):
                    continue
                many(
                    connection,
                    "DELETE FROM coverage WHERE source_id = ? AND query = ? AND part = ?",
                    [(row.source_id, row.query, old[2])],
                )
                for since, until in ((old[3], row.since), (row.until, old[4])):
                    if since < until:
                        rest = msgspec.structs.replace(_row(old), since=since, until=until, missed=None)
                        _put(connection, rest, span_key(since, until), _brands(old[_BRANDS]))
            _put(connection, row, part or span_key(row.since, row.until), brands)


def figure(found: Sequence[Coverage], since: Millis, until: Millis) -> Figure:
    """Coverage of [since, until) from the ledger's rows that overlap it.

    Each (source, query) is a lane, and a hole of a source without a query is one of all its lanes; where rows of a lane
    overlap, the worst one counts. A partial row counts by the part of its posts that was received, and as nothing where
    nobody knows how many were missed. What was asked for by its id (`SWEEP`, `CONTEXT`) is left out.
    """
    found = [row for row in found if row.query not in ASKED_BY_ID]
    lanes = _lanes(found)
    asked = good = 0.0
    for lane in lanes.values():
        lane_asked, lane_good = _lane(lane, since, until)
        asked += lane_asked
        good += lane_good
    missing = tuple(row for row in found if row.state in ("gap", "partial", "lost") and row.missed != 0)
    return Figure(
        since=since,
        until=until,
        share=good / asked if asked else None,
        received=sum(row.received for row in found),
        kept=sum(row.kept for row in found),
        filtered=sum(row.filtered for row in found),
        duplicates=sum(row.duplicates for row in found),
        late=sum(row.late for row in found),
        refused=sum(row.refused for row in found),
        known_missed=sum(row.missed or 0 for row in missing),
        unknown_gaps=sum(row.missed is None for row in missing),
        gaps=missing,
    )


def _lanes(found: Sequence[Coverage]) -> dict[tuple[str, str], list[Coverage]]:
    lanes: dict[tuple[str, str], list[Coverage]] = {}
    holes: list[Coverage] = []
    for row in found:
        if row.query or row.state not in ("gap", "lost"):
            lanes.setdefault((row.source_id, row.query), []).append(row)
        else:
            holes.append(row)
    for hole in holes:
        of_source = [lane for (source, _), lane in lanes.items() if source == hole.source_id]
        for lane in of_source or [lanes.setdefault((hole.source_id, ""), [])]:
            lane.append(hole)
    return lanes


def _lane(lane: Sequence[Coverage], since: Millis, until: Millis) -> tuple[int, float]:
    """(milliseconds asked for, milliseconds received), each instant counted once, by the worst row over it."""
    edges = sorted({edge for row in lane for edge in (max(row.since, since), min(row.until, until))})
    waiting = sorted(lane, key=lambda row: row.since, reverse=True)
    over: list[tuple[float, Millis, int, float]] = []
    asked, good = 0, 0.0
    for start, end in pairwise(edges):
        while waiting and waiting[-1].since <= start:
            row = waiting.pop()
            part = _part_received(row)
            heapq.heappush(over, (_WORST_FIRST[row.state] + part, row.until, len(waiting), part))
        while over and over[0][1] <= start:
            heapq.heappop(over)
        if over:
            asked += end - start
            good += (end - start) * over[0][3]
    return asked, good


def _part_received(row: Coverage) -> float:
    if row.state in ("complete", "backfilled"):
        return 1.0
    if row.state == "partial" and row.missed is not None:
        return row.received / (row.received + row.missed) if row.received + row.missed else 1.0
    return 0.0


def _put(connection: Connection, row: Coverage, part: str, brands: Collection[str]) -> None:
    values = (
        row.source_id, row.query, part, row.since, row.until, row.state, row.asked, row.received, row.kept,
        row.filtered, row.duplicates, row.late, row.missed, row.refused, row.reason,
        "|" + "|".join(sorted(brands)) + "|" if brands else "", row.recorded_at,
    )  # fmt: skip
    many(connection, REPLACE, [values])


def _row(found: Any) -> Coverage:
    return Coverage(
        source_id=found[0], query=found[1], since=found[3], until=found[4], state=found[5], asked=found[6],
        received=found[7], kept=found[8], filtered=found[9], duplicates=found[10], late=found[11], missed=found[12],
        refused=found[13], reason=found[14], recorded_at=found[16],
    )  # fmt: skip


def gap_row(source_id: str, query: str, span: Span, reason: str, now: Millis) -> Coverage:
    """A hole of which nobody knows how many posts it holds."""
    return Coverage(
        source_id=source_id, query=query, since=span.since, until=span.until,
        state="gap", missed=None, reason=reason, recorded_at=now,
    )  # fmt: skip


def gap_key(since: Millis) -> str:
    """Part of a hole's row: noted again, longer, it replaces itself."""
    return f"gap:{since}"


def span_key(since: Millis, until: Millis) -> str:
    """Part of a row that is known by its span."""
    return f"{since}-{until}"


def _brands(stored: str) -> tuple[str, ...]:
    return tuple(part for part in stored.split("|") if part)


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
