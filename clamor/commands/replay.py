"""`clamor replay`: posts from files through the whole program."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clamor import exits
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from clamor.replaying import News, append_only, home_for_replay, paced, refuse_unreadable, with_stages
from clamor.roles import worked_by
from clamor.sql import file_of
from config.home import Home
from config.load import Configuration, load
from config.sources import Source
from database.migrate import upgrade
from ingest.files import Options, ReplayReport, parse_map
from ingest.preview import command, shortened
from ingest.preview import preview as first_rows
from ingest.ready import ready_names
from routing.checkers import CHECKERS
from routing.mail_status import mail_status
from stream.clock import WallClock


class Form(StrEnum):
    jsonl = "jsonl"
    json = "json"
    csv = "csv"


class DayOrder(StrEnum):
    dmy = "dmy"
    mdy = "mdy"


def replay(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="JSONL or CSV, also .gz, or .xlsx; - is standard input.")],
    speed: Annotated[
        str,
        typer.Option(help="`max`: import as fast as possible; `60x`: at 60 times the pace of the days it tells of."),
    ] = "max",
    drain: Annotated[
        bool, typer.Option("--drain", help="End only once all is decided and searchable (beside a running clamor run).")
    ] = False,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="Fields of a foreign file: text=body,created_at=date,network='x'.", metavar="FIELD=COLUMN,…"
        ),
    ] = None,
    like: Annotated[
        str,
        typer.Option("--as", help=f"The file is an export of {', '.join(ready_names())}.", metavar="NAME"),
    ] = "",
    sheet: Annotated[str, typer.Option(help="Of a workbook. Default: the first that is shown and holds a row.")] = "",
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Show how the first rows are understood and what is refused; append nothing."),
    ] = False,
    network: Annotated[str, typer.Option(help="For rows that name none. Default: from the file's name.")] = "",
    brand: Annotated[
        list[str] | None,
        typer.Option(help="Every post belongs to this brand, whatever its text says; may be repeated."),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            help="Source id that the posts carry. Where the configuration has a file source of this name, its settings "
            "hold, unless an option here says otherwise."
        ),
    ] = "file",
    form: Annotated[Form | None, typer.Option("--format", help="Default: by what the file holds.")] = None,
    delimiter: Annotated[str, typer.Option(help="Between the columns of a CSV file. Default: found out.")] = "",
    zone: Annotated[str, typer.Option(help="For times that name no zone. Default: the source's, else UTC.")] = "",
    day_order: Annotated[
        DayOrder | None, typer.Option(help="03/04: in April (dmy) or March (mdy). Default: as the first rows show.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="With --speed Nx: the home to make. Default: replays/ in the home.")
    ] = None,
    send_mails: Annotated[
        bool,
        typer.Option(
            "--send-mails",
            help="With --speed Nx: by the mail server, to people. Default: into the replay's own mailbox.",
        ),
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="From the start, also where a replay was interrupted.")
    ] = False,
) -> None:
    """Read posts from files and send them the way of every post.

    With [bold]--speed max[/bold] the posts are history: they change numbers and cases and wake nobody. With
    [bold]--speed 60x[/bold] they are lived through in a home of their own with a simulated clock. Its mails are written
    into its own mailbox file; only with [bold]--send-mails[/bold] they go to people.
    Where no `clamor run` works this home, the stages run for as long as the replay needs them.

    [bold]Examples[/bold]

      clamor replay posts.jsonl.gz
      clamor replay export.csv --map text=body,created_at=date,author=user --network x
      clamor replay --preview answers.xlsx --sheet 2026
      clamor replay mentions.xlsx --as brandwatch
      clamor replay answers.csv --source survey
      clamor replay week.jsonl --speed 60x
      zcat old.jsonl.gz | clamor replay - --drain
    """
    home: Home = context.obj
    pairs: dict[str, str] = {}
    for one in mapping or ():
        pairs.update(parse_map(one))
    factor = _factor(speed)
    if len(delimiter) > 1:
        raise typer.BadParameter(f"{delimiter!r} is more than one character", param_hint="--delimiter")
    asked = Options(
        paced=factor is not None,
        network=network,
        source_id=source,
        mapping=pairs,
        format=form.value if form else None,
        delimiter=delimiter or None,
        zone=zone or "UTC",
        day_order=day_order.value if day_order else None,
        ready=like,
        sheet=sheet,
        brands=tuple(brand or ()),
        resume=not again,
    )
    paths = [Path("-") if str(path) == "-" else path for path in files]
    configuration = load(home, CHECKERS)
    place_of_data = home.with_data(configuration.settings.data)
    sources, brands = _in_force(configuration)
    for one in asked.brands:
        if one not in brands:
            known = ", ".join(sorted(brands)) or "none"
            raise typer.BadParameter(f"there is no brand {one!r} (in force: {known})", param_hint="--brand")
    options = _with_source(asked, sources, zone_stated=bool(zone))
    if preview:
        given = [
            ("--as", like), ("--sheet", sheet), *(("--map", one) for one in mapping or ()), ("--network", network),
            *(("--brand", one) for one in brand or ()), ("--source", "" if source == "file" else source),
            ("--format", form.value if form else ""), ("--delimiter", delimiter), ("--zone", zone),
            ("--day-order", day_order.value if day_order else ""), ("--speed", "" if speed == "max" else speed),
        ]  # fmt: skip
        _show_previews(paths, options, command(paths, given))
        return
    refuse_unreadable(paths, options)
    unsent = ""
    with Live(console=errors, refresh_per_second=4, transient=True) as live:

        def show(news: News) -> None:
            live.update(_line(news))

        if factor is not None:
            place = into or home.root / "replays" / f"{_stem(paths[0])}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
            own = home_for_replay(home, place, configuration.settings.data, secrets=send_mails)
            errors.print(
                f"simulated time at {factor:g}x in {place}; {_mails_go(configuration, own, send_mails)}",
                highlight=False,
                markup=False,
            )
            report = paced(own, paths, options, factor, show, sends=send_mails)
            unsent = _unsent(own)
        elif worked_by(place_of_data):
            report = append_only(home, paths, options, show, drain=drain)
        else:
            report = with_stages(home, paths, options, show)
    _tell(report)
    if unsent:
        errors.print(unsent, style="yellow", markup=False, highlight=False)
    if report.dead:
        raise typer.Exit(exits.SOME_REFUSED)


def _show_previews(paths: list[Path], options: Options, importing: str) -> None:
    for path in paths:
        found = first_rows(path, replace(options, paced=False), WallClock())
        answers.print(f"{found.name}: {found.form}, network {found.network} where a row names none", highlight=False)
        if not found.looked:
            errors.print("  it holds no row: is it the right file, and whole?", style="yellow")
            continue
        table = Table("field", "column", "rule", box=None, pad_edge=False, header_style="bold")
        for one in found.columns:
            table.add_row(one.field, " else ".join(shortened(name, 60) for name in (one.column, *one.spare)), one.rule)
        answers.print(table)
        if found.unread:
            unread = ", ".join(shortened(name, 40) for name in found.unread[:40])
            answers.print(f"not read: {unread}{' and more' if len(found.unread) > 40 else ''}", highlight=False)
        for post in found.posts:
            who = post.author.handle or post.author.name or post.author.id if post.author else "nobody named"
            told = f"{shortened(post.title)}: {shortened(post.text)}" if post.title else shortened(post.text)
            answers.print(
                f"  {when(post.event_time)}  {shortened(post.id, 60)}  {shortened(who, 40)}  {told}", highlight=False
            )
        rows = f"of the first {found.looked:,} rows" if found.more else f"of all {found.looked:,} rows"
        answers.print(
            f"{rows} {found.looked - found.refused:,} are posts, {found.refused:,} are refused", highlight=False
        )
        for refusal in found.refusals:
            answers.print(f"  row {refusal.line}: {shortened(refusal.why, 200)}", highlight=False)
        for note in found.notes:
            errors.print(f"  {note}", style="yellow", markup=False)
    answers.print(f"nothing was appended; import with: {importing}", highlight=False)


def _mails_go(configuration: Configuration, own: Home, send: bool) -> str:
    host = configuration.settings.mail.host
    if send and host is not None:
        return f"mails go to people, by {host}"
    return f"mails go into {own.path('mail') / 'clamor.mbox'}, to nobody"


def _unsent(own: Home) -> str:
    """What people were not told, empty where all mails have left."""
    with open_home(own, use="check") as opened:
        found = mail_status(opened.engine, opened.clock.now())
    left = found.waiting + found.gathering
    return f"{left} mails have not left{': ' if found.trouble else ''}{found.trouble}" if left else ""


def _in_force(configuration: Configuration) -> tuple[tuple[Source, ...], set[str]]:
    """Sources and ids of brands; before the first start those that the files state."""
    stated = configuration.content.stated.sources or ()
    brands = {one.id for one in configuration.content.stated.brands or ()}
    file = file_of(configuration)
    if file is not None and not file.exists():
        return stated, brands
    with Opened(configuration) as opened:
        upgrade(opened.engine)
        return opened.registry.sources() or stated, {one.id for one in opened.registry.current().brands} or brands


def _with_source(asked: Options, sources: tuple[Source, ...], *, zone_stated: bool) -> Options:
    """What the source's settings say where the command line says nothing."""
    found = next((one for one in sources if one.id == asked.source_id), None)
    if found is None:
        if asked.source_id != Options().source_id:
            known = ", ".join(one.id for one in sources if one.kind == "file") or "none"
            errors.print(
                f"no source in force is called {asked.source_id!r} (file sources: {known}): posts only carry its name",
                style="yellow",
                markup=False,
            )
        return asked
    if found.kind != "file":
        raise typer.BadParameter(
            f"{found.id!r} is a source of kind {found.kind}, not of files: its posts come in by themselves",
            param_hint="--source",
        )
    return replace(
        asked,
        network=asked.network or found.network or "",
        mapping={**found.map, **asked.mapping},
        format=asked.format or (None if found.format == "auto" else found.format),
        delimiter=asked.delimiter or found.delimiter,
        zone=asked.zone if zone_stated else found.zone,
        day_order=asked.day_order or found.day_order,
        brands=asked.brands or found.brands,
        access=found.access,
        max_lateness=found.max_lateness,
    )


def _factor(speed: str) -> float | None:
    """None for `max`."""
    if speed == "max":
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x?", speed)
    if not found or not 0 < float(found[1]) <= 100_000:
        raise typer.BadParameter(f"{speed!r} is no speed: write `max`, or a factor such as `60x`", param_hint="--speed")
    return float(found[1])


def _line(news: News) -> Text:
    done = news.report or news.progress
    if done is None:
        return Text("starting …")
    rate = done.appended / news.seconds if news.seconds else 0.0
    waiting = news.waiting
    return Text(
        f"{done.read:,} read, {done.appended:,} appended, {done.dead:,} refused; waiting: nlp {waiting.nlp:,}, "
        f"routing {waiting.routing:,}, outbox {waiting.outbox:,}, index {waiting.index:,}; {rate:,.0f} posts/s"
    )


def _tell(report: ReplayReport) -> None:
    for file in report.files:
        columns = ", ".join(f"{field}={column}" for field, column in file.columns.items())
        answers.print(f"{file.name}: {file.format}, network {file.network}, {columns}", markup=False, highlight=False)
        if not file.read and not file.skipped:
            what = "it is empty" if file.blank else "it holds no row"
            errors.print(f"  {what}: is it the right file, and whole?", style="yellow")
        for note in file.notes:
            errors.print(f"  {note}", style="yellow", markup=False)
    span = f", {when(report.first)} to {when(report.last)}" if report.first and report.last else ""
    answers.print(
        f"{report.read:,} read = {report.appended:,} appended + {report.dead:,} refused + {report.skipped:,} "
        f"skipped{span}",
        highlight=False,
    )
    if report.dead:
        errors.print("what was refused and why: clamor dead-letter list", style="yellow")
    if report.stopped:
        errors.print("stopped before the end; the same command goes on from there", style="yellow")
        sys.exit(exits.FAILED)
    if all(file.blank for file in report.files):
        sys.exit(exits.FAILED)


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or "replay"
