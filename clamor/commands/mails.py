"""`clamor mails`: mails that wait for a person's word: those that failed, and those that a restore found unsent."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Container
from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy import Connection

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.mail import people, settings
from clamor.opening import Opened, open_home
from clamor.roles import worked_by
from database.engine import read, write
from database.migrate import upgrade
from routing import chain_test, failed, held
from routing.channels.payload import moment
from routing.failed import Failed
from routing.held import Held

app = typer.Typer(
    help="Mails that failed, or that a restore found unsent: list, retry, release, drop; a test of the way.",
    no_args_is_help=True,
)

Ids = Annotated[list[str] | None, typer.Argument(help="As `list` names them.")]
Every = Annotated[bool, typer.Option("--all", help="All of them.")]


@app.command("list")
def list_(context: typer.Context) -> None:
    """Mails that failed, with the server's words; mails and alerts that were not sent when a backup was made.

    Of the latter nobody but you knows whether they left later.

    [bold]Examples[/bold]

      clamor mails list
    """
    with open_home(context.obj, use="check") as opened, read(opened.engine) as connection:
        waiting, refused = held.held(connection), failed.failed(connection)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "made (UTC)", "state", "to", "of", "why it waits"):
        table.add_column(name, overflow="fold", no_wrap=name in ("id", "made (UTC)", "state"))
    for lost in refused:
        table.add_row(lost.id, when(lost.created_at), "failed", lost.person, _about(lost), lost.reason)
    for one in waiting:
        why = "unsent in the backup; may have been sent" if one.repeated else "unsent in the backup"
        table.add_row(one.id, when(one.created_at), "held", one.person, _about(one), why)
    if waiting or refused:
        answers.print(table)
    errors.print(f"{len(refused)} failed (clamor mails retry), {len(waiting)} held (release, or drop)", style="dim")


def _about(mail: Held | Failed) -> str:
    """`alert: acme pr`, `summary: 12 alerts`."""
    about = " ".join(part for part in (mail.brand, mail.queue) if part) or f"{mail.alerts} alerts"
    return f"{mail.kind}: {about}"


@app.command("retry")
def retry(
    context: typer.Context,
    ids: Ids = None,
    every: Every = False,
    person: Annotated[str | None, typer.Option(help="All to this person.")] = None,
) -> None:
    """Give mails that failed another try, once their cause is mended; as they stand now, deleted posts left out.

    [bold]Examples[/bold]

      clamor mails retry 12
      clamor mails retry --person ana
      clamor mails retry --all
    """
    if not ids and not every and person is None:
        errors.print("name the mails, or say --all or --person")
        raise typer.Exit(exits.USAGE)
    with open_home(context.obj, use="check") as opened, write(opened.engine) as connection:
        refused = {one.id: one for one in failed.failed(connection)}
        chosen = [one for one in refused.values() if every or one.person == person or one.id in (ids or ())]
        number = failed.retry(connection, chosen)
        waits = "" if worked_by(opened.home) else "; they leave once clamor run works this home"
    answers.print(f"{number} to be tried again{waits}")
    _name_unknown(ids, refused, "failed", bool(chosen))


@app.command("test")
def send_test(
    context: typer.Context,
    person: Annotated[list[str] | None, typer.Option(help="To this person; may be repeated. Default: all.")] = None,
) -> None:
    """Send a test, marked as one, to all whom an incident can wake, by mail and every channel of theirs.

    They are asked to click; clamor status says who did. Who does not within a day is told of.

    [bold]Examples[/bold]

      clamor mails test
      clamor mails test --person ana
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        everybody = people(opened)
        unknown = sorted(set(person or ()) - {one.id for one in everybody})
        if unknown:
            errors.print(f"nobody in people has this id: {', '.join(unknown)}", markup=False)
            raise typer.Exit(exits.USAGE)
        chosen = sorted(set(person)) if person else chain_test.people_of(everybody, settings(opened))
        now = opened.clock.now()
        with write(opened.engine) as connection:
            chain_test.begin(connection, f"{moment(now)}", chosen, now)
        waits = "" if worked_by(opened.home) else "; it leaves once clamor run works this home"
    answers.print(f"a test for {', '.join(chosen) or 'nobody'}{waits}", markup=False, highlight=False)


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
    _name_unknown(None if every else ids, waiting, "wait", bool(chosen))


def _name_unknown(ids: list[str] | None, known: Container[str], did: str, some: bool) -> None:
    unknown = [id for id in ids or () if id not in known]
    if unknown:
        errors.print(f"not among those that {did}: {', '.join(unknown)} (clamor mails list)", markup=False)
        raise typer.Exit(exits.SOME_REFUSED if some else exits.FAILED)
