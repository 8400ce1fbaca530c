"""`clamor drill`: a storm in a sandbox, to see who answers and how fast."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import msgspec
import typer

from clamor import drill as drills
from clamor import exits
from clamor.commands.search import when
from clamor.commands.spans import spanned
from clamor.commands.status import _time
from clamor.console import answers, errors
from clamor.drill import Drill, News
from clamor.opening import open_home
from clamor.scorecard import Scorecard
from clamor.storms import STORMS
from config.home import Home
from config.problems import did_you_mean
from database.migrate import upgrade
from stream.clock import HOUR, MINUTE, SECOND, WallClock
from stream.records import Millis

STARTS: Millis = 30 * SECOND
"""In which the processes of the sandbox have begun."""


def drill(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(help=f"What happens: {', '.join(STORMS)}.")],
    at: Annotated[str, typer.Option(help="When the storm begins, by this machine's clock: 18:00. Default: now.")] = "",
    brand: Annotated[str, typer.Option(help="About whom. Default: the first brand of your own.")] = "",
    lasts: Annotated[str, typer.Option("--for", help="From the storm's beginning to the drill's end.")] = "2h",
    dry: Annotated[bool, typer.Option("--dry", help="Mails go into a file of the sandbox, to nobody.")] = False,
    speed: Annotated[
        float, typer.Option(min=1, max=2_000, help="How many times as fast as real time. People need 1.")
    ] = 1,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="On which the links of its mails are answered.")] = 8801,
    url: Annotated[str, typer.Option(help="How people reach that port. Default: http://127.0.0.1:PORT.")] = "",
    into: Annotated[
        Path | None, typer.Option(help="Folder for the sandbox, which stays. Default: one that goes at the end.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The scorecard as JSON.")] = False,
) -> None:
    """Run a made-up storm in a sandbox against the people and the rota in force, and tell how it went.

    Mails go to the people who would be told, by the mail server, marked DRILL; their links work and lead to the
    sandbox. Nothing is counted in this home, no network is asked, no channel beside mail is used. Ctrl-C ends it early,
    with the scorecard of what was seen.

    [bold]Examples[/bold]

      clamor drill attack --at 18:00
      clamor drill outage-rumour --brand aurelia --for 90m --url https://drill.example.org
      clamor drill praise --dry --speed 120
    """
    home: Home = context.obj
    if scenario not in STORMS:
        advice = did_you_mean(scenario, list(STORMS)) or f"There are {', '.join(STORMS)}."
        raise typer.BadParameter(f"there is no scenario {scenario!r}. {advice}", param_hint="SCENARIO")
    if into is not None and into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise typer.BadParameter(f"{into} holds something already: name an empty or new folder", param_hint="--into")
    length = spanned(lasts, "--for", 10 * MINUTE, 24 * HOUR)
    wait = _wait_for(at)
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        brands = {one.id: one for one in opened.registry.current().brands if one.kind == "own"}
        chosen = brand or next(iter(brands), "")
        if chosen not in brands:
            advice = did_you_mean(chosen, list(brands)) if brand else "`clamor apply` takes over those of clamor.yaml"
            raise typer.BadParameter(f"there is no brand of your own {chosen!r}. {advice}", param_hint="--brand")
        name, rate = brands[chosen].name, drills.rate_of(opened, chosen)
        api = {"host": opened.settings.api.host, "port": port, **({"public_url": url} if url else {})}
    folder = into if into is not None else Path(mkdtemp(prefix="clamor-drill-"))
    stop = threading.Event()
    previous = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        own = drills.sandbox(home, folder, api, sends=not dry)
        _until(wait, stop)
        now = WallClock().now()
        begins = now + round(max(MINUTE, STARTS * speed))
        planned = Drill(scenario, chosen, begins, begins + length, speed, not dry)
        drills.begin(own, planned, rate)
        _announce(planned, folder, dry)
        drills.run(own, planned, name, rate, stop, _tell())
        found = drills.score(own, planned)
        if as_json:
            print(msgspec.json.encode(found).decode())
        else:
            _show(found)
        if dry and into is not None:
            errors.print(f"mails: {own.path('mail') / 'clamor.mbox'}", markup=False, highlight=False)
    finally:
        for which, handler in previous.items():
            signal.signal(which, handler)
        Home.at(folder).secrets_file.unlink(missing_ok=True)
        if into is None:
            shutil.rmtree(folder, ignore_errors=True)
    if stop.is_set():
        errors.print("stopped before its end; the scorecard is of what was seen", style="yellow")
        raise typer.Exit(exits.FAILED)


def _wait_for(at: str) -> float:
    """Seconds until then, today or tomorrow. Raises typer.BadParameter."""
    if not at:
        return 0.0
    try:
        clock = time_of_day.fromisoformat(at)
    except ValueError:
        raise typer.BadParameter(f"{at!r} is no time of day: write 18:00", param_hint="--at") from None
    if clock.tzinfo is not None:
        raise typer.BadParameter(f"{at!r} names a zone: write 18:00, by this machine's clock", param_hint="--at")
    now = datetime.now().astimezone()
    shown = now.replace(tzinfo=None)
    begins = shown.replace(hour=clock.hour, minute=clock.minute, second=clock.second, microsecond=0)
    # Placed once its day is known: clocks may be set in the night between.
    return ((begins if begins > shown else begins + timedelta(days=1)).astimezone() - now).total_seconds()


def _until(seconds: float, stop: threading.Event) -> None:
    if seconds:
        errors.print(f"waits {_time(int(seconds * 1000))} for its time; Ctrl-C ends it", highlight=False)
        stop.wait(seconds)


def _announce(planned: Drill, folder: Path, dry: bool) -> None:
    where = "into a file, to nobody" if dry else "to the people in force, marked DRILL"
    errors.print(
        f"DRILL: {planned.storm.title}, about {planned.brand}; mails go {where}; the sandbox is {folder}", markup=False,
        highlight=False,
    )  # fmt: skip


def _tell() -> Callable[[News], None]:
    """A line whenever something has changed, at most every five seconds."""
    last: tuple[float, object] = (0.0, None)

    def told(news: News) -> None:
        nonlocal last
        state = (news.posts, news.told, news.acknowledged)
        if state != last[1] and time.monotonic() - last[0] >= 5:
            last = (time.monotonic(), state)
            who = f", {', '.join(news.acknowledged)} looks after it" if news.acknowledged else ""
            errors.print(
                f"{when(news.now)}  {news.posts:,} posts, {news.told:,} mails{who}", markup=False, highlight=False
            )

    return told


def _show(found: Scorecard) -> None:
    def say(line: str, style: str | None = None) -> None:
        answers.print(line, markup=False, highlight=False, style=style)

    say(f"Scorecard of the drill: {found.scenario}, {found.brand}, {found.posts:,} posts", "bold")
    for one in found.incidents:
        say(f"  incident {one.id}: {one.worst}")
        who = f" ({one.acknowledged_by})" if one.acknowledged_by else ""
        for what, span in (
            ("first told after", one.to_warning), ("told of a crisis after", one.to_crisis),
            (f"acknowledged{who} after", one.to_acknowledge), ("escalated after", one.to_escalate),
        ):  # fmt: skip
            say(f"    {what:28} {_time(span) if span is not None else 'never'}")
        say(f"    {'people of the chain told':28} {one.escalations}")
        say(f"    {'tasks done, late, in all':28} {one.tasks_done}, {one.tasks_late}, {one.tasks}")
        say(f"    {'said in public':28} {one.statements}, of which {one.contradictory} contradict the approved line")
    say(f"  mails: {', '.join(f'{who} {number}' for who, number in found.mails.items()) or 'none'}")
    policy = f"{found.exceptions} exceptions from the policy, {found.deadlines_missed} deadlines missed"
    say(f"  cases: {found.cases:,}; {policy}")
    for line in found.verdict:
        say(f"  {line}", "bold")
