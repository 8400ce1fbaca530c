"""`clamor apply` and `clamor export`: files into numbered revisions, and back."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from config import apply as configuration
from config.apply import Change, standing
from config.home import Home
from config.load import Content, load_content
from config.sources import Collected
from database.engine import read, write
from database.migrate import upgrade
from routing.checkers import CHECKERS, shipped


def apply(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with clamor.yaml, rules.yaml, detractors.yaml. Default: home.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Take brands, aspects, sources, people, rules and policy over from files, as new numbered revisions.

    The files are checked as a whole first; running stages adopt the revisions between two batches.

    [bold]Examples[/bold]

      clamor apply --dry-run
      clamor apply ./configuration
    """
    home: Home = context.obj
    with open_home(home) as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            stands = standing(connection)._replace(channels=frozenset(one.id for one in opened.settings.channels))
        wanted, warnings = load_content(folder or home.root, CHECKERS, stands)
        for warning in warnings:
            errors.print(str(warning), style="yellow", markup=False)
        with read(opened.engine) as connection:
            changes = configuration.plan(connection, wanted, shipped())
        for change in changes:
            answers.print(change.summary, style="bold", markup=False)
            answers.print(change.diff, markup=False, highlight=False)
        if not changes:
            answers.print("nothing to change")
            return
        if advice := _estimate_first(opened, changes, wanted, folder):
            errors.print(advice, markup=False, highlight=False)
        if dry_run:
            return
        with write(opened.engine) as connection:
            made = configuration.apply(connection, changes, getpass.getuser(), opened.clock.now())
        for revision in made:
            answers.print(f"{revision.kind}: revision {revision.number} in force", markup=False)


def _estimate_first(opened: Opened, changes: Sequence[Change], wanted: Content, folder: Path | None) -> str:
    """How to learn what new brands and sources will bring and cost; empty where Clamor asks nobody for them."""
    added = {change.kind: change.added for change in changes}
    stated = wanted.stated.sources
    asked = [one for one in (opened.registry.sources() if stated is None else stated) if isinstance(one, Collected)]
    new = [one.id for one in asked if one.id in added.get("sources", ())]
    brands = added.get("brands", ())
    if not new and not (brands and asked):
        return ""
    # A new source is asked for old brands too.
    words = [] if new and brands else [*new, *(f"--brand {one}" for one in brands)]
    words = words if len(words) <= MOST_NAMED else []
    ahead = ["--files", shlex.quote(str(folder or opened.home.root))]
    return f"what will it bring and cost? {' '.join(['clamor sources estimate', *ahead, *words])}"


MOST_NAMED = 8
"""Brands and sources that the advice repeats; of more, the command takes all."""


def export(context: typer.Context, folder: Annotated[Path, typer.Argument(help="An empty or new folder.")]) -> None:
    """Write the brands, aspects, sources, people, rules and policy in force as files that `clamor apply` reads.

    [bold]Examples[/bold]

      clamor export ./configuration
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            for path in configuration.export(connection, folder):
                answers.print(f"wrote {path}", highlight=False)
