"""`clamor incident said|…`: what people do in an incident. Who did it, and when, stands in its history."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import typer
from sqlalchemy import Connection

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.moments import instant
from clamor.opening import Opened, open_home
from database.engine import write
from database.migrate import upgrade
from routing.incidents.book import NoSuchIncident
from routing.incidents.said import Statement, say
from stream.records import Millis

Id = Annotated[int, typer.Argument(help="Number of the incident, as `list` shows it.")]
By = Annotated[str, typer.Option(help="Who says so. Default: the user of this shell.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Done = TypeVar("Done")


def register(app: typer.Typer) -> None:
    """Let these be commands of `app`."""
    for name, function in _COMMANDS.items():
        app.command(name)(function)


def said(
    context: typer.Context,
    id: Id,
    text: Annotated[str, typer.Argument(help="The words as they were published; `-` reads them from standard input.")],
    where: Annotated[str, typer.Option("--where", help="Where they can be read: x, our site, the evening news.")],
    at: Annotated[str, typer.Option(help="Since when: 2026-12-01T18:40, UTC. Default: now.", metavar="TIME")] = "",
    by: By = "",
) -> None:
    """Write down what the brand said in public, where and when: people see it in `show`, in mails and reports.

    [bold]Examples[/bold]

      clamor incident said 3 "We have stopped the purchases and answer at noon." --where x
      cat statement.txt | clamor incident said 3 - --where "our site" --at 2026-12-01T18:40 --by ana
    """
    words = sys.stdin.read() if text == "-" else text
    asked = instant(at, "--at") if at else None

    def keep(connection: Connection, opened: Opened, now: Millis) -> Statement:
        return say(connection, id, words, where, now if asked is None else asked, by or getpass.getuser(), now)

    done = _do(context, keep)
    answers.print(
        f"incident {id}: said on {done.place} at {when(done.said_at)} UTC", markup=False, highlight=False
    )  # fmt: skip


def _do(context: typer.Context, change: Callable[[Connection, Opened, Millis], Done]) -> Done:
    """In one transaction; what cannot be done is told in words."""
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            with write(opened.engine) as connection:
                return change(connection, opened, opened.clock.now())
        except (NoSuchIncident, ValueError) as error:
            errors.print(str(error), markup=False, highlight=False)
            raise typer.Exit(exits.FAILED) from None


_COMMANDS: Mapping[str, Callable[..., None]] = {"said": said}
