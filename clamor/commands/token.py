"""`clamor token`: the API's bearer tokens."""

from __future__ import annotations

from typing import Annotated

import typer

from clamor import exits
from clamor.console import answers, errors
from clamor.opening import open_home
from database.migrate import upgrade
from stream.ports import AccessScope
from web import tokens

app = typer.Typer(help="Bearer tokens of the API: make, revoke.", no_args_is_help=True)


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
