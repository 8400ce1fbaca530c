"""By when something has to be done: pure functions of when it began, the target, who works when, and the pauses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from config.teams import ByPriority, Deadline, Team, target
from routing.calendars import (
    ALWAYS,
    LOOK_AHEAD,
    ONE_DAY,
    Calendar,
    NeverOpen,
    after_open,
    calendar_of,
    instant,
    local_day,
    open_between,
    works_on,
)
from stream.records import Millis

What = Literal["first_response", "resolution"]
WHATS: tuple[What, ...] = ("first_response", "resolution")
MIDNIGHT = 1_440


class Pause(NamedTuple):
    """A span in which the clock stands still; one that goes on has no end."""

    since: Millis
    until: Millis | None


class Target(NamedTuple):
    kind: str
    """calendar, business or days."""
    amount: int
    """Milliseconds; of `days`, how many."""


def target_of(deadline: Deadline, what: What, priority: str) -> Target | None:
    by_priority: ByPriority = getattr(deadline, what)
    text: str | None = getattr(by_priority, priority, None)
    if text is None:
        return None
    amount, kind = target(text)
    return Target(kind, amount)


def due(
    opened_at: Millis, wanted: Target, calendars: Sequence[Calendar], pauses: Sequence[Pause] = ()
) -> Millis | None:
    """When the target is up; None while the clock stands still, or where nobody works who would count.

    `pauses` are in order and apart from one another. Hours pass while at least one of `calendars` is open (business) or
    always (calendar). Working days are those of which at least one team works some; the day on which it began is none
    of them, nor is one at whose end the clock stands still, and it is up when the last of them ends.
    """
    among = tuple(calendars)
    if wanted.kind != "calendar" and not among:
        return None
    try:
        if wanted.kind == "days":
            return _end_of_days(opened_at, wanted.amount, among, pauses)
        return _after_hours(opened_at, wanted.amount, among if wanted.kind == "business" else ALWAYS, pauses)
    except NeverOpen:
        return None


def _after_hours(
    opened_at: Millis, length: Millis, calendars: tuple[Calendar, ...], pauses: Iterable[Pause]
) -> Millis | None:
    at, left = opened_at, length
    for pause in pauses:
        if pause.until is not None and pause.until <= at:
            continue
        begin = max(pause.since, at)
        passed = open_between(calendars, at, begin)
        if passed >= left:
            break
        if pause.until is None:
            return None
        at, left = pause.until, left - passed
    return after_open(calendars, at, left)


def _end_of_days(
    opened_at: Millis, days: int, calendars: tuple[Calendar, ...], pauses: Sequence[Pause]
) -> Millis | None:
    """By the days of the first calendar's time zone."""
    own = calendars[0]
    day, left = local_day(own, opened_at), days
    for _ in range(LOOK_AHEAD):
        day += ONE_DAY
        if not any(works_on(calendar, day) for calendar in calendars):
            continue
        end = instant(own.zone, day, MIDNIGHT, last=False)
        standing = [pause for pause in pauses if pause.since < end and (pause.until is None or end <= pause.until)]
        if any(pause.until is None for pause in standing):
            return None
        left -= not standing
        if not left:
            return end
    raise NeverOpen(f"within {LOOK_AHEAD} days there are not {days} on which somebody works")


def calendars_for(teams: Iterable[Team], brand: str, queue: str) -> tuple[Calendar, ...]:
    """Of the teams that serve a queue of a brand: together they are its business hours."""
    return tuple(calendar_of(team) for team in serving(teams, brand, queue))


def serving(teams: Iterable[Team], brand: str, queue: str) -> list[Team]:
    return [
        team
        for team in teams
        if (not team.queues or queue in team.queues) and (not team.brands or brand in team.brands)
    ]


def deadline_for(deadlines: Iterable[Deadline], brand: str, queue: str, named: str = "") -> Deadline | None:
    """The one that a rule named, where there is such a one; else the first that fits queue and brand."""
    among = list(deadlines)
    by_rule = next((one for one in among if one.id == named), None) if named else None
    return by_rule or next(
        (
            one
            for one in among
            if not one.only_by_rule
            and (not one.queues or queue in one.queues)
            and (not one.brands or brand in one.brands)
        ),
        None,
    )
