"""What is missing: the spans of the coverage ledger that a mail has to name."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection

from routing.mail.letter import Missing
from routing.named import named
from stream.records import Millis

MOST = 5
"""Spans that a mail names: the longest ones."""


def incomplete(connection: Connection, brands: Collection[str], since: Millis, until: Millis) -> tuple[Missing, ...]:
    """Where sources of these brands did not deliver in full within [since, until), oldest first, MOST at most."""
    found = _spans(connection, ("gap", "partial", "lost"), since, until)
    return _longest(
        row
        for row in found
        if row.missed != 0 and (not row.brands or any(f"|{brand}|" in row.brands for brand in brands))
    )


def gaps_of(connection: Connection, sources: Collection[str], since: Millis, until: Millis) -> tuple[Missing, ...]:
    """The gaps of these sources, filled since or not, that posts of [since, until] were found in."""
    found = _spans(connection, ("backfilled", "gap", "partial", "lost"), since, until + 1)
    return _longest(row for row in found if row.source_id in sources)


def _spans(connection: Connection, states: tuple[str, ...], since: Millis, until: Millis) -> list[Any]:
    return named(
        connection,
        f"SELECT source_id, since, until, reason, missed, brands FROM coverage WHERE until > ? AND since < ?"
        f" AND state IN ({', '.join('?' * len(states))}) ORDER BY since LIMIT 1000",
        (since, until, *states),
    )


def _longest(found: Any) -> tuple[Missing, ...]:
    chosen = sorted(found, key=lambda row: row.since - row.until)[:MOST]
    return tuple(Missing(r.source_id, r.since, r.until, r.reason) for r in sorted(chosen, key=lambda r: r.since))
