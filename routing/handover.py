"""At the end of a team's day its open cases go to the team that works now, with a note of how they stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from config.teams import Team
from database.engine import read, rows, rows_in
from routing.apply import apply
from routing.assigning import give, next_in
from routing.calendars import ONE_DAY, calendar_of, is_open, local_day, spans_of
from routing.deadlines import serving
from routing.desk import Desk
from routing.rows import CaseRow
from routing.sheet import CaseEvent, Sheet
from routing.wording import moment
from stream.records import Millis

AT_ONCE = 100
LOOK_BACK = 31
"""Days in which a team's last day of work is looked for."""
HANDED = ("new", "open", "reopened")
"""States of the cases that go over: what waits or is snoozed is nobody's work now."""
CLAMOR = "clamor"
MOST_OF_A_NOTE = 300


class Change(NamedTuple):
    """A team whose day has ended, and the one that goes on."""

    team: Team
    heir: Team
    ended_at: Millis


def changes(teams: tuple[Team, ...], now: Millis) -> list[Change]:
    """Which teams hand over at this time: those that do not work, while the one they name does."""
    by_id = {team.id: team for team in teams}
    found = []
    for team in teams:
        heir = by_id.get(team.hands_over_to or "")
        if heir is None or is_open((calendar_of(team),), now) or not is_open((calendar_of(heir),), now):
            continue
        ended = last_end(team, now)
        if ended is not None:
            found.append(Change(team, heir, ended))
    return found


def last_end(team: Team, now: Millis) -> Millis | None:
    """When the team's last day of work ended; None in a break of it, and where it did not work in LOOK_BACK days."""
    calendar = calendar_of(team)
    today = datetime.fromtimestamp(now / 1_000, UTC).date()
    spans = [span for ago in range(-1, LOOK_BACK) for span in spans_of(calendar, today - ago * ONE_DAY)]
    begin, ended = max((span for span in spans if span[1] <= now), key=lambda span: span[1], default=(now, now))
    more = any(other >= ended for other, _ in spans_of(calendar, local_day(calendar, begin)))
    return None if more or ended == begin else ended


def hand_over(engine: Engine, desk: Desk, now: Millis) -> int:
    """Hand over what was given to somebody before their team's day ended; how many cases, at most AT_ONCE a call.

    Who takes a case in the evening keeps it. Asked again, it does nothing.
    """
    due = changes(desk.in_force.teams, now)
    if not due:
        return 0
    with read(engine) as connection:
        waiting = [(change, ids) for change in due if (ids := _left_over(connection, change))]
    if not waiting:
        return 0
    done: list[int] = []

    def move(sheet: Sheet) -> None:
        for change, ids in waiting:
            sheet.load_cases_by_id(ids)
            for case in (sheet.cases[id] for id in ids[: AT_ONCE - len(done)]):
                if _goes(sheet, case, change):
                    _hand(sheet, case, change)
                    done.append(case.id)

    with desk.transaction(engine) as connection:
        apply(connection, desk, (), now, moves=[move])
    return len(done)


def _left_over(connection: Connection, change: Change) -> list[int]:
    """Cases of the team that the heir serves as well, given to somebody before the day ended."""
    members = [id for id in change.team.members if id not in change.heir.members]
    held = [
        id
        for id, state, brand, queue in rows_in(connection, _OF_MEMBERS, members)
        if state in HANDED and _serve(change, brand, queue)
    ]
    given = dict(rows_in(connection, _GIVEN, held))
    return [id for id in held if given.get(id, 0) < change.ended_at]


def _serve(change: Change, brand: str, queue: str) -> bool:
    return len(serving((change.team, change.heir), brand, queue)) == 2


def _goes(sheet: Sheet, case: CaseRow, change: Change) -> bool:
    if not case.live or case.state not in HANDED or case.assignee not in change.team.members:
        return False
    brand = sheet.desk.brands.word(sheet.connection, case.brand_n)
    return _serve(change, brand, case.queue)


def _hand(sheet: Sheet, case: CaseRow, change: Change) -> None:
    before, people = case.assignee, {person.id for person in sheet.desk.in_force.people}
    case.assignee, case.dirty, case.updated_at = None, True, sheet.now
    heir = next_in(sheet, change.heir, people)
    if heir is not None:
        give(sheet, case, heir)
    offered = () if case.assignee else change.heir.members
    face = sheet.face(case)
    sheet.events.append(CaseEvent(case, "assigned", None, case.assignee or "nobody", "", face, tuple(offered)))
    text = _note(sheet, case, change, before or "nobody")
    sql = "INSERT INTO case_note (case_id, at, person, text) VALUES (?, ?, ?, ?) RETURNING n"
    n = rows(sheet.connection, sql, (case.id, sheet.now, CLAMOR, text))[0][0]
    sheet.events.append(CaseEvent(case, "note", None, str(n), "", face, tuple(offered)))


def _note(sheet: Sheet, case: CaseRow, change: Change, before: str) -> str:
    """How the case stands, for who goes on with it."""
    to = f"{case.assignee} ({change.heir.name})" if case.assignee else f"{change.heir.name}, where nobody has room yet"
    lines = [f"Handed over from {before} ({change.team.name}) to {to}."]
    lines.append("Answered." if case.first_response_at is not None else "Not answered yet.")
    sql = "SELECT what, due FROM case_deadline WHERE case_id = ? AND done_at IS NULL AND due IS NOT NULL ORDER BY due"
    lines += [f"{what.replace('_', ' ').capitalize()} due {moment(due)}." for what, due in
              rows(sheet.connection, sql, (case.id,))]  # fmt: skip
    sql = "SELECT person, text FROM case_note WHERE case_id = ? AND text != '' AND person != ? ORDER BY n DESC LIMIT 1"
    for person, text in rows(sheet.connection, sql, (case.id, CLAMOR)):
        lines.append(f"Last note, by {person}: {text[:MOST_OF_A_NOTE]}")
    return "\n".join(lines)


_OF_MEMBERS = (
    "SELECT c.id, c.state, d.value, c.queue FROM cases c JOIN dictionary d ON d.n = c.brand "
    "WHERE c.live = 1 AND c.assignee IN (??) ORDER BY c.id"
)
_GIVEN = "SELECT case_id, max(at) FROM case_event WHERE change = 'assigned' AND case_id IN (??) GROUP BY case_id"
