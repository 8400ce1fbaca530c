"""`clamor rules`: their revisions, going back to one, and how they fare."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from sqlalchemy import Connection

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.moments import moment
from clamor.names_in_force import names_in_force
from clamor.opening import Opened, open_home
from clamor.progress import progress
from clamor.rule_stats import Counts, RuleStat, counted
from config.home import Home
from config.problems import ConfigurationError, Problem
from config.problems import errors as errors_of
from database import revisions
from database.engine import read, rows, write
from database.migrate import upgrade
from database.revisions import NoSuchRevision, Revision
from routing.check import check_rules
from routing.rules import RuleSet
from stream.records import Millis

app = typer.Typer(
    help="Rules: their revisions, who changed what, going back, and how each fares.", no_args_is_help=True
)

Number = Annotated[int, typer.Argument(min=1, metavar="N", help="A revision, as `clamor rules history` numbers them.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Entry(msgspec.Struct, frozen=True):
    number: int
    in_force: bool
    at: Millis
    by: str
    note: str
    added: int
    """Lines, beside the revision before."""
    removed: int


@app.command("history")
def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, max=1_000, help="The newest so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Every revision of the rules: when, by whom, and how many lines it changed.

    [bold]Examples[/bold]

      clamor rules history
      clamor rules history -n 5 --json
    """
    with _opened(context) as opened, read(opened.engine) as connection:
        found = revisions.history(connection, "rules", limit + 1)
    entries = [_entry(one, found[n + 1] if n + 1 < len(found) else None, n == 0) for n, one in enumerate(found)][:limit]
    if as_json:
        print(msgspec.json.encode(entries).decode())
        return
    if not entries:
        answers.print("no rules are in force yet: `clamor apply` or the first `clamor run` takes them over")
        return
    table = Table("revision", "at (UTC)", "by", "lines", "note", box=None, pad_edge=False, header_style="bold")
    for one in entries:
        mark = " in force" if one.in_force else ""
        table.add_row(f"{one.number}{mark}", when(one.at), one.by, f"+{one.added} -{one.removed}", one.note)
    answers.print(table)


@app.command("show")
def show(
    context: typer.Context,
    number: Annotated[int | None, typer.Argument(min=1, metavar="N", help="Default: the one in force.")] = None,
) -> None:
    """The text of a revision, as `clamor apply` took it over.

    [bold]Examples[/bold]

      clamor rules show
      clamor rules show 3 > rules.yaml
    """
    with _opened(context) as opened, read(opened.engine) as connection:
        found = revisions.current(connection, "rules") if number is None else _get(connection, number)
    if found is None:
        errors.print("no rules are in force yet: `clamor apply` or the first `clamor run` takes them over")
        raise typer.Exit(exits.FAILED)
    print(found.body, end="" if found.body.endswith("\n") else "\n")


@app.command("diff")
def diff(
    context: typer.Context,
    old: Annotated[int, typer.Argument(min=1, metavar="A", help="A revision.")],
    new: Annotated[int | None, typer.Argument(min=1, metavar="B", help="Another. Default: the one in force.")] = None,
) -> None:
    """What is different in a revision from another one.

    [bold]Examples[/bold]

      clamor rules diff 3
      clamor rules diff 2 3
    """
    with _opened(context) as opened, read(opened.engine) as connection:
        last = revisions.numbers(connection).get("rules", 0)
        one, other = _get(connection, old), _get(connection, new or last or old)
    lines = revisions.diff_bodies("rules", one.body, other.body, f"rules revision {one.number}", _named(other, last))
    answers.print(lines or f"revisions {one.number} and {other.number} are the same", markup=False, highlight=False)


@app.command("back")
def back(
    context: typer.Context,
    number: Number,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
) -> None:
    """Put an earlier revision in force again, as a new one. What it would decide otherwise, `clamor backtest` says.

    Running stages adopt it between two batches; decisions that were made stay, unless `clamor reprocess` makes them
    anew. A rules.yaml in the home stays as it is: until it says the same, the next `clamor apply` puts it in force.

    [bold]Examples[/bold]

      clamor rules back 3 --dry-run
      clamor rules back 3
    """
    with _opened(context) as opened:
        with read(opened.engine) as connection:
            found, current = _get(connection, number), revisions.current(connection, "rules")
        assert current is not None
        problems = check_rules(found.body, f"revision {number} of the rules", names_in_force(opened))
        if errors_of(problems):
            raise ConfigurationError(problems)
        _warn(problems)
        if found.hash == current.hash:
            answers.print(f"revision {number} says what is in force already (revision {current.number})")
            return
        names = (f"rules in force (revision {current.number})", f"rules revision {number}")
        answers.print(revisions.diff_bodies("rules", current.body, found.body, *names), markup=False, highlight=False)
        if dry_run:
            return
        with write(opened.engine) as connection:
            made = revisions.go_back(connection, "rules", number, getpass.getuser(), opened.clock.now())
        answers.print(f"rules: revision {made.number} in force, with the text of revision {number}", highlight=False)
        file = opened.home.rules_file
        if file.exists() and file.read_text(encoding="utf-8") != found.body:
            errors.print(
                f"{file} says otherwise, and the next clamor apply would put it in force: write the revision there, "
                f"by clamor rules show {made.number}",
                style="yellow",
                markup=False,
                highlight=False,
            )


@app.command("stats")
def stats(
    context: typer.Context,
    since: Annotated[
        str, typer.Option(help="Published from then on: 2026-03-01, 2026-03-01T08:30, -7d, -12h.")
    ] = "-30d",
    until: Annotated[str, typer.Option(help="Published before then; a day counts whole.")] = "now",
    as_json: AsJson = False,
) -> None:
    """How each rule fares: its hits, how often it asks that people be told, and how often people said otherwise.

    [bold]Examples[/bold]

      clamor rules stats
      clamor rules stats --since -7d --json | jq '.rules[] | select(.hits == 0).rule'
    """
    counts = Counts()
    with _opened(context) as opened:
        now = opened.clock.now()
        start, end = int(moment(since, now, "since").low or 0), int(moment(until, now, "until").high or now)
        in_force = opened.registry.current()
        rules = RuleSet.read(in_force.rules_yaml, in_force.rules_revision).rules if in_force.rules_yaml else ()
        with read(opened.engine) as connection:
            highest = rows(connection, "SELECT coalesce(max(n), 0) FROM mention")[0][0]
        with progress() as far:
            for after in counted(opened.engine, counts, start, end):
                far("counting", after, highest)
    found = counts.stats([rule.name for rule in rules], start, end)
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    heads = ("rule", "hits", "share", "a day", "alerts", "in time", "overruled", "corrected", "last hit (UTC)")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, justify="left" if head == "rule" else "right")
    for one in found.rules:
        table.add_row(*_row(one))
    answers.print(table)
    answers.print(
        f"{found.decided:,} mentions are decided, {found.by_people:,} of them by people; people set "
        f"{found.set_aside:,} aside as not about the brand",
        highlight=False,
    )


def _row(one: RuleStat) -> tuple[str, ...]:
    return (
        one.rule if one.in_force else f"{one.rule} (no more)", f"{one.hits:,}", f"{one.share:.1%}", f"{one.a_day:,.1f}",
        f"{one.alerts:,}", f"{one.woke:,}", f"{one.overruled:,}", f"{one.corrected:,}",
        when(one.last) if one.last is not None else "never",
    )  # fmt: skip


def _entry(one: Revision, before: Revision | None, in_force: bool) -> Entry:
    lines = revisions.diff_bodies("rules", before.body if before else None, one.body, "", "").splitlines()[2:]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return Entry(one.number, in_force, one.created_at, one.created_by, one.note, added, removed)


def _named(one: Revision, last: int) -> str:
    return f"rules in force (revision {last})" if one.number == last else f"rules revision {one.number}"


def _get(connection: Connection, number: int) -> Revision:
    try:
        return revisions.get(connection, "rules", number)
    except NoSuchRevision as error:
        errors.print(str(error), markup=False, highlight=False)
        raise typer.Exit(exits.FAILED) from None


def _warn(problems: Iterable[Problem]) -> None:
    for problem in problems:
        errors.print(str(problem), style="yellow", markup=False)


@contextmanager
def _opened(context: typer.Context) -> Iterator[Opened]:
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        yield opened
