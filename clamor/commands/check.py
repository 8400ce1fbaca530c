"""`clamor check`: everything that is wrong in a home's configuration, at once."""

from __future__ import annotations

import typer

from clamor import exits
from clamor.console import answers, errors
from config import load
from config.home import Home
from config.problems import errors as errors_of
from routing.check import check_rules


def check(context: typer.Context) -> None:
    """Read clamor.yaml, rules.yaml, secrets.env and the environment; list every problem with its line and way out.

    The examples of each rule are tried. Nothing is changed. Exit code 4 where something is wrong.

    [bold]Examples[/bold]

      clamor check
      clamor --home /srv/clamor check
    """
    home: Home = context.obj
    problems = load.check(home, [check_rules])
    for problem in problems:
        errors.print(
            str(problem), style="red" if problem.severity == "error" else "yellow", markup=False, soft_wrap=True
        )
    if errors_of(problems):
        raise typer.Exit(exits.CONFIGURATION)
    answers.print(f"{home.settings_file}: nothing wrong" if not problems else "usable, see the warnings above")
