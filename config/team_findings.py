"""What is wrong with teams and deadlines that no single setting shows: people and teams who are not there, holidays
that nobody knows, hours that a clock skips, targets for which nobody works."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from config.marked import Path, Sheet
from config.problems import Problem, did_you_mean, shown
from config.rota_findings import check_rota
from config.teams import target
from config.week import DAYS, hours

Items: TypeAlias = list[tuple[int, Mapping[str, Any]]]
QUEUES = ("sales", "support", "pr")
YEARS_AHEAD = 2


def check_teams(
    sheet: Sheet, teams: Items, deadlines: Items, people: Collection[str] | None, known_teams: Collection[str]
) -> Iterator[Problem]:
    """`people`: ids of the file or in force; None: nobody knows."""
    ids = {str(team.get("id")) for _, team in teams} | set(known_teams)
    for n, team in teams:
        yield from _nobody(sheet, ("teams", n, "members"), team.get("members"), people)
        to = team.get("hands_over_to")
        if isinstance(to, str) and (to not in ids or to == team.get("id")):
            message = "a team cannot hand over to itself" if to == team.get("id") else "no team has this id"
            yield sheet.problem(("teams", n, "hands_over_to"), message, did_you_mean(to, ids), value=shown(to))
        yield from _holidays(sheet, n, team)
        yield from _skipped(sheet, n, team)
        yield from check_rota(sheet, n, team, people)
    for n, deadline in deadlines:
        yield from _nobody(sheet, ("deadlines", n, "escalate"), deadline.get("escalate"), people)
        if not known_teams:
            yield from _nobody_works(sheet, n, deadline, teams)


def _nobody(sheet: Sheet, where: Path, named: object, people: Collection[str] | None) -> Iterator[Problem]:
    for at, id in enumerate(_words(named)):
        if people is not None and id not in people:
            advice = did_you_mean(id, people) or "write the person under `people:` first"
            yield sheet.problem((*where, at), "nobody in people has this id", advice, value=shown(id))


def _words(value: object) -> list[str]:
    """Of a list, where it is one; a place that holds something else is a word that nobody has."""
    return [str(text) for text in value] if isinstance(value, list) else []


def _holidays(sheet: Sheet, n: int, team: Mapping[str, Any]) -> Iterator[Problem]:
    region = team.get("holidays")
    if not isinstance(region, str):
        return
    advice = unknown_region(region)
    if advice:
        yield sheet.problem(("teams", n, "holidays"), "no holidays are known there", advice, value=shown(region))


@lru_cache(maxsize=64)
def unknown_region(region: str) -> str:
    """What to write instead of a region whose holidays nobody knows; empty where they are known."""
    try:
        from holidays import country_holidays, list_supported_countries
    except ImportError:
        # A file may be looked at where the program is not installed as a whole.
        return ""
    country, _, part = region.partition("-")
    try:
        country_holidays(country, subdiv=part or None, years=[2026])
    except NotImplementedError:
        parts = ", ".join(sorted(list_supported_countries().get(country, ()))[:30])
        return f"of {country} there are {parts}" if parts else "write a country as ES, or a part of it as ES-MD"
    return ""


def _skipped(sheet: Sheet, n: int, team: Mapping[str, Any]) -> Iterator[Problem]:
    """Hours of a weekday that lie wholly in an hour which the clocks of the zone skip on such a day."""
    zone, week = team.get("zone"), team.get("hours")
    if not isinstance(zone, str) or not isinstance(week, dict):
        return
    try:
        place, today = ZoneInfo(zone), datetime.now(UTC).date()
    except (ValueError, OSError, KeyError):
        return
    for day, begin, end in _jumps(place, today):
        for at, text in enumerate(_words(week.get(DAYS[day.weekday()]))):
            try:
                opens, closes = hours(text)
            except ValueError:
                continue
            if begin <= opens and closes <= end:
                message = f"on {day} the clocks of {zone} skip these hours: nobody works then"
                where: Path = ("teams", n, "hours", DAYS[day.weekday()], at)
                yield sheet.problem(where, message, "nothing is lost: time goes on with the next hours that there are",
                                    severity="warning", value=shown(text))  # fmt: skip


def _jumps(place: ZoneInfo, since: date) -> Iterator[tuple[date, int, int]]:
    """(day, first minute that there is not, first that there is again) of the next years."""
    for ahead in range(366 * YEARS_AHEAD):
        day = since + timedelta(days=ahead)
        first, last = (datetime.combine(day + timedelta(days=more), time(), place) for more in (0, 1))
        before, after = first.utcoffset(), last.utcoffset()
        if before is None or after is None or before >= after:
            continue
        missing = [
            minute
            for minute in range(0, 1_440, 15)
            if _is_not(datetime.combine(day, time(), place) + timedelta(minutes=minute))
        ]
        if missing:
            yield day, missing[0], missing[-1] + 15


def _is_not(wall: datetime) -> bool:
    back = wall.astimezone(UTC).astimezone(wall.tzinfo)
    return back.replace(tzinfo=None, fold=0) != wall.replace(tzinfo=None, fold=0)


def _nobody_works(sheet: Sheet, n: int, deadline: Mapping[str, Any], teams: Items) -> Iterator[Problem]:
    """Targets in business hours or working days of queues that no team serves."""
    served: set[str] = set()
    for _, team in teams:
        served |= set(_words(team.get("queues")) or QUEUES)
    missing = [queue for queue in _words(deadline.get("queues")) or QUEUES if queue not in served]
    for what in ("first_response", "resolution"):
        targets = deadline.get(what)
        for priority, text in targets.items() if missing and isinstance(targets, dict) else ():
            try:
                kind = target(str(text))[1]
            except ValueError:
                continue
            if kind != "calendar":
                message = f"no team serves {', '.join(missing)}: nothing is due there"
                advice = "let a team have it in `queues`, or write hours of the clock"
                yield sheet.problem(("deadlines", n, what, str(priority)), message, advice, severity="warning")
