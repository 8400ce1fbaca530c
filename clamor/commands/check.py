"""`clamor check`: everything that is wrong in a home's configuration, at once."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from clamor import exits
from clamor.console import answers, errors
from config import load
from config.home import Home
from config.problems import Problem
from config.problems import errors as errors_of
from config.schema import Understanding
from nlp.shelf import ModelError, in_force, look
from routing.checkers import CHECKERS


def check(context: typer.Context) -> None:
    """Read clamor.yaml, rules.yaml, detractors.yaml, secrets.env and the environment; list every problem with its line
    and way out.

    The examples of each rule and kind are tried. Nothing is changed. Exit code 4 where something is wrong. Warnings,
    such as that no brand is named yet, leave it at 0.

    [bold]Examples[/bold]

      clamor check
      clamor --home /srv/clamor check
    """
    home: Home = context.obj
    problems = load.check(home, CHECKERS)
    if not errors_of(problems):
        configuration = load.load(home, CHECKERS, use="check")
        problems = [*problems, *_model(home, configuration.settings.understanding)]
        if not configuration.content.stated.brands:
            problems.append(_no_brand(home))
    for problem in problems:
        errors.print(
            str(problem), style="red" if problem.severity == "error" else "yellow", markup=False, soft_wrap=True
        )
    if errors_of(problems):
        raise typer.Exit(exits.CONFIGURATION)
    answers.print(f"{home.settings_file}: nothing wrong" if not problems else "usable, see the warnings above")


def _model(home: Home, asked: Understanding) -> Iterator[Problem]:
    """An error where the model of the settings, or its device, cannot be used, a warning where another one stands
    in."""
    file, path = str(home.settings_file), "understanding.model"
    try:
        card, why = in_force(asked.model, home)
    except ModelError as error:
        advice = f"name one that is there, or put the folder under {home.models}"
        yield Problem(file=file, path=path, message=str(error), advice=advice)
        return
    if why:
        advice = f"nothing is to be done, or set {path} to the one that reads"
        yield Problem(file=file, path=path, message=why, advice=advice, severity="warning")
    try:
        look(card, asked.device)
    except ModelError as error:
        yield Problem(file=file, path="understanding.device", message=str(error))


def _no_brand(home: Home) -> Problem:
    return Problem(
        file=str(home.settings_file),
        message="no brand is named, so nothing is listened for",
        advice="name one under `brands:`, an id and a name are enough (`clamor init` in another folder writes an "
        "example); nothing is to be done where brands are in force already, by an earlier `clamor apply`",
        severity="warning",
    )
