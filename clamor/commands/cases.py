"""`clamor case`: what happened to a case, and a merge taken back."""

from __future__ import annotations

import getpass
from typing import Annotated

import msgspec
import typer

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from clamor.roles import worked_by
from database.engine import read, rows
from database.migrate import upgrade
from routing.cases import CannotPart
from routing.desk import Desk
from routing.partings import NoSuchCase, part
from stream.ports import EVERYTHING
from stream.records import Millis
from web import casebook

app = typer.Typer(help="Cases: their history, and merges taken back.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Number of the case, as search, mails and the API name it.", metavar="ID")]


class Move(msgspec.Struct, frozen=True):
    at: Millis
    change: str
    mention: str | None
    """None: it is gone, or the move was of no single mention."""
    detail: str


class Told(msgspec.Struct, frozen=True):
    id: int
    brand: str
    queue: str
    state: str
    risk: int
    merged_into: int | None
    took_over: list[int]
    """Cases that were merged into it and not taken back."""
    mentions: list[str]
    """The newest live ones, at most 500."""
    history: list[Move]


@app.command("show")
def show(
    context: typer.Context,
    id: Number,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """What a case is about, what happened to it, and which cases it took over.

    [bold]Examples[/bold]

      clamor case show 169
      clamor case show 169 --json | jq .history
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        told = _told(opened, id)
    if told is None:
        errors.print(f"there is no case {id}")
        raise typer.Exit(exits.FAILED)
    if as_json:
        print(msgspec.json.encode(told).decode())
        return
    into = f", merged into case {told.merged_into}" if told.merged_into is not None else ""
    _say(f"case {told.id}: {told.brand}, queue {told.queue}, {told.state}{into}, risk {told.risk}")
    if told.took_over:
        _say(f"  took over: {', '.join(f'case {one}' for one in told.took_over)} (clamor case part ID takes it back)")
    for mention in told.mentions:
        _say(f"  {mention}")
    for move in told.history:
        _say(f"  {when(move.at)} UTC {move.change}" + "".join(f" {x}" for x in (move.mention, move.detail) if x))


@app.command("part")
def part_from(
    context: typer.Context,
    id: Number,
    by: Annotated[str, typer.Option(help="Who says so. Default: the user of this shell.")] = "",
) -> None:
    """Take back that a case was merged into another: it is open again with the mentions that it brought.

    Who did it stands in the history of both. Asked again, it does nothing.

    [bold]Examples[/bold]

      clamor case part 171
      clamor case part 171 --by ana
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            done = part(opened.engine, Desk(opened.registry.current()), id, by or getpass.getuser(), opened.clock.now())
        except (NoSuchCase, CannotPart) as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
        waits = "" if worked_by(opened.home) else "; searchable once clamor run works this home again"
    if done.changed:
        _say(f"case {id} is open again with {done.mentions} mentions{waits}")
    else:
        _say(f"case {id} was parted before: nothing was done")


def _told(opened: Opened, id: int) -> Told | None:
    found = casebook.one(opened.engine, id, EVERYTHING)
    if found is None:
        return None
    with read(opened.engine) as connection:
        took = [n for (n,) in rows(connection, "SELECT id FROM cases WHERE merged_into = ? ORDER BY id", (id,))]
    row = found.case.row
    return Told(
        id, row.brand_id, row.queue, row.state, row.risk, row.merged_into, took, found.mentions,
        [Move(*event) for event in found.history],
    )  # fmt: skip


def _say(line: str) -> None:
    answers.print(line, markup=False, highlight=False, soft_wrap=True)
