"""`clamor incident said|task|hold|lift`: what people do in an incident. Who did it, and when, stands in its history."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from sqlalchemy import Connection, Engine

from clamor import exits
from clamor.briefing_pdf import NoPdf, write_pdf
from clamor.commands.search import when
from clamor.commands.spans import spanned
from clamor.console import answers, errors
from clamor.moments import instant
from clamor.opening import Opened, open_home
from database.engine import read, write
from database.migrate import upgrade
from routing import briefing_links
from routing.incidents import book, tasks
from routing.incidents import briefing as briefings
from routing.incidents import hold as holds
from routing.incidents.book import NoSuchIncident
from routing.incidents.briefing import Read
from routing.incidents.briefing_page import as_text, page_of
from routing.incidents.hold import Hold, Line
from routing.incidents.report import Report, report_of
from routing.incidents.report_page import as_markdown
from routing.incidents.said import Statement, say
from routing.incidents.tasks import NoSuchTask, Task
from routing.link_key import make_key
from stream.records import Millis

Id = Annotated[int, typer.Argument(help="Number of the incident, as `list` shows it.")]
By = Annotated[str, typer.Option(help="Who says so. Default: the user of this shell.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Done = TypeVar("Done")


class Language(StrEnum):
    en = "en"
    es = "es"


class Word(StrEnum):
    done = "done"
    needless = "needless"
    open = "open"


def register(app: typer.Typer) -> None:
    """Let these be commands of `app`."""
    for name, function in _COMMANDS.items():
        app.command(name)(function)


def said(
    context: typer.Context,
    id: Id,
    text: Annotated[str, typer.Argument(help="The words as they were published; `-` reads them from standard input.")],
    where: Annotated[str, typer.Option("--where", help="Where they can be read: x, our site, the evening news.")],
    at: Annotated[str, typer.Option(help="Since when: 2026-12-01T18:40, UTC. Default: now.", metavar="TIME")] = "",
    by: By = "",
) -> None:
    """Write down what the brand said in public, where and when: people see it in `show`, in mails and reports.

    [bold]Examples[/bold]

      clamor incident said 3 "We have stopped the purchases and answer at noon." --where x
      cat statement.txt | clamor incident said 3 - --where "our site" --at 2026-12-01T18:40 --by ana
    """
    words = sys.stdin.read() if text == "-" else text
    asked = instant(at, "--at") if at else None

    def keep(connection: Connection, opened: Opened, now: Millis) -> Statement:
        return say(connection, id, words, where, now if asked is None else asked, by or getpass.getuser(), now)

    done = _do(context, keep)
    answers.print(
        f"incident {id}: said on {done.place} at {when(done.said_at)} UTC", markup=False, highlight=False
    )  # fmt: skip


def task(
    context: typer.Context,
    id: Id,
    k: Annotated[int, typer.Argument(help="Number of the task, as `show` has it.", metavar="K")],
    word: Annotated[Word, typer.Argument(help="done; needless: not needed here; open: it is not done after all.")],
    why: Annotated[str, typer.Option(help="In a sentence, for the history. A needless task needs it.")] = "",
    by: By = "",
) -> None:
    """Say what became of a task of the playbook.

    [bold]Examples[/bold]

      clamor incident task 3 2 done --by ana
      clamor incident task 3 4 needless --why "we have no advertisements running"
      clamor incident task 3 2 open
    """

    def end(connection: Connection, opened: Opened, now: Millis) -> Task:
        return tasks.end(connection, id, k, word.value, by or getpass.getuser(), now, why)

    done = _do(context, end)
    answers.print(f"incident {id}: task {k} ({done.step}) is {done.state}", markup=False, highlight=False)


def hold(
    context: typer.Context,
    id: Id,
    why: Annotated[str, typer.Option(help="In a sentence: it stands in the history of every affected case.")],
    en: Annotated[str, typer.Option(help="Approved line in English; {brand} is the brand's name.")] = "",
    es: Annotated[str, typer.Option(help="The same in Spanish. Default for both: the lines of the playbook.")] = "",
    by: By = "",
) -> None:
    """Hold canned replies back in the cases of an incident: there, only the approved line is said until PR lifts it.

    [bold]Examples[/bold]

      clamor incident hold 3 --why "legal reads the answer first" --by ana
      clamor incident hold 3 --why "one voice" --en "We answer at noon." --es "Contestamos al mediodía."
    """

    def put(connection: Connection, opened: Opened, now: Millis) -> int:
        brand = book.find(connection, id).brand
        steps = [one for one in opened.registry.playbook() if one.hold and (not one.brands or brand in one.brands)]
        # What was approved for this brand by name goes before what is for all.
        chosen = sorted(steps, key=lambda one: not one.brands)
        lines = (Line(en, es),) if en or es else holds.approved(chosen[0].hold if chosen else ())
        holds.put(connection, id, lines, by or getpass.getuser(), why, now)
        return 0

    _do(context, put)
    with open_home(context.obj, use="check") as opened:
        found = holds.find_cases(opened.engine, opened.clock.now())
    answers.print(f"incident {id}: canned replies are held back, {found} cases so far", markup=False, highlight=False)


def lift(
    context: typer.Context,
    id: Id,
    why: Annotated[str, typer.Option(help="In a sentence: it stands in the history of every affected case.")],
    by: By = "",
) -> None:
    """Lift the hold of an incident: canned replies are given out again in its cases. It also ends with the incident.

    [bold]Examples[/bold]

      clamor incident lift 3 --why "the answer is out" --by ana
    """

    def end(connection: Connection, opened: Opened, now: Millis) -> Hold:
        in_force, brand = opened.registry.current(), book.find(connection, id).brand
        who = holds.owners(opened.registry.people(), in_force.teams, brand)
        return holds.lift(connection, id, by or getpass.getuser(), why, who, now)

    _do(context, end)
    answers.print(f"incident {id}: canned replies are given out again", markup=False, highlight=False)


def briefing(
    context: typer.Context,
    id: Id,
    language: Annotated[Language, typer.Option(help="Of the page, the PDF and the link.")] = Language.en,
    pdf: Annotated[Path | None, typer.Option(help="Write it as PDF there, too; needs the extra pdf.")] = None,
    expires: Annotated[str, typer.Option(help="How long the link can be read: 1h to 14d.", metavar="SPAN")] = "3d",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Freeze one page about an incident, for who has to know and has no login: printed, behind a link, as PDF.

    [bold]Examples[/bold]

      clamor incident briefing 3
      clamor incident briefing 3 --language es --pdf briefing.pdf --expires 12h
    """
    counts = spanned(expires, "--expires", briefing_links.SHORTEST, briefing_links.LONGEST)
    if pdf is not None and pdf.exists():
        raise typer.BadParameter(f"{pdf} is there already and is not written over", param_hint="--pdf")

    def freeze(connection: Connection, opened: Opened, now: Millis) -> tuple[Read, str]:
        brand = book.find(connection, id).brand
        names = {one.id: one.name for one in opened.registry.current().brands}
        number = briefings.freeze(connection, id, names.get(brand, brand), by or getpass.getuser(), now)
        allowed = briefing_links.Readable(number, language.value, now + counts)
        said = briefing_links.token(make_key(connection), allowed)
        return briefings.read(connection, number), f"{opened.settings.api.url}/briefing/{said}"

    found, address = _do(context, freeze)
    page = page_of(found, language.value)
    if pdf is not None:
        try:
            write_pdf(page, pdf)
        except (NoPdf, OSError) as error:
            errors.print(str(error), markup=False, highlight=False)
            raise typer.Exit(exits.FAILED) from None
    if as_json:
        print(msgspec.json.encode({"briefing": found.number, "link": address, "page": page}).decode())
        return
    print(as_text(page))
    errors.print(f"for {expires} at {address}", markup=False, highlight=False, soft_wrap=True)


def report(
    context: typer.Context,
    id: Id,
    language: Annotated[Language, typer.Option(help="Of the report.")] = Language.en,
    as_json: AsJson = False,
) -> None:
    """The after-action report of an incident as Markdown: how soon it was seen and answered, what to learn, timeline.

    [bold]Examples[/bold]

      clamor incident report 3 > report.md
      clamor incident report 3 --language es
      clamor incident report 3 --json
    """

    def write_it(connection: Connection, opened: Opened, now: Millis) -> Report:
        names = {one.id: one.name for one in opened.registry.current().brands}
        return report_of(connection, id, names, now)

    made = _do(context, write_it, read)
    print(msgspec.json.encode(made).decode() if as_json else as_markdown(made, language.value))


def told(one: Task, now: Millis) -> str:
    """A task in a line."""
    state = {"open": f"due {when(one.due_at)}", "needless": f"needless, says {one.ended_by}"}.get(one.state, "")
    if one.state == "done" and one.ended_at is not None:
        state = f"done {when(one.ended_at)} by {one.ended_by}"
    return f"{one.k}. [{state}{', LATE' if one.late(now) else ''}] {', '.join(one.who)}: {one.en}"


def _do(
    context: typer.Context,
    change: Callable[[Connection, Opened, Millis], Done],
    way: Callable[[Engine], AbstractContextManager[Connection]] = write,
) -> Done:
    """In one transaction; what cannot be done is told in words."""
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            with way(opened.engine) as connection:
                return change(connection, opened, opened.clock.now())
        except (NoSuchIncident, NoSuchTask, ValueError) as error:
            errors.print(str(error), markup=False, highlight=False)
            raise typer.Exit(exits.FAILED) from None


_COMMANDS: Mapping[str, Callable[..., None]] = {
    "said": said,
    "task": task,
    "hold": hold,
    "lift": lift,
    "briefing": briefing,
    "report": report,
}
