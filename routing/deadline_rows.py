"""The deadlines of cases in SQL: reckoned whenever a case changes, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from config.teams import Deadline
from database.engine import many, rows, rows_in
from routing.deadlines import WHATS, Pause, What, calendars_for, deadline_for, due, target_of
from routing.rows import CaseRow
from routing.sheet import Sheet
from routing.wording import moment
from stream.records import Millis

BY_HAND = Deadline.model_validate({"id": "by-hand", "only_by_rule": True, "warn_before": "1h"})
"""Of a case that a person opened, where somebody was promised an answer by a time."""


class Row(NamedTuple):
    """A deadline of a case, as in table `case_deadline`."""

    case_id: int
    what: What
    deadline: str
    target: str
    began_at: Millis
    due: Millis | None
    done_at: Millis | None
    warned_at: Millis | None
    missed_at: Millis | None
    told: int
    next_at: Millis | None


def keep_deadlines(sheet: Sheet) -> None:
    """Bring pauses and deadlines in line with the cases that this batch changed."""
    moved = [case for case in sheet.cases.values() if case.dirty and case.clock != case.was_clock]
    if moved:
        _keep_pauses(sheet, moved)
        reckon(sheet, moved)


def _keep_pauses(sheet: Sheet, moved: Sequence[CaseRow]) -> None:
    begun = [case for case in moved if case.stands_still and not _stood_still(case)]
    ended = [case for case in moved if not case.stands_still and _stood_still(case)]
    sql = "INSERT INTO case_pause (case_id, since, until) VALUES (?, ?, NULL) "
    # Put aside, taken up and put aside again within a millisecond is one pause.
    sql += "ON CONFLICT (case_id, since) DO UPDATE SET until = NULL"
    many(sheet.connection, sql, [(case.id, sheet.now) for case in begun])
    sql = "UPDATE case_pause SET until = ? WHERE case_id = ? AND until IS NULL"
    many(sheet.connection, sql, [(sheet.now, case.id) for case in ended])


def _stood_still(case: CaseRow) -> bool:
    was = case.was_clock[0] if case.was_clock else "new"
    return was in ("waiting", "resolved", "closed", "merged")


def reckon(sheet: Sheet, cases: Iterable[CaseRow]) -> None:
    """The deadlines of these cases by the teams and deadlines in force."""
    among = {case.id: case for case in cases}
    in_force = sheet.desk.in_force
    promised = due_of(sheet, [case.id for case in among.values() if case.by_hand])
    if not in_force.deadlines and not promised and not rows(sheet.connection, "SELECT 1 FROM case_deadline LIMIT 1"):
        return
    held = {(row.case_id, row.what): row for row in rows_of(sheet, list(among))}
    pauses: dict[int, list[Pause]] = {}
    sql = "SELECT case_id, since, until FROM case_pause WHERE case_id IN (??) ORDER BY case_id, since"
    for id, since, until in rows_in(sheet.connection, sql, list(among)):
        pauses.setdefault(id, []).append(Pause(since, until))
    made: list[Row] = []
    for case in among.values():
        for what in WHATS:
            row = _reckoned(
                sheet, case, what, held.get((case.id, what)), pauses.get(case.id, []), promised.get(case.id)
            )
            if row is not None:
                made.append(row)
    kept = {(row.case_id, row.what) for row in made}
    gone = [key for key in held if key not in kept]
    many(sheet.connection, "DELETE FROM case_deadline WHERE case_id = ? AND what = ?", gone)
    sheet.reckoned |= {id for id, _ in gone}
    store(sheet, made)


def due_of(sheet: Sheet, cases: Sequence[int]) -> dict[int, Millis]:
    """By case that a person opened: by when an answer was promised."""
    sql = "SELECT case_id, due FROM case_by_hand WHERE due IS NOT NULL AND case_id IN (??)"
    return dict(rows_in(sheet.connection, sql, list(cases)))


def _reckoned(
    sheet: Sheet, case: CaseRow, what: What, held: Row | None, pauses: Sequence[Pause], promised: Millis | None
) -> Row | None:
    """`promised`: the deadline that a person named for the first response; it goes before those by priority."""
    done = case.first_response_at if what == "first_response" else case.closed_at if case.state == "resolved" else None
    if held is not None and held.done_at is not None and done is not None:
        return held._replace(done_at=done)
    if not case.live and done is None:
        # Over without it: by when it was owed stays to be seen.
        return held._replace(next_at=None) if held is not None else None
    if promised is not None and what == "first_response":
        row = Row(case.id, what, BY_HAND.id, moment(promised), case.opened_at, promised, done, None, None, 0, None)
        return _still_told(row, held, BY_HAND, sheet.now)
    brand = sheet.desk.brands.word(sheet.connection, case.brand_n)
    in_force = sheet.desk.in_force
    deadline = deadline_for(in_force.deadlines, brand, case.queue, case.deadline)
    wanted = target_of(deadline, what, case.priority) if deadline is not None else None
    if deadline is None or wanted is None:
        return held._replace(next_at=None, done_at=done) if held is not None and held.missed_at is not None else None
    calendars = calendars_for(in_force.teams, brand, case.queue)
    # Who waits for the customer has answered: the first response knows no pause.
    stood = _until(done, pauses) if what == "resolution" else []
    at = due(case.opened_at, wanted, calendars, stood)
    target = getattr(getattr(deadline, what), case.priority)
    row = Row(case.id, what, deadline.id, target, case.opened_at, at, done, None, None, 0, None)
    return _still_told(row, held, deadline, sheet.now)


def _still_told(row: Row, held: Row | None, deadline: Deadline, now: Millis) -> Row:
    """With what people were told, as long as that is true, and when there is more to tell."""
    if held is not None:
        still = held.missed_at is not None and (row.due is None or row.due <= now)
        row = row._replace(
            warned_at=held.warned_at if row.due == held.due or still else None,
            missed_at=held.missed_at if still else None,
            told=held.told if still else 0,
        )
    return row._replace(next_at=next_at(row, deadline))


def _until(done: Millis | None, pauses: Sequence[Pause]) -> Sequence[Pause]:
    """The pauses up to when it was done."""
    if done is None:
        return pauses
    return [Pause(since, min(until or done, done)) for since, until in pauses if since < done]


def next_at(row: Row, deadline: Deadline) -> Millis | None:
    """When there is something to tell of it."""
    if row.due is None or row.done_at is not None:
        return None
    if row.missed_at is not None:
        more = row.told < len(deadline.escalate)
        return row.due + row.told * deadline.escalate_every if more else None
    return row.due if row.warned_at is not None else max(row.began_at, row.due - deadline.warn_before)


def rows_of(sheet: Sheet, cases: Sequence[int]) -> list[Row]:
    return [Row(*row) for row in rows_in(sheet.connection, _HELD, cases)]


def store(sheet: Sheet, made: Iterable[Row]) -> None:
    kept = list(made)
    many(sheet.connection, _KEEP, [tuple(row) for row in kept])
    sheet.reckoned |= {row.case_id for row in kept}


_HELD = f"SELECT {', '.join(Row._fields)} FROM case_deadline WHERE case_id IN (??)"
_KEEP = (
    f"INSERT INTO case_deadline ({', '.join(Row._fields)}) VALUES ({', '.join('?' * len(Row._fields))}) "
    f"ON CONFLICT (case_id, what) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in Row._fields[2:])}"
)
