"""`clamor case assign|note|tag|…`: what people do with cases. Who did it and when stands in the case's history."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from clamor import exits
from clamor.commands.spans import spanned
from clamor.console import answers, errors
from clamor.moments import instant
from clamor.opening import open_home
from clamor.replies import Filled, NoReply, fill
from clamor.roles import worked_by
from database.migrate import upgrade
from routing.casework import (
    Assign,
    Change,
    Deviate,
    Join,
    KeepApart,
    Merge,
    NoSuchCase,
    Note,
    Reopen,
    Resolve,
    Snooze,
    Split,
    Tag,
    Undo,
    Wait,
    Watch,
    work,
)
from routing.desk import Desk
from routing.merging import CaseRefused
from routing.tracking import number_in
from stream.clock import DAY, MINUTE

Number = Annotated[str, typer.Argument(help="Number of the case, or its key: 169, ACM-2026-000169.", metavar="ID")]
By = Annotated[str, typer.Option(help="Who does it. Default: the user of this shell.")]
Seen = Annotated[
    int | None,
    typer.Option(
        "--revision", help="The case's revision that you saw: where somebody changed it since, nothing is done.", min=0
    ),
]
Why = Annotated[str, typer.Option(help="In a sentence, for the history.")]


def register(app: typer.Typer) -> None:
    """Let these be commands of `app`."""
    for name, function in _COMMANDS.items():
        app.command(name)(function)


def number(text: str) -> int:
    """The number of the case that an argument names. Raises typer.BadParameter."""
    found = number_in(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} names no case: write its number or its key", param_hint="ID")
    return found


def assign(
    context: typer.Context,
    id: Number,
    person: Annotated[str | None, typer.Argument(help="Id of a person of the configuration.", metavar="PERSON")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Take it from who has it.")] = False,
    by: By = "",
    revision: Seen = None,
) -> None:
    """Give a case to somebody, who is told of it by mail.

    [bold]Examples[/bold]

      clamor case assign 169 ana
      clamor case assign ACM-2026-000169 ana --by ben --revision 4
      clamor case assign 169 --nobody
    """
    if (person is None) != nobody:
        raise typer.BadParameter("name a person, or say --nobody", param_hint="PERSON")
    _do(context, id, Assign(person), by, revision)


def note(
    context: typer.Context,
    id: Number,
    text: Annotated[str, typer.Argument(help="The note; `-` reads it from standard input.", metavar="TEXT")],
    by: By = "",
    revision: Seen = None,
) -> None:
    """Write a note into a case. Who is named in it with @ is told by mail.

    [bold]Examples[/bold]

      clamor case note 169 "@ben, the bag is in Lisbon"
      cat answer.txt | clamor case note 169 -
    """
    _do(context, id, Note(sys.stdin.read() if text == "-" else text), by, revision)


def tag(
    context: typer.Context,
    id: Number,
    tags: Annotated[list[str] | None, typer.Argument(help="Words to add.", metavar="TAG")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag to take away; may be repeated.")] = None,
    by: By = "",
    revision: Seen = None,
) -> None:
    """Add tags to a case, or take them away.

    [bold]Examples[/bold]

      clamor case tag 169 refund lost-bag
      clamor case tag 169 --remove refund
    """
    if not tags and not remove:
        raise typer.BadParameter("name a tag to add, or one to --remove", param_hint="TAG")
    _do(context, id, Tag(tuple(tags or ()), tuple(remove or ())), by, revision)


def watch(
    context: typer.Context,
    id: Number,
    person: Annotated[str | None, typer.Argument(help="Id of a person. Default: as --by.", metavar="PERSON")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Be told no more.")] = False,
    by: By = "",
    revision: Seen = None,
) -> None:
    """Let a person be told of what happens to a case, beside the one who has it.

    [bold]Examples[/bold]

      clamor case watch 169 ana
      clamor case watch 169 ana --stop
    """
    _do(context, id, Watch(person or by or getpass.getuser(), not stop), by, revision)


def wait(context: typer.Context, id: Number, by: By = "", revision: Seen = None) -> None:
    """Let a case wait for its customer, who was answered. It is open again when they speak.

    [bold]Examples[/bold]

      clamor case wait 169
    """
    _do(context, id, Wait(), by, revision)


def snooze(
    context: typer.Context,
    id: Number,
    until: Annotated[str | None, typer.Option(help="2026-12-01 or 2026-12-01T09:00, UTC.", metavar="TIME")] = None,
    span: Annotated[str | None, typer.Option("--for", help="From now on: 90m, 3h, 2d.", metavar="SPAN")] = None,
    by: By = "",
    revision: Seen = None,
) -> None:
    """Put a case away until a time, or until a new post comes.

    [bold]Examples[/bold]

      clamor case snooze 169 --for 3h
      clamor case snooze 169 --until 2026-12-01T09:00
    """
    if (until is None) == (span is None):
        raise typer.BadParameter("say either until when, or for how long", param_hint="--until, --for")
    with open_home(context.obj, use="check") as opened:
        now = opened.clock.now()
    if span is not None:
        at = now + spanned(span, "--for", MINUTE, 366 * DAY)
    else:
        at = instant(until or "", "--until")
    _do(context, id, Snooze(at), by, revision)


def resolve(context: typer.Context, id: Number, why: Why = "", by: By = "", revision: Seen = None) -> None:
    """Say that a matter is done. It reopens if its author speaks again within 14 days.

    [bold]Examples[/bold]

      clamor case resolve 169 --why "the bag came"
    """
    _do(context, id, Resolve(why), by, revision)


def reopen(context: typer.Context, id: Number, why: Why = "", by: By = "", revision: Seen = None) -> None:
    """Take a resolved, waiting or snoozed case up again.

    [bold]Examples[/bold]

      clamor case reopen 169 --why "it was the wrong bag"
    """
    _do(context, id, Reopen(why), by, revision)


def merge(
    context: typer.Context,
    id: Number,
    into: Annotated[str, typer.Option(help="Case that takes it over, of the same brand.", metavar="ID")],
    why: Why = "",
    by: By = "",
    revision: Seen = None,
) -> None:
    """Let another case take this one over: they are one matter. What is said later where this one was joins it too.

    [bold]Examples[/bold]

      clamor case merge 171 --into 169 --why "the same lost bag"
    """
    _do(context, id, Merge(number(into), why), by, revision)


def join(
    context: typer.Context,
    id: Number,
    other: Annotated[str, typer.Argument(help="The other case, of the same brand.", metavar="OTHER")],
    by: By = "",
    revision: Seen = None,
) -> None:
    """Let two cases be one matter: the graver queue goes on, of equal ones the older case. `undo` takes it back.

    [bold]Examples[/bold]

      clamor case join 169 171
      clamor case join 169 171 --by ana
    """
    _do(context, id, Join(number(other)), by, revision)


def keep_apart(
    context: typer.Context,
    id: Number,
    other: Annotated[str, typer.Argument(help="The other case.", metavar="OTHER")],
    why: Why = "",
    by: By = "",
    revision: Seen = None,
) -> None:
    """Say that two cases are not one matter: they are never proposed or joined again.

    [bold]Examples[/bold]

      clamor case keep-apart 169 171 --why "two customers of one name" --by ana
    """
    _do(context, id, KeepApart(number(other), why), by, revision)


def split(
    context: typer.Context,
    id: Number,
    mentions: Annotated[list[str], typer.Argument(help="Mentions of the case.", metavar="MENTION")],
    by: By = "",
    revision: Seen = None,
) -> None:
    """Make a case of their own of some of a case's mentions. Answers to them go with them.

    [bold]Examples[/bold]

      clamor case split 169 'x:1790#acme'
    """
    _do(context, id, Split(tuple(mentions)), by, revision)


def exception(
    context: typer.Context,
    id: Number,
    why: Annotated[str, typer.Option(help="Why the policy is not followed here, in a sentence.")],
    kind: Annotated[str, typer.Option(help="Of the kinds that stand in the case. Default: the gravest.")] = "",
    by: By = "",
    revision: Seen = None,
) -> None:
    """Record that the policy for detractors is not followed in a case: who, from what, why. Those whom the policy lets
    be told of such a case are told by mail.

    [bold]Examples[/bold]

      clamor case exception 169 --why "she asked for a call, so we answer on the phone"
      clamor case exception 169 --kind mockery --why "the author is a customer whom we know" --by ana
    """
    _do(context, id, Deviate(why, kind), by, revision)


def undo(context: typer.Context, id: Number, by: By = "", revision: Seen = None) -> None:
    """Take back that a case was merged into another, or split off from one. Asked again, it does nothing.

    [bold]Examples[/bold]

      clamor case undo 171
      clamor case undo 171 --by ana
    """
    _do(context, id, Undo(), by, revision)


def reply(
    context: typer.Context,
    id: Number,
    template: Annotated[str, typer.Option("--template", help="Id of a reply of the configuration.", metavar="NAME")],
    language: Annotated[
        str | None, typer.Option(help="en or es. Default: the language of the newest post of the case.")
    ] = None,
) -> None:
    """Print a canned reply, filled in for a case. Nothing is posted anywhere.

    [bold]Examples[/bold]

      clamor case reply 169 --template sorry
      clamor case reply 169 --template sorry --language es
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            filled: Filled = fill(opened.engine, opened.registry, number(id), template, language)
        except NoReply as error:
            errors.print(str(error), markup=False, highlight=False)
            raise typer.Exit(exits.FAILED) from None
    for warning in filled.warnings:
        errors.print(warning, style="yellow", markup=False, highlight=False)
    print(filled.text)


def _do(context: typer.Context, id: str, change: Change, by: str, revision: int | None) -> None:
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        desk, now = Desk(opened.registry.current()), opened.clock.now()
        try:
            done = work(opened.engine, desk, number(id), change, by or getpass.getuser(), now, expects=revision)
        except (NoSuchCase, CaseRefused) as error:
            errors.print(str(error), markup=False, highlight=False)
            raise typer.Exit(exits.FAILED) from None
        moved = isinstance(change, Merge | Join | Split | Undo) and done.changed
        waits = "; searchable once clamor run works this home again" if moved and not worked_by(opened.home) else ""
    answers.print(f"{done.said}{waits}", markup=False, highlight=False, soft_wrap=True)


_COMMANDS: Mapping[str, Callable[..., None]] = {
    "assign": assign, "note": note, "tag": tag, "watch": watch, "wait": wait, "snooze": snooze, "resolve": resolve,
    "reopen": reopen, "merge": merge, "join": join, "keep-apart": keep_apart, "split": split, "exception": exception,
    "undo": undo, "reply": reply,
}  # fmt: skip
