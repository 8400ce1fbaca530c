"""Counts per minute as the series that are watched, brand by brand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection

from database.engine import rows, rows_in

MOST_SERIES = 50
"""Of a brand; those that come when it has as many are watched only within `all` and its like."""
ALWAYS = ("all", "negative", "detractors", "severe")

Counts: TypeAlias = dict[str, int]
"""By series: `all`, `negative`, `detractors`, `severe`, `all@NETWORK`, `negative@NETWORK`, `all:INTENT`."""


class Names(NamedTuple):
    """Of the numbers that tables hold."""

    brands: dict[int, str]
    others: dict[int, str]


def names(connection: Connection) -> Names:
    found = rows(connection, "SELECT kind, n, value FROM dictionary")
    brands = {n: value for kind, n, value in found if kind == "brand"}
    return Names(brands, {n: value for kind, n, value in found if kind != "brand"})


def counted(connection: Connection, known: Names, first: int, until: int) -> dict[str, dict[int, Counts]]:
    """By brand and minute (since 1970, UTC) of [first, until) what each series counts; what is nothing is left out."""
    found: dict[str, dict[int, Counts]] = {}
    for table in ("count_minute", "count_delta"):
        sql = _SUMS.format(table=table)
        for brand, minute, network, intent, *values in rows_in(connection, sql, sorted(known.brands), (first, until)):
            counts = found.setdefault(known.brands[brand], {}).setdefault(minute, {})
            _add(counts, known.others.get(network, ""), known.others.get(intent, ""), values)
    return found


def _add(counts: Counts, network: str, intent: str, values: Sequence[int]) -> None:
    mentions, negative, detractors, severe = values
    for series, value in (
        ("all", mentions),
        ("negative", negative),
        ("detractors", detractors),
        ("severe", severe),
        (f"all@{network}", mentions),
        (f"negative@{network}", negative),
        (f"all:{intent}", mentions),
    ):
        if value:
            counts[series] = counts.get(series, 0) + value


_SUMS = (
    "SELECT brand, minute, network, intent, sum(mentions), sum(negative), sum(detractors), sum(severe) FROM {table}"
    " WHERE minute >= ? AND minute < ? AND brand IN (??) GROUP BY brand, minute, network, intent"
)
