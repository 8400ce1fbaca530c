"""`clamor demo`: a week of three brands, lived through in minutes."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.live import Live

from clamor import exits, logs
from clamor.address import listenable
from clamor.backlog import settled
from clamor.clocks import set_pace
from clamor.commands.search import when
from clamor.commands.spans import spanned
from clamor.console import answers, errors
from clamor.live import watch_live
from clamor.mail import mailbox_file
from clamor.opening import Opened, open_home
from clamor.processes import Stop, all_processes
from clamor.replaying import MESSAGES
from clamor.roles import whole_program
from clamor.scenario import CONFIGURATION, WEEK
from clamor.screen import Screen
from clamor.starting import make_ready
from clamor.supervisor import ProcessSpec, Supervisor
from clamor.threads import halt_on
from clamor.upkeep import noting
from config.home import Home
from ingest.cursors import Cursors
from ingest.scenario import Scenario, load, play
from stream.clock import HOUR, SECOND

MARK = ".clamor-demo"
"""Stands in a home that `clamor demo` made, and may therefore begin anew."""


def demo(
    context: typer.Context,
    home: Annotated[Path, typer.Option("--home", help="Where the demo lives; begun anew each time.")] = Path(
        "demo-home"
    ),
    speed: Annotated[float, typer.Option(min=1, max=20_000, help="How many times as fast as real days.")] = 2_000,
    stay: Annotated[
        bool | None, typer.Option("--stay/--no-stay", help="Go on serving afterwards. Default: at a terminal.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Listen to thirteen networks at once, to stand-ins of a checkout's tests.")
    ] = False,
    lasts: Annotated[str, typer.Option("--for", help="How long --live writes: 60s, 5m.")] = "60s",
    rate: Annotated[float, typer.Option(min=0.5, max=100, help="Posts a second of --live, on all networks.")] = 4,
) -> None:
    """Play a built-in week: an airline, a telco and a bakery chain, English and Spanish, written for this purpose.

    The real program works it through: every stage in its own process, mails into a mailbox file, the API listening.

    With --live it collects instead, from stand-ins of thirteen networks on this machine, in a home of which nothing
    stays: people write, edit and delete there, connections end, rates are limited, and in the end what was published
    is compared with what is held.

    [bold]Examples[/bold]

      clamor demo
      clamor demo --speed 10000 --no-stay
      clamor demo --live --for 2m
    """
    if live:
        code = watch_live(spanned(lasts, "--for", 5 * SECOND, 24 * HOUR), rate)
        raise typer.Exit(code)
    place = begin_anew(Home.at(home))
    scenario = load(WEEK)
    staying = sys.stdout.isatty() if stay is None else stay
    with open_home(place) as opened:
        set_pace(opened.home, scenario.start, speed, scenario.end + 2 * HOUR)
    with open_home(place) as opened, whole_program(opened.home):
        listenable(opened.settings.api)
        started = make_ready(opened, by="clamor demo", serves=True)
        settings, mailbox = opened.settings, mailbox_file(opened.configuration)
        opened.close()
        player = ProcessSpec("player", _player(place, scenario), essential=False)
        note, messages = noting(opened.home), place.root / MESSAGES
        supervisor = Supervisor([player, *all_processes(place, settings)], note=note, messages=messages)
        served = _Served(settings.api.url, started.token or "(made earlier)") if staying else None
        ending = partial(_where_next, place, scenario, mailbox, served)
        over = _watch(place, supervisor, scenario, mailbox, staying, ending)
    if not over:
        errors.print("stopped before the week was over")
        raise typer.Exit(exits.FAILED)


def begin_anew(home: Home) -> Home:
    """The demo's home without what an earlier demo left. A home of somebody's own is never touched."""
    if home.root.exists() and any(home.root.iterdir()):
        if not (home.root / MARK).exists():
            errors.print(f"{home.root} is not a demo's home: name another --home")
            raise typer.Exit(exits.FAILED)
        shutil.rmtree(home.root)
    home.root.mkdir(mode=0o700, parents=True)
    (home.root / MARK).touch()
    shutil.copy2(CONFIGURATION, home.settings_file)
    return home


def _player(home: Home, scenario: Scenario) -> Callable[[Stop], None]:
    def body(stop: Stop) -> None:
        halt = halt_on(stop)
        with open_home(home) as opened:
            logs.configure(opened.settings.logging.format, opened.settings.logging.level, "player")
            play(scenario, opened.log, opened.clock, Cursors(opened.engine), opened.ledger, stop=halt)

    return body


def _watch(
    home: Home, supervisor: Supervisor, scenario: Scenario, mailbox: Path, staying: bool, where_next: Callable[[], None]
) -> bool:
    """Show the week live; whether it came to its end."""
    over = False
    with Live(console=answers, refresh_per_second=4, transient=False) as live:
        screen, told = Screen(scenario.name, scenario.posts, mailbox), _Days()

        def each_round() -> bool:
            nonlocal over
            if over:
                return True
            with open_home(home) as opened:
                live.update(screen.draw(opened))
                told(opened)
                over = _is_over(opened, supervisor, scenario)
            if over:
                live.stop()
                where_next()
            return staying or not over

        supervisor.run(each_round, interval=0.25)
    return over


class _Days:
    """Where nobody sees the picture move, a line for each day that has begun."""

    def __init__(self) -> None:
        self._day = ""

    def __call__(self, opened: Opened) -> None:
        day = when(opened.clock.now())[:10]
        if not answers.is_terminal and day != self._day:
            self._day = day
            errors.print(f"{day} begins", highlight=False)


def _is_over(opened: Opened, supervisor: Supervisor, scenario: Scenario) -> bool:
    played = "player" not in supervisor.alive() and supervisor.children[0].done
    return played and opened.clock.now() >= scenario.end + 2 * HOUR and settled(opened)


class _Served(NamedTuple):
    """The API that goes on listening."""

    url: str
    token: str


def _where_next(home: Home, scenario: Scenario, mailbox: Path, served: _Served | None) -> None:
    clamor = f"clamor --home {shlex.quote(str(home.root))}"
    answers.print("\nThe week is over. Look around:\n", style="bold")
    for what, command in (
        ("a crisis", f"{clamor} search 'brand:aurelia risk:>=50' --order risk"),
        ("an incident", f"{clamor} incident show 1"),
        ("who is about to leave", f"{clamor} search 'intent:churn_threat queue:support'"),
        ("leads", f"{clamor} search 'queue:sales'"),
        ("how it is spread", f"{clamor} search '' --facet brand --facet queue --facet lang"),
        ("what was missed", f"{clamor} coverage --gaps --since {when(scenario.start)[:10]}"),
        ("the mails", str(mailbox)),
        ("what the processes said", str(home.root / MESSAGES)),
        *((("the API", f"{served.url}/api/docs"), ("its token", served.token)) if served else ()),
    ):
        answers.print(f"  {what:24} {command}", markup=False, highlight=False, soft_wrap=True)
    answers.print()
    told = "goes on serving; Ctrl-C ends it" if served else "has ended; clamor demo --stay keeps it serving"
    answers.print(f"The API {told}.", style="dim")
