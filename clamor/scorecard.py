"""How a drill went: who was told when, who answered how fast, what was done and what was not. Read from its sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from database.engine import rows
from routing.incidents import book, hold, tasks
from routing.incidents.book import Incident
from routing.incidents.said import statements
from stream.records import Millis


class IncidentScore(msgspec.Struct, frozen=True):
    """Spans in milliseconds; None: it never came to that."""

    id: int
    worst: str
    to_warning: Millis | None
    """From the storm's first post until people were first told."""
    to_crisis: Millis | None
    to_acknowledge: Millis | None
    """From when people were first told until somebody said that they look after it."""
    acknowledged_by: str | None
    to_escalate: Millis | None
    """From when people were told of the crisis until the first one of the chain was."""
    escalations: int
    statements: int
    """What was said in public, as people noted it."""
    contradictory: int
    """Of these: other words than the approved lines, while PR held the matter."""
    tasks: int
    tasks_done: int
    tasks_late: int


class Scorecard(msgspec.Struct, frozen=True):
    scenario: str
    brand: str
    began_at: Millis
    ended_at: Millis
    posts: int
    mails: dict[str, int]
    """By person."""
    mails_failed: int
    incidents: list[IncidentScore]
    cases: int
    exceptions: int
    """From the policy for detractors, that people recorded."""
    deadlines_missed: int
    verdict: list[str]
    """In words: what went as it should, and what did not."""


class Told(NamedTuple):
    at: Millis
    word: str
    step: int


def scorecard(
    connection: Connection, scenario: str, brand: str, began_at: Millis, now: Millis, *, hurts: bool
) -> Scorecard:
    """`hurts`: whether the storm is one that people are to be told of."""
    found = [one for one in book.listed(connection, all=True, most=100) if one.brand == brand][::-1]
    incidents = [_score(connection, one, began_at, now) for one in found]
    mails: Mapping[str, int] = dict(rows(connection, _MAILS, ("sent",)))
    failed = rows(connection, "SELECT count(*) FROM mail WHERE state = 'failed'")[0][0]
    posts = rows(connection, "SELECT count(*) FROM mention")[0][0]
    cases = rows(connection, "SELECT count(*) FROM cases")[0][0]
    exceptions = rows(connection, "SELECT count(*) FROM case_event WHERE change = 'exception'")[0][0]
    missed = rows(connection, "SELECT count(*) FROM case_deadline WHERE missed_at IS NOT NULL")[0][0]
    verdict = _verdict(incidents, failed, exceptions, missed, hurts=hurts)
    return Scorecard(
        scenario=scenario, brand=brand, began_at=began_at, ended_at=now, posts=posts, mails=dict(sorted(mails.items())),
        mails_failed=failed, incidents=incidents, cases=cases, exceptions=exceptions, deadlines_missed=missed,
        verdict=verdict,
    )  # fmt: skip


def _score(connection: Connection, held: Incident, began_at: Millis, now: Millis) -> IncidentScore:
    told = [Told(*row) for row in rows(connection, _TOLD, (held.id,))]
    first = told[0].at if told else None
    crisis = next((one.at for one in told if one.word == "crisis"), None)
    chain = [one.at for one in told if one.step > 0]
    said = statements(connection, held.id)
    todo = tasks.tasks(connection, held.id)
    return IncidentScore(
        id=held.id,
        worst=held.worst,
        to_warning=_span(began_at, first),
        to_crisis=_span(began_at, crisis),
        to_acknowledge=_span(first, held.acknowledged_at),
        acknowledged_by=held.acknowledged_by,
        to_escalate=_span(crisis if crisis is not None else first, chain[0] if chain else None),
        escalations=len(chain),
        statements=len(said),
        contradictory=_contradictory(connection, held.id, [(one.said_at, one.text) for one in said]),
        tasks=len(todo),
        tasks_done=sum(one.state != "open" for one in todo),
        tasks_late=sum(one.late(now) for one in todo),
    )


def _contradictory(connection: Connection, id: int, said: Sequence[tuple[Millis, str]]) -> int:
    """Statements in the time of a hold that are none of its approved lines."""
    count = 0
    for at, text in said:
        for held in hold.all_of(connection, id):
            if held.since <= at and (held.ended_at is None or at < held.ended_at):
                approved = {" ".join(words.split()) for line in held.lines for words in (line.en, line.es)}
                count += " ".join(text.split()) not in approved
                break
    return count


def _span(since: Millis | None, at: Millis | None) -> Millis | None:
    return None if since is None or at is None else max(0, at - since)


def _verdict(
    incidents: Sequence[IncidentScore], failed: int, exceptions: int, missed: int, *, hurts: bool
) -> list[str]:
    told = [one for one in incidents if one.to_warning is not None]
    found: list[str] = []
    if not hurts:
        found.append("people were told of praise: look at `incidents:`" if told else "nobody was told, as it should be")
    elif not told:
        found.append("nobody was told of the storm: are there people for queue pr, and is `incidents:` on?")
    for one in told:
        if one.to_acknowledge is None:
            found.append(f"incident {one.id}: nobody said that they look after it")
        if one.contradictory:
            found.append(f"incident {one.id}: {one.contradictory} answers that contradict the approved line")
        if one.tasks_late:
            found.append(f"incident {one.id}: {one.tasks_late} of {one.tasks} tasks late")
    if failed:
        found.append(f"{failed} mails could not be sent: clamor mails list, in the sandbox")
    if exceptions:
        found.append(f"{exceptions} exceptions from the policy for detractors")
    if missed:
        found.append(f"{missed} deadlines of cases were missed")
    return found or ["all went as it should"]


_TOLD = "SELECT created_at, why, step FROM alert WHERE incident = ? AND kind = 'incident' ORDER BY id"
_MAILS = "SELECT person, count(*) FROM mail WHERE state = ? GROUP BY person"
