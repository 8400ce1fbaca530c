"""`clamor corrections`: what people stated, as labels to learn from or to measure on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer

from clamor import exits
from clamor.console import errors
from clamor.corrected import exported
from clamor.moments import moment
from clamor.opening import open_home
from config.home import Home
from database.migrate import upgrade

app = typer.Typer(help="Corrections: what people stated of mentions, as labels.", no_args_is_help=True)


@app.command("export")
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON Lines; - is standard output.")] = Path("-"),
    text: Annotated[
        bool, typer.Option("--text", help="With the text, and only what labels can be learnt from. Not with --stale.")
    ] = False,
    stale: Annotated[bool, typer.Option("--stale", help="Also those of a text that has changed since.")] = False,
    people: Annotated[bool, typer.Option("--people", help="With who stated it.")] = False,
    since: Annotated[
        str, typer.Option(help="Stated from then on: 2026-03-01, 2026-03-01T08:30, -7d, -12h.")
    ] = "2000-01-01",
    until: Annotated[str, typer.Option(help="Stated before then; a day counts whole.")] = "now",
) -> None:
    """What people stated of mentions that are live, a mention a line: references, labels and the hash of the text.

    With --text each line is a labelled post, as `clamor model evaluate --on` takes it. Such a file holds texts of
    others: when they are deleted Clamor cannot take them out of it.

    [bold]Examples[/bold]

      clamor corrections export
      clamor corrections export labelled.jsonl --text && clamor model evaluate fast --on labelled.jsonl
    """
    if text and stale:
        errors.print("--text and --stale exclude one another: what was stated is not of the text that is there now")
        raise typer.Exit(exits.USAGE)
    home: Home = context.obj
    count = 0
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        start, end = int(moment(since, now, "since").low or 0), int(moment(until, now, "until").high or now)
        with _written(file) as out:
            for line in exported(opened.engine, start, end, text=text, stale=stale, people=people):
                out.write(msgspec.json.encode(line) + b"\n")
                count += 1
    if str(file) != "-":
        errors.print(f"{count:,} corrections written to {file}", markup=False, highlight=False)
    elif not count:
        errors.print("no correction stands in this span", highlight=False)


@contextmanager
def _written(file: Path) -> Iterator[IO[bytes]]:
    """Raises typer.Exit where the file cannot be written, or is there: nothing is written over."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with file.open("xb") as out:
            yield out
    except FileExistsError:
        errors.print(f"{file} is there already: name another file, nothing is written over", markup=False)
        raise typer.Exit(exits.FAILED) from None
    except OSError as error:
        errors.print(f"{file}: {error.strerror}", markup=False)
        raise typer.Exit(exits.FAILED) from None
