"""What is wrong with a rota that no single setting shows: people who are not there, times that no clock shows, hours of
which nobody is on call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from config.marked import Path, Sheet
from config.problems import Problem, did_you_mean, shown
from config.rota import OnCall, handovers, skipped, wall_time, watches

AHEAD = timedelta(days=28)
"""So far ahead holes are looked for,"""
CLOCKS_AHEAD = timedelta(days=2 * 366)
"""and hand-overs at a time that is skipped."""


def check_rota(
    sheet: Sheet, n: int, team: Mapping[str, Any], people: Collection[str] | None, now: datetime | None = None
) -> Iterator[Problem]:
    """Of team number `n`. `people`: ids; None: nobody knows."""
    rota, zone = team.get("on_call"), team.get("zone")
    if not isinstance(rota, dict):
        return
    where: Path = ("teams", n, "on_call")
    for path, name in _named(rota):
        if people is not None and name not in people:
            advice = did_you_mean(name, people) or "write the person under `people:` first"
            yield sheet.problem((*where, *path), "nobody in people has this id", advice, value=shown(name))
    try:
        read, place = OnCall.model_validate(rota), ZoneInfo(str(zone))
    except (ValidationError, ValueError, OSError, KeyError):
        # Said where the settings are read.
        return
    today = now or datetime.now(UTC)
    yield from _skipped(sheet, where, read, place, today)
    yield from _holes(sheet, where, read, place, today)


def _named(rota: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Ids of people with where they stand."""
    rotation = rota.get("rotation")
    for at, id in enumerate(rotation if isinstance(rotation, list) else ()):
        yield ("rotation", at), str(id)
    for section in ("shifts", "instead"):
        items = rota.get(section)
        for place, item in enumerate(items if isinstance(items, list) else ()):
            named = item.get("people") if isinstance(item, dict) else None
            for at, id in enumerate(named if isinstance(named, list) else ()):
                yield (section, place, "people", at), str(id)


def _skipped(sheet: Sheet, where: Path, rota: OnCall, place: ZoneInfo, now: datetime) -> Iterator[Problem]:
    """Hand-overs, and beginnings and ends of `instead`, at a time that the clocks of the zone skip that day."""
    advice = "nothing is lost: it counts as much later as the clocks skip; write another time to be plain"
    today = now.astimezone(place).date()
    if rota.rotation:
        missing = next((wall for wall in handovers(rota, today, today + CLOCKS_AHEAD) if skipped(wall, place)), None)
        if missing is not None:
            message = f"on {missing:%Y-%m-%d} the clocks of {place.key} skip {missing:%H:%M}"
            yield sheet.problem((*where, "hands_over"), message, advice, severity="warning", value=rota.hands_over)
    for at, one in enumerate(rota.instead):
        for key, text in (("since", one.since), ("until", one.until)):
            if skipped(wall_time(text), place):
                message = f"the clocks of {place.key} skip this time"
                yield sheet.problem((*where, "instead", at, key), message, advice, severity="warning", value=text)


def _holes(sheet: Sheet, where: Path, rota: OnCall, place: ZoneInfo, now: datetime) -> Iterator[Problem]:
    found = [one for one in watches(rota, place.key, now, now + AHEAD) if not one.people]
    if not found:
        return
    first = found[0]
    since, until = (moment.astimezone(place) for moment in (first.since, first.until))
    more = f", and {len(found) - 1} times more within {AHEAD.days} days" if len(found) > 1 else ""
    message = f"nobody is on call from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} ({place.key}){more}"
    advice = "then everybody is told who is configured for brand and queue; a `rotation` fills what shifts leave open"
    yield sheet.problem(where, message, advice, severity="warning")
