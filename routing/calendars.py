"""When teams work: spans of open time, in milliseconds since 1970 (UTC), from hours of the day in a time zone.

A time zone may lack an hour of a day, or have one twice, where its clocks are changed. What opens or closes at a time
that there is not does so at the change; of an hour that comes twice, both count. Everything here is a function of its
arguments; public holidays come from the library `holidays`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog

from config.teams import Team
from config.week import DAYS, hours
from stream.records import Millis

log = structlog.get_logger(__name__)

LOOK_AHEAD = 800
"""Days within which a team has to be open."""
ONE_DAY = timedelta(days=1)


class NeverOpen(ValueError):
    """No open time within LOOK_AHEAD days."""


class Calendar(NamedTuple):
    """The open time of one team."""

    zone: str
    week: tuple[tuple[tuple[int, int], ...], ...]
    """By weekday from Monday: minutes of the day at which it opens and closes; more than 1440 is the next day."""
    region: str = ""
    """Whose public holidays are days off: ES, ES-MD."""
    days_off: frozenset[date] = frozenset()


ALWAYS: tuple[Calendar, ...] = ()
"""Of the clock's own hours: no calendar closes them."""


@lru_cache(maxsize=1_024)
def calendar_of(team: Team) -> Calendar:
    week = tuple(tuple(hours(text) for text in getattr(team.hours, day)) for day in DAYS)
    return Calendar(team.zone, week, team.holidays or "", frozenset(team.days_off))


def works_on(calendar: Calendar, day: date) -> bool:
    """Whether the team works on this day of its own time zone."""
    if not calendar.week[day.weekday()] or day in calendar.days_off:
        return False
    return not calendar.region or day not in _known_holidays(calendar.region, day.year)


@lru_cache(maxsize=512)
def _known_holidays(region: str, year: int) -> frozenset[date]:
    """None for a region that `clamor check` would refuse: another version of the library may have known it, and no case
    waits for that."""
    try:
        return public_holidays(region, year)
    except (LookupError, ImportError) as error:
        log.error("holidays_unknown", region=region, year=year, why=str(error))
        return frozenset()


@lru_cache(maxsize=512)
def public_holidays(region: str, year: int) -> frozenset[date]:
    """Raises LookupError for a country or part that the library does not know, ImportError without the library."""
    from holidays import country_holidays

    country, _, part = region.partition("-")
    try:
        return frozenset(country_holidays(country, subdiv=part or None, years=[year]))
    except NotImplementedError as error:
        raise LookupError(str(error)) from None


def local_day(calendar: Calendar, at: Millis) -> date:
    return datetime.fromtimestamp(at / 1_000, _zone(calendar.zone)).date()


@lru_cache(maxsize=8_192)
def spans_of(calendar: Calendar, day: date) -> tuple[tuple[Millis, Millis], ...]:
    """Open spans that begin on this day of the calendar's time zone, in order; an hour that there is not is none."""
    if not works_on(calendar, day):
        return ()
    found = []
    for opens, closes in calendar.week[day.weekday()]:
        begin, end = instant(calendar.zone, day, opens, last=False), instant(calendar.zone, day, closes, last=True)
        if begin < end:
            found.append((begin, end))
    return tuple(sorted(found))


@lru_cache(maxsize=8_192)
def instant(zone: str, day: date, minute: int, *, last: bool) -> Millis:
    """The moment of a wall clock's time. Of one that comes twice the first or the `last`; of one that does not come,
    the moment at which the clock jumps over it."""
    place = _zone(zone)
    wall = datetime.combine(day, time()) + timedelta(minutes=minute)
    at = wall.replace(tzinfo=place, fold=int(last))
    if _wall(at.astimezone(UTC), place) == wall:
        return _millis(at)
    # Below lies the moment that the other reading gives: the jump stands between the two.
    low, high = sorted(_millis(wall.replace(tzinfo=place, fold=fold)) for fold in (0, 1))
    before = place.utcoffset(datetime.fromtimestamp(low / 1_000, place))
    while high - low > 1_000:
        middle = (low + high) // 2_000 * 1_000
        same = place.utcoffset(datetime.fromtimestamp(middle / 1_000, place)) == before
        low, high = (middle, high) if same else (low, middle)
    return high


def open_spans(calendars: Iterable[Calendar], since: Millis) -> Iterator[tuple[Millis, Millis]]:
    """Spans in which at least one of the teams works, from `since` on, in order and apart from one another, for
    LOOK_AHEAD days; for no calendars at all, all of the time."""
    among = tuple(calendars)
    if not among:
        yield since, since + LOOK_AHEAD * 86_400_000
        return
    held: tuple[Millis, Millis] | None = None
    for begin, end in _by_begin(among, since):
        if end <= since:
            continue
        begin = max(begin, since)
        if held is not None and begin <= held[1]:
            held = (held[0], max(held[1], end))
            continue
        if held is not None:
            yield held
        held = (begin, end)
    if held is not None:
        yield held


def _by_begin(calendars: tuple[Calendar, ...], since: Millis) -> Iterator[tuple[Millis, Millis]]:
    """Spans of all of them in the order in which they begin, from the day before `since` on."""
    first = datetime.fromtimestamp(since / 1_000, UTC).date() - 2 * ONE_DAY
    waiting: list[tuple[Millis, Millis]] = []
    for ahead in range(LOOK_AHEAD):
        day = first + ahead * ONE_DAY
        waiting += [span for calendar in calendars for span in spans_of(calendar, day)]
        waiting.sort()
        # No zone is more than a day away from UTC: what begins before is complete.
        complete = _millis(datetime(day.year, day.month, day.day, tzinfo=UTC)) - 14 * 3_600_000
        while waiting and waiting[0][0] <= complete:
            yield waiting.pop(0)
    yield from waiting


def is_open(calendars: Iterable[Calendar], at: Millis) -> bool:
    """Whether at least one of the teams works."""
    found = next(open_spans(calendars, at), None)
    return found is not None and found[0] <= at < found[1]


def open_between(calendars: tuple[Calendar, ...], since: Millis, until: Millis) -> Millis:
    """Milliseconds of open time in [since, until)."""
    if not calendars:
        return max(0, until - since)
    total = 0
    for begin, end in open_spans(calendars, since):
        if begin >= until:
            break
        total += min(end, until) - begin
    return total


def after_open(calendars: tuple[Calendar, ...], since: Millis, length: Millis) -> Millis:
    """The first moment at which `length` milliseconds of open time have passed since then; it is in open time, or at
    its very end. Raises NeverOpen."""
    if not calendars:
        return since + length
    left = length
    for begin, end in open_spans(calendars, since):
        if end - begin >= left:
            return begin + left
        left -= end - begin
    raise NeverOpen(f"within {LOOK_AHEAD} days there is not enough time in which somebody works")


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _millis(at: datetime) -> Millis:
    return round(at.timestamp() * 1_000)
