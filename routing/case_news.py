"""News of a case for the people who follow it: its assignee, who watches it, who is named in a note."""

from __future__ import annotations

from collections.abc import Mapping

from database.engine import many, rows, rows_in
from routing.sheet import CaseEvent, Sheet

NEWS: frozenset[str] = frozenset({
    "assigned", "note", "reopened", "woken", "resolved", "raised", "exception", "policy", "deadline_near",
    "deadline_missed", "deadline_escalated",
})  # fmt: skip
"""Changes of a case that those who follow it are told of."""
_FOR_THE_NAMED_ONLY = frozenset({"deadline_escalated"})


def tell(sheet: Sheet) -> None:
    """Write an alert for each piece of news that somebody follows; who made it is not told of it."""
    news = [event for event in sheet.events if event.change in NEWS and not _old(event)]
    if not news:
        return
    watchers = _watchers(sheet, {event.case.id for event in news})
    for event in news:
        follow = {*watchers.get(event.case.id, ()), event.case.assignee or ""}
        told = {*event.told, *(follow if event.change not in _FOR_THE_NAMED_ONLY else ())} - {event.person, ""}
        if told:
            _alert(sheet, event, told)


def _old(event: CaseEvent) -> bool:
    """Whether a rule gave the case to somebody because of a post that may wake nobody: of an import, or late."""
    value = event.mention.value if event.mention is not None and event.change == "assigned" else None
    return value is not None and value.decision is not None and not value.decision.may_wake


def _watchers(sheet: Sheet, cases: set[int]) -> Mapping[int, set[str]]:
    found: dict[int, set[str]] = {}
    sql = "SELECT case_id, person FROM case_watcher WHERE case_id IN (??)"
    for case, person in rows_in(sheet.connection, sql, sorted(cases)):
        found.setdefault(case, set()).add(person)
    return found


def _alert(sheet: Sheet, event: CaseEvent, told: set[str]) -> None:
    case, connection = event.case, sheet.connection
    mention = event.mention.n if event.mention is not None else None
    brand = sheet.desk.brands.word(connection, case.brand_n)
    # What is emptied with the case's last text stands in its history alone.
    why = "" if event.change in ("note", "exception") else event.detail
    values = (event.change, mention, case.id, brand, case.queue, case.risk, why, sheet.now, sheet.now)
    id = rows(connection, _ALERT, values)[0][0]
    sql = "INSERT INTO alert_recipient (alert, person) VALUES (?, ?)"
    many(connection, sql, [(id, person) for person in sorted(told)])
    if event.change == "note":
        many(connection, "UPDATE case_note SET alert = ? WHERE n = ?", [(id, int(event.detail))])


_ALERT = (
    "INSERT INTO alert (kind, mention_n, case_id, brand, queue, risk, why, event_time, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
