"""Mails and alerts that a restore found unsent: they wait for a person's word, since nobody knows which have left."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from database.engine import many
from routing.named import named
from stream.records import Millis

REASON = "found unsent in a backup: clamor mails release, or drop"


class Held(msgspec.Struct, frozen=True):
    """One mail or alert that waits. Times in milliseconds UTC."""

    id: str
    """`12`, a mail; `alert:7`, an alert that became no mail yet."""
    kind: str
    person: str
    """Empty for an alert: who is told of it is found out once it is released."""
    brand: str
    queue: str
    alerts: int
    created_at: Millis
    repeated: bool
    """It may have reached the mail server before."""


def hold(connection: Connection) -> int:
    """Hold every mail that has not left and every alert that nobody was told of; how many."""
    mails = many(connection, _HOLD_MAILS, [(True, REASON)])
    return mails + many(connection, "UPDATE alert SET state = 'held' WHERE state = 'pending'", [()])


def held(connection: Connection) -> list[Held]:
    """What waits, the oldest first."""
    mails = named(connection, _MAILS)
    alerts = named(connection, _ALERTS)
    found = [
        Held(str(r.id), r.kind, r.person, r.brand, r.queue, r.items, r.created_at, bool(r.repeated)) for r in mails
    ]
    found += [Held(f"alert:{r.id}", r.kind, "", r.brand, r.queue, 1, r.created_at, False) for r in alerts]
    return sorted(found, key=lambda one: (one.created_at, one.id))


def release(connection: Connection, chosen: Sequence[Held]) -> None:
    """Let the mailer have them, as they stand when it sends them: what was deleted since is not told."""
    mails, alerts = _parted(chosen)
    many(connection, _RELEASE, [(n,) for n in mails])
    many(connection, "UPDATE alert SET state = 'pending' WHERE id = ? AND state = 'held'", [(n,) for n in alerts])


def drop(connection: Connection, chosen: Sequence[Held], by: str, now: Millis) -> None:
    """Never send them; mails stay on record as dropped."""
    mails, alerts = _parted(chosen)
    many(connection, _DROP, [(f"dropped by {by}", now, n) for n in mails])
    many(connection, "UPDATE alert SET state = 'dropped' WHERE id = ? AND state = 'held'", [(n,) for n in alerts])


def _parted(chosen: Sequence[Held]) -> tuple[list[int], list[int]]:
    mails = [int(one.id) for one in chosen if not one.id.startswith("alert:")]
    alerts = [int(one.id.removeprefix("alert:")) for one in chosen if one.id.startswith("alert:")]
    return mails, alerts


_HOLD_MAILS = (
    "UPDATE mail SET repeated = CASE WHEN state = 'sending' THEN ? ELSE repeated END, state = 'held', reason = ?"
    " WHERE state IN ('gathering', 'pending', 'sending')"
)
_MAILS = (
    "SELECT m.id, m.kind, m.person, m.brand, m.queue, m.created_at, m.repeated,"
    " (SELECT COUNT(*) FROM mail_item i WHERE i.mail = m.id) AS items FROM mail m WHERE m.state = 'held'"
)
_ALERTS = "SELECT id, kind, brand, queue, created_at FROM alert WHERE state = 'held'"
_RELEASE = (
    "UPDATE mail SET state = 'pending', reason = '', attempts = 0, first_try = NULL, next_try = 0"
    " WHERE id = ? AND state = 'held'"
)
_DROP = "UPDATE mail SET state = 'dropped', reason = ?, ended_at = ? WHERE id = ? AND state = 'held'"
