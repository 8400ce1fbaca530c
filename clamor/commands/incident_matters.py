"""`clamor incident join|split`: whether incidents of several brands are one matter."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Connection

from clamor import exits
from clamor.commands.response import By, Id
from clamor.console import answers, errors
from clamor.opening import open_home
from database.engine import write
from database.migrate import upgrade
from routing.incidents import book, matters
from routing.incidents.book import Incident, NoSuchIncident
from routing.incidents.matters import in_words
from stream.records import Millis

MOST_WHY = 500


def register(app: typer.Typer) -> None:
    """Let these be commands of `app`."""
    app.command("join")(join)
    app.command("split")(split)


def join(
    context: typer.Context,
    id: Id,
    other: Annotated[int, typer.Argument(help="The other incident, of another brand.")],
    by: By = "",
) -> None:
    """Let the incidents of two brands be one matter: one chain of mails, one who looks after it, one end.

    [bold]Examples[/bold]

      clamor incident join 3 4 --by ana
    """
    _do(
        context,
        lambda connection, now: matters.join(connection, id, other, now, by or getpass.getuser()),
        f"incidents {id} and {other} are one matter now (clamor incident split {max(id, other)} takes it back)",
    )


def split(
    context: typer.Context,
    id: Id,
    why: Annotated[str, typer.Option(help="In a sentence, for the history.")] = "",
    by: By = "",
) -> None:
    """Say that an incident is a matter of its own: it is told by itself, and never joined with those again.

    [bold]Examples[/bold]

      clamor incident split 4 --why "another cause" --by ana
    """
    reason = why.strip()[:MOST_WHY]
    _do(
        context,
        lambda connection, now: matters.split(connection, id, now, by or getpass.getuser(), reason),
        f"incident {id} is a matter of its own now",
    )


def lines(connection: Connection, held: Incident) -> list[str]:
    """What `show` says of the other brands of its matter, and of those that were split from it."""
    found = []
    known = {tie.other: tie for tie in matters.ties(connection, held.id)}
    for one in book.strands(connection, held):
        if one.id != held.id:
            tie = known.get(one.id)
            shared = f", they share {in_words(tie.common)}" if tie is not None and tie.common.kinds else ""
            found.append(f"Same matter at {one.brand}: incident {one.id}, {one.state}{shared}")
    found += [f"Kept apart from incident {tie.other}" for tie in known.values() if tie.state == "split"]
    return found


def _do(context: typer.Context, deed: Callable[[Connection, Millis], object], said: str) -> None:
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            with write(opened.engine) as connection:
                deed(connection, opened.clock.now())
        except (NoSuchIncident, ValueError) as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
    answers.print(said, markup=False, highlight=False)
