"""`clamor demo --live`: thirteen networks at once on the screen, asked as in earnest, without an account."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clamor import exits
from clamor.console import answers, errors
from clamor.opening import Opened, open_home
from clamor.passing import passing_home
from clamor.processes import all_processes
from clamor.replaying import MESSAGES
from clamor.roles import whole_program
from clamor.scenario import CONFIGURATION, WEEK
from clamor.screen import MOST_COLUMNS, decisions
from clamor.starting import make_ready
from clamor.supervisor import Supervisor
from clamor.town import Compared, InLog, NoCheckout, Town, Truth, checkout
from clamor.upkeep import noting
from config.brands import Brand
from config.home import Home, write_example
from config.schema import json_schema
from config.units import format_duration
from ingest.coverage import ASKED_BY_ID
from ingest.scenario import load
from ingest.standing import CollectorStanding, Standings
from stream.clock import SECOND
from stream.ports import Transient
from stream.records import Coverage, Millis

LOOK = 0.5
SETTLE = 90.0
"""Seconds that the last posts, holes and deletes may take to arrive."""
MOST_TROUBLE = 48
_DOWN = ("cut", "refused", "broken")


def watch_live(span: Millis, rate: float) -> int:
    """Blocks for `span` and until all has arrived. An exit code: whether in the end we held what stood there."""
    try:
        root = checkout()
    except NoCheckout as error:
        errors.print(str(error), highlight=False)
        return exits.FAILED
    with passing_home("clamor-live-") as home:
        configured = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
        texts = named([Brand.model_validate(one) for one in configured["brands"]])
        with Town(root, texts=texts, rate=rate) as town:
            sources = yaml.safe_dump({"sources": town.sources}, sort_keys=False, allow_unicode=True, width=110)
            write_example(home, json_schema(), CONFIGURATION.read_text(encoding="utf-8") + "\n" + sources)
            home.secrets_file.write_text("".join(f"{name}={value}\n" for name, value in town.secrets.items()))
            answers.print(f"The networks of this demo, in {home.settings_file}:\n", highlight=False)
            answers.print(sources, markup=False, highlight=False)
            return _listen(home, town, span)


def named(brands: Sequence[Brand]) -> list[str]:
    """Texts of the demo's week that a network and Clamor find by a brand's name alone."""
    found = [timed.draft.text or "" for part in load(WEEK).parts for timed in part.posts]
    return [text for text in dict.fromkeys(found) if any(_is_named(text, brand) for brand in brands)]


def _is_named(text: str, brand: Brand) -> bool:
    return brand.name in text and not any(phrase.casefold() in text.casefold() for phrase in brand.exclude)


def _listen(home: Home, town: Town, span: Millis) -> int:
    with open_home(home) as opened, whole_program(home, web=False):
        make_ready(opened, by="clamor demo --live")
        note, messages, settings = noting(opened.home), opened.home.root / MESSAGES, opened.settings
        opened.close()
        specs = [spec for spec in all_processes(home, settings) if spec.name != "web"]
        with Live(console=answers, auto_refresh=False, transient=True) as live:
            screen = Screen(home, town, span, live)
            Supervisor(specs, note=note, messages=messages).run(screen.look, interval=LOOK)
        with open_home(home, use="check") as ended:
            return screen.closing(ended)


class Screen:
    """The networks, a line each, and below them the newest posts that were understood."""

    def __init__(self, home: Home, town: Town, span: Millis, live: Live) -> None:
        self._home, self._town, self._live = home, town, live
        self._span = span
        self._gives_up = time.monotonic() + SETTLE
        self._ends = float("inf")
        """Known once all networks are listened to: what was written before is nobody's promise."""
        self._held = InLog()
        self._truth: Truth | None = None
        """What stood there when nothing was written any more."""
        self._beside: Mapping[str, Compared] = {}

    def look(self) -> bool:
        """Whether to go on."""
        now = time.monotonic()
        if self._ends == float("inf") and not self._begin(now):
            return now < self._gives_up
        if self._truth is None and now >= self._ends:
            self._town.still()
            self._truth = self._town.truth()
        with suppress(Transient), open_home(self._home, use="check") as opened:
            self._held.look(opened.log)
            head = self._head(now)
            picture = Group(head, self._networks(opened), Constrain(decisions(opened), MOST_COLUMNS))
            self._live.update(picture, refresh=answers.is_terminal)
        if self._truth is None:
            return True
        self._beside = self._held.beside(self._truth)
        return not all(one.same for one in self._beside.values()) and now < self._ends + SETTLE

    def _begin(self, now: float) -> bool:
        """Whether people write."""
        with suppress(Transient), open_home(self._home, use="check") as opened:
            standings = Standings(opened.engine).all()
            self._live.update(
                Group(Text("Connecting", style="bold"), self._networks(opened)), refresh=answers.is_terminal
            )
            if all((one := standings.get(source["id"])) and one.state == "listening" for source in self._town.sources):
                self._town.write()
                if not answers.is_terminal:
                    answers.print("Everybody is listened to: people begin to write.", highlight=False)
                self._ends = now + self._span / SECOND
                return True
        return False

    def closing(self, opened: Opened) -> int:
        """What was published beside what is held; an exit code."""
        self._held.look(opened.log)
        answers.print(self._networks(opened))
        answers.print(Constrain(decisions(opened), MOST_COLUMNS))
        stopped = self._truth is None
        if stopped:
            self._town.still()
        if self._ends == float("inf") and time.monotonic() >= self._gives_up:
            errors.print(f"not every network was listened to within {SETTLE:.0f} s", style="red", highlight=False)
            return exits.FAILED
        self._beside = self._held.beside(self._truth or self._town.truth())
        answers.print(_comparison(self._beside))
        if all(one.same for one in self._beside.values()):
            answers.print("published = held, edits and deletes included", style="bold green", highlight=False)
            return exits.OK
        if stopped:
            answers.print("Stopped while posts were under way; what is missing would have come.", highlight=False)
            return exits.OK
        errors.print(f"after {SETTLE:.0f} s more what was published is not what is held", style="red", highlight=False)
        return exits.FAILED

    def _head(self, now: float) -> RenderableType:
        if self._truth is not None:
            return Text("Nothing is written any more: waiting for the last posts, holes and deletes", style="bold")
        left = format_duration(max(0, round(self._ends - now)) * SECOND)
        return Text(f"Live from the stand-ins, {left} of {format_duration(self._span)} left", style="bold")

    def _networks(self, opened: Opened) -> RenderableType:
        figures, standings = self._town.figures(), Standings(opened.engine).all()
        ledger = opened.ledger.rows()
        columns = "published", "edited", "deleted", "asked", "received", "kept", "gaps", "filled", "deletes done"
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("network", style="bold", no_wrap=True)
        for name in columns:
            table.add_column(name, justify="right")
        table.add_column("state", no_wrap=True)
        for source, happened in figures.items():
            known = _known([row for row in ledger if row.source_id == source], standings.get(source))
            table.add_row(
                source,
                *(f"{happened[name]:,}" for name in ("published", "edited", "deleted")),
                *(f"{number:,}" for number in known),
                f"{self._held.gone(source):,}",
                _state(standings.get(source)),
            )  # fmt: skip
        return table


def _known(rows: Sequence[Coverage], standing: CollectorStanding | None) -> tuple[int, int, int, int, int]:
    """asked, received, kept, gaps, filled"""
    holes = [row for row in rows if row.state != "complete" and row.query not in ASKED_BY_ID]
    return (
        sum(row.asked for row in rows),
        sum(row.received for row in rows if row.query not in ASKED_BY_ID),
        standing.appended + standing.filled if standing else 0,
        len(holes),
        sum(row.state == "backfilled" for row in holes),
    )


def _state(standing: CollectorStanding | None) -> Text:
    if standing is None:
        return Text("starting", style="dim")
    if standing.state in _DOWN:
        return Text(f"{standing.state}: {standing.trouble}"[:MOST_TROUBLE], style="yellow")
    return Text(standing.state, style="green")


def _comparison(beside: Mapping[str, Compared]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("network", style="bold")
    for name in ("stands there", "held", "missing", "old text", "deleted but held"):
        table.add_column(name, justify="right")
    for source, one in beside.items():
        numbers: tuple[Any, ...] = tuple(one)
        table.add_row(source, *(f"{number:,}" for number in numbers))
    return table
