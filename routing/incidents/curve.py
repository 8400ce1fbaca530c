"""The curve of an incident: what was counted, beside what was to be expected and what is usual."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from routing.incidents import book
from routing.incidents.counted import counted, names
from routing.incidents.levels import Standing
from routing.incidents.panels import Panels
from stream.clock import MINUTE
from stream.records import Millis

STRETCH = 20
"""Minutes of a point."""


class Point(msgspec.Struct, frozen=True):
    """A stretch of STRETCH minutes."""

    at: Millis
    observed: float
    expected: float
    high: float
    """Upper end of what is usual."""


def curve_of(connection: Connection, brand: str, series: str, since: Millis, until: Millis) -> tuple[Point, ...]:
    """Of [since, until) in whole stretches, the last one up to now. Empty for a brand that was never watched."""
    held = book.watched(connection, brand)
    panels = Panels(1.0)
    if held is None or not panels.take(brand, held.state):
        return ()
    known = names(connection)
    only = known._replace(brands={n: name for n, name in known.brands.items() if name == brand})
    first, last = since // MINUTE // STRETCH * STRETCH, -(-until // MINUTE)
    minutes = counted(connection, only, first, last).get(brand, {})
    rose = held.standing if held.standing.series == series and held.standing.usual else None
    points = []
    for begin in range(first, last, STRETCH):
        seen = sum(minutes.get(minute, {}).get(series, 0) for minute in range(begin, begin + STRETCH))
        expected, high = panels.usual(brand, series, begin, STRETCH)
        if rose is not None:
            expected, high = expected * _before(panels, brand, rose), min(high, rose.usual)
        points.append(Point(begin * MINUTE, float(seen), min(expected, high), high))
    return tuple(points)


def _before(panels: Panels, brand: str, rose: Standing) -> float:
    """What is expected learns from an incident as well: by how much it is to be taken back to before that."""
    _, now = panels.usual(brand, rose.series, rose.since // MINUTE - 59, 60)
    return min(1.0, rose.usual / now) if now else 1.0


def sparkline(points: Sequence[Point]) -> str:
    """A sign for each point, as high as what was seen; empty where nothing was."""
    highest = max((point.observed for point in points), default=0.0)
    if highest <= 0:
        return ""
    return "".join(_SIGNS[round(point.observed / highest * (len(_SIGNS) - 1))] for point in points)


_SIGNS = "▁▂▃▄▅▆▇█"
