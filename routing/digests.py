"""When a digest is due: at eight by the clocks of its reader, every day or on Mondays, once each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from config.rota import instant
from database.engine import many, read, rows_in, write
from routing.people_to_tell import MailSettings, Person
from stream.clock import HOUR
from stream.records import Millis

AT = time(8, 0)
MONDAY = 0
LATE: Millis = 12 * HOUR
"""One that could not be made for so long, since nothing ran, is left out: the next one is near."""
DAILY, WEEKLY = "digest_daily", "digest_weekly"
"""Kinds of mail."""
KINDS = (DAILY, WEEKLY)


class Period(NamedTuple):
    since: Millis
    until: Millis
    """When it is due."""


def period(person: Person, at: Millis) -> Period | None:
    """The last one that is over at a moment; None where the person wants none."""
    if person.digest == "none":
        return None
    place = ZoneInfo(person.zone)
    moment = datetime.fromtimestamp(at / 1000, UTC)
    day = moment.astimezone(place).date()
    length = 7 if person.digest == "weekly" else 1
    if person.digest == "weekly":
        day -= timedelta(days=(day.weekday() - MONDAY) % 7)
    if instant(datetime.combine(day, AT), place) > moment:
        day -= timedelta(days=length)
    since, until = (instant(datetime.combine(day - timedelta(days=back), AT), place) for back in (length, 0))
    return Period(_millis(since), _millis(until))


def open_due(
    engine: Engine, people: Sequence[Person], settings: MailSettings, now: Millis, guard: Callable[[Connection], None]
) -> int:
    """Make the digests that are due, as mails; how many. One that was made is never made again, whatever restarts."""
    due = {}
    for person in people:
        found = period(person, now)
        if found is not None and now - found.until < LATE:
            kind = WEEKLY if person.digest == "weekly" else DAILY
            due[_identity(person.id, kind, found.until, settings)] = (person.id, kind, found.until)
    if not due:
        return 0
    with read(engine) as connection:
        sql = "SELECT message_id FROM mail WHERE message_id IN (??)"
        made = {identity for (identity,) in rows_in(connection, sql, sorted(due))}
    new = [(identity, *values, values[-1]) for identity, values in due.items() if identity not in made]
    if not new:
        return 0
    with write(engine) as connection:
        guard(connection)
        return many(connection, _OPEN, new)


def _identity(person: str, kind: str, until: Millis, settings: MailSettings) -> str:
    digest = sha256(f"{kind}\0{until}\0{person}".encode()).hexdigest()[:24]
    return f"<{kind}.{until}.{digest}@{settings.from_address.rpartition('@')[2] or 'localhost'}>"


def _millis(moment: datetime) -> Millis:
    return round(moment.timestamp() * 1000)


_OPEN = (
    "INSERT INTO mail (message_id, person, kind, brand, queue, state, created_at, latest_at)"
    " VALUES (?, ?, ?, '', 'none', 'pending', ?, ?) ON CONFLICT (message_id) DO NOTHING"
)
