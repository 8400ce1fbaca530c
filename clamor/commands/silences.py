"""`clamor silence`: what nobody is told of for a while, and maintenance windows."""

from __future__ import annotations

import getpass
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import typer
from rich.table import Table

from clamor import exits
from clamor.commands.search import when
from clamor.commands.spans import spanned
from clamor.console import answers, errors
from clamor.moments import instant
from clamor.opening import open_home
from config.problems import did_you_mean
from config.rota import weekly as read_weekly
from config.units import format_duration
from database.engine import read, write
from database.migrate import upgrade
from query.error import QueryError
from routing import silences
from routing.incidents import book
from routing.incidents.book import NoSuchIncident
from routing.silences import NoSuchSilence, Silence
from stream.clock import DAY, MINUTE
from stream.records import Millis

MOST = 200
MOST_REASON = 500
MOST_QUERY = 2_000
FOR_EVER: Millis = 400 * DAY
"""A weekly one without an end ends then: somebody has to want it anew."""

app = typer.Typer(help="What nobody is told of for a while: add, list, end.", no_args_is_help=True)

By = Annotated[str, typer.Option(help="Who says so. Default: the user of this shell.")]


@app.command("add")
def add(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; stands in the history.")],
    brand: Annotated[str, typer.Option(help="Of this brand alone.")] = "",
    query: Annotated[str, typer.Option(help="Only severe posts that this query finds.")] = "",
    incident: Annotated[int | None, typer.Option(help="Only this incident, by its number.")] = None,
    since: Annotated[str | None, typer.Option(help="From then on, UTC: 2026-12-01T22:00. Default: now.")] = None,
    until: Annotated[str | None, typer.Option(help="Until then, UTC.")] = None,
    span: Annotated[str | None, typer.Option("--for", help="For so long: 30m, 4h, 2d; of --weekly: each time.")] = None,
    weekly: Annotated[str, typer.Option(help="Every week from then on: 'sun 02:00', with --for.")] = "",
    zone: Annotated[str, typer.Option(help="Time zone of --weekly.")] = "UTC",
    crisis: Annotated[bool, typer.Option("--crisis", help="Not even a crisis is told.")] = False,
    by: By = "",
) -> None:
    """Nobody is told of a brand, of severe posts that a query finds, or of an incident; once, or every week.

    A crisis is told all the same, unless --crisis says otherwise. What happened meanwhile is counted and judged as
    always, and told when the silence ends and it goes on. At most 31 days; a weekly one at most 400, 24 hours each.

    [bold]Examples[/bold]

      clamor silence add --brand acme --for 4h --reason "we know: payment provider down"
      clamor silence add --query 'brand:acme hashtag:giveaway' --until 2026-12-05 --reason "our own campaign"
      clamor silence add --brand acme --weekly "sun 02:00" --for 3h --zone Europe/Madrid --reason "shop maintenance"
    """
    _is_worded(reason, query)
    if not brand and not query and incident is None:
        errors.print("say what is silenced: --brand, --query or --incident")
        raise typer.Exit(exits.USAGE)
    if incident is not None and (brand or query or weekly):
        errors.print("--incident is one matter: without --brand, --query and --weekly")
        raise typer.Exit(exits.USAGE)
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        known = [one.id for one in opened.registry.current().brands]
        if brand and brand not in known:
            errors.print(f"no brand {brand} is in force: {did_you_mean(brand, known)}", markup=False)
            raise typer.Exit(exits.USAGE)
        begins = instant(since, "--since") if since is not None else now
        ends, length = _ends(until, span, weekly, zone, begins)
        made = Silence(
            0, brand, query, incident, crisis, reason.strip(), by or getpass.getuser(), now, begins, ends, weekly,
            length, zone, None, "",
        )  # fmt: skip
        try:
            if query:
                silences.read_query(query, now)
            with write(opened.engine) as connection:
                if incident is not None:
                    made = made._replace(brand=book.find(connection, incident).brand)
                made = silences.add(connection, made)
                if incident is not None:
                    book.note(connection, incident, "silenced", now, made.person, made.reason)
        except (NoSuchIncident, QueryError, ValueError) as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
    answers.print(f"silence {made.id}: {_about(made)}, {_times(made)}", markup=False, highlight=False)


@app.command("list")
def list_(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Silences in force and to come, the newest first; incidents that somebody silenced by the link in a mail.

    [bold]Examples[/bold]

      clamor silence list
      clamor silence list --all --json
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        now = opened.clock.now()
        with read(opened.engine) as connection:
            found = [one for one in silences.listed(connection, MOST) if every or _lasts(one, now)]
            linked = [one for one in book.listed(connection, all=False, most=MOST) if book.silent(one, now)]
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "what", "when (UTC)", "state", "by", "reason"):
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(str(one.id), _about(one), _times(one), _state(one, now), one.person, one.reason)
    for held in linked:
        table.add_row("", f"incident {held.id}", f"until {when(held.silent_until or now)}", "in force", "", "by a link")
    if found or linked:
        answers.print(table, markup=False, highlight=False)
    errors.print(f"{len(found) + len(linked)} {'in all' if every else 'in force or to come'}", style="dim")


@app.command("end")
def end(
    context: typer.Context,
    id: Annotated[int, typer.Argument(help="Number of the silence, as `list` shows it.")],
    by: By = "",
) -> None:
    """End a silence before its time: what goes on is told from now on.

    [bold]Examples[/bold]

      clamor silence end 4
    """
    with open_home(context.obj, use="check") as opened:
        upgrade(opened.engine)
        try:
            with write(opened.engine) as connection:
                silences.end(connection, id, by or getpass.getuser(), opened.clock.now())
        except (NoSuchSilence, ValueError) as error:
            errors.print(str(error), markup=False)
            raise typer.Exit(exits.FAILED) from None
    answers.print(f"silence {id} is over")


def in_words(one: Silence) -> str:
    """`Silence 4 until 2026-12-01 22:00 by ana: our own campaign`."""
    crisis = ", a crisis as well" if one.crisis else ""
    return f"Silence {one.id}, {_times(one)}{crisis}, by {one.person}: {one.reason}"


def _is_worded(reason: str, query: str) -> None:
    if not reason.strip() or len(reason) > MOST_REASON:
        errors.print(f"a reason has 1 to {MOST_REASON} characters, this one has {len(reason.strip()):,}")
        raise typer.Exit(exits.USAGE)
    if len(query) > MOST_QUERY:
        errors.print(f"a query has at most {MOST_QUERY:,} characters, this one has {len(query):,}")
        raise typer.Exit(exits.USAGE)


def _ends(until: str | None, span: str | None, weekly: str, zone: str, begins: Millis) -> tuple[Millis, Millis]:
    """(when it is over, how long a weekly one lasts each time). Raises typer.BadParameter, typer.Exit."""
    if weekly:
        try:
            read_weekly(weekly)
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            words = str(error) if "write mon" in str(error) else f"{zone} is no time zone: write Europe/Madrid or UTC"
            raise typer.BadParameter(words, param_hint="--weekly") from None
        if span is None:
            raise typer.BadParameter("say for how long each time: --for 3h", param_hint="--weekly")
        most = instant(until, "--until") if until is not None else begins + FOR_EVER
        return min(most, begins + FOR_EVER), spanned(span, "--for", MINUTE, DAY)
    if (until is None) == (span is None):
        errors.print("say when it ends: --until 2026-12-05, or --for 4h")
        raise typer.Exit(exits.USAGE)
    if until is not None:
        return instant(until, "--until"), 0
    return begins + spanned(span or "", "--for", MINUTE, silences.LONGEST), 0


def _lasts(one: Silence, now: Millis) -> bool:
    return one.ended_at is None and one.until > now


def _state(one: Silence, now: Millis) -> str:
    if one.ended_at is not None:
        return f"ended by {one.ended_by}"
    if one.until <= now:
        return "over"
    return "in force" if silences.covers(one, now) else "to come"


def _about(one: Silence) -> str:
    if one.incident is not None:
        what = f"incident {one.incident} ({one.brand})"
    else:
        what = " ".join(part for part in (one.brand, f"posts of {one.query!r}" if one.query else "") if part)
    return f"{what}, crises too" if one.crisis else what


def _times(one: Silence) -> str:
    if one.weekly:
        return f"{one.weekly} {one.zone} for {format_duration(one.length)}, until {when(one.until)}"
    return f"{when(one.since)} to {when(one.until)}"
