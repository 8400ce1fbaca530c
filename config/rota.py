"""Who is on call: one person a week in turn, fixed shifts, and days on which somebody else is, in the team's time zone.

Moments are instants: a week that ends by a clock of the zone ends once, however the clocks are set that day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, model_validator

from config.brands import Slug
from config.section import Section, Text
from config.week import DAYS, Hours, hours, kept

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_HANDOVER = re.compile(rf"({'|'.join(DAYS)}) ([01]\d|2[0-3]):([0-5]\d)")
WEEK = timedelta(days=7)


def weekly(text: str) -> tuple[int, time]:
    """(weekday from Monday on, time of day). Raises ValueError."""
    found = _HANDOVER.fullmatch(text)
    if found is None:
        raise ValueError("not a time of the week: write mon 09:00")
    return DAYS.index(found[1]), time(int(found[2]), int(found[3]))


def wall_time(text: str) -> datetime:
    """A date and time without a zone. Raises ValueError."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007
    except ValueError:
        raise ValueError("not a date and time: write 2026-12-24 09:00") from None


Weekly = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20), kept(weekly)]
WallTime = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20), kept(wall_time)]


class Shift(Section):
    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    """Days of the week on which it begins."""
    hours: Hours
    """`22:00-06:00` ends on the next day."""
    people: Annotated[tuple[Slug, ...], Field(min_length=1)]
    """Ids of those who are on call then."""


class Instead(Section):
    since: WallTime
    """From then on, by the team's clocks: 2026-12-24 09:00."""
    until: WallTime
    """Until then."""
    people: Annotated[tuple[Slug, ...], Field(min_length=1)]
    """Ids of those who are on call in place of whoever would be."""
    reason: Text
    """Why: a holiday, a day off that was swapped."""

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if wall_time(self.until) <= wall_time(self.since):
            raise ValueError("it ends before it begins: write a later `until`")
        return self


class OnCall(Section):
    """Who of a team is told of incidents and severe posts."""

    rotation: tuple[Slug, ...] = ()
    """Ids of people who are on call in turn, a week each."""
    begins: date | None = None
    """A day of the first one's week."""
    hands_over: Weekly = "mon 09:00"
    """When the next one follows, by the team's clocks."""
    shifts: tuple[Shift, ...] = ()
    """Who is on call at fixed hours of the week; they go before `rotation`."""
    instead: tuple[Instead, ...] = ()
    """Who is on call at other times than that; of several that overlap, the first."""

    @model_validator(mode="after")
    def _begins_once(self) -> Self:
        if self.rotation and self.begins is None:
            raise ValueError("a rotation needs a day to reckon from: write `begins: 2026-11-23`")
        if not self.rotation and not self.shifts:
            raise ValueError("nobody is on call: write `rotation` with `begins`, or `shifts`")
        return self


class Watch(NamedTuple):
    """Who is on call for a while."""

    since: datetime
    until: datetime
    """In UTC."""
    people: tuple[str, ...]
    """Empty: a hole in the rota."""
    why: str
    """`rotation`, `shift`, `instead` or `hole`."""
    reason: str = ""
    """Of `instead`."""


def on_call(rota: OnCall, zone: str, at: datetime) -> tuple[tuple[str, ...], str, str]:
    """(people, why, reason) at a moment in UTC, see Watch."""
    place = ZoneInfo(zone)
    for one in rota.instead:
        if instant(wall_time(one.since), place) <= at < instant(wall_time(one.until), place):
            return one.people, "instead", one.reason
    today = at.astimezone(place).date()
    working = [
        person
        for shift in rota.shifts
        for day in (today - timedelta(days=1), today)
        if DAYS[day.weekday()] in shift.days
        for begin, end in [_of_day(shift.hours, day, place)]
        if begin <= at < end
        for person in shift.people
    ]
    if working:
        return tuple(dict.fromkeys(working)), "shift", ""
    if rota.rotation and rota.begins is not None:
        turn = _turn(rota, place, at)
        return (rota.rotation[turn % len(rota.rotation)],), "rotation", ""
    return (), "hole", ""


def watches(rota: OnCall, zone: str, since: datetime, until: datetime) -> list[Watch]:
    """Who is on call from then until then, in order, holes among them."""
    place = ZoneInfo(zone)
    edges = sorted({since, *(edge for edge in _edges(rota, place, since, until) if since < edge < until)})
    found: list[Watch] = []
    for begin, end in zip(edges, [*edges[1:], until], strict=True):
        people, why, reason = on_call(rota, zone, begin)
        last = found[-1] if found else None
        if last is not None and (last.people, last.why, last.reason) == (people, why, reason):
            found[-1] = last._replace(until=end)
        else:
            found.append(Watch(begin, end, people, why, reason))
    return found


def instant(wall: datetime, place: ZoneInfo) -> datetime:
    """Of a time that the clocks skip, as much later as they skip; of one that they show twice, the first."""
    return wall.replace(tzinfo=place, fold=0).astimezone(UTC)


def skipped(wall: datetime, place: ZoneInfo) -> bool:
    """Whether the clocks never show it."""
    return instant(wall, place).astimezone(place).replace(tzinfo=None, fold=0) != wall


def handovers(rota: OnCall, since: date, until: date) -> Iterator[datetime]:
    """By the clocks of the zone, on days from then until then."""
    weekday, at = weekly(rota.hands_over)
    day = since + timedelta(days=(weekday - since.weekday()) % 7)
    while day < until:
        yield datetime.combine(day, at)
        day += WEEK


def _turn(rota: OnCall, place: ZoneInfo, at: datetime) -> int:
    """Weeks since the first hand-over."""
    assert rota.begins is not None
    weekday, clock = weekly(rota.hands_over)
    first = datetime.combine(rota.begins - timedelta(days=(rota.begins.weekday() - weekday) % 7), clock)
    turn = (at.astimezone(place).replace(tzinfo=None) - first) // WEEK
    # By the clock of the zone it may be an hour off around a change of the clocks.
    while instant(first + (turn + 1) * WEEK, place) <= at:
        turn += 1
    while instant(first + turn * WEEK, place) > at:
        turn -= 1
    return turn


def _of_day(text: str, day: date, place: ZoneInfo) -> tuple[datetime, datetime]:
    begin, end = hours(text)
    midnight = datetime.combine(day, time())
    return instant(midnight + timedelta(minutes=begin), place), instant(midnight + timedelta(minutes=end), place)


def _edges(rota: OnCall, place: ZoneInfo, since: datetime, until: datetime) -> Iterator[datetime]:
    first, last = since.astimezone(place).date() - timedelta(days=1), until.astimezone(place).date() + timedelta(days=1)
    if rota.rotation:
        yield from (instant(wall, place) for wall in handovers(rota, first, last))
    for one in rota.instead:
        yield instant(wall_time(one.since), place)
        yield instant(wall_time(one.until), place)
    for ahead in range((last - first).days):
        day = first + timedelta(days=ahead)
        for shift in rota.shifts:
            if DAYS[day.weekday()] in shift.days:
                yield from _of_day(shift.hours, day, place)
