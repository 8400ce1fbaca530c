"""Silences: what nobody is to be told of for a while, because somebody said so and why. A crisis goes through, unless
the silence is of crises as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from config.rota import instant, weekly
from database.engine import many
from query.document import Document
from query.parse import parse
from query.predicate import compile_predicate
from routing.named import named
from stream.clock import DAY
from stream.records import Mention, Millis

LONGEST: Millis = 31 * DAY
"""Of one that is not weekly: what is to be quiet for longer is a matter of configuration."""
MOST = 200
"""Live ones."""


class Silence(NamedTuple):
    id: int
    brand: str
    query: str
    incident: int | None
    crisis: bool
    reason: str
    person: str
    made_at: Millis
    since: Millis
    until: Millis
    weekly: str
    length: Millis
    zone: str
    ended_at: Millis | None
    ended_by: str


class NoSuchSilence(LookupError):
    pass


def covers(one: Silence, at: Millis) -> bool:
    """Whether it is in force at a moment."""
    if one.ended_at is not None or not one.since <= at < one.until:
        return False
    if not one.weekly:
        return True
    place, moment = ZoneInfo(one.zone), datetime.fromtimestamp(at / 1000, UTC)
    weekday, clock = weekly(one.weekly)
    today = moment.astimezone(place).date()
    last = today - timedelta(days=(today.weekday() - weekday) % 7)
    begins = (instant(datetime.combine(last - timedelta(days=back), clock), place) for back in (0, 7))
    return any(begin <= moment < begin + timedelta(milliseconds=one.length) for begin in begins)


def of_incident(live: Iterable[Silence], brand: str, incident: int, word: str, at: Millis) -> Silence | None:
    """The one that keeps people from being told this of an incident; None: they are told. One with a query is of
    severe posts alone."""
    grave = word in ("crisis", "still")
    for one in live:
        about = one.incident == incident if one.incident is not None else not one.query and one.brand in ("", brand)
        if about and covers(one, at) and (one.crisis or not grave):
            return one
    return None


def of_post(live: Iterable[Silence], mention: Mention, at: Millis) -> Silence | None:
    """The one that keeps people from being told of a severe post, which is of no incident that they know of."""
    for one in live:
        if one.incident is None and one.brand in ("", mention.brand) and covers(one, at) and _found(one, mention):
            return one
    return None


def live(connection: Connection, now: Millis) -> list[Silence]:
    """Those that are in force or to come, the oldest first."""
    return _read(connection, "WHERE ended_at IS NULL AND until > ? ORDER BY id LIMIT ?", now, MOST)


def listed(connection: Connection, most: int) -> list[Silence]:
    """All that are kept, the newest first."""
    return _read(connection, "ORDER BY id DESC LIMIT ?", most)


def add(connection: Connection, one: Silence) -> Silence:
    """With its number; that of `one` says nothing. Raises ValueError, in words, where it silences too much, or nothing
    any more."""
    if len(live(connection, one.made_at)) >= MOST:
        raise ValueError(f"there are {MOST} silences already: end some (clamor silence end)")
    if one.until <= one.made_at or one.until <= one.since:
        raise ValueError("it would be over before it begins")
    if not one.weekly and one.until - one.since > LONGEST:
        raise ValueError(f"at most {LONGEST // DAY} days: say it again after that, or make it weekly")
    columns = Silence._fields[1:]
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT INTO silence ({', '.join(columns)}) VALUES ({marks}) RETURNING id"
    return one._replace(id=int(named(connection, sql, one[1:])[0].id))


def end(connection: Connection, id: int, person: str, now: Millis) -> Silence:
    """Before its time. Raises NoSuchSilence, ValueError where it is over."""
    found = _read(connection, "WHERE id = ?", id)
    if not found:
        raise NoSuchSilence(f"there is no silence {id}: `clamor silence list` shows them")
    if found[0].ended_at is not None or found[0].until <= now:
        raise ValueError(f"silence {id} is over already")
    many(connection, "UPDATE silence SET ended_at = ?, ended_by = ? WHERE id = ?", [(now, person, id)])
    return found[0]._replace(ended_at=now, ended_by=person)


def let_go(connection: Connection, before: Millis) -> None:
    """Those that were over by then, with what people wrote."""
    many(connection, "DELETE FROM silence WHERE until < ? OR ended_at < ?", [(before, before)])


def read_query(text: str, now: Millis) -> None:
    """Raises query.error.QueryError where it is none."""
    parse(text, now=now, context="watch")


def _found(one: Silence, mention: Mention) -> bool:
    if not one.query:
        return True
    decision = mention.decision
    document = Document(mention, risk=decision.risk if decision else 0, terms=decision.terms if decision else ())
    return compile_predicate(parse(one.query, now=one.made_at, context="watch"))(document)


def _read(connection: Connection, which: str, *values: object) -> list[Silence]:
    sql = f"SELECT {', '.join(Silence._fields)} FROM silence {which}"
    found: Sequence[tuple[object, ...]] = named(connection, sql, tuple(values))
    return [Silence._make(row)._replace(crisis=bool(row[CRISIS])) for row in found]


CRISIS = Silence._fields.index("crisis")
