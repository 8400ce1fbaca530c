"""`clamor token`: the API's bearer tokens."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import open_home
from database.migrate import upgrade
from stream.ports import AccessScope
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
    return "; ".join(said) or "everything"


@app.command("new")
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for; an earlier token of this name stops working.")],
    brand: Annotated[list[str] | None, typer.Option(help="Only these brands; may be repeated.")] = None,
    queue: Annotated[list[str] | None, typer.Option(help="Only these queues; may be repeated.")] = None,
    access: Annotated[
        list[str] | None, typer.Option(help="Labels of private sources that it may see besides public ones.")
    ] = None,
) -> None:
    """Make a token and show it, this once; only its hash is stored.

    [bold]Examples[/bold]

      clamor token new dashboards
      clamor token new agency --brand aurelia --queue pr
    """
    scope = AccessScope(
        brands=frozenset(brand) if brand else None,
        queues=frozenset(queue) if queue else None,
        access=frozenset({"public", *(access or ())}) if brand or queue or access else None,
    )
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            print(tokens.issue(opened.engine, name, opened.clock.now(), scope))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="NAME") from error
    errors.print("Keep it: it cannot be shown again.", style="yellow")


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
