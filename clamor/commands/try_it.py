"""`clamor try`: what is said about a brand now, on the screen within a minute, from nothing but its name."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clamor import exits
from clamor.backlog import backlog
from clamor.commands.search import when
from clamor.commands.spans import spanned
from clamor.console import answers, errors
from clamor.first_look import Asked, configuration, hosts, named
from clamor.heard import Heard, shown
from clamor.opening import Opened, open_home
from clamor.passing import passing_home
from clamor.processes import all_processes
from clamor.replaying import MESSAGES
from clamor.roles import whole_program
from clamor.starting import make_ready
from clamor.supervisor import Supervisor
from clamor.upkeep import noting
from config.home import Home, HomeError, write_example
from config.schema import json_schema
from config.units import format_duration
from ingest.coverage import NOT_SEEN, Figure, figure
from ingest.cursors import Cursors
from ingest.networks.bluesky_stream import rewound
from ingest.standing import CollectorStanding, Standings
from stream.clock import HOUR, SECOND
from stream.ports import Transient
from stream.records import Coverage, Millis

LOOK = 0.4
"""Seconds between two looks at what was decided."""
MOST_AT_ONCE = 12
"""Mentions shown of one look, so that they can be read; all are counted."""
HOPELESS = 6.0
"""Seconds after which it ends where no source could be asked at all."""
MOST_HOLES = 3
_DOWN = ("cut", "refused", "broken")


class Language(StrEnum):
    en = "en"
    es = "es"


def try_it(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The brand, as people write it.")],
    also: Annotated[list[str] | None, typer.Option("--also", help="Another name of it; may be repeated.")] = None,
    feed: Annotated[
        list[str] | None,
        typer.Option(help="An RSS or Atom feed besides; {phrase} and {tag} in it stand for the name. May be repeated."),
    ] = None,
    lang: Annotated[
        list[Language] | None, typer.Option(help="Of the news that are searched; may be repeated. Default: en.")
    ] = None,
    lasts: Annotated[str, typer.Option("--for", help="How long: 60s, 5m.")] = "60s",
    back: Annotated[str, typer.Option(help="How far Bluesky's stream is rewound first: 10m, 2h; at most 24h.")] = "10m",
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep configuration and posts in --home, for `clamor run` to go on with.")
    ] = False,
    searches: Annotated[
        bool, typer.Option("--searches/--no-searches", help="Whether public searches for news and posts are asked.")
    ] = True,
    jetstream: Annotated[
        list[str] | None, typer.Option(help="Another instance of Bluesky's stream, ws(s)://…; may be repeated.")
    ] = None,
    appview: Annotated[str, typer.Option(help="Where Bluesky's authors are looked up instead, http(s)://….")] = "",
) -> None:
    """Hear what is said about a brand now: no account, no configuration. Posts of Bluesky and of public feeds, read
    and routed as the whole program does it.

    Nothing stays, unless you say --keep. Those who are asked learn the name; docs/commands.md lists them.

    [bold]Examples[/bold]

      clamor try "Rivera Coffee"
      clamor try "Rivera Coffee" --lang es --lang en --for 3m --back 1h
      clamor try Rivera --feed https://news.example.org/rss --no-searches
      clamor --home listening try "Rivera Coffee" --keep
    """
    try:
        own = named(name, also or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from error
    asked = Asked(
        own,
        tuple(one.value for one in lang or [Language.en]),
        tuple(feed or ()),
        searches,
        tuple(jetstream or ()),
        appview,
    )
    span, rewind = spanned(lasts, "--for", SECOND, 24 * HOUR), spanned(back, "--back", 0, 24 * HOUR)
    with _home(context.obj, keep=keep) as home:
        _announce(asked, span, keep)
        write_example(home, json_schema(), configuration(asked, time.strftime("%Y-%m-%d", time.gmtime())))
        reached = _listen(home, asked, span, rewind)
        if keep:
            _go_on(home)
    if not reached:
        raise typer.Exit(exits.FAILED)


# --- where it lives ---


@contextmanager
def _home(home: Home, *, keep: bool) -> Iterator[Home]:
    """The home of --home, which must be new; else a temporary one, which nothing in the environment leads elsewhere."""
    if keep:
        if home.settings_file.exists() or home.data.exists():
            raise HomeError(f"{home.root} is a home already and is left as it is: name a new one with --home")
        yield home
        return
    with passing_home("clamor-try-") as passing:
        yield passing


def _listen(home: Home, asked: Asked, span: Millis, rewind: Millis) -> bool:
    """Run the program for so long; whether any source answered."""
    with open_home(home) as opened, whole_program(opened.home, web=False):
        started = make_ready(opened, by="clamor try")
        if not started.applied:
            raise HomeError("its database holds a configuration already: unset what in the environment names it")
        began = opened.clock.now()
        _rewind(opened, began, rewind)
        note, messages, settings = noting(opened.home), opened.home.root / MESSAGES, opened.settings
        opened.close()
        specs = [spec for spec in all_processes(home, settings) if spec.name != "web"]
        screen = Screen(home, asked, span)
        with screen:
            Supervisor(specs, note=note, messages=messages).run(screen.look, interval=LOOK)
        with open_home(home, use="check") as ended:
            return screen.closing(ended, began - rewind)


def _rewind(opened: Opened, now: Millis, rewind: Millis) -> None:
    """Bluesky's stream begins so far back, and the ledger has a hole until it has caught up."""
    if not rewind:
        return
    since = now - rewind
    hole = Coverage(
        source_id="bluesky", since=since, until=now, state="gap", missed=None, recorded_at=now,
        reason="before clamor try began",
    )  # fmt: skip
    opened.ledger.record(hole, f"gap:{since}")
    Cursors(opened.engine).put("bluesky", "", rewound(since), opened.clock.wall())


# --- what is shown ---


class Screen:
    """Mentions as they come, and below them, at a terminal, how the sources do."""

    def __init__(self, home: Home, asked: Asked, span: Millis) -> None:
        self._home, self._asked = home, asked
        self._seconds = span / SECOND
        self._heard = Heard()
        self._began = time.monotonic()
        self._live = Live(console=answers, transient=True, auto_refresh=False) if answers.is_terminal else None
        self._standings: Mapping[str, CollectorStanding] = {}
        self._answered = False
        self.left_out = 0

    def __enter__(self) -> Screen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def look(self) -> bool:
        """Whether to go on."""
        with suppress(Transient), open_home(self._home, use="check") as opened:
            self._show(opened)
            self._standings = Standings(opened.engine).all()
        self._answered |= any(one.state == "listening" or one.appended for one in self._standings.values())
        gone = time.monotonic() - self._began
        if self._live is not None:
            self._live.update(self._foot(self._seconds - gone), refresh=True)
        if gone > HOPELESS and self._hopeless():
            return False
        return gone < self._seconds

    def _hopeless(self) -> bool:
        standings = self._standings.values()
        return not self._answered and bool(standings) and all(one.state in _DOWN for one in standings)

    def _show(self, opened: Opened) -> None:
        for number, mention in enumerate(sorted(self._heard.new(opened), key=lambda one: one.event_time)):
            if number < MOST_AT_ONCE:
                answers.print(shown(mention), highlight=False)
                answers.print()
            else:
                self.left_out += 1

    def _foot(self, left: float) -> Text:
        foot = Text(f"{max(0, left):.0f} s left", style="bold")
        for one in self._standings.values():
            looked = one.appended + one.filled + one.filtered
            foot.append(f"  {one.source_id} ", style="dim")
            foot.append(f"{one.state} {looked:,}", style="yellow" if one.state in _DOWN else "dim")
        if not self._standings:
            foot.append("  starting", style="dim")
        return foot

    # --- its end ---

    def closing(self, opened: Opened, since: Millis) -> bool:
        """Counts, what they rest on, and what they cannot tell; whether any source answered."""
        self._show(opened)
        self._standings = Standings(opened.engine).all()
        sources = [one.id for one in opened.registry.sources()]
        waiting = backlog(opened)
        _say(f"{len(self._heard):,} posts about {self._asked.named.name}", style="bold")
        if self.left_out:
            _say(f"  {self.left_out:,} of them came too fast to be shown; --keep keeps all for clamor search")
        if waiting.nlp or waiting.routing:
            _say(f"  {waiting.nlp + waiting.routing:,} more wait to be understood")
        if len(self._heard):
            answers.print(self._counts(), highlight=False)
        _say("What they rest on", style="bold")
        table = Table.grid(padding=(0, 2))
        for id in sources:
            rows = opened.ledger.rows([id], since=since)
            lines = _told(self._standings.get(id), figure(rows, since, opened.clock.now()))
            for place, line in enumerate(lines):
                table.add_row("" if place else f"  {id}", line)
        answers.print(table, highlight=False)
        _say(NOT_SEEN, style="dim")
        if not self._answered and not len(self._heard):
            _no_answer()
            return False
        return True

    def _counts(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for what, field in (
            ("network", "network"),
            ("sentiment", "sentiment"),
            ("towards the brand", "reputation"),
            ("intent", "intent"),
            ("queue", "queue"),
        ):
            counts = self._heard.counted(field).most_common()
            words = ", ".join(f"{label.replace('_', ' ')} {number:,}" for label, number in counts)
            table.add_row(f"  {what}", words)
        return table


def _told(standing: CollectorStanding | None, known: Figure) -> Iterator[str]:
    """What a source brought, and what it did not."""
    if standing is None:
        yield "was not asked yet"
        return
    kept = standing.appended + standing.filled
    yield f"{kept + standing.filtered:,} posts came, {kept:,} of them may be about it"
    if standing.state in _DOWN:
        yield f"{standing.state}: {standing.trouble}"
    for gap in known.gaps[-MOST_HOLES:]:
        missed = "some are" if gap.missed is None else f"{gap.missed:,} are"
        asked = f" of {gap.query}" if gap.query else ""
        why = "" if gap.reason == standing.trouble else f": {gap.reason}"
        yield f"{missed} missing{asked}, {when(gap.since)[11:]} to {when(gap.until)[11:]}{why}"


def _no_answer() -> None:
    errors.print(
        "No source could be asked; the lines above name the hosts. Is this machine connected to the internet, and may "
        "it reach them? For Bluesky a proxy is taken from HTTPS_PROXY, and --jetstream names another instance; --feed "
        "names feeds that you can reach.",
        style="red",
        highlight=False,
    )


def _announce(asked: Asked, span: Millis, keep: bool) -> None:
    own = asked.named
    names = ", ".join((own.name, *own.aliases, f"#{own.tag}"))
    _note(f"Listening for {names} for {format_duration(span)}: Bluesky as it is written, and feeds.")
    third = hosts(asked)
    if third:
        _note(f"These are asked for the name: {', '.join(third)}.")
    if not keep:
        _note("Nothing stays of it; --keep would keep it.")


def _go_on(home: Home) -> None:
    clamor = f"clamor --home {shlex.quote(str(home.root))}"
    _say("\nKept. Go on with it:", style="bold")
    for what, command in (
        ("what is listened for", str(home.settings_file)),
        ("listen on", f"{clamor} run"),
        ("look around", f"{clamor} search 'risk:>=20' --order risk"),
        ("what was missed", f"{clamor} coverage"),
    ):
        answers.print(f"  {what:24} {command}", highlight=False, soft_wrap=True)


def _say(line: str, style: str = "default") -> None:
    answers.print(line, style=style, highlight=False)


def _note(line: str) -> None:
    errors.print(line, style="dim", highlight=False)
