"""`clamor case`: what happened to a case, and a merge taken back."""

from __future__ import annotations

import getpass
from typing import Annotated

import msgspec
import typer

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from clamor.roles import worked_by
from clamor.sources import collected
from database.engine import read, rows
from database.migrate import upgrade
from routing.cases import CannotPart
from routing.desk import Desk
from routing.partings import NoSuchCase, part
from stream.ports import EVERYTHING
from stream.records import Millis
from web import casebook, context

app = typer.Typer(help="Cases: their history, and merges taken back.", no_args_is_help=True)

SHOWN = 280
"""Characters of a post above a reply; `--json` has all."""
_STATES = {
    "not_asked": "not asked for, clamor case show ID --context does",
    "asked": "asked for",
    "fetched": "it came, and is on its way or was not kept",
    "none": "not to be had",
    "refused": "refused by its network",
    "gone": "gone",
}

Number = Annotated[int, typer.Argument(help="Number of the case, as search, mails and the API name it.", metavar="ID")]


class Move(msgspec.Struct, frozen=True):
    at: Millis
    change: str
    mention: str | None
    """None: it is gone, or the move was of no single mention."""
    detail: str


class Above(msgspec.Struct, frozen=True):
    """A post above a reply; nearest first."""

    post: str
    at: Millis
    author: str
    text: str
    link: str | None


class Thread(msgspec.Struct, frozen=True):
    mention: str
    state: str
    """As in the API: `shown`, or why what it answers is not here."""
    why: str
    above: list[Above]


class Told(msgspec.Struct, frozen=True):
    id: int
    brand: str
    queue: str
    state: str
    risk: int
    merged_into: int | None
    took_over: list[int]
    """Cases that were merged into it and not taken back."""
    mentions: list[str]
    """The newest live ones, at most 500."""
    history: list[Move]
    threads: list[Thread] = []
    """What those of its mentions answer that are replies."""


@app.command("show")
def show(
    context: typer.Context,
    id: Number,
    fetch: Annotated[
        bool,
        typer.Option(
            "--context", help="Ask the networks what its replies answer, within the budgets of their sources."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """What a case is about, what its replies answer, what happened to it, and which cases it took over.

    [bold]Examples[/bold]

      clamor case show 169
      clamor case show 169 --context
      clamor case show 169 --json | jq .history
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        asked = _ask(opened, id) if fetch else None
        told = _told(opened, id)
    if told is None:
        errors.print(f"there is no case {id}")
        raise typer.Exit(exits.FAILED)
    if as_json:
        print(msgspec.json.encode(told).decode())
        return
    into = f", merged into case {told.merged_into}" if told.merged_into is not None else ""
    _say(f"case {told.id}: {told.brand}, queue {told.queue}, {told.state}{into}, risk {told.risk}")
    if told.took_over:
        _say(f"  took over: {', '.join(f'case {one}' for one in told.took_over)} (clamor case part ID takes it back)")
    by_mention = {thread.mention: thread for thread in told.threads}
    for mention in told.mentions:
        _say(f"  {mention}")
        if mention in by_mention:
            _say_thread(by_mention[mention])
    for move in told.history:
        _say(f"  {when(move.at)} UTC {move.change}" + "".join(f" {x}" for x in (move.mention, move.detail) if x))
    if asked is not None:
        _say(asked)


@app.command("part")
def part_from(
    context: typer.Context,
    id: Number,
    by: Annotated[str, typer.Option(help="Who says so. Default: the user of this shell.")] = "",
) -> None:
    """Take back that a case was merged into another: it is open again with the mentions that it brought.

    Who did it stands in the history of both. Asked again, it does nothing.

    [bold]Examples[/bold]

      clamor case part 171
      clamor case part 171 --by ana
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            done = part(opened.engine, Desk(opened.registry.current()), id, by or getpass.getuser(), opened.clock.now())
        except (NoSuchCase, CannotPart) as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
        waits = "" if worked_by(opened.home) else "; searchable once clamor run works this home again"
    if done.changed:
        _say(f"case {id} is open again with {done.mentions} mentions{waits}")
    else:
        _say(f"case {id} was parted before: nothing was done")


def _told(opened: Opened, id: int) -> Told | None:
    found = casebook.one(opened.engine, id, EVERYTHING)
    if found is None:
        return None
    with read(opened.engine) as connection:
        took = [n for (n,) in rows(connection, "SELECT id FROM cases WHERE merged_into = ? ORDER BY id", (id,))]
    row = found.case.row
    return Told(
        id, row.brand_id, row.queue, row.state, row.risk, row.merged_into, took, found.mentions,
        [Move(*event) for event in found.history],
        [_thread(each) for each in context.threads(opened.engine, found.live, EVERYTHING)],
    )  # fmt: skip


def _ask(opened: Opened, id: int) -> str:
    """What came of asking, in words."""
    by, now = getpass.getuser(), opened.clock.now()
    done = context.ask(opened.engine, id, EVERYTHING, by, now, lambda source: collected(opened, source))
    if done is None or not any(done):
        return "nothing to ask for: what its replies answer is here, or nothing in it is a reply"
    waits = "" if worked_by(opened.home) else ", once clamor run works this home"
    parts = [
        (done.asked, f"{done.asked} replies are asked about now{waits}"),
        (done.waiting, f"{done.waiting} were asked about before"),
        (done.impossible, f"{done.impossible} are not to be had"),
        (done.left, f"{done.left} more are left for another time"),
    ]
    return "; ".join(words for count, words in parts if count)


def _thread(thread: context.Thread) -> Thread:
    above = [
        Above(
            one.post.id,
            one.post.event_time,
            (one.post.author.handle or one.post.author.id) if one.post.author else "",
            one.post.text or one.post.title or "",
            one.post.link,
        )
        for one in thread.above
    ]
    return Thread(thread.mention, thread.state, thread.why, above)


def _say_thread(thread: Thread) -> None:
    if not thread.above:
        why = f" ({thread.why})" if thread.why else ""
        _say(f"    answers a post that is not here: {_STATES.get(thread.state, thread.state)}{why}")
    for depth, one in enumerate(thread.above):
        who = one.author or "somebody"
        _say(f"    {'  ' * min(depth, 10)}answers {who}, {when(one.at)} UTC: {' '.join(one.text.split())[:SHOWN]}")


def _say(line: str) -> None:
    answers.print(line, markup=False, highlight=False, soft_wrap=True)
