"""`clamor backtest`: other rules or other limits of alerts over stored history, without changing anything."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace
from pydantic import ValidationError
from rich.table import Table

from clamor import exits
from clamor.backtest_report import Report, report
from clamor.backtesting import Ask, Progress, history, mails
from clamor.clocks import pace_of
from clamor.commands.backtest_incidents import show, tried_settings, try_incidents
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.mail import people, settings
from clamor.moments import moment
from clamor.names_in_force import names_in_force
from clamor.opening import Opened, open_home
from clamor.progress import progress
from clamor.sql import place_of
from config.home import Home
from config.marked import read as read_yaml
from config.problems import ConfigurationError, Problem
from config.problems import errors as errors_of
from config.schema import Alerts
from database.engine import read, rows_in
from database.migrate import upgrade
from routing.check import check_rules
from routing.people_to_tell import MailSettings, Person
from stream.records import QUEUES, Mention, decode

SHOWN = 160
"""Characters of a post in the sample."""


def backtest(
    context: typer.Context,
    rules: Annotated[
        Path | None, typer.Option(help="Rules to try, as in rules.yaml. Default: those that decided.")
    ] = None,
    alerts: Annotated[
        Path | None, typer.Option(help="Limits to try: the section `alerts` of clamor.yaml in a file of its own.")
    ] = None,
    incidents: Annotated[
        list[str] | None,
        typer.Option(
            help="Settings of incidents to try: `false_alarms_a_month=3`, or a file with the section `incidents`; may "
            "be repeated. Not together with the others.",
            metavar="NAME=VALUE|FILE",
        ),
    ] = None,
    since: Annotated[
        str, typer.Option(help="Published from then on: 2026-03-01, 2026-03-01T08:30, -7d, -12h.")
    ] = "-30d",
    until: Annotated[str, typer.Option(help="Published before then; a day counts whole.")] = "now",
    sample: Annotated[int, typer.Option(min=0, max=200, help="Moved mentions to show.")] = 20,
    capacity: Annotated[
        list[str] | None,
        typer.Option(help="What a team can do in an hour, `support=40`; may be repeated.", metavar="QUEUE=N"),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Processes that share the work. Default: two, of one core one.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, without texts.")] = False,
) -> None:
    """What other rules or limits would have done with what is stored: queues, rules, load, alerts and mails.

    Nothing is changed and nobody is told. Queues that people stated stay. Ctrl-C ends it, and tells what was found
    until then; exit code 1 then. Texts of the sample are shown on a terminal only. With --incidents the counted minutes
    are gone through: which warnings and crises would have been, beside those that were.

    [bold]Examples[/bold]

      clamor backtest --rules new.yaml
      clamor backtest --rules new.yaml --since -90d --capacity support=40 --sample 50
      clamor backtest --alerts alerts.yaml --json | jq .mails
      clamor backtest --incidents false_alarms_a_month=3 --incidents crisis_posts=50
    """
    if rules is None and alerts is None and not incidents:
        errors.print(
            "name the rules to try (--rules), the limits of alerts (--alerts), or both; or settings of incidents "
            "(--incidents)"
        )
        raise typer.Exit(exits.USAGE)
    if incidents:
        if rules is not None or alerts is not None:
            errors.print("--incidents goes alone: what incidents are made of hangs on no rule and no limit of mails")
            raise typer.Exit(exits.USAGE)
        _incidents(context.obj, incidents, since, until, as_json)
        return
    most = _capacities(capacity or [])
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        text = _rules(opened, rules) if rules is not None else ""
        tried = _alerts(alerts) if alerts is not None else opened.settings.alerts
        now = opened.clock.now()
        start, end = int(moment(since, now, "since").low or 0), int(moment(until, now, "until").high or now)
        names = {brand.id: brand.name for brand in opened.registry.current().brands}
        ask = Ask(start, end, text, names, pace_of(opened.home) is not None)
        stop = threading.Event()
        several = workers or min(2, os.cpu_count() or 1)
        place = place_of(opened.configuration)
        with _stopping(stop), history(opened.engine, place, ask, several) as past, progress() as told:

            def far(reached: Progress) -> None:
                told("trying the rules", reached.after, reached.highest)

            tally, reached = past.look(stop, far)
        old_mails = mails(tally.old, *_limits(opened, opened.settings.alerts))
        new_mails = mails(tally.new, *_limits(opened, tried))
        done = reached.after >= reached.highest
        share, teams = reached.after / max(1, reached.highest), opened.registry.current().teams
        found = report(tally, old_mails, new_mails, sample, most, (start, end), share, teams)
        texts = _texts(opened, found) if answers.is_terminal and not as_json else {}
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        _show(found, texts)
    if not done:
        errors.print(f"stopped at {found.share:.0%} of the history; the numbers are of what was seen", style="yellow")
        raise typer.Exit(exits.FAILED)


def _incidents(home: Home, asked: list[str], since: str, until: str, as_json: bool) -> None:
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        tried, now = tried_settings(opened.settings.incidents, asked), opened.clock.now()
        start, end = int(moment(since, now, "since").low or 0), int(moment(until, now, "until").high or now)
        stop = threading.Event()
        with _stopping(stop):
            found = try_incidents(opened, tried, (start, min(end, now)), stop)
    show(found, as_json)
    if stop.is_set():
        errors.print(f"stopped at {found.share:.0%} of the time; the numbers are of what was seen", style="yellow")
        raise typer.Exit(exits.FAILED)


def _rules(opened: Opened, path: Path) -> str:
    """Raises config.problems.ConfigurationError."""
    text = _read(path, "--rules")
    problems = check_rules(text, str(path), names_in_force(opened))
    if errors_of(problems):
        raise ConfigurationError(problems)
    for problem in problems:
        errors.print(str(problem), style="yellow", markup=False)
    return text


def _alerts(path: Path) -> Alerts:
    """Raises config.problems.ConfigurationError."""
    root, problems = read_yaml(_read(path, "--alerts").encode(), str(path))
    plain = root.plain() if root is not None else None
    if errors_of(problems):
        raise ConfigurationError(problems)
    section = plain.get("alerts", plain) if isinstance(plain, dict) else plain
    try:
        return Alerts.model_validate(section)
    except ValidationError as invalid:
        advice = "write `max_mails_per_hour: 6` and `worse_at: [40, 55, 70, 85]`, or one of them"
        raise ConfigurationError(
            [
                Problem(
                    file=str(path), path=".".join(map(str, ("alerts", *one["loc"]))), message=one["msg"], advice=advice
                )
                for one in invalid.errors()
            ]
        ) from None


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise typer.BadParameter(f"{path}: {why}", param_hint=option) from error


def _capacities(stated: list[str]) -> dict[str, float]:
    found = {}
    for one in stated:
        queue, _, number = one.partition("=")
        if queue not in QUEUES or queue == "none" or not number.replace(".", "", 1).isdigit():
            raise typer.BadParameter(
                f"{one!r}: write a queue and how many mentions an hour, such as support=40", param_hint="--capacity"
            )
        found[queue] = float(number)
    return found


def _limits(opened: Opened, limits: Alerts) -> tuple[list[Person], MailSettings]:
    """People and settings as the mailer has them, with these limits."""
    own = {person.id: person.max_mails_per_hour for person in opened.registry.people()}
    chosen = [
        replace(person, max_mails_per_hour=own.get(person.id) or limits.max_mails_per_hour) for person in people(opened)
    ]
    return chosen, replace(settings(opened), risk_steps=limits.worse_at)


def _texts(opened: Opened, found: Report) -> dict[int, str]:
    """Of the sample, by number; of live mentions alone."""
    numbers = [moved.n for moved in found.sample]
    with read(opened.engine) as connection:
        held = rows_in(connection, "SELECT n, body FROM mention WHERE state = 'live' AND n IN (??)", numbers)
    mentions = {n: decode(Mention, body) for n, body in held}
    return {n: " ".join(mention.post.text.split())[:SHOWN] for n, mention in mentions.items() if mention.post}


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for which, handler in previous.items():
            signal.signal(which, handler)


# --- on the screen ---------------------------------------------------------------------------------------------------


def _show(found: Report, texts: Mapping[int, str]) -> None:
    for line in found.words:
        answers.print(line, markup=False, highlight=False)
    if found.moves:
        answers.print(
            _table(("from", "to", "mentions"), [(one.old, one.new, f"{one.mentions:,}") for one in found.moves])
        )
    answers.print(
        _table(
            ("queue", "was", "would be", "an hour", "busiest hour", "hours above capacity"),
            [
                (
                    one.queue, f"{one.old.mentions:,}", f"{one.new.mentions:,}",
                    f"{one.old.mean:.1f} -> {one.new.mean:.1f}", f"{one.old.busiest:,} -> {one.new.busiest:,}",
                    f"{one.old.above:,} -> {one.new.above:,}" if one.capacity is not None else "",
                )
                for one in found.queues
            ],
        )
    )  # fmt: skip
    if any(one.members for one in found.queues):
        answers.print(_staffed(found))
    answers.print(
        _table(("rule", "was", "would be"), [(one.rule, f"{one.old:,}", f"{one.new:,}") for one in found.rules])
    )
    if found.mails:
        answers.print(
            _table(
                ("person", "mails", "of these summaries"),
                [
                    (
                        one.person,
                        f"{one.old.mails:,} -> {one.new.mails:,}",
                        f"{one.old.summaries:,} -> {one.new.summaries:,}",
                    )
                    for one in found.mails
                ],
            )
        )
    for moved in found.sample:
        answers.print(
            f"{when(moved.at)} {moved.mention}: {moved.old_queue} -> {moved.new_queue}", style="bold", markup=False,
            highlight=False,
        )  # fmt: skip
        if moved.n in texts:
            answers.print(f"  {texts[moved.n]}", style="dim", markup=False, highlight=False)
        answers.print(f"  was {moved.old_rule}: {moved.old_why}", markup=False, highlight=False)
        answers.print(f"  would be {moved.new_rule}: {moved.new_why}", markup=False, highlight=False)


def _staffed(found: Report) -> Table:
    return _table(
        ("queue", "members", "outside their hours", "an hour at work", "at most"),
        [
            (
                one.queue, f"{one.members:,}", f"{one.old.outside:,} -> {one.new.outside:,}",
                f"{_rate(one.old.a_member)} -> {_rate(one.new.a_member)}",
                f"{_rate(one.old.a_member_most)} -> {_rate(one.new.a_member_most)}",
            )
            for one in found.queues
            if one.members
        ],
    )  # fmt: skip


def _rate(found: float | None) -> str:
    return "-" if found is None else f"{found:.2f}"


def _table(heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, justify="left" if head in ("queue", "rule", "person", "from", "to") else "right")
    for line in lines:
        table.add_row(*line)
    return table
