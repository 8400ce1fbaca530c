"""`clamor token`: the API's bearer tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from config import content
from config.problems import did_you_mean
from database import revisions
from database.engine import read
from database.migrate import upgrade
from stream.ports import AccessScope
from stream.records import QUEUES
from web import tokens

app = typer.Typer(help="Bearer tokens of the API: list, make, revoke.", no_args_is_help=True)


@app.command("list")
def listed(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One token a line, as JSON.")] = False,
) -> None:
    """The tokens there are: name, what each may see, when it was made, whether it was revoked. Never the token itself.

    [bold]Examples[/bold]

      clamor token list
      clamor token list --json | jq -r .name
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        found = tokens.listed(opened.engine)
    if as_json:
        for one in found:
            print(msgspec.json.encode(one).decode())
        return
    if not found:
        errors.print("there is no token yet: clamor token new NAME makes one")
        return
    table = Table("name", "made", "may see", "revoked", box=None, pad_edge=False)
    for one in found:
        revoked = when(one.revoked_at) if one.revoked_at is not None else ""
        table.add_row(Text(one.name), when(one.created_at), Text(_seen(one.scope)), revoked)
    answers.print(table)


def _seen(scope: AccessScope) -> str:
    limits = (("brand", scope.brands), ("queue", scope.queues), ("access", scope.access))
    said = [f"{what} {', '.join(sorted(names))}" for what, names in limits if names is not None]
    return ("; ".join(said) or "everything") + (", and acts" if scope.acts else "")


@app.command("new")
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for; an earlier token of this name stops working.")],
    brand: Annotated[list[str] | None, typer.Option(help="Only these brands; may be repeated.")] = None,
    queue: Annotated[list[str] | None, typer.Option(help="Only these queues; may be repeated.")] = None,
    access: Annotated[
        list[str] | None, typer.Option(help="Labels of private sources that it may see besides public ones.")
    ] = None,
    acts: Annotated[
        bool, typer.Option("--acts", help="It may do what people do, such as to look after an incident.")
    ] = False,
) -> None:
    """Make a token and show it, this once; only its hash is stored.

    [bold]Examples[/bold]

      clamor token new dashboards
      clamor token new agency --brand aurelia --queue pr
      clamor token new pager --acts
    """
    scope = AccessScope(
        brands=frozenset(brand) if brand else None,
        queues=frozenset(queue) if queue else None,
        access=frozenset({"public", *(access or ())}) if brand or queue or access else None,
        acts=acts,
    )
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        known = _known(opened)
        for option, given, names in (
            ("--brand", brand, known.brands),
            ("--queue", queue, frozenset(QUEUES)),
            ("--access", access, known.labels),
        ):
            _refuse_unknown(option, given or (), names)
        try:
            print(tokens.issue(opened.engine, name, opened.clock.now(), scope))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="NAME") from error
    errors.print("Keep it: it cannot be shown again.", style="yellow")


class _Known(NamedTuple):
    brands: frozenset[str]
    labels: frozenset[str]


def _known(opened: Opened) -> _Known:
    """Brands and labels of access that are in force, or stand in the home's file for its first start."""
    stated = opened.configuration.content.stated
    with read(opened.engine) as connection:
        brands, sources = (revisions.current(connection, kind) for kind in ("brands", "sources"))
    found = (*(stated.brands or ()), *(content.brands(brands.body) if brands else ()))
    asked = (*(stated.sources or ()), *(content.sources(sources.body) if sources else ()))
    return _Known(frozenset(one.id for one in found), frozenset({"public", *(one.access for one in asked)}))


def _refuse_unknown(option: str, given: Iterable[str], known: frozenset[str]) -> None:
    """A token for what there is not would be one that sees nothing."""
    for name in given:
        if name not in known:
            way_out = did_you_mean(name, known) or "there are none yet, see clamor apply"
            raise typer.BadParameter(f"{name!r} is not known: {way_out}", param_hint=option)


@app.command("revoke")
def revoke(context: typer.Context, name: Annotated[str, typer.Argument(help="Name it was made with.")]) -> None:
    """Make a token stop working at once.

    [bold]Examples[/bold]

      clamor token revoke agency
    """
    with open_home(context.obj, use="check") as opened:
        if not tokens.revoke(opened.engine, name, opened.clock.now()):
            errors.print(f"no living token is called {name!r}", markup=False)
            raise typer.Exit(exits.FAILED)
    answers.print(f"revoked {name}", markup=False)
