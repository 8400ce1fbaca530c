"""A drill: a storm about a brand in a sandbox of its own, against the people, rota, rules and policy that are in force.

The sandbox is a home with its own databases, in a folder of its own. What is stored in the real one is read and never
written; sources are left out, so that nothing but the mail server is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from clamor import logs
from clamor.clocks import set_pace
from clamor.kafka_log import on_kafka
from clamor.opening import Opened, open_home
from clamor.processes import Stop, all_processes
from clamor.replaying import MESSAGES
from clamor.roles import COLLECT, whole_program
from clamor.scorecard import Scorecard, scorecard
from clamor.sql import file_of
from clamor.starting import make_ready
from clamor.stores import index_file
from clamor.storms import STORMS, Storm, lines
from clamor.supervisor import ProcessSpec, Supervisor
from clamor.threads import halt_on
from clamor.upkeep import noting
from config.apply import export
from config.home import Home, HomeError, prepare
from config.load import load
from database.engine import many, read, rows, write
from database.numbering import Dictionary
from ingest.cursors import Cursors
from ingest.scenario import load as load_scenario
from ingest.scenario import play
from routing.checkers import IN_USE
from stream.clock import DAY, MINUTE, SECOND, WallClock
from stream.records import Millis

KEPT_SECTIONS = ("understanding", "mail", "alerts", "cases", "incidents", "logging")
"""Of the settings; engines, data and channels are the sandbox's own."""
LEARNT = 14
"""Days of quiet that the sandbox knows, at the pace of the real brand."""
LEAST_RATE = 0.02
"""Posts a minute that are taken as usual where less is known."""
LOOK = 0.5


class Drill(NamedTuple):
    scenario: str
    brand: str
    """Id."""
    begins: Millis
    """When the storm begins, in the sandbox's time."""
    ends: Millis
    """When the drill is over, whatever people do."""
    speed: float
    sends: bool
    """False: mails stay in the sandbox's mailbox file."""

    @property
    def storm(self) -> Storm:
        return STORMS[self.scenario]


class News(NamedTuple):
    now: Millis
    posts: int
    told: int
    acknowledged: tuple[str, ...]


def sandbox(home: Home, folder: Path, api: Mapping[str, object], *, sends: bool) -> Home:
    """A home in `folder` with what is in force in `home` but for its sources and channels; `api`: the section of the
    sandbox. Raises HomeError."""
    own = Home.at(folder)
    with open_home(home, use="check") as opened, read(opened.engine) as connection:
        export(connection, own.root)
        settings = opened.settings
    stated = _plain(home.settings_file)
    plain = {name: part for name, part in _plain(own.settings_file).items() if name != "sources"}
    plain |= {name: stated[name] for name in KEPT_SECTIONS if name in stated}
    # Rules that post cases name them; no drill hands anything over to one (clamor.mail.channels).
    plain["channels"] = [one for one in stated.get("channels") or () if one.get("kind") == "webhook"]
    plain["api"] = dict(api)
    if isinstance(plain.get("mail"), dict) and settings.mail.certificates:
        plain["mail"]["certificates"] = str(home.path(settings.mail.certificates))
    for section in ("people", "teams"):
        for one in plain.get(section) or ():
            one.pop("channels", None)
    own.settings_file.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
    if home.models.is_dir():
        own.models.symlink_to(home.models.resolve(), target_is_directory=True)
    if sends and home.secrets_file.exists():
        own.secrets_file.touch(mode=0o600)
        own.secrets_file.write_bytes(home.secrets_file.read_bytes())
    configuration = load(own, IN_USE, use="check")
    inside = [file_of(configuration), index_file(configuration), configuration.home.data]
    if on_kafka(configuration) or any(
        path is None or not path.resolve().is_relative_to(own.root.resolve()) for path in inside
    ):
        raise HomeError(
            "the environment names engines or a data folder (CLAMOR_ENGINES__…, CLAMOR_DATA): a drill keeps to its "
            "sandbox, so start it without them"
        )
    return own


def begin(own: Home, drill: Drill, rate: float) -> None:
    """The sandbox's clock, tables, and the quiet days that its watch learns from."""
    lived = load(own, IN_USE, use="check").home
    prepare(lived)
    now = WallClock().now()
    set_pace(lived, now, drill.speed, drill.ends, replayed=True, sends=drill.sends, drill=True)
    with open_home(own) as opened:
        make_ready(opened, by="clamor drill", serves=True)
        with write(opened.engine) as connection:
            brand, network = Dictionary("brand"), Dictionary("network")
            numbers = (brand.number(connection, drill.brand), network.number(connection, "x"))
            intent = Dictionary("intent").number(connection, "other")
            dice = np.random.default_rng(1)
            first = now // MINUTE - LEARNT * DAY // MINUTE
            counted = dice.poisson(rate, LEARNT * DAY // MINUTE)
            negative = dice.binomial(counted, 0.15)
            values = [
                (numbers[0], first + place, numbers[1], intent, int(counted[place]), int(negative[place]))
                for place in np.flatnonzero(counted).tolist()
            ]
            many(connection, _QUIET, values)


def rate_of(opened: Opened, brand: str) -> float:
    """Posts a minute of the last LEARNT days."""
    since = opened.clock.now() // DAY - LEARNT
    with read(opened.engine) as connection:
        found = rows(connection, _RATE, (since, brand))[0][0] or 0
    return max(LEAST_RATE, found / (LEARNT * DAY / MINUTE))


def run(own: Home, drill: Drill, name: str, rate: float, stop: threading.Event, show: Callable[[News], None]) -> None:
    """Until the drill's end or until `stop` is set. `name`: as people call the brand."""
    path = own.root / "storm.jsonl"
    posts = max(drill.storm.posts, round(10 * rate * drill.storm.minutes))
    path.write_text("\n".join(lines(drill.storm, name, posts=posts)) + "\n", encoding="utf-8")
    with open_home(own) as opened, whole_program(opened.home):
        settings = opened.settings
        opened.close()
        player = ProcessSpec("player", _player(own, path, drill.begins), essential=False)
        stages = [spec for spec in all_processes(own, settings, 1) if spec.name != COLLECT]
        supervisor = Supervisor([player, *stages], note=noting(opened.home), messages=own.root / MESSAGES)
        looked = 0.0

        def each_round() -> bool:
            nonlocal looked
            if stop.is_set():
                return False
            if time.monotonic() - looked < LOOK:
                return True
            looked = time.monotonic()
            with open_home(own) as seen:
                news = _news(seen, drill.brand)
            show(news)
            return news.now < drill.ends

        supervisor.run(each_round, interval=0.05)


def score(own: Home, drill: Drill) -> Scorecard:
    with open_home(own) as opened, read(opened.engine) as connection:
        now = min(opened.clock.now(), drill.ends)
        return scorecard(connection, drill.scenario, drill.brand, drill.begins, now, hurts=drill.storm.hurts)


def _player(home: Home, path: Path, begins: Millis) -> Callable[[Stop], None]:
    def body(stop: Stop) -> None:
        halt = halt_on(stop)
        with open_home(home) as opened:
            logs.configure(opened.settings.logging.format, "warning", "player")
            speed = getattr(opened.clock, "speed", 1.0)
            while not halt.is_set() and opened.clock.now() < begins:
                halt.wait(min(1.0, (begins - opened.clock.now()) / speed / SECOND))
            if not halt.is_set():
                scenario = load_scenario(path, begins)
                play(scenario, opened.log, opened.clock, Cursors(opened.engine), opened.ledger, stop=halt)

    return body


def _news(opened: Opened, brand: str) -> News:
    with read(opened.engine) as connection:
        posts = rows(connection, "SELECT count(*) FROM mention")[0][0]
        told = rows(connection, "SELECT count(*) FROM mail WHERE state = 'sent'")[0][0]
        who = rows(connection, "SELECT acknowledged_by FROM incident WHERE acknowledged_by IS NOT NULL ORDER BY id")
    return News(opened.clock.now(), posts, told, tuple(one for (one,) in who))


def _plain(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


_QUIET = (
    "INSERT INTO count_delta (brand, minute, network, intent, queue, mentions, negative, positive, detractors, severe,"
    " risk, own) VALUES (?, ?, ?, ?, 'none', ?, ?, 0, 0, 0, 0, 0)"
)
_RATE = (
    "SELECT sum(mentions) FROM count_day WHERE day >= ? AND brand ="
    " (SELECT n FROM dictionary WHERE kind = 'brand' AND value = ?)"
)
