"""`clamor run`: all stages, until stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from clamor.address import listenable
from clamor.console import errors
from clamor.opening import open_home
from clamor.processes import all_processes
from clamor.roles import whole_program
from clamor.starting import Started, make_ready
from clamor.supervisor import Supervisor
from clamor.upkeep import noting
from config.home import Home
from config.schema import Settings
from nlp.shelf import in_force


def run(
    context: typer.Context,
    nlp_workers: Annotated[
        int | None, typer.Option("--nlp-workers", min=1, help="Processes that understand posts. Default: the setting.")
    ] = None,
) -> None:
    """Run every stage on this machine until Ctrl-C or SIGTERM; then finish what was begun and end.

    The first start makes the data folder, takes the configuration over and shows the API's token once. A second run on
    the same home is refused; single commands work beside it.

    [bold]Examples[/bold]

      clamor run
      clamor --home /srv/clamor run --nlp-workers 4
    """
    home: Home = context.obj
    with open_home(home) as opened, whole_program(opened.home):
        listenable(opened.settings.api)
        started = make_ready(opened, serves=errors.is_terminal)
        settings = opened.settings
        opened.close()
        tell(started, settings.api.url)
        tell_model(home, settings)
        Supervisor(all_processes(home, settings, nlp_workers), note=noting(opened.home)).run()


def tell_model(home: Home, settings: Settings) -> None:
    """A word where posts are read by another model than the one asked for. Raises nlp.shelf.ModelError."""
    _, why = in_force(settings.understanding.model, home, settings.understanding.device)
    if why:
        errors.print(why, style="yellow", markup=False, highlight=False)


def tell(started: Started, url: str) -> None:
    """What a person at the terminal should know now."""
    for revision in started.applied:
        errors.print(f"{revision.kind}: revision {revision.number} taken over from the files", style="dim")
    for change in started.drift:
        errors.print(f"the files differ from what is in force: {change.summary} (clamor apply)", style="yellow")
    errors.print(f"API: {url}/api/docs", highlight=False)
    if started.token:
        errors.print(f"token, shown this once: {started.token}", style="bold", highlight=False)
    elif started.nobody_may_ask:
        errors.print("no token is written into a log: clamor token new NAME makes one", highlight=False)
