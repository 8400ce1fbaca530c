"""`clamor incident`: what is unusual about a brand, why, and who looks after it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from clamor import exits
from clamor.commands import incident_matters, response
from clamor.commands.case_open import in_line
from clamor.commands.response import AsJson, By, Id
from clamor.commands.search import when
from clamor.commands.silences import in_words
from clamor.console import answers, errors
from clamor.opening import open_home
from database.engine import read, write
from database.migrate import upgrade
from query.document import effective
from routing import by_hand, silences
from routing.by_hand import ByHand
from routing.incidents import book, hold
from routing.incidents.book import Event, Incident, NoSuchIncident
from routing.incidents.cause import Cause, Share, cause_of
from routing.incidents.curve import curve_of, sparkline
from routing.incidents.hold import Hold
from routing.incidents.said import Statement, statements
from routing.incidents.tasks import Task
from routing.incidents.tasks import tasks as tasks_of
from routing.silences import Silence, of_incident
from stream.clock import HOUR, MINUTE
from stream.records import Mention, Millis

MOST = 200
CURVE = 12 * HOUR

app = typer.Typer(help="What is unusual about a brand, and what people do about it.", no_args_is_help=True)


class Proved(StrEnum):
    real = "real"
    false = "false"


class Shown(msgspec.Struct, frozen=True):
    incident: Incident
    cause: Cause
    events: list[Event]
    said: list[Statement]
    """What the brand said in public, in the order in which people could read it."""
    tasks: list[Task]
    cases: dict[int, ByHand]
    """By number, those that people opened for it."""
    hold: Hold | None
    """That stands: canned replies are held back."""


@app.command("list")
def list_(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Incidents that are under way, the newest first.

    [bold]Examples[/bold]

      clamor incident list
      clamor incident list --all --json
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        with read(opened.engine) as connection:
            found = book.listed(connection, all=every, most=MOST)
            quiet = silences.live(connection, now)
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "brand", "state", "since (UTC)", "what", "looked after by"):
        table.add_column(name, overflow="fold")
    for one in found:
        state = f"{one.state}, silenced" if _silences(one, quiet, now) else one.state
        table.add_row(
            str(one.id), one.brand, state, when(one.since), book.summary(one.evidence), one.acknowledged_by or ""
        )
    if found:
        answers.print(table)
    errors.print(f"{len(found)} {'in all' if every else 'under way'}", style="dim")


@app.command("show")
def show(
    context: typer.Context,
    id: Id,
    access: Annotated[
        list[str] | None, typer.Option(help="Labels of private sources whose texts are shown besides public ones.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """An incident: its numbers, what it is made of, the posts to read first, what happened.

    The cause is worked out now, from what is live: what was deleted since is not in it. Posts of private sources
    count; their words, links and people are shown where --access names the label.

    [bold]Examples[/bold]

      clamor incident show 3
      clamor incident show 3 --access board
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        try:
            with read(opened.engine) as connection:
                held = book.find(connection, id)
                lead = held.evidence.signals[0] if held.evidence.signals else None
                until = held.over_at or now
                cause = cause_of(
                    connection,
                    held.brand,
                    held.since,
                    until + MINUTE,
                    hurts=lead is None or lead.hurts,
                    access=frozenset(access or ()),
                )
                happened, spoken = book.events(connection, id), statements(connection, id)
                asked, held_back = tasks_of(connection, id), hold.standing(connection, id)
                quiet = silences.live(connection, now)
                linked = {case: one for case, _, one in by_hand.of_incident(connection, id)}
                elsewhere = incident_matters.lines(connection, held)
                curve = curve_of(connection, held.brand, lead.series if lead else "all", until - CURVE, until)
        except NoSuchIncident as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
    if as_json:
        print(msgspec.json.encode(Shown(held, cause, happened, spoken, asked, linked, held_back)).decode())
        return
    for line in _silences(held, quiet, now):
        answers.print(line, markup=False, highlight=False, style="yellow")
    _print(held, cause, happened, spoken)
    for case, linked_one in linked.items():
        answers.print(f"  Case {case}, {in_line(linked_one)}", markup=False, highlight=False)
    if held_back is not None:
        line = f"Canned replies are held back since {when(held_back.since)} UTC: {held_back.reason}"
        answers.print(f"  {line}", markup=False, highlight=False)
    for line in elsewhere:
        answers.print(f"  {line}", markup=False, highlight=False)
    for one in asked:
        answers.print(f"  Task {response.told(one, now)}", markup=False, highlight=False)
    if signs := sparkline(curve):
        answers.print(f"  {when(curve[0].at)} {signs} {when(curve[-1].at)}", markup=False, highlight=False)


@app.command("acknowledge")
def acknowledge(context: typer.Context, id: Id, by: By = "") -> None:
    """Say that you look after it: nothing is repeated and nobody further is told.

    [bold]Examples[/bold]

      clamor incident acknowledge 3 --by ana
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            with write(opened.engine) as connection:
                held = book.acknowledge(connection, id, by or getpass.getuser(), opened.clock.now())
        except (NoSuchIncident, ValueError) as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
    answers.print(f"{held.acknowledged_by} looks after incident {id}", markup=False, highlight=False)


@app.command("note")
def note(
    context: typer.Context,
    id: Id,
    text: Annotated[str, typer.Argument(help="What happened, or is planned.")],
    by: By = "",
) -> None:
    """Write into the history of an incident.

    [bold]Examples[/bold]

      clamor incident note 3 "legal reads the draft until noon"
    """
    if not text.strip() or len(text) > MOST_NOTE:
        errors.print(f"a note has 1 to {MOST_NOTE:,} characters, this one has {len(text.strip()):,}")
        raise typer.Exit(exits.USAGE)
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            with write(opened.engine) as connection:
                book.find(connection, id)
                book.note(connection, id, "note", opened.clock.now(), by or getpass.getuser(), text.strip())
        except NoSuchIncident as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
    answers.print(f"incident {id}: noted")


@app.command("prove")
def prove(
    context: typer.Context,
    id: Id,
    word: Annotated[Proved, typer.Argument(help="real: it was one. false: it was nothing.")],
    by: By = "",
) -> None:
    """Say in the end whether it was one: what the share of alerts that proved real is counted from.

    [bold]Examples[/bold]

      clamor incident prove 3 real
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            with write(opened.engine) as connection:
                book.prove(connection, id, by or getpass.getuser(), word.value, opened.clock.now())
        except NoSuchIncident as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
    answers.print(f"incident {id}: {word.value}")


response.register(app)
incident_matters.register(app)
MOST_NOTE = 4_000


def _print(held: Incident, cause: Cause, happened: list[Event], spoken: list[Statement]) -> None:
    def say(line: str, style: str | None = None) -> None:
        answers.print(line, markup=False, highlight=False, style=style)

    say(f"Incident {held.id}: {held.brand}, {held.state} since {when(held.since)} UTC", "bold")
    for signal in held.evidence.signals:
        span = f"{signal.minutes} minute{'s' if signal.minutes != 1 else ''}"
        say(
            f"  {signal.series}: {signal.observed:.0f} in {span}, {signal.expected:.1f} expected, usual up to "
            f"{signal.high:.0f}; probability that this is no chance {signal.percent} %"
        )
    if held.evidence.complete < 1.0:
        say(f"  At that minute only {held.evidence.complete:.0%} of the sources were heard: numbers may be too low.")
    who = f"{held.acknowledged_by} looks after it." if held.acknowledged_by else "Nobody looks after it yet."
    say(f"  {who}")
    if cause.posts:
        say(f"  Made of {cause.posts:,} posts by {cause.authors:,} authors with {cause.reach:,} followers together:")
    for name, shares in (
        ("networks", cause.networks), ("what they want", cause.intents), ("new words", cause.words),
        ("links", cause.links), ("loudest", cause.loudest),
    ):  # fmt: skip
        if shares:
            say(f"    {name}: {', '.join(map(_share, shares))}")
    for heap in cause.copies:
        say(f"    {heap.posts:,} near copies by {heap.authors:,} authors, first {heap.post_id}")
    for heap in cause.threads[:3]:
        say(f"    {heap.posts:,} posts in the thread {heap.name}")
    for _, mention in cause.top:
        say(f"  {_post(mention)}", "dim")
    for one in spoken:
        say(f"  Said on {one.place} at {when(one.said_at)}: {_line(one.text) or 'no longer kept'}")
    for event in happened:
        rest = " ".join(part for part in (event.person, event.detail) if part)
        say(f"  {when(event.at)} {event.change}{': ' + rest if rest else ''}")


def _silences(held: Incident, quiet: Sequence[Silence], now: Millis) -> list[str]:
    """What keeps people from being told of an incident now, in words; a crisis goes through some of it."""
    if held.state == "over":
        return []
    linked = held.silent_until if book.silent(held, now) else None
    lines = [f"Silenced by a link until {when(linked)} UTC"] if linked is not None else []
    found = of_incident(quiet, held.brand, held.id, held.state, now)
    return [*lines, *([in_words(found)] if found is not None else [])]


def _share(share: Share) -> str:
    return f"{share.name} {share.share:.0%}"


def _post(mention: Mention) -> str:
    text = mention.post.text if mention.post else ""
    return f"{mention.post_id} ({effective(mention, 'intent') or 'other'}): {_line(text)}"


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:200]
