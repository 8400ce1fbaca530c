"""Who is at work in which hour: what a load by the hour is held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from config.teams import Team
from routing.calendars import calendar_of, open_spans
from stream.clock import HOUR

WINDOW = 24 * 28
"""Hours that are looked through at a time."""


def serving(teams: Iterable[Team], queue: str) -> list[Team]:
    """Teams that serve a queue, for whichever brands."""
    return [team for team in teams if queue in (team.queues or (queue,))]


def at_work(teams: Iterable[Team], first: int, last: int) -> Counter[int]:
    """By hour since 1970, from `first` to `last`: members of the teams that work in it, or in a part of it. Somebody
    who is in two teams counts twice."""
    found: Counter[int] = Counter()
    for team in teams:
        worked: set[int] = set()
        for start in range(first, last + 1, WINDOW):
            end = min(last, start + WINDOW - 1)
            for opens, closes in open_spans((calendar_of(team),), start * HOUR):
                if opens > end * HOUR + HOUR:
                    break
                worked.update(range(max(start, opens // HOUR), min(end, (closes - 1) // HOUR) + 1))
        found.update(dict.fromkeys(worked, len(team.members)))
    return found
