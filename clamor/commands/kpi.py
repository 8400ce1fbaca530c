"""`clamor kpi`: how fast and how well the teams work, and how loud the brands are."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, cast

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from clamor.commands.status import _time
from clamor.console import answers, errors
from clamor.key_figures import asked_of
from clamor.moments import moment
from clamor.opening import open_home
from config.problems import did_you_mean
from database.migrate import upgrade
from routing.kpi.asked import Asked, By, Figures
from stream.clock import DAY
from stream.records import QUEUES

BYS: tuple[str, ...] = ("brand", "queue", "network", "day", "week")


class Format(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"


def kpi(
    context: typer.Context,
    brand: Annotated[list[str] | None, typer.Option(help="Only this brand; may be repeated.")] = None,
    queue: Annotated[list[str] | None, typer.Option(help="Only this queue; may be repeated.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="Only this network; may be repeated.")] = None,
    since: Annotated[str, typer.Option(help="The first day, UTC: 2026-03-01, -30d, -12w.")] = "-28d",
    until: Annotated[str, typer.Option(help="The last day, UTC. Default: today.")] = "",
    by: Annotated[
        str, typer.Option(help=f"What each row is of, with commas between: {', '.join(BYS)}.")
    ] = "week,brand",
    format: Annotated[Format, typer.Option(help="table, json (a row a line) or csv.")] = Format.table,
) -> None:
    """Time to first response and resolution, deadlines kept, incidents that were real, detractors won back, share of
    voice.

    Kept as it happens: what is deleted, merged or undone later is taken back from the day that it stood on.

    [bold]Examples[/bold]

      clamor kpi
      clamor kpi --by week,queue --brand aurelia --since -90d
      clamor kpi --by brand --format csv > kpis.csv
    """
    wanted = tuple(part.strip() for part in by.split(",") if part.strip())
    for part in wanted:
        if part not in BYS:
            raise typer.BadParameter(f"{part!r} is none of {', '.join(BYS)}", param_hint="--by")
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        start = int(moment(since, now, "since").low or 0)
        end = int(moment(until, now, "until").high or 0) if until else now // DAY * DAY + DAY
        _known("--brand", brand, [one.id for one in opened.registry.current().brands])
        _known("--queue", queue, list(QUEUES))
        if start >= end:
            raise typer.BadParameter("lies after the last day", param_hint="--since")
        asked = Asked(
            start, end, cast(tuple[By, ...], wanted),
            *(frozenset(names) if names else None for names in (brand, queue, network)),
        )  # fmt: skip
        found = asked_of(opened, asked)
    _print(found, format)


def _known(option: str, given: Sequence[str] | None, names: Sequence[str]) -> None:
    for name in given or ():
        if name not in names:
            raise typer.BadParameter(f"there is no {name!r}. {did_you_mean(name, names)}".strip(), param_hint=option)


def _print(found: Sequence[Figures], format: Format) -> None:
    if format is Format.json:
        for one in found:
            print(msgspec.json.encode(one).decode())
    elif format is Format.csv:
        out = csv.writer(sys.stdout)
        out.writerow(Figures.__struct_fields__)
        out.writerows([_day(value) if name == "since" else value for name, value in _fields(one)] for one in found)
    elif found:
        answers.print(_table(found))
    if format is Format.table:
        errors.print(f"{len(found)} rows" if found else "nothing was counted in this time", style="dim")


def _fields(one: Figures) -> list[tuple[str, object]]:
    return [(name, _spread_safe(getattr(one, name))) for name in Figures.__struct_fields__]


def _spread_safe(value: object) -> object:
    """A name that begins like a formula is none to a spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _table(found: Sequence[Figures]) -> Table:
    """Columns that say nothing of any row are left out."""
    columns: dict[str, list[str]] = {
        "since": [_day(one.since) for one in found],
        "brand": [one.brand for one in found],
        "queue": [one.queue for one in found],
        "network": [one.network for one in found],
        "cases": [_number(one.cases) for one in found],
        "answered": [_of(one.answered, one.response_median, one.response_p90) for one in found],
        "resolved": [_of(one.resolved, one.resolution_median, one.resolution_p90) for one in found],
        "deadlines kept": [_share(one.deadlines_kept, one.deadlines) for one in found],
        "incidents": [_number(one.incidents) for one in found],
        "were real": [_share(one.incidents_real, one.incidents_asked) for one in found],
        "won back": [_share(one.spoke_well, one.detractors) for one in found],
        "mentions": [_number(one.mentions) for one in found],
        "voice": [f"{one.voice:.1%}" if one.voice is not None else "" for one in found],
    }
    table = Table(box=None, pad_edge=False, header_style="bold")
    said = {name: cells for name, cells in columns.items() if any(cells)}
    for name in said:
        table.add_column(name, overflow="fold", justify="left" if name in ("brand", "queue", "network") else "right")
    for row in zip(*said.values(), strict=True):
        table.add_row(*map(Text, row))
    return table


def _of(times: int, median: int | None, p90: int | None) -> str:
    """`12: 8.0 min, 1.2 h`: how many, the median, the ninetieth percentile."""
    return f"{times:,}: {_time(median)}, {_time(p90)}" if median is not None and p90 is not None else ""


def _share(share: float | None, whole: int) -> str:
    return f"{share:.0%} of {whole:,}" if share is not None else ""


def _number(value: int | None) -> str:
    return f"{value:,}" if value else ""


def _day(since: object) -> str:
    return f"{datetime.fromtimestamp(since / 1_000, UTC):%Y-%m-%d}" if isinstance(since, int) else ""
