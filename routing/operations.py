"""Troubles of Clamor itself, as alerts: told once, until they are over."""

from __future__ import annotations

from sqlalchemy import Connection

from database.engine import many, rows
from routing.named import named
from stream.clock import HOUR, passed
from stream.records import Millis

REPEAT_AFTER: Millis = HOUR
"""A trouble that comes back sooner than this is not told again."""
MOST_KEY = 200


def raise_operations(connection: Connection, key: str, kind: str, why: str, now: Millis) -> bool:
    """Tell the people who look after Clamor of a trouble, once until `resolve_operations`; whether it is new.

    `key` names the trouble and its place (`disk:app.db`), `kind` is stage, coverage, retention, disk or clock, `why`
    says in a sentence what is wrong and what to do. Call it within a transaction that writes. A trouble that comes
    back within an hour is not told twice.
    """
    key = key[:MOST_KEY]
    known = named(connection, "SELECT raised_at, resolved_at FROM operation_alert WHERE key = ?", (key,))
    if known and (known[0].resolved_at is None or not passed(known[0].raised_at, now, REPEAT_AFTER)):
        many(connection, "UPDATE operation_alert SET resolved_at = NULL WHERE key = ?", [(key,)])
        return False
    alert = named(
        connection,
        "INSERT INTO alert (kind, brand, queue, risk, why, event_time, created_at, state)"
        " VALUES (?, '', 'none', 0, ?, ?, ?, 'pending') RETURNING id",
        (kind, why[:1000], now, now),
    )[0].id
    many(
        connection,
        "INSERT INTO operation_alert (key, alert, raised_at) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
        " alert = excluded.alert, raised_at = excluded.raised_at, resolved_at = NULL",
        [(key, alert, now)],
    )
    return True


def open_troubles(connection: Connection, beginnings: tuple[str, ...]) -> set[str]:
    """Keys of the troubles that are not resolved, whoever raised them, and that begin with one of `beginnings`."""
    found = rows(connection, "SELECT key FROM operation_alert WHERE resolved_at IS NULL")
    return {key for (key,) in found if key.startswith(beginnings)}


def resolve_operations(connection: Connection, key: str, now: Millis) -> bool:
    """The trouble is over: it may be told again when it comes back. Whether it was open."""
    sql = "UPDATE operation_alert SET resolved_at = ? WHERE key = ? AND resolved_at IS NULL"
    return many(connection, sql, [(now, key[:MOST_KEY])]) > 0
