"""Cases as the asker may see them: those of its brands and queues in which there is, or was, a mention for it.

A token that is limited to queues or sources gets a case's figures from the mentions that it may see, so that none of
them tells of the others.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, Select, select

from database.engine import read, rows, rows_in
from database.tables.cases import case_tag, cases
from database.tables.dictionary import dictionary
from index.visibility import sees
from routing.advice import Advice, of_case
from routing.incidents import hold
from routing.matters import ties
from routing.matters.shown import Known, matters_of
from routing.matters.ties import Tie
from stream.ports import AccessScope
from stream.records import Mention, Millis, decode
from web.truth import OF_COPIES, sees_a_part

LOOKED_AT = 2_000
"""Mentions of a case that are looked at for a limited token."""
SCANNED = 500
"""Cases that are looked at for one page."""
HISTORY = 500
MOST_PROPOSALS = 500


class Filter(NamedTuple):
    queue: str | None = None
    brand: str | None = None
    live: bool | None = None
    state: str | None = None
    assignee: str | None = None
    """Empty: nobody."""
    tag: str | None = None


class Case(NamedTuple):
    row: Any
    mentions: int
    risk: int
    merged_into: int | None


class Event(NamedTuple):
    at: Millis
    change: str
    mention: str | None
    detail: str
    person: str
    """Who did it; empty: Clamor."""


class Note(msgspec.Struct, frozen=True):
    at: Millis
    person: str
    text: str
    case: int
    """That it was written in: one that was merged into this one may be."""


class Due(msgspec.Struct, frozen=True):
    """A deadline of a case."""

    what: str
    """first_response or resolution"""
    deadline: str
    target: str
    due: Millis | None
    """None: the clock stands still, or nobody works who would count."""
    done_at: Millis | None
    missed: bool
    """It was done too late, or people were told that it was missed."""


class Held(NamedTuple):
    """Canned replies are kept back, because the case is one of an incident."""

    incident: int
    since: Millis
    why: str
    lines: list[str]
    """Approved, in the asker's language."""
    who: list[str]
    """May lift it; nobody: anybody may."""


class Opened(NamedTuple):
    case: Case
    live: list[Mention]
    """Those that the asker may see, the newest first."""
    history: list[Event]
    tags: list[str]
    watchers: list[str]
    deadlines: list[Due]
    notes: list[Note]
    """Oldest first; none for an asker who may not see all of a case: a note may repeat what is hidden."""

    @property
    def mentions(self) -> list[str]:
        return [m.id for m in self.live]


def page(
    engine: Engine, scope: AccessScope, wanted: Filter, limit: int, cursor: int | None
) -> tuple[list[Case], int | None]:
    """Up to `limit` cases below `cursor`, the newest first, and the next cursor."""
    statement = _seen_by(scope).order_by(cases.c.id.desc()).limit(SCANNED)
    if wanted.queue is not None:
        statement = statement.where(cases.c.queue == wanted.queue)
    if wanted.brand is not None:
        statement = statement.where(dictionary.c.value == wanted.brand)
    if wanted.live is not None:
        statement = statement.where(cases.c.live == int(wanted.live))
    if wanted.state is not None:
        statement = statement.where(cases.c.state == wanted.state)
    if wanted.assignee is not None:
        statement = statement.where(
            cases.c.assignee == wanted.assignee if wanted.assignee else cases.c.assignee.is_(None)
        )
    if wanted.tag is not None:
        statement = statement.where(
            cases.c.id.in_(select(case_tag.c.case_id).where(case_tag.c.tag == wanted.tag.casefold()))
        )
    if cursor is not None:
        statement = statement.where(cases.c.id < cursor)
    shown: list[Case] = []
    with read(engine) as connection:
        found = list(connection.execute(statement))
        for place, row in enumerate(found, 1):
            case = _case(connection, row, scope)
            if case is not None:
                shown.append(case)
            if len(shown) == limit:
                return shown, row.id if place < len(found) or len(found) == SCANNED else None
    return shown, found[-1].id if len(found) == SCANNED else None


def one(engine: Engine, case_id: int, scope: AccessScope) -> Opened | None:
    """A case with its live mentions and its history; None where there is none for the asker."""
    with read(engine) as connection:
        row = connection.execute(_seen_by(scope).where(cases.c.id == case_id)).first()
        case = _case(connection, row, scope) if row is not None else None
        if case is None:
            return None
        sql = "SELECT body FROM mention WHERE case_id = ? AND state = 'live' ORDER BY n DESC LIMIT ?"
        held = [decode(Mention, body) for (body,) in rows(connection, sql, (case_id, HISTORY))]
        names = "SELECT DISTINCT {0} FROM {1} WHERE case_id IN (??) ORDER BY {0}"
        ids = [case_id, *_taken_over(connection, case_id)]
        tags, watchers = (
            [word for (word,) in rows_in(connection, names.format(column, table), ids)]
            for column, table in (("tag", "case_tag"), ("person", "case_watcher"))
        )
        deadlines = [_due(*row) for row in rows(connection, _DEADLINES, (case_id,))]
        sql = "SELECT at, person, text, case_id FROM case_note WHERE case_id IN (??) AND text != '' ORDER BY n"
        notes = [Note(*row) for row in rows_in(connection, sql, ids)] if _whole(scope) else []
        seen = [m for m in held if sees(scope, m)]
        return Opened(case, seen, _history(connection, case_id, scope), tags, watchers, deadlines, notes[-HISTORY:])


def matters(engine: Engine, case_id: int, scope: AccessScope) -> list[Known]:
    """Other cases that are, may be or are not the same matter, of those that the asker may see."""
    with read(engine) as connection:
        found = matters_of(connection, case_id)
        seen = _seen_among(connection, {one.case for one in found}, scope)
        held = [(one, [_named(connection, name) for name in one.mentions]) for one in found if one.case in seen]
        return [
            one._replace(mentions=tuple(m.id for m in shown if m is not None and m.within(scope)))
            for one, shown in held
        ]


def proposals(engine: Engine, scope: AccessScope, most: int) -> list[Tie]:
    """Pairs of cases that may be one matter, both of which the asker may see."""
    with read(engine) as connection:
        found = ties.proposed(connection, MOST_PROPOSALS)
        seen = _seen_among(connection, {id for tie in found for id in tie[:2]}, scope)
        return [tie for tie in found if tie.one in seen and tie.other in seen][:most]


def _seen_among(connection: Connection, ids: Collection[int], scope: AccessScope) -> set[int]:
    found = connection.execute(_seen_by(scope).where(cases.c.id.in_(sorted(ids))))
    return {row.id for row in found if _case(connection, row, scope) is not None}


def _named(connection: Connection, name: str) -> _Glance | None:
    post, _, brand = name.rpartition("#")
    sql = (
        "SELECT m.body FROM mention m JOIN post p ON p.n = m.post JOIN dictionary d ON d.n = m.brand "
        "WHERE p.id = ? AND d.kind = 'brand' AND d.value = ?"
    )
    found = rows(connection, sql, (post, brand))
    return _glances.decode(found[0][0]) if found else None


def _due(what: str, deadline: str, target: str, due: Millis | None, done: Millis | None, missed: Millis | None) -> Due:
    late = due is not None and done is not None and done > due
    return Due(what, deadline, target, due, done, missed=late or missed is not None)


_DEADLINES = "SELECT what, deadline, target, due, done_at, missed_at FROM case_deadline WHERE case_id = ? ORDER BY what"


def _taken_over(connection: Connection, case_id: int) -> list[int]:
    """Cases that were merged into this one, and into those."""
    found: list[int] = []
    into = [case_id]
    while into and len(found) < HISTORY:
        into = [id for (id,) in rows_in(connection, "SELECT id FROM cases WHERE merged_into IN (??)", into)]
        found += into
    return found


def advice(
    engine: Engine, case_id: int, scope: AccessScope, language: Literal["en", "es"], now: Millis
) -> list[Advice]:
    """What the policy for detractors advises for a case that the asker may see, from the mentions that it may see."""
    hides = not _whole(scope)
    with read(engine) as connection:
        return of_case(
            connection,
            case_id,
            language,
            now,
            (lambda one: sees(scope, one)) if hides else None,
            OF_COPIES if sees_a_part(scope) else frozenset(),
        )


def holds(engine: Engine, case_id: int, scope: AccessScope, language: Literal["en", "es"]) -> list[Held]:
    """Holds that a case which the asker may see is under. Why is for who may see all: a person wrote it."""
    with read(engine) as connection:
        found = [(one, *hold.told_in(connection, one)) for one in hold.of_case(connection, case_id)]
    return [
        Held(one.incident, one.since, one.reason if _whole(scope) else "",
             [line.within(language, brand) for line in one.lines], list(who))
        for one, who, brand in found
    ]  # fmt: skip


def _history(connection: Connection, case_id: int, scope: AccessScope) -> list[Event]:
    """What a deleted mention did is told without its name; what one beyond the scope did is not told."""
    sql = "SELECT at, change, mention, detail, person, reason FROM case_event WHERE case_id = ? ORDER BY n DESC LIMIT ?"
    events = rows(connection, sql, (case_id, HISTORY))
    numbers = list({mention for _, _, mention, *_ in events if mention is not None})
    found = rows_in(connection, "SELECT n, body FROM mention WHERE n IN (??)", numbers)
    mentions = {n: _glances.decode(body) for n, body in found}
    told = []
    for at, change, n, detail, person, reason in reversed(events):
        mention = mentions.get(n)
        if _whole(scope) or (mention is not None and mention.within(scope)):
            name = mention.id if mention is not None and mention.state == "live" else None
            said = ": ".join(words for words in (_said(change, detail), reason) if words)
            told.append(Event(at, change, name, said, person))
    return told


def _said(change: str, detail: str) -> str:
    """Without the numbers of mentions, which only Clamor reads."""
    if change == "split":
        return detail.partition(": ")[0]
    return "" if change == "note" else detail.partition("; into ")[0]


def _seen_by(scope: AccessScope) -> Select[Any]:
    statement = select(cases, dictionary.c.value.label("brand_id")).join(dictionary, dictionary.c.n == cases.c.brand)
    if scope.brands is not None:
        statement = statement.where(dictionary.c.value.in_(sorted(scope.brands)))
    if scope.queues is not None:
        statement = statement.where(cases.c.queue.in_(sorted(scope.queues)))
    return statement


def _case(connection: Connection, row: Any, scope: AccessScope) -> Case | None:
    """Nothing where every mention that is or was in it lies beyond the scope."""
    if _whole(scope):
        return Case(row, row.mentions, row.risk, row.merged_into)
    bodies = rows(connection, "SELECT body FROM mention WHERE case_id = ? LIMIT ?", (row.id, LOOKED_AT))
    inside = [mention for (body,) in bodies if (mention := _glances.decode(body)).within(scope)]
    if not inside and not _ever(connection, row.id, scope):
        return None
    working = [m for m in inside if m.state == "live" and m.queue != "none"]
    into = row.merged_into
    if into is not None:
        other = connection.execute(_seen_by(scope).where(cases.c.id == into)).first()
        into = into if other is not None and _case(connection, other, scope) is not None else None
    return Case(row, len(working), max((m.risk for m in working), default=0), into)


def _ever(connection: Connection, case_id: int, scope: AccessScope) -> bool:
    """Whether a mention that left the case (deleted, merged away) was one for the asker."""
    sql = "SELECT m.body FROM case_event e JOIN mention m ON m.n = e.mention WHERE e.case_id = ? ORDER BY e.n LIMIT ?"
    return any(_glances.decode(body).within(scope) for (body,) in rows(connection, sql, (case_id, HISTORY)))


def _whole(scope: AccessScope) -> bool:
    """Whether the scope hides no mention of a case of its brands."""
    return scope.queues is None and scope.access is None


class _Choice(msgspec.Struct, gc=False):
    queue: str | None = None
    risk: int = 0


class _Glance(msgspec.Struct, gc=False):
    """As much of a mention as tells whether the asker may know of it."""

    id: str
    brand: str
    access: str = "public"
    state: str = "live"
    decision: _Choice | None = None
    correction: _Choice | None = None

    @property
    def queue(self) -> str:
        corrected = self.correction.queue if self.correction else None
        return corrected or (self.decision.queue if self.decision else None) or "none"

    @property
    def risk(self) -> int:
        return self.decision.risk if self.decision else 0

    def within(self, scope: AccessScope) -> bool:
        """A mention that is gone has no queue any more: its case's queue stands for it."""
        return (
            (scope.brands is None or self.brand in scope.brands)
            and (scope.access is None or self.access in scope.access)
            and (scope.queues is None or self.state != "live" or self.queue in scope.queues)
        )


_glances = msgspec.json.Decoder(_Glance)
