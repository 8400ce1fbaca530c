"""`clamor sweep`: whether posts are looked up again in time, and the word that lets a paused sweep go on."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import open_home
from clamor.sweeps import SweepStanding, sweeps
from config.home import Home
from database.migrate import upgrade
from ingest.sweep_list import go_on


def sweep(
    context: typer.Context,
    go_on_with: Annotated[
        str | None,
        typer.Option(
            "--go-on", metavar="SOURCE", help="Of a paused sweep: you have looked, and the posts are gone indeed."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One source a line, as JSON.")] = False,
) -> None:
    """Whether posts are looked up again in time, to learn whether they were deleted or edited.

    A sweep pauses when more than one post in twenty is gone at once. Look at the network; if they are gone indeed, say
    so with --go-on: those that are still gone at the next look are then deleted here.

    [bold]Examples[/bold]

      clamor sweep
      clamor sweep --go-on reddit
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        if go_on_with is not None:
            _go_on(go_on_with, go_on(opened.engine, go_on_with, opened.clock.now()))
            return
        found = sweeps(opened)
    if as_json:
        for one in found:
            typer.echo(msgspec.json.encode(one))
        return
    if not found:
        errors.print("no source is swept: no posts are held of one whose network has to be asked", style="dim")
        return
    answers.print(_table(found))


def _go_on(source: str, was_paused: bool) -> None:
    if not was_paused:
        errors.print(f"the sweep of source {source} is not paused; clamor sweep shows those that are")
        raise typer.Exit(exits.FAILED)
    answers.print(f"The sweep of source {source} goes on: what is still gone at its next look is deleted here.")


def _table(found: list[SweepStanding]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "state", "posts", "overdue", "first was due (UTC)", "why"):
        table.add_column(name, justify="right" if name in ("posts", "overdue") else "left", overflow="fold")
    for one in found:
        due = "" if one.oldest_limit is None else when(one.oldest_limit)
        table.add_row(one.source, one.state, f"{one.held:,}", f"{one.overdue:,}", due, one.why)
    return table
