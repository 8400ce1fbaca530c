"""Incidents in SQL: opened, moved on, told, acknowledged; every change with a row of its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection

from database.engine import many, rows
from routing.alerts import INCIDENT_QUEUE
from routing.incidents.levels import RANK, Signal, Standing
from routing.kpi.kept import measure_incident
from routing.link_key import make_key
from routing.named import named
from stream.clock import DAY
from stream.records import Millis

Word = Literal["warning", "crisis", "another", "still", "over"]
"""What an alert of an incident says; `another`: another matter of the brand, while people know of the first."""


class Evidence(msgspec.Struct, frozen=True):
    """Numbers by which an incident stands where it stands: references and counts, no text of a post."""

    at: Millis = 0
    """Event time of the minute, or of the worst one so far."""
    signals: tuple[Signal, ...] = ()
    """What was over its threshold, the most surprising first."""
    complete: float = 1.0
    """Share of what was asked for that was received, where the ledger knows; 1.0: all."""


class Incident(NamedTuple):
    id: int
    brand: str
    state: str
    since: Millis
    opened_at: Millis
    state_at: Millis
    seen_at: Millis
    worst: str
    over_at: Millis | None
    evidence: Evidence
    acknowledged_by: str | None
    acknowledged_at: Millis | None
    told: str
    told_at: Millis | None
    steps: int
    silent_until: Millis | None
    proved: str | None
    part_of: int | None = None
    """The first incident of the same matter, of another brand."""

    @property
    def matter(self) -> int:
        """The incident that its matter is named by."""
        return self.id if self.part_of is None else self.part_of


class Event(NamedTuple):
    at: Millis
    change: str
    person: str
    detail: str


SILENT_AT_MOST: Millis = DAY


class NoSuchIncident(LookupError):
    pass


class Watched(NamedTuple):
    """What the clock knows of a brand."""

    minute: int
    state: bytes
    standing: Standing


def watched(connection: Connection, brand: str) -> Watched | None:
    found = rows(connection, "SELECT minute, state, standing FROM watch_state WHERE brand = ?", (brand,))
    if not found:
        return None
    minute, state, standing = found[0]
    return Watched(minute, bytes(state), msgspec.json.decode(standing, type=Standing))


def keep_watched(connection: Connection, brand: str, held: Watched) -> None:
    standing = msgspec.json.encode(held.standing).decode()
    many(connection, _KEEP, [(brand, held.minute, held.state, standing)])


def live(connection: Connection, brand: str) -> Incident | None:
    found = named(connection, f"{_SELECT} WHERE brand = ? AND state != 'over'", (brand,))
    return _incident(found[0]) if found else None


def ended(connection: Connection, brand: str, at: Millis) -> Incident | None:
    """The incident of a brand that ended at this moment."""
    found = named(connection, f"{_SELECT} WHERE brand = ? AND over_at = ? ORDER BY id DESC LIMIT 1", (brand, at))
    return _incident(found[0]) if found else None


def find(connection: Connection, id: int) -> Incident:
    """Raises NoSuchIncident."""
    found = named(connection, f"{_SELECT} WHERE id = ?", (id,))
    if not found:
        raise NoSuchIncident(f"there is no incident {id}: `clamor incident list --all` shows them")
    return _incident(found[0])


def listed(connection: Connection, *, all: bool, most: int) -> list[Incident]:
    """Newest first."""
    where = "" if all else "WHERE state != 'over'"
    return [_incident(row) for row in named(connection, f"{_SELECT} {where} ORDER BY id DESC LIMIT ?", (most,))]


def strands(connection: Connection, held: Incident) -> list[Incident]:
    """The incidents of its matter, one a brand, itself included, the first of them first."""
    return [_incident(row) for row in named(connection, f"{_SELECT} WHERE id = ? OR part_of = ? ORDER BY id",
                                            (held.matter, held.matter))]  # fmt: skip


def events(connection: Connection, id: int) -> list[Event]:
    sql = "SELECT at, change, person, detail FROM incident_event WHERE incident = ? ORDER BY n"
    return [Event(*row) for row in rows(connection, sql, (id,))]


def open_incident(connection: Connection, brand: str, standing: Standing, evidence: Evidence, now: Millis) -> int:
    values = (
        brand, standing.state, standing.since, now, now, standing.seen, standing.state, _written(evidence),
    )  # fmt: skip
    id: int = named(connection, _OPEN, values)[0].id
    note(connection, id, standing.state, now, detail=summary(evidence))
    return id


def move(connection: Connection, held: Incident, standing: Standing, evidence: Evidence, now: Millis) -> None:
    """To the state of `standing`; the evidence is kept of the gravest minute, with what surged in others alone. Who
    silenced it did not know of worse."""
    over = standing.state == "over"
    worst = max(held.worst, standing.state, key=lambda state: RANK[state])
    kept = _of_all_kinds(max(held.evidence, evidence, key=weight), (*held.evidence.signals, *evidence.signals))
    changed = standing.state != held.state
    silent = held.silent_until if RANK[standing.state] <= RANK[held.state] else None
    many(
        connection,
        "UPDATE incident SET state = ?, seen_at = ?, worst = ?, evidence = ?, state_at = ?, over_at = ?,"
        " silent_until = ? WHERE id = ?",
        [(
            standing.state, max(held.seen_at, standing.seen), worst, _written(kept), now if changed else held.state_at,
            now if over else None, silent, held.id,
        )],
    )  # fmt: skip
    if changed:
        note(connection, held.id, standing.state, now, detail="" if over else summary(evidence))


def note(connection: Connection, id: int, change: str, at: Millis, person: str = "", detail: str = "") -> None:
    sql = "INSERT INTO incident_event (incident, at, change, person, detail) VALUES (?, ?, ?, ?, ?)"
    many(connection, sql, [(id, at, change, person, detail)])


def tell(connection: Connection, id: int, brand: str, word: Word, step: int, now: Millis) -> None:
    """Ask for mails about it, and for a record on topic `alerts`. `step` 0: to the people of the brand; n: to number n
    of the chain; -n: to the people of the brand and the first n of the chain. There is a key for the links in the mails
    from then on."""
    make_key(connection)
    alert = named(connection, _ALERT, (brand, INCIDENT_QUEUE, word, now, now, id, step))[0].id
    many(connection, _OUTBOX, [(INCIDENT_QUEUE, now, alert)])
    many(connection, "UPDATE incident SET told_at = ? WHERE id = ?", [(now, id)])
    if step > 0:
        many(connection, "UPDATE incident SET steps = ? WHERE id = ?", [(step, id)])
    if word in ("warning", "crisis"):
        many(connection, "UPDATE incident SET told = ? WHERE id = ?", [(word, id)])
        measure_incident(connection, id)
    note(connection, id, "told", now, detail=word)


def silent(held: Incident, now: Millis) -> bool:
    """Whether nobody is to be told now. What lies ahead further than anybody can silence was written before the clock
    was set back."""
    return held.silent_until is not None and now < held.silent_until <= now + SILENT_AT_MOST


def acknowledge(connection: Connection, id: int, person: str, now: Millis) -> Incident:
    """Somebody looks after its matter, whatever brands that has: nothing is repeated and nobody further is told. Raises
    NoSuchIncident, ValueError where it is over or somebody else looks after it."""
    held = find(connection, id)
    if held.state == "over":
        raise ValueError(f"incident {id} is over since it was calm: there is nothing to acknowledge")
    if held.acknowledged_by and held.acknowledged_by != person:
        raise ValueError(f"{held.acknowledged_by} looks after incident {id} already")
    for one in _open(connection, held):
        _look_after(connection, one, person, now)
    return find(connection, id)


def _look_after(connection: Connection, held: Incident, person: str, now: Millis) -> None:
    sql = "UPDATE incident SET acknowledged_by = ?, acknowledged_at = ? WHERE id = ?"
    many(connection, sql, [(person, now, held.id)])
    if not held.acknowledged_by:
        note(connection, held.id, "acknowledged", now, person)


def _open(connection: Connection, held: Incident) -> list[Incident]:
    """Those of its matter that are not over."""
    return [one for one in strands(connection, held) if one.state != "over"]


def silence(connection: Connection, id: int, person: str, until: Millis, now: Millis, why: str = "") -> None:
    """Nobody is told of its matter before `until`; its history goes on. Raises NoSuchIncident, ValueError where it is
    over."""
    held = find(connection, id)
    if held.state == "over":
        raise ValueError(f"incident {id} is over: there is nothing to silence")
    for one in _open(connection, held):
        many(connection, "UPDATE incident SET silent_until = ? WHERE id = ?", [(until, one.id)])
        note(connection, one.id, "silenced", now, person, why)


def escalate(connection: Connection, id: int, person: str, step: int, now: Millis) -> None:
    """Somebody asks that number `step` of the chain be told now. Raises NoSuchIncident, ValueError where it is over, or
    that one was told already, be it of another brand of its matter."""
    held = find(connection, id)
    if max(one.steps for one in strands(connection, held)) >= step:
        raise ValueError(f"number {step} of the chain was told of incident {id} already")
    if held.state == "over":
        raise ValueError(f"incident {id} is over: there is nobody to be told of it")
    note(connection, id, "escalated", now, person)
    tell(connection, id, held.brand, "still", step, now)


def tell_next(connection: Connection, mail: int, person: str, chain: int, now: Millis) -> bool:
    """Of a mail to somebody who cannot be reached, about an incident that nobody looks after: to the next one of the
    chain, of so many; whether there is one. The history says who could not be reached."""
    found = rows(connection, _ABOUT, (mail,))
    if not found:
        return False
    held = find(connection, found[0][0])
    note(connection, held.id, "unreached", now, person)
    # Of another brand of its matter the next one may have been told already.
    steps = max(one.steps for one in strands(connection, held))
    if held.state == "over" or held.acknowledged_by is not None or steps >= chain:
        return False
    tell(connection, held.id, held.brand, "still", steps + 1, now)
    return True


def prove(connection: Connection, id: int, person: str, word: Literal["real", "false"], now: Millis) -> None:
    """Whether its matter was one, as somebody says in the end. Raises NoSuchIncident."""
    for one in strands(connection, find(connection, id)):
        many(connection, "UPDATE incident SET proved = ? WHERE id = ?", [(word, one.id)])
        measure_incident(connection, one.id)
        note(connection, one.id, "proved", now, person, word)


def let_go(connection: Connection, before: Millis) -> None:
    """What people wrote about incidents before then; that they did stays."""
    words = "change IN ('note', 'silenced', 'task', 'joined', 'split', 'hold', 'lifted')"
    many(connection, f"UPDATE incident_event SET detail = '' WHERE {words} AND detail != '' AND at < ?", [(before,)])


def summary(evidence: Evidence) -> str:
    """`negative: 41 in 15 minutes, 3.2 expected (99 %)`."""
    if not evidence.signals:
        return ""
    one = evidence.signals[0]
    span = f"{one.minutes} minute{'s' if one.minutes != 1 else ''}"
    return f"{one.series}: {one.observed:.0f} in {span}, {one.expected:.1f} expected ({one.percent} %)"


def weight(evidence: Evidence) -> tuple[bool, float]:
    """What hurts weighs more than what does not, however surprising."""
    return max(((one.hurts, one.surprise) for one in evidence.signals), default=(False, 0.0))


def _of_all_kinds(kept: Evidence, seen: Sequence[Signal]) -> Evidence:
    """With a signal of each kind that was seen at another minute alone: that severe posts surged, which the playbook
    may have a task for, is not forgotten for a minute that was louder."""
    more: dict[str, Signal] = {}
    for one in seen:
        if one.kind not in {signal.kind for signal in kept.signals}:
            more.setdefault(one.kind, one)
    return msgspec.structs.replace(kept, signals=(*kept.signals, *more.values()))


def _written(evidence: Evidence) -> str:
    return msgspec.json.encode(evidence).decode()


def _incident(row: Any) -> Incident:
    values = list(row)
    values[EVIDENCE] = msgspec.json.decode(values[EVIDENCE], type=Evidence)
    return Incident._make(values)


EVIDENCE = Incident._fields.index("evidence")
_SELECT = (
    "SELECT id, brand, state, since, opened_at, state_at, seen_at, worst, over_at, evidence, acknowledged_by,"
    " acknowledged_at, told, told_at, steps, silent_until, proved, part_of FROM incident"
)
_OPEN = (
    "INSERT INTO incident (brand, state, since, opened_at, state_at, seen_at, worst, evidence, steps)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) RETURNING id"
)
_KEEP = (
    "INSERT INTO watch_state (brand, minute, state, standing) VALUES (?, ?, ?, ?) ON CONFLICT (brand) DO UPDATE SET"
    " minute = excluded.minute, state = excluded.state, standing = excluded.standing"
)
_ABOUT = (
    "SELECT a.incident FROM mail_item i JOIN alert a ON a.id = i.alert WHERE i.mail = ? AND a.incident > 0"
    " ORDER BY a.id LIMIT 1"
)
_ALERT = (
    "INSERT INTO alert (kind, brand, queue, risk, why, event_time, created_at, state, incident, step)"
    " VALUES ('incident', ?, ?, 0, ?, ?, ?, 'pending', ?, ?) RETURNING id"
)
_OUTBOX = "INSERT INTO outbox (kind, mention, queue, revision, at, alert) VALUES ('alert', 0, ?, 0, ?, ?)"
