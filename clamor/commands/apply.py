"""`clamor apply` and `clamor export`: files into numbered revisions, and back."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from clamor.console import answers, errors
from clamor.opening import open_home
from config import apply as configuration
from config import content
from config.home import Home
from config.load import load_content
from database import revisions
from database.engine import read, write
from database.migrate import upgrade
from routing.check import check_rules
from routing.rules import default_rules


def apply(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with clamor.yaml and rules.yaml. Default: home.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Take brands, aspects, sources, people and rules over from files, as new numbered revisions.

    The files are checked as a whole first; running stages adopt the revisions between two batches.

    [bold]Examples[/bold]

      clamor apply --dry-run
      clamor apply ./configuration
    """
    home: Home = context.obj
    with open_home(home) as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            standing = revisions.current(connection, "brands")
        known = [brand.id for brand in content.brands(standing.body)] if standing else []
        wanted, warnings = load_content(folder or home.root, [check_rules], known)
        for warning in warnings:
            errors.print(str(warning), style="yellow", markup=False)
        with read(opened.engine) as connection:
            changes = configuration.plan(connection, wanted, default_rules())
        for change in changes:
            answers.print(change.summary, style="bold", markup=False)
            answers.print(change.diff, markup=False, highlight=False)
        if not changes:
            answers.print("nothing to change")
            return
        if dry_run:
            return
        with write(opened.engine) as connection:
            made = configuration.apply(connection, changes, getpass.getuser(), opened.clock.now())
        for revision in made:
            answers.print(f"{revision.kind}: revision {revision.number} in force", markup=False)


def export(context: typer.Context, folder: Annotated[Path, typer.Argument(help="An empty or new folder.")]) -> None:
    """Write the brands, aspects, sources, people and rules in force as files that `clamor apply` reads.

    [bold]Examples[/bold]

      clamor export ./configuration
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            for path in configuration.export(connection, folder):
                answers.print(f"wrote {path}", highlight=False)
