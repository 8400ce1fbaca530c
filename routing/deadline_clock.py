"""Tells of the deadlines of cases: ahead, when they are missed, and up a chain of people.

What was told stands in the same transaction as the telling, so that after a restart nothing is told again. One process
ticks; a case's changes reckon its deadlines wherever they are made (`deadline_rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from config.teams import Deadline
from database.engine import many, read, rows
from routing.apply import apply
from routing.deadline_rows import BY_HAND, Row, next_at, reckon, rows_of, store
from routing.deadlines import What, serving
from routing.desk import Desk
from routing.rows import CaseRow
from routing.sheet import CaseEvent, Sheet
from routing.wording import moment
from stream.records import Millis

AT_ONCE = 200
"""Deadlines that are told, or cases that are reckoned anew, in one transaction."""
_WORDS: dict[What, str] = {"first_response": "first response", "resolution": "resolution"}


def tick(engine: Engine, desk: Desk, now: Millis) -> int:
    """Tell of what is due by `now`, and reckon cases anew where teams or deadlines were changed; how many."""
    told = _tell_due(engine, desk, now)
    return told or _go_round(engine, desk, now)


def _tell_due(engine: Engine, desk: Desk, now: Millis) -> int:
    sql = "SELECT case_id FROM case_deadline WHERE next_at <= ? ORDER BY next_at LIMIT ?"
    with read(engine) as connection:
        waiting = [id for (id,) in rows(connection, sql, (now, AT_ONCE))]
    if not waiting:
        return 0

    def move(sheet: Sheet) -> None:
        ids = list(dict.fromkeys(waiting))
        sheet.load_cases_by_id(ids)
        for row in rows_of(sheet, ids):
            if row.next_at is not None and row.next_at <= now:
                _tell(sheet, sheet.cases[row.case_id], row)

    _in_one(engine, desk, now, move)
    return len(waiting)


def _tell(sheet: Sheet, case: CaseRow, row: Row) -> None:
    among = (*sheet.desk.in_force.deadlines, BY_HAND)
    deadline = next((one for one in among if one.id == row.deadline), None)
    if deadline is None or row.due is None:
        store(sheet, [row._replace(next_at=None)])
        return
    what, due = _WORDS[row.what], row.due
    if due > sheet.now:
        _event(sheet, case, "deadline_near", f"{what} due {moment(due)}", _whose(sheet, case, deadline))
        row = row._replace(warned_at=sheet.now)
    else:
        if row.missed_at is None:
            _event(sheet, case, "deadline_missed", f"{what} was due {moment(due)}", _whose(sheet, case, deadline))
            row = row._replace(warned_at=row.warned_at or sheet.now, missed_at=sheet.now)
        late = (sheet.now - due) // deadline.escalate_every + 1
        reached = deadline.escalate[row.told : late]
        if reached:
            detail = f"{what} was due {moment(due)}"
            _event(sheet, case, "deadline_escalated", detail, reached)
            row = row._replace(told=row.told + len(reached))
    store(sheet, [row._replace(next_at=next_at(row, deadline))])


def _whose(sheet: Sheet, case: CaseRow, deadline: Deadline) -> tuple[str, ...]:
    """Who has the case; where nobody of the people does, the teams of its queue; where there are none, the first to
    escalate to."""
    if case.assignee and any(person.id == case.assignee for person in sheet.desk.in_force.people):
        return (case.assignee,)
    brand = sheet.desk.brands.word(sheet.connection, case.brand_n)
    members = {id for team in serving(sheet.desk.in_force.teams, brand, case.queue) for id in team.members}
    return tuple(sorted(members)) or deadline.escalate[:1]


def _event(sheet: Sheet, case: CaseRow, change: str, detail: str, told: Sequence[str]) -> None:
    sheet.events.append(CaseEvent(case, change, None, detail, "", sheet.face(case), tuple(told)))


def _go_round(engine: Engine, desk: Desk, now: Millis) -> int:
    """A chunk of the cases in work, by a new revision of teams or deadlines; how many."""
    teams, deadlines = desk.in_force.deadlines_revision
    with read(engine) as connection:
        found = rows(connection, "SELECT teams, deadlines, after FROM deadline_round WHERE name = 'cases'")
        stands = tuple(found[0]) if found else (0, 0, None)
        if stands == (teams, deadlines, None):
            return 0
        after = stands[2] or 0 if stands[:2] == (teams, deadlines) else 0
        sql = "SELECT id FROM cases WHERE live = 1 AND id > ? ORDER BY id LIMIT ?"
        ids = [id for (id,) in rows(connection, sql, (after, AT_ONCE))]

    def move(sheet: Sheet) -> None:
        sheet.load_cases_by_id(ids)
        reckon(sheet, [sheet.cases[id] for id in ids if sheet.cases[id].live])
        many(sheet.connection, _ROUND, [(teams, deadlines, ids[-1] if len(ids) == AT_ONCE else None)])

    _in_one(engine, desk, now, move)
    return max(1, len(ids))


def _in_one(engine: Engine, desk: Desk, now: Millis, move: Callable[[Sheet], None]) -> None:
    with desk.transaction(engine) as connection:
        apply(connection, desk, (), now, moves=[move])


_ROUND = (
    "INSERT INTO deadline_round (name, teams, deadlines, after) VALUES ('cases', ?, ?, ?) "
    "ON CONFLICT (name) DO UPDATE SET teams = excluded.teams, deadlines = excluded.deadlines, after = excluded.after"
)
