"""Who gets a case that a rule assigns: a person, the last agent of that customer, or the next of a team."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from config.teams import Team
from database.engine import rows, rows_in
from routing.calendars import calendar_of, is_open
from routing.keys import NOBODY
from routing.rows import CaseRow, MentionRow
from routing.rule_actions import LAST_AGENT, ROUND_ROBIN
from routing.sheet import CaseEvent, Load, Sheet


def assign_by_rule(sheet: Sheet, case: CaseRow, m: MentionRow) -> None:
    """Give a case that nobody has to whom the rule of this mention, which enters it, names, where that is somebody who
    can take it; whoever gave it to somebody or to nobody by hand is not overruled."""
    decision = m.value.decision if m.value is not None else None
    if decision is None or not decision.assign or case.assignee is not None or not case.live:
        return
    if not case.new and rows(sheet.connection, _BY_HAND, (case.id,)):
        return
    for way in decision.assign:
        person = _chosen(sheet, case, m, way)
        if person is not None:
            give(sheet, case, person)
            sheet.events.append(CaseEvent(case, "assigned", m, person))
            return


def give(sheet: Sheet, case: CaseRow, person: str) -> None:
    case.assignee, case.dirty = person, True
    if case.state in ("new", "reopened"):
        case.state = "open"
    if person in sheet.loads:
        load = sheet.loads[person]
        sheet.loads[person] = Load(load.cases + 1, max(load.newest, case.id))


def _chosen(sheet: Sheet, case: CaseRow, m: MentionRow, way: str) -> str | None:
    people = {person.id for person in sheet.desk.in_force.people}
    kind, _, name = way.partition(":")
    if kind == ROUND_ROBIN and name:
        team = next((team for team in sheet.desk.in_force.teams if team.id == name), None)
        return next_in(sheet, team, people) if team is not None else None
    chosen = _last_agent(sheet, case, m) if way == LAST_AGENT else way
    return chosen if chosen in people else None


def next_in(sheet: Sheet, team: Team, people: Container[str]) -> str | None:
    """The member who was given a case longest ago, among those with room; nobody while the team does not work."""
    return next_of(team, loads_of(sheet, team.members), people) if is_open((calendar_of(team),), sheet.now) else None


def next_of(team: Team, loads: Mapping[str, Load], people: Container[str]) -> str | None:
    free = [
        (load.newest, place, id)
        for place, id in enumerate(team.members)
        if id in people and (load := loads.get(id, Load(0, 0))).cases < team.capacity
    ]
    return min(free)[2] if free else None


def loads_of(sheet: Sheet, members: Sequence[str]) -> Mapping[str, Load]:
    """From SQL and what this batch had changed by then, once for each member."""
    unknown = [id for id in members if id not in sheet.loads]
    if unknown:
        sheet.loads.update(dict.fromkeys(unknown, Load(0, 0)))
        here = {case.id: case for case in sheet.cases.values() if case.dirty}
        held = [(who, id, state) for who, id, state in rows_in(sheet.connection, _HELD, unknown) if id not in here]
        held += [(case.assignee, id, case.state) for id, case in here.items() if case.live and case.assignee in unknown]
        for who, id, state in held:
            if state not in ("waiting", "snoozed"):
                load = sheet.loads[who]
                sheet.loads[who] = Load(load.cases + 1, max(load.newest, id))
    return sheet.loads


def _last_agent(sheet: Sheet, case: CaseRow, m: MentionRow) -> str | None:
    """Who had the author's last case of this brand."""
    author = m.post.author or NOBODY
    if author == NOBODY:
        return None
    found = rows(sheet.connection, _LAST, (author, case.brand_n, case.id))
    return found[0][0] if found else None


_BY_HAND = "SELECT 1 FROM case_event WHERE case_id = ? AND change = 'assigned' AND person != '' LIMIT 1"
_HELD = "SELECT assignee, id, state FROM cases WHERE live = 1 AND assignee IN (??)"
_LAST = (
    "SELECT assignee FROM cases WHERE author = ? AND brand = ? AND id != ? AND assignee IS NOT NULL "
    "ORDER BY updated_at DESC, id DESC LIMIT 1"
)
