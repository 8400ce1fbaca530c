"""`clamor reprocess`: new brands, models or rules over history."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from clamor import exits, logs
from clamor.backlog import Backlog, backlog, settled
from clamor.commands.search import when
from clamor.console import answers, errors
from clamor.moments import moment
from clamor.opening import Opened, open_home
from clamor.processes import Stop, all_processes
from clamor.replaying import MESSAGES
from clamor.reprocessing import Ask, Reached, begin, forget
from clamor.reprocessing import reprocess as work_through
from clamor.roles import COLLECT, WEB, whole_program, worked_by
from clamor.starting import make_ready
from clamor.supervisor import ProcessSpec, Supervisor
from clamor.threads import halt_on
from clamor.upkeep import noting
from config.home import Home, HomeError, low_disk


class Stage(StrEnum):
    nlp = "nlp"
    routing = "routing"


def reprocess(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="Posts published from then on: 2026-03-01, 2026-03-01T08:30, -7d, -12h.")],
    until: Annotated[str, typer.Option(help="Posts published before then; a day counts whole.")] = "now",
    stage: Annotated[
        Stage,
        typer.Option(
            help="`nlp`: read the texts anew, then decide; `routing`: only decide anew, by the rules in force."
        ),
    ] = Stage.nlp,
    brand: Annotated[str, typer.Option(help="Only this brand's mentions, and those that become so.")] = "",
) -> None:
    """Read or decide history anew, after a change of brands, model or rules. Wakes nobody; corrections stay.

    Posts about no brand until now are found as far back as the log keeps them (retention); the rest is in SQL. It may
    be stopped: the same command goes on from there. Without a running `clamor run` the stages run for it.

    [bold]Examples[/bold]

      clamor apply && clamor reprocess --since -6d --brand zephyr
      clamor reprocess --since 2026-03-01 --until 2026-03-07 --stage routing
    """
    home: Home = context.obj
    with open_home(home, use="check") as opened:
        beside = worked_by(opened.home) is not None
        free = opened.disk()
        if free.stop:
            raise HomeError(low_disk(opened.home.data, free))
    with open_home(home, use="check" if beside else "run") as opened:
        if beside:
            ask = _ask(opened, since, until, stage, brand)
            reached = _beside(opened, ask)
            if reached.done:
                forget(opened, ask)
        else:
            with whole_program(opened.home, web=False):
                make_ready(opened, by="clamor reprocess")
                ask = _ask(opened, since, until, stage, brand)
                opened.close()
                reached = _with_stages(home, opened, ask)
    _tell(reached)
    if not reached.done:
        errors.print("stopped before the end; the same command goes on from there", style="yellow")
        raise typer.Exit(exits.FAILED)


def _ask(opened: Opened, since: str, until: str, stage: Stage, brand: str) -> Ask:
    now = opened.clock.now()
    low, high = moment(since, now, "since").low, moment(until, now, "until").high
    if until == "now":
        high = now + 1
    assert low is not None
    assert high is not None
    if low >= high:
        raise typer.BadParameter(f"{since!r} is not before {until!r}", param_hint="--since")
    force = opened.registry.current()
    brands = [one.id for one in force.brands]
    if brand and brand not in brands:
        known = ", ".join(brands) or "none; see clamor apply"
        raise typer.BadParameter(f"no brand in force is called {brand!r}; there are {known}", param_hint="--brand")
    key = f"{stage.value}|{since}..{until}|{brand}|{force.generation}.{force.rules_revision}"
    return Ask(key, stage.value, int(low), int(high), brand)


# --- beside a running clamor run --------------------------------------------------------------------------------------


def _beside(opened: Opened, ask: Ask) -> Reached:
    stop = threading.Event()
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Live(console=errors, refresh_per_second=4, transient=True) as live:
            return work_through(
                opened,
                begin(opened, ask),
                stop,
                lambda reached: live.update(_line(reached, None)),
                beside=True,
            )
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


# --- without one: the stages run for it -------------------------------------------------------------------------------


def _with_stages(home: Home, opened: Opened, ask: Ask) -> Reached:
    configuration = opened.configuration
    feeder = ProcessSpec("reprocess", _feeder(home, ask), essential=False)
    stages = [spec for spec in all_processes(home, configuration.settings) if spec.name not in (WEB, COLLECT)]
    failed: list[int] = []

    def on_restart(name: str, code: int) -> None:
        if name == "reprocess":
            failed.append(code)

    with Live(console=errors, refresh_per_second=4, transient=True) as live:
        note, messages = noting(configuration.home), home.root / MESSAGES
        supervisor = Supervisor([feeder, *stages], on_restart=on_restart, note=note, messages=messages)
        supervisor.run(_watch(configuration, ask, live, failed), interval=0.05)
    if failed:
        raise HomeError(f"the reprocess ended with code {failed[0]}: see {home.root / MESSAGES}")
    with Opened(configuration) as fresh:
        reached = begin(fresh, ask)
        if reached.done:
            forget(fresh, ask)
    return reached


def _watch(configuration: object, ask: Ask, live: Live, failed: list[int]) -> Callable[[], bool]:
    looked = 0.0

    def each_round() -> bool:
        nonlocal looked
        if failed:
            return False
        if time.monotonic() - looked < 0.2:
            return True
        looked = time.monotonic()
        with Opened(configuration) as opened:  # type: ignore[arg-type]
            reached = begin(opened, ask)
            live.update(_line(reached, backlog(opened)))
            return not reached.done or not settled(opened)

    return each_round


def _feeder(home: Home, ask: Ask) -> Callable[[Stop], None]:
    def body(stop: Stop) -> None:
        halt = halt_on(stop)
        with open_home(home) as opened:
            logs.configure(opened.settings.logging.format, "warning", "reprocess")
            work_through(opened, begin(opened, ask), halt, lambda reached: None, beside=False)

    return body


# --- what is shown ----------------------------------------------------------------------------------------------------


def _line(reached: Reached, waiting: Backlog | None) -> Text:
    behind = f"; waiting: routing {waiting.routing:,}, index {waiting.index:,}" if waiting else ""
    return Text(f"{reached.share:.0%}: {reached.read:,} read, {reached.changed:,} {_WORD[reached.ask.stage]}{behind}")


_WORD = {"nlp": "sent on to routing", "routing": "decided differently"}


def _tell(reached: Reached) -> None:
    what = "posts" if reached.ask.stage == "nlp" else "mentions"
    back = f", back to {when(reached.oldest)} UTC" if reached.oldest is not None else ""
    answers.print(
        f"{reached.read:,} {what} read, {reached.changed:,} {_WORD[reached.ask.stage]}{back}", highlight=False
    )
    if reached.ask.stage == "nlp" and reached.part == "log":
        errors.print(
            f"posts about no brand until now: those that came in since {when(reached.log_since)} UTC; older ones are "
            "not kept"
            if reached.log_since
            else "posts about no brand until now are kept in the log alone, and it holds none",
            style="dim",
        )
