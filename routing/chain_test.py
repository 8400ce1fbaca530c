"""Tests of the way to people: once a month, by mail and every channel. Who does not click within a day is told of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, write
from routing.alerts import INCIDENT_QUEUE
from routing.link_key import make_key
from routing.named import named
from routing.operations import open_troubles, raise_operations, resolve_operations
from routing.people_to_tell import MailSettings, Person
from stream.clock import DAY
from stream.records import Millis

AT_HOUR = 10
"""UTC, on the first working day of a month."""
LATE: Millis = 5 * DAY
"""One that could not be made for so long, since nothing ran, is left out."""
ANSWERS_WITHIN: Millis = DAY
KEPT: Millis = 400 * DAY
TROUBLE = "mail:test:"
"""How the keys of troubles begin that tell of who did not answer; the name of the test follows."""


class Trial(NamedTuple):
    """A test of the way."""

    name: str
    due: Millis


class TrialStatus(msgspec.Struct, frozen=True):
    """The last test of the way."""

    name: str = ""
    """Empty: there was none."""
    asked_at: Millis = 0
    asked: int = 0
    confirmed: int = 0
    missing: tuple[str, ...] = ()
    """Ids of people who have not said that it came."""


def monthly(at: Millis) -> Trial:
    """That of the month of a moment."""
    day = datetime.fromtimestamp(at / 1000, UTC).replace(day=1, hour=AT_HOUR, minute=0, second=0, microsecond=0)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return Trial(f"{day:%Y-%m}", round(day.timestamp() * 1000))


def people_of(people: Sequence[Person], settings: MailSettings) -> list[str]:
    """Ids of all whom an incident can wake: of queue PR, of the chain, of the rotas."""
    named_in = set(settings.chain)
    for team in settings.teams():
        if team.on_call is not None:
            named_in.update(team.on_call.rotation)
            named_in.update(person for one in team.on_call.shifts for person in one.people)
            named_in.update(person for one in team.on_call.instead for person in one.people)
    return sorted(one.id for one in people if not one.queues or INCIDENT_QUEUE in one.queues or one.id in named_in)


def step(
    engine: Engine, people: Sequence[Person], settings: MailSettings, now: Millis, guard: Callable[[Connection], None]
) -> None:
    """Begin the test of the month where it is due, and tell of those who have not answered for a day."""
    test = monthly(now)
    due = settings.monthly_test and test.due <= now < test.due + LATE
    with read(engine) as connection:
        begun = bool(rows(connection, "SELECT 1 FROM chain_test WHERE test = ? LIMIT 1", (test.name,)))
        silent = named(connection, _SILENT, (now - ANSWERS_WITHIN,))
    if (begun or not due) and not silent:
        return
    with write(engine) as connection:
        guard(connection)
        if due and not begun:
            # All are asked anew: who did not answer a test before this one is told of by this one.
            for key in open_troubles(connection, (TROUBLE,)):
                resolve_operations(connection, key, now)
            begin(connection, test.name, people_of(people, settings), now)
        for name in sorted({row.test for row in silent}):
            missing = ", ".join(row.person for row in silent if row.test == name)
            why = f"{missing} did not confirm the test alert {name} within a day: is the way to them in order?"
            raise_operations(connection, f"{TROUBLE}{name}", "mail", why, now)
            many(connection, "UPDATE chain_test SET told_at = ? WHERE test = ? AND confirmed_at IS NULL", [(now, name)])
        many(connection, "DELETE FROM chain_test WHERE asked_at < ?", [(now - KEPT,)])


def begin(connection: Connection, test: str, people: Sequence[str], now: Millis) -> None:
    """Send a test to these people, by mail and by every channel of theirs."""
    if not people:
        return
    make_key(connection)
    alert = named(connection, _ALERT, (INCIDENT_QUEUE, test, now, now))[0].id
    sql = "INSERT INTO alert_recipient (alert, person) VALUES (?, ?)"
    many(connection, sql, [(alert, person) for person in people])
    many(connection, _ASK, [(test, person, alert, now) for person in people])


def confirm(connection: Connection, alert: int, person: str, now: Millis) -> None:
    """It came to that person. Raises ValueError where there is no such test any more."""
    sql = "UPDATE chain_test SET confirmed_at = ? WHERE alert = ? AND person = ?"
    if not many(connection, sql, [(now, alert, person)]):
        raise ValueError("this test is not known any more")
    for key in open_troubles(connection, (TROUBLE,)):
        if not rows(connection, _STILL_SILENT, (key.removeprefix(TROUBLE),)):
            resolve_operations(connection, key, now)


def trial_status(engine: Engine) -> TrialStatus:
    """Of the last test."""
    with read(engine) as connection:
        found = named(connection, _LAST)
    if not found:
        return TrialStatus()
    missing = tuple(row.person for row in found if row.confirmed_at is None)
    return TrialStatus(found[0].test, found[0].asked_at, len(found), len(found) - len(missing), missing)


_SILENT = (
    "SELECT test, person FROM chain_test WHERE confirmed_at IS NULL AND told_at IS NULL AND asked_at <= ?"
    " ORDER BY test, person"
)
_STILL_SILENT = (
    "SELECT 1 FROM chain_test t WHERE t.test = ? AND t.confirmed_at IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM chain_test l WHERE l.person = t.person AND l.alert > t.alert AND l.confirmed_at IS NOT NULL)"
)
"""Who answered neither this test nor a later one."""
_ALERT = (
    "INSERT INTO alert (kind, brand, queue, risk, why, event_time, created_at, state)"
    " VALUES ('chain_test', '', ?, 0, ?, ?, ?, 'pending') RETURNING id"
)
_ASK = "INSERT INTO chain_test (test, person, alert, asked_at) VALUES (?, ?, ?, ?)"
_LAST = (
    "SELECT test, person, asked_at, confirmed_at FROM chain_test WHERE alert = (SELECT MAX(alert) FROM chain_test)"
    " ORDER BY person"
)
