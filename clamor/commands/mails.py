"""`clamor mails`: mails that wait for a person's word after a restore."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy import Connection

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from database.engine import read, write
from routing import held
from routing.held import Held

app = typer.Typer(help="Mails that a restore found unsent: list, release, drop.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(help="As `list` names them.")]
Every = Annotated[bool, typer.Option("--all", help="All that wait.")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """Mails and alerts that were not sent when the backup was made. Nobody but you knows whether they left later.

    [bold]Examples[/bold]

      clamor mails list
    """
    with open_home(context.obj, use="check") as opened, read(opened.engine) as connection:
        waiting = held.held(connection)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "made (UTC)", "kind", "to", "brand", "queue", "alerts", "may have been sent"):
        table.add_column(name, justify="right" if name == "alerts" else "left")
    for one in waiting:
        cells = (one.id, when(one.created_at), one.kind, one.person, one.brand, one.queue, str(one.alerts))
        table.add_row(*cells, "yes" if one.repeated else "")
    if waiting:
        answers.print(table)
    errors.print(f"{len(waiting)} wait", style="dim")


@app.command("release")
def release(context: typer.Context, ids: Ids = None, every: Every = False) -> None:
    """Send them, as they stand now: what was deleted meanwhile is not told.

    [bold]Examples[/bold]

      clamor mails release 12 alert:7
      clamor mails release --all
    """
    _decide(context, ids, every, "released", lambda opened, connection, chosen: held.release(connection, chosen))


@app.command("drop")
def drop(context: typer.Context, ids: Ids = None, every: Every = False) -> None:
    """Never send them.

    [bold]Examples[/bold]

      clamor mails drop --all
    """

    def drop_them(opened: Opened, connection: Connection, chosen: list[Held]) -> None:
        held.drop(connection, chosen, getpass.getuser(), opened.clock.now())

    _decide(context, ids, every, "dropped", drop_them)


def _decide(
    context: typer.Context,
    ids: list[str] | None,
    every: bool,
    word: str,
    act: Callable[[Opened, Connection, list[Held]], None],
) -> None:
    if not ids and not every:
        errors.print("name the mails, or say --all")
        raise typer.Exit(exits.USAGE)
    with open_home(context.obj, use="check") as opened, write(opened.engine) as connection:
        waiting = {one.id: one for one in held.held(connection)}
        chosen = list(waiting.values()) if every else [waiting[id] for id in ids or () if id in waiting]
        act(opened, connection, chosen)
    answers.print(f"{len(chosen)} {word}")
    unknown = [] if every else [id for id in ids or () if id not in waiting]
    if unknown:
        errors.print(f"not among those that wait: {', '.join(unknown)} (clamor mails list)", markup=False)
        raise typer.Exit(exits.SOME_REFUSED if chosen else exits.FAILED)
