"""`clamor coverage`: the ledger of what was asked for, received and missed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.moments import moment
from clamor.opening import open_home
from clamor.sources import rows_now
from clamor.timeline import LEGEND
from clamor.timeline import timeline as lines_of
from config.home import Home
from database.migrate import upgrade
from ingest.coverage import COUNTS, NOT_SEEN, Figure, figure
from stream.records import Coverage, Millis

WIDE = 160
"""From so many columns on a row is one line; else it is two."""
_WHOLE = ("complete", "backfilled")


def coverage(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Spans that end later: 2026-03-01, 2026-03-01T08:30, -30d, -12h.")] = "-7d",
    source: Annotated[list[str] | None, typer.Option(help="Only of this source; may be repeated.")] = None,
    gaps: Annotated[
        bool, typer.Option("--gaps", help="Only rows with something missing, or that was and was fetched later.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most rows to show, the newest.")] = 50,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="A line a source instead: what came, over the time, at a glance.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One row a line, as JSON.")] = False,
) -> None:
    """What was asked for, received and missed: the collectors' ledger, the newest span last.

    A number over a time in which something is missing rests on less than there was; the reason says why. Received are
    distinct posts: what was kept, what a pre-filter left out, and what came again just as it was. Late are those of the
    kept that came too late to wake anybody.

    [bold]Examples[/bold]

      clamor coverage
      clamor coverage --since 2026-03-01 --gaps
      clamor coverage --timeline --since -24h
      clamor coverage --source survey --json | jq .missed
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        start = int(moment(since, now, "since").low or 0)
        found = rows_now(opened, source, start)
    known = figure(found, start, max((row.until for row in found), default=now))
    chosen = [row for row in found if row in known.gaps or row.state == "backfilled"] if gaps else found
    shown = chosen[-limit:]
    if as_json:
        for row in shown:
            sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
        return
    if timeline:
        _timeline(found, start, now)
    elif shown:
        _table(shown) if answers.width >= WIDE else _pairs(shown)
    rows = f"{len(found):,} rows" if timeline else f"{len(shown):,} of {len(chosen):,} rows"
    of = f" of {', '.join(source)}" if source else ""
    errors.print(
        f"{rows}{of} since {when(start)} UTC; {_figure(known)}",
        style="yellow" if known.gaps else "dim",
    )
    errors.print(NOT_SEEN, style="dim", highlight=False)


def _timeline(found: Sequence[Coverage], since: Millis, until: Millis) -> None:
    """As wide as the terminal; the time of its beginning and end stands above it."""
    if not found:
        return
    names = max(len(row.source_id) for row in found)
    width = max(20, min(answers.width, WIDE) - names - 9)
    ends = f"{when(since)}{when(until):>{max(width - 16, 17)}}"
    answers.print(f"{'':{names}}  {ends}", highlight=False, style="dim", no_wrap=True, crop=False)
    for line in lines_of(found, since, until, width):
        share = "" if line.share is None else f"{line.share:7.1%}"
        text = f"{line.source:{names}}  {line.signs}{share}"
        answers.print(text, highlight=False, markup=False, no_wrap=True, crop=False)
    errors.print(LEGEND, style="dim", highlight=False)


def _table(shown: Sequence[Coverage]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "query", "span (UTC)", "state", *COUNTS, "missed", "reason"):
        right = name in (*COUNTS, "missed")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name != "reason")
    for row in shown:
        numbers = (*(f"{getattr(row, name):,}" for name in COUNTS), _missed(row))
        table.add_row(row.source_id, row.query, span(row.since, row.until), row.state, *numbers, row.reason)
    answers.print(table)


def _pairs(shown: Sequence[Coverage]) -> None:
    """For a narrow terminal: the row, and below it what does not fit beside it."""
    widest = max(len(row.source_id) for row in shown)
    for row in shown:
        answers.print(f"{row.source_id:{widest}}  {span(row.since, row.until)}  {row.state}", highlight=False)
        query = f"query {row.query}, " if row.query else ""
        always = ("asked", "received", "kept")
        counted = [f"{name} {getattr(row, name):,}" for name in COUNTS if name in always or getattr(row, name)]
        counts = ", ".join((*counted, f"missed {_missed(row)}"))
        answers.print(f"  {query}{counts}{f': {row.reason}' if row.reason else ''}", highlight=False, style="dim")


def span(since: Millis, until: Millis) -> str:
    """`2026-03-01 10:00-18:30`; with the day of its end where that is another."""
    start, end = when(since), when(until)
    return f"{start}-{end[11:]}" if start[:10] == end[:10] else f"{start} to {end}"


def _missed(row: Coverage) -> str:
    if row.missed is None:
        return "0" if row.state in _WHOLE else "unknown"
    return f"{row.missed:,}"


def _figure(known: Figure) -> str:
    if known.share is None:
        return "nothing was asked for: an earlier --since reaches further back"
    return f"{known.share:.1%} of the time asked for was received, {len(known.gaps):,} rows miss something"
