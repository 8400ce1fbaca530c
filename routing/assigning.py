"""Who gets a case that a rule assigns: a person, the last agent of that customer, or the next of a team."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from config.teams import Team
from database.engine import rows, rows_in
from routing.calendars import calendar_of, is_open
from routing.keys import NOBODY
from routing.rows import CaseRow, MentionRow
from routing.rule_actions import LAST_AGENT, ROUND_ROBIN
from routing.sheet import CaseEvent, Sheet
from stream.records import Millis


class Load(NamedTuple):
    """What somebody has to do."""

    cases: int
    """In work: those that wait or are snoozed are not counted."""
    newest: int
    """Number of the newest case that they have; 0: none."""


def assign_by_rule(sheet: Sheet, case: CaseRow, m: MentionRow) -> None:
    """Give a case that nobody has to whom the rule of this mention names, where that is somebody who can take it."""
    decision = m.value.decision if m.value is not None else None
    if decision is None or case.assignee is not None or not case.live:
        return
    for way in decision.assign:
        person = _chosen(sheet, case, m, way)
        if person is not None:
            case.assignee, case.dirty = person, True
            sheet.events.append(CaseEvent(case, "assigned", m, person))
            return


def _chosen(sheet: Sheet, case: CaseRow, m: MentionRow, way: str) -> str | None:
    people = {person.id for person in sheet.desk.in_force.people}
    kind, _, name = way.partition(":")
    if kind == ROUND_ROBIN and name:
        team = next((team for team in sheet.desk.in_force.teams if team.id == name), None)
        return next_of(team, loads_of(sheet, team.members, case), sheet.now, people) if team is not None else None
    chosen = _last_agent(sheet, case, m) if way == LAST_AGENT else way
    return chosen if chosen in people else None


def next_of(team: Team, loads: dict[str, Load], now: Millis, people: Iterable[str]) -> str | None:
    """The member who was given a case longest ago, among those with room; nobody while the team does not work."""
    if not is_open((calendar_of(team),), now):
        return None
    among = set(people)
    free = [
        (load.newest, place, id)
        for place, id in enumerate(team.members)
        if id in among and (load := loads.get(id, Load(0, 0))).cases < team.capacity
    ]
    return min(free)[2] if free else None


def loads_of(sheet: Sheet, members: tuple[str, ...], but: CaseRow) -> dict[str, Load]:
    """From SQL, and from what this batch has changed since."""
    here = {case.id: case for case in sheet.cases.values() if case.dirty}
    found: dict[str, Load] = {}
    held = rows_in(sheet.connection, _HELD, list(members))
    stored = [(assignee, id) for assignee, id, state in held if id not in here and state not in ("waiting", "snoozed")]
    now = [
        (case.assignee, id)
        for id, case in here.items()
        if case.live and case is not but and case.assignee in members and case.state not in ("waiting", "snoozed")
    ]
    for assignee, id in (*stored, *now):
        load = found.get(assignee or "", Load(0, 0))
        found[assignee or ""] = Load(load.cases + 1, max(load.newest, id))
    return found


def _last_agent(sheet: Sheet, case: CaseRow, m: MentionRow) -> str | None:
    """Who had the author's last case of this brand."""
    author = m.post.author or NOBODY
    if author == NOBODY:
        return None
    found = rows(sheet.connection, _LAST, (author, case.brand_n, case.id))
    return found[0][0] if found else None


_HELD = "SELECT assignee, id, state FROM cases WHERE live = 1 AND assignee IN (??)"
_LAST = (
    "SELECT assignee FROM cases WHERE author = ? AND brand = ? AND id != ? AND assignee IS NOT NULL "
    "ORDER BY updated_at DESC, id DESC LIMIT 1"
)
