"""`clamor sources list`: how each source in force does."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.endings import left, nearness
from clamor.opening import Opened, open_home
from clamor.sources import SourceStanding, kind_of, longest, standings
from config.sources import Collected
from database.migrate import upgrade

LATE = 60_000
"""Milliseconds behind now that need no word."""


def list_(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One source a line, as JSON.")] = False,
) -> None:
    """Kind, state, last post and trouble of each source in force.

    `shut`: nobody listens, since the program does not run. What is wrong stands below the source, in words.

    [bold]Examples[/bold]

      clamor sources list
      clamor sources list --json | jq -r 'select(.trouble != "") | .source'
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        known = {one.source: one for one in standings(opened)}
        found = [
            known.get(source.id)
            or SourceStanding(
                source.id, _UNKNOWN.get(kind_of(source), "shut"), None, 0, 0, kind_of(source),
                str(getattr(source, "network", None) or ""),
            )
            for source in opened.registry.sources()
        ]  # fmt: skip
    if as_json:
        for one in found:
            sys.stdout.buffer.write(msgspec.json.encode(one) + b"\n")
        return
    if not found:
        errors.print("no sources are in force: name some under `sources:` in clamor.yaml, then clamor apply")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "kind", "state", "posts", "last post (UTC)", "trouble"):
        table.add_column(name, justify="right" if name == "posts" else "left", overflow="fold")
    for one in found:
        last = when(one.last_post_at) if one.last_post_at is not None else ""
        posts = f"{one.appended + one.filled:,}" if one.kind not in _UNKNOWN else ""
        table.add_row(one.source, one.kind, one.state, posts, last, _trouble(one))
    answers.print(table)


_UNKNOWN = {"webhook": "shut", "file": "by hand"}
"""State of those of which nothing is known."""


def ids_that_are_asked(opened: Opened) -> list[str]:
    """Ids of the sources in force that Clamor asks itself."""
    return [source.id for source in opened.registry.sources() if isinstance(source, Collected)]


def _trouble(one: SourceStanding) -> str:
    late = one.lag is not None and one.state != "shut" and one.lag > LATE
    trouble = one.trouble or (f"{longest(one.lag or 0)} behind" if late else "")
    near = one.ends_in is not None and nearness(one.ends_in) is not None
    ends = f"its credential {left(one.ends_in)}" if one.ends_in is not None and near else ""
    return "; ".join(filter(None, (trouble, ends)))
