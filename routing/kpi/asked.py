"""Key figures as people ask for them: by brand, queue, network, day or week, from the sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

import msgspec
from sqlalchemy import Connection

from database.engine import rows
from routing.kpi.measures import quantile
from stream.clock import DAY
from stream.records import Millis

By: TypeAlias = Literal["brand", "queue", "network", "day", "week"]
MINUTES_A_DAY = 1_440
FIRST_MONDAY = 3
"""1970-01-01 was a Thursday: three days after a Monday."""


class Asked(msgspec.Struct, frozen=True):
    """What of the sums is wanted. None: all."""

    since: Millis
    until: Millis
    """Whole days, UTC: that in which `since` lies is the first, that before `until` the last."""
    by: tuple[By, ...] = ("brand", "week")
    brands: frozenset[str] | None = None
    queues: frozenset[str] | None = None
    networks: frozenset[str] | None = None


class Figures(msgspec.Struct, frozen=True):
    """Of one brand, queue, network and day or week; empty where it was not asked by that. Spans in milliseconds, shares
    0 to 1; None: nothing to reckon it from."""

    since: Millis | None
    """First day."""
    brand: str
    queue: str
    network: str
    cases: int
    """Opened."""
    answered: int
    """Answered for the first time."""
    response_median: Millis | None
    response_p90: Millis | None
    resolved: int
    resolution_median: Millis | None
    resolution_p90: Millis | None
    deadlines: int
    """That were kept or missed, of both kinds."""
    deadlines_kept: float | None
    incidents: int
    """That people were told of."""
    incidents_asked: int
    """Of these: of which somebody said in the end whether they were one."""
    incidents_real: float | None
    """Of those that somebody said it of."""
    detractors: int
    """People who spoke against the brand in a case that was resolved, once a case."""
    spoke_well: float | None
    """Of these: who spoke well of it within 90 days."""
    mentions: int | None
    """None where it was asked by queue: mentions of other brands are in none."""
    voice: float | None
    """Share of the mentions of all brands that are no category, here on this network and in this time."""


_Key: TypeAlias = tuple[int | None, str, str, str]


def figures(connection: Connection, asked: Asked, kinds: Mapping[str, str]) -> list[Figures]:
    """By time, brand, queue and network. `kinds`: of the brands in force, own, competitor or category."""
    first, last = asked.since // DAY, -(-asked.until // DAY)
    sums: dict[_Key, Counter[tuple[str, int]]] = {}
    for day, brand, queue, network, measure, bucket, value in rows(connection, _SUMS, (first, last) * 2):
        if _wanted(asked, brand, queue, network if measure[:8] != "incident" else None):
            sums.setdefault(_key(asked, day, brand, queue, network), Counter())[measure, bucket] += value
    voices, whole = _voices(connection, asked, first, last, kinds)
    keys = [key for key, of in sums.items() if any(of.values())] + [key for key in voices if voices[key]]
    return [
        _figures(
            key,
            sums.get(key, Counter()),
            None if _of_queues(asked) else voices.get(key, 0),
            _voice(asked, key, voices, whole, kinds),
        )
        for key in sorted(dict.fromkeys(keys), key=lambda key: (key[0] or 0, *key[1:]))
    ]


def _voices(
    connection: Connection, asked: Asked, first: int, last: int, kinds: Mapping[str, str]
) -> tuple[dict[_Key, int], Counter[tuple[int | None, str]]]:
    """Mentions by key, and by time and network of all brands that are no category."""
    voices: dict[_Key, int] = {}
    whole: Counter[tuple[int | None, str]] = Counter()
    if _of_queues(asked):
        return voices, whole
    values = (first, last, first * MINUTES_A_DAY, last * MINUTES_A_DAY)
    for day, brand, network, mentions in rows(connection, _MENTIONS, values):
        key = _key(asked, day, brand, "", network)
        if asked.networks is not None and network not in asked.networks:
            continue
        if kinds.get(brand, "category") != "category":
            whole[key[0], key[3]] += mentions
        if asked.brands is None or brand in asked.brands:
            voices[key] = voices.get(key, 0) + mentions
    return voices, whole


def _of_queues(asked: Asked) -> bool:
    return "queue" in asked.by or asked.queues is not None


def _voice(
    asked: Asked, key: _Key, voices: Mapping[_Key, int], whole: Mapping[tuple[int | None, str], int],
    kinds: Mapping[str, str],
) -> float | None:  # fmt: skip
    """Only of single brands: several together would be a share of themselves."""
    total = whole.get((key[0], key[3]), 0)
    if "brand" not in asked.by or kinds.get(key[1], "category") == "category" or total <= 0:
        return None
    return voices.get(key, 0) / total


def _figures(key: _Key, of: Counter[tuple[str, int]], mentions: int | None, voice: float | None) -> Figures:
    answered, resolved = _spans(of, "answered"), _spans(of, "resolved")
    kept = of["first_response_kept", 0] + of["resolution_kept", 0]
    owed = kept + of["first_response_missed", 0] + of["resolution_missed", 0]
    said = of["incident_real", 0] + of["incident_false", 0]
    since, brand, queue, network = key
    return Figures(
        since=since, brand=brand, queue=queue, network=network,
        cases=of["opened", 0],
        answered=sum(answered.values()),
        response_median=quantile(answered, 0.5), response_p90=quantile(answered, 0.9),
        resolved=sum(resolved.values()),
        resolution_median=quantile(resolved, 0.5), resolution_p90=quantile(resolved, 0.9),
        deadlines=owed, deadlines_kept=_share(kept, owed),
        incidents=of["incident", 0], incidents_asked=said, incidents_real=_share(of["incident_real", 0], said),
        detractors=of["detractor", 0], spoke_well=_share(of["spoke_well", 0], of["detractor", 0]),
        mentions=mentions, voice=voice,
    )  # fmt: skip


def _spans(of: Counter[tuple[str, int]], measure: str) -> dict[int, int]:
    return {bucket: times for (name, bucket), times in of.items() if name == measure and times}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


def _key(asked: Asked, day: int, brand: str, queue: str, network: str) -> _Key:
    by = asked.by
    time = day * DAY if "day" in by else (day - (day + FIRST_MONDAY) % 7) * DAY if "week" in by else None
    return (
        time, brand if "brand" in by else "", queue if "queue" in by else "", network if "network" in by else "",
    )  # fmt: skip


def _wanted(asked: Asked, brand: str, queue: str, network: str | None) -> bool:
    return _among(brand, asked.brands) and _among(queue, asked.queues) and _among(network, asked.networks)


def _among(value: str | None, wanted: Collection[str] | None) -> bool:
    """None, of what has none, is among nothing that is asked for by name."""
    return wanted is None or value in wanted


_KEY = "day, brand, queue, network, measure, bucket"
_SUMS = (
    f"SELECT {_KEY}, sum(value) FROM (SELECT {_KEY}, value FROM kpi_day WHERE day >= ? AND day < ? UNION ALL"
    f" SELECT {_KEY}, value FROM kpi_delta WHERE day >= ? AND day < ?) sums GROUP BY {_KEY}"
)
_MENTIONS = (
    "SELECT c.day, b.value, w.value, sum(c.mentions) FROM (SELECT day, brand, network, mentions FROM count_day"
    " WHERE day >= ? AND day < ? UNION ALL SELECT minute / 1440, brand, network, mentions FROM count_delta"
    " WHERE minute >= ? AND minute < ?) c JOIN dictionary b ON b.n = c.brand JOIN dictionary w ON w.n = c.network"
    " GROUP BY c.day, b.value, w.value"
)
