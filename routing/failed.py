"""Mails that were given up or refused for good: kept with the server's words, to be tried again by a person."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

from database.engine import many
from routing.named import named
from stream.records import Millis


class Failed(msgspec.Struct, frozen=True):
    """One mail, or message by a channel, that did not leave. Times in milliseconds UTC."""

    id: str
    kind: str
    person: str
    brand: str
    queue: str
    alerts: int
    created_at: Millis
    reason: str
    """The mail server's words, or why it was not asked."""


def failed(connection: Connection) -> list[Failed]:
    """All that are kept, the oldest first."""
    found = named(connection, _FAILED)
    return [
        Failed(str(r.id), _kind(r.kind, r.channel), r.person, r.brand, r.queue, r.items, r.created_at, r.reason)
        for r in found
    ]


def retry(connection: Connection, chosen: Iterable[Failed]) -> int:
    """Give them another try, as they stand when they are sent: what was deleted since is not told. How many."""
    return many(connection, _RETRY, [(int(one.id),) for one in chosen])


def _kind(kind: str, channel: str) -> str:
    return f"{kind} by {channel}" if channel else kind


_FAILED = (
    "SELECT m.id, m.kind, m.person, m.channel, m.brand, m.queue, m.created_at, m.reason,"
    " (SELECT COUNT(*) FROM mail_item i WHERE i.mail = m.id) AS items FROM mail m WHERE m.state = 'failed'"
    " ORDER BY m.created_at, m.id"
)
_RETRY = (
    "UPDATE mail SET state = 'pending', next_try = 0, first_try = NULL, attempts = 0, ended_at = NULL"
    " WHERE id = ? AND state = 'failed'"
)
