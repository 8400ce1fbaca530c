"""How much of a minute was heard, by the coverage ledger: a hole is no calm."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import rows
from stream.clock import DAY, MINUTE
from stream.records import Millis

LISTENED: Millis = DAY
"""A source that has a row of the last so long counts as one that is listened to."""


class _Hole(NamedTuple):
    source: str
    since: Millis
    until: Millis
    brands: str


class Covered:
    """Of the minutes of [since, until)."""

    def __init__(self, connection: Connection, since: Millis, until: Millis) -> None:
        found = rows(connection, _ROWS, (since - LISTENED, until))
        self._sources: dict[str, str] = {}
        self._holes: list[_Hole] = []
        for source, begins, ends, state, missed, brands in found:
            self._sources[source] = brands
            if state in ("gap", "partial", "lost") and missed != 0 and ends > since:
                self._holes.append(_Hole(source, begins, ends, brands))

    def share(self, brand: str, minute: int) -> float:
        """Of the sources of `brand`, 0 to 1, that brought all there was in this minute; 1.0 where nothing is known."""
        if not self._holes:
            return 1.0
        of = {source for source, brands in self._sources.items() if _concerns(brands, brand)}
        begins, ends = minute * MINUTE, (minute + 1) * MINUTE
        deaf = {
            hole.source
            for hole in self._holes
            if hole.since < ends and hole.until > begins and _concerns(hole.brands, brand)
        }
        return 1.0 - len(deaf & of) / len(of) if of else 1.0


def _concerns(brands: str, brand: str) -> bool:
    return not brands or f"|{brand}|" in brands


_ROWS = "SELECT source_id, since, until, state, missed, brands FROM coverage WHERE until > ? AND since < ?"
