"""`clamor dead-letter`: what could not be processed, why, and how to put it back."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import open_home
from stream.dead_letters import Letter, letter, letters, payload
from stream.dead_letters import replay as put_back
from stream.ports import Log

app = typer.Typer(help="Records that could not be processed: list, show, replay.", no_args_is_help=True)

Stage = Annotated[str | None, typer.Option("--stage", help="Only of this stage.")]


@app.command("list")
def list_(
    context: typer.Context,
    stage: Stage = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most to show, the newest.")] = 50,
) -> None:
    """What was refused and why, the newest last; never the post's text.

    [bold]Examples[/bold]

      clamor dead-letter list
      clamor dead-letter list --stage nlp -n 500
    """
    with open_home(context.obj, use="check") as opened:
        found = list(letters(opened.log, stage=stage))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "time (UTC)", "stage", "key", "reason"):
        table.add_column(name, overflow="fold")
    for one in found[-limit:]:
        table.add_row(one.id, when(one.time), one.record.stage, one.record.key, one.record.reason)
    answers.print(table)
    errors.print(f"{min(limit, len(found))} of {len(found)}", style="dim")


@app.command("show")
def show(context: typer.Context, id: Annotated[str, typer.Argument(help="As `list` names it.")]) -> None:
    """One refused record, its payload included.

    [bold]Examples[/bold]

      clamor dead-letter show 0:17
    """
    with open_home(context.obj, use="check") as opened:
        one = _named(opened.log, id)
    record = one.record
    for name, value in (
        ("id", one.id),
        ("time", when(one.time)),
        ("stage", record.stage),
        ("came from", f"{record.topic}, partition {record.partition}, offset {record.offset}"),
        ("key", record.key),
        ("reason", record.reason),
        ("error", record.error),
    ):
        answers.print(f"{name:10} {value}", markup=False, highlight=False)
    shown = payload(record).decode("utf-8", "backslashreplace")
    print("".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in shown))


@app.command("replay")
def replay(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(help="As `list` names them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are kept.")] = False,
    stage: Stage = None,
) -> None:
    """Put refused records back on the topic that they came from.

    Rows of files and what was pushed and refused before it became a record have no topic: they are named, and the exit
    code is 3.

    [bold]Examples[/bold]

      clamor dead-letter replay 0:17 0:18
      clamor dead-letter replay --all --stage nlp
    """
    if not ids and not every:
        errors.print("name the letters, or say --all")
        raise typer.Exit(exits.USAGE)
    with open_home(context.obj, use="check") as opened:
        chosen: list[Letter] = (
            list(letters(opened.log, stage=stage)) if every else [_named(opened.log, one) for one in ids or ()]
        )
        number = put_back(opened.log, (one for one in chosen if one.record.topic))
    answers.print(f"{number} put back on their topics")
    homeless = [one for one in chosen if not one.record.topic]
    for one in homeless:
        errors.print(
            f"{one.id}: {one.record.key} was refused before it became a record of the log: mend it, and replay "
            "the file (clamor replay --again) or push it once more",
            markup=False,
            highlight=False,
        )
    if homeless:
        raise typer.Exit(exits.SOME_REFUSED)


def _named(log: Log, id: str) -> Letter:
    try:
        return letter(log, id)
    except ValueError as error:
        errors.print(str(error), markup=False)
        raise typer.Exit(exits.FAILED) from None
