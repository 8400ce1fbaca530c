"""`clamor check`: everything that is wrong in a home's configuration, at once."""

from __future__ import annotations

import typer

from clamor import exits
from clamor.console import answers, errors
from config import load
from config.home import Home
from config.problems import Problem
from config.problems import errors as errors_of
from routing.check import check_rules


def check(context: typer.Context) -> None:
    """Read clamor.yaml, rules.yaml, secrets.env and the environment; list every problem with its line and way out.

    The examples of each rule are tried. Nothing is changed. Exit code 4 where something is wrong. Warnings, such as
    that no brand is named yet, leave it at 0.

    [bold]Examples[/bold]

      clamor check
      clamor --home /srv/clamor check
    """
    home: Home = context.obj
    problems = load.check(home, [check_rules])
    if not errors_of(problems) and not load.load(home, [check_rules], use="check").content.stated.brands:
        problems = [*problems, _no_brand(home)]
    for problem in problems:
        errors.print(
            str(problem), style="red" if problem.severity == "error" else "yellow", markup=False, soft_wrap=True
        )
    if errors_of(problems):
        raise typer.Exit(exits.CONFIGURATION)
    answers.print(f"{home.settings_file}: nothing wrong" if not problems else "usable, see the warnings above")


def _no_brand(home: Home) -> Problem:
    return Problem(
        file=str(home.settings_file),
        message="no brand is named, so nothing is listened for",
        advice="name one under `brands:`, an id and a name are enough (`clamor init` in another folder writes an "
        "example); nothing is to be done where brands are in force already, by an earlier `clamor apply`",
        severity="warning",
    )
