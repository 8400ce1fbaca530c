"""`clamor move`: a home onto other engines, while it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clamor.console import answers, errors
from clamor.moving.beginning import begun, give_up
from clamor.moving.move import Ended, Move, carry_out
from clamor.moving.note import Note
from clamor.progress import progress
from config.home import Home


def move(
    context: typer.Context,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="A file in the home, like clamor.yaml, whose `engines` say where to.", metavar="FILE"
        ),
    ] = None,
    leave: Annotated[
        bool, typer.Option("--give-up", help="Forget the move that was begun: the home stays where it is.")
    ] = False,
) -> None:
    """Copy log, mentions, cases and all else to the engines that another settings file names, while Clamor goes on.

    When all is copied it says so and follows what comes, until you stop Clamor. Then it copies the rest, compares all
    of it, carries over where each stage stands, and tells what to change in clamor.yaml. Cut short anywhere, it goes on
    when it is given again. What it moves to must be empty.

    [bold]Examples[/bold]

      clamor move --to clamor.big.yaml
      clamor move --give-up
    """
    home: Home = context.obj
    if leave == (to is not None):
        raise typer.BadParameter("give either --to FILE or --give-up")
    if to is None:
        _tell_left(give_up(home))
        return
    with begun(home, _in_home(home, to)) as found:
        working, old = Move(found), found.source.home
        with progress() as show:
            ended = carry_out(working, _say, show)
    _tell(ended, home, old)


def _in_home(home: Home, to: Path) -> str:
    """Its paths are counted from the home, as those of clamor.yaml are."""
    if to.parent not in (Path(), home.root) and to.absolute().parent != home.root:
        raise typer.BadParameter(f"{to} lies outside of {home.root}: put it beside clamor.yaml, where it will end")
    return to.name


def _say(words: str) -> None:
    errors.print(words, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _tell(ended: Ended, home: Home, old: Home) -> None:
    moved, lines = ended.moved, list[str]()
    if moved.database and ended.tables:
        lines.append(f"database: {ended.rows:,} rows of {ended.tables} tables, equal row by row")
    if moved.log:
        lines.append(f"log: {ended.records:,} records, checksums agree")
    if ended.left_out:
        lines.append(f"     {ended.left_out:,} records of posts that are gone were left out")
    if ended.twice:
        lines.append(f"     {ended.twice:,} records stand there twice, after a fault, which changes nothing")
    if moved.store and ended.mentions:
        lines.append(f"index: {ended.mentions:,} mentions to be found, checksums agree")
    if ended.refused:
        lines.append(f"       {ended.refused:,} mentions are such as the new store cannot take")
    for line in lines:
        answers.print(line, markup=False, highlight=False, soft_wrap=True)
    files = [
        str(path)
        for moves, path in ((moved.database, old.app_db), (moved.log, old.log_db), (moved.store, old.index_db))
        if moves and path.exists()
    ]
    answers.print(
        f"moved. Now put the section `engines` of {home.root / ended.settings} into {home.settings_file} (or the file "
        "in its place), then start Clamor: the old engines are refused from now on",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if files:
        errors.print(
            f"texts still lie in {', '.join(files)}, which deletes reach no more: remove those files, and those beside "
            "them with -wal and -shm, when all is well, and within 7 days",
            style="yellow",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _tell_left(left: Note) -> None:
    answers.print(f"the move to the engines of {left.settings} is given up; this home goes on as it is", markup=False)
    errors.print(
        "what was copied holds texts that deletes do not reach: remove it within 7 days. "
        f"Log: {left.target.log}; index: {left.target.store}; database: {left.target.database}",
        style="yellow",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
