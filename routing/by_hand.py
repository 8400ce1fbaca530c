"""Cases that people open themselves: a press call, a question of an authority. No post stands behind them.

They have the states, deadlines, history and mails of other cases. Since there is no post whose text could go, what
people wrote of them goes some time after they are over.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import Connection, Engine

from config.problems import did_you_mean
from database.engine import many, rows, write
from routing.apply import apply
from routing.desk import Desk
from routing.incidents import book
from routing.keys import NOBODY
from routing.mail.clean import for_body
from routing.merging import PRIORITY, CaseRefused
from routing.rows import NO_CONVERSATION, CaseRow
from routing.sheet import CaseEvent, Sheet
from routing.tracking import tracking_key
from routing.wording import moment
from stream.clock import DAY
from stream.records import Millis

Kind = Literal["press", "authority", "partner", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)
QUEUES = ("pr", "support", "sales")
LONGEST = 1_000
LONGEST_NAME = 200
LONGEST_BY = 64
FURTHEST: Millis = 366 * DAY


class ByHand(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, by whom, until when, and who speaks."""

    kind: Kind
    about: str
    """Empty: it is long over, and what people wrote of it was let go."""
    outlet: str = ""
    """Or the authority, the partner."""
    contact: str = ""
    """Who asks: a journalist."""
    due: Millis | None = None
    spokesperson: str = ""
    """Id of a person."""
    incident: int | None = None


def open_case(
    engine: Engine, desk: Desk, brand: str, queue: str, priority: str, asked: ByHand, by: str, now: Millis
) -> tuple[int, str]:
    """(number, tracking key) of a new case, durable on return; its spokesperson has it and is told. Raises CaseRefused
    with the way out, NoSuchIncident."""
    if not 1 <= len(by) <= LONGEST_BY or not by.isprintable():
        raise CaseRefused(f"who opens it has 1 to {LONGEST_BY} printable characters, and this is {by[:80]!r}")
    _check(desk, brand, queue, priority, asked, now)
    made: list[CaseRow] = []

    def move(sheet: Sheet) -> None:
        case = _opened(sheet, brand, queue, priority, asked.spokesperson or None)
        values = (
            case.id, asked.kind, for_body(asked.about, LONGEST), _line(asked.outlet), _line(asked.contact), asked.due,
            asked.spokesperson, asked.incident, by,
        )  # fmt: skip
        many(sheet.connection, _NEW, [values])
        sheet.events.append(CaseEvent(case, "opened", None, f"by hand: {asked.kind}", by))
        if asked.spokesperson:
            told = (asked.spokesperson,)
            sheet.events.append(CaseEvent(case, "assigned", None, asked.spokesperson, by, told=told))
        if asked.incident is not None:
            held = book.find(sheet.connection, asked.incident)
            if brand not in {one.brand for one in book.strands(sheet.connection, held)}:
                raise CaseRefused(f"incident {held.id} is about {held.brand}, and the case about {brand}")
            book.note(sheet.connection, asked.incident, "case", now, by, f"case {case.id}")
        made.append(case)

    with desk.transaction(engine) as connection:
        apply(connection, desk, (), now, moves=[move])
    return made[0].id, made[0].tracking


def of_case(connection: Connection, case: int) -> ByHand | None:
    """None where posts stand behind the case."""
    found = rows(connection, f"SELECT {_COLUMNS} FROM case_by_hand WHERE case_id = ?", (case,))
    return _by_hand(found[0]) if found else None


def of_incident(connection: Connection, incident: int) -> list[tuple[int, str, ByHand]]:
    """(number, state, what it is) of the cases that are linked to an incident, oldest first."""
    columns = ", ".join(f"h.{name}" for name in _COLUMNS.split(", "))
    sql = f"SELECT c.id, c.state, {columns} FROM case_by_hand h JOIN cases c ON c.id = h.case_id"
    found = rows(connection, f"{sql} WHERE h.incident = ? ORDER BY c.id", (incident,))
    return [(id, state, _by_hand(rest)) for id, state, *rest in found]


def kept(connection: Connection) -> set[int]:
    """Cases whose words are kept though there is no post in them."""
    return {case for (case,) in rows(connection, "SELECT case_id FROM case_by_hand WHERE about != ''")}


def let_go(engine: Engine, before: Millis) -> None:
    """What people wrote of cases that were over before then."""
    with write(engine) as connection:
        old = [id for (id,) in rows(connection, _OLD, (before,))]
        words = "about = '', outlet = '', contact = ''"
        many(connection, f"UPDATE case_by_hand SET {words} WHERE case_id = ?", [(id,) for id in old])


def _check(desk: Desk, brand: str, queue: str, priority: str, asked: ByHand, now: Millis) -> None:
    in_force = desk.in_force
    for what, found, known in (
        ("brand", brand, [one.id for one in in_force.brands]),
        ("kind of case", asked.kind, list(KINDS)),
        ("queue", queue, list(QUEUES)),
        ("priority", priority, list(PRIORITY)),
        ("person", asked.spokesperson or None, [one.id for one in in_force.people]),
    ):
        if found is not None and found not in known:
            advice = did_you_mean(found, known) or (f"there are {', '.join(known)}" if known else "there is none yet")
            raise CaseRefused(f"{found[:64]!r} is no {what} here: {advice}")
    if not for_body(asked.about, LONGEST) or len(asked.about.strip()) > LONGEST:
        raise CaseRefused(
            f"what it is about has 1 to {LONGEST:,} characters, and this has {len(asked.about.strip()):,}"
        )
    for text in (asked.outlet, asked.contact):
        if len(text) > LONGEST_NAME:
            raise CaseRefused(f"outlet and contact have at most {LONGEST_NAME} characters each")
    if asked.due is not None and not now < asked.due <= now + FURTHEST:
        raise CaseRefused(f"the deadline {moment(asked.due)} is past, or more than a year ahead: name a time to come")


def _opened(sheet: Sheet, brand: str, queue: str, priority: str, assignee: str | None) -> CaseRow:
    id = sheet.desk.cases.take(sheet.connection)
    brand_n = sheet.desk.brands.number(sheet.connection, brand)
    case = CaseRow(
        id, brand_n, NO_CONVERSATION, NOBODY, queue, state="open" if assignee else "new", priority=priority,
        opened_at=sheet.now, updated_at=sheet.now, tracking=tracking_key(brand, sheet.now, id), strand=id,
        assignee=assignee, new=True,
    )  # fmt: skip
    sheet.enter_case(case)
    sheet.opened.append(case)
    return case


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _by_hand(row: Any) -> ByHand:
    kind, about, outlet, contact, due, spokesperson, incident = row
    return ByHand(
        kind=kind, about=about, outlet=outlet, contact=contact, due=due, spokesperson=spokesperson, incident=incident
    )  # fmt: skip


_COLUMNS = "kind, about, outlet, contact, due, spokesperson, incident"
_NEW = f"INSERT INTO case_by_hand (case_id, {_COLUMNS}, opened_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OLD = (
    "SELECT h.case_id FROM case_by_hand h JOIN cases c ON c.id = h.case_id"
    " WHERE h.about != '' AND c.live = 0 AND c.closed_at < ?"
)
