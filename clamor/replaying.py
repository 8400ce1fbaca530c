"""Files through the whole program: which stages run for it, in which time, and when it is through."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from clamor import logs
from clamor.backlog import Backlog, backlog, settled, told
from clamor.clocks import set_pace
from clamor.opening import Opened, open_home
from clamor.processes import Stop, all_processes
from clamor.roles import COLLECT, WEB, whole_program
from clamor.starting import make_ready
from clamor.supervisor import ProcessSpec, Supervisor
from clamor.threads import halt_on
from clamor.upkeep import noting
from config.home import Home, HomeError, prepare
from config.load import Configuration, load
from ingest.cursors import Cursors
from ingest.files import Options, Progress, ReplayReport, Unmapped, Unreadable, replay, survey
from ingest.foreign import ForeignFile
from ingest.reading import STDIN
from routing.checkers import IN_USE
from stream.clock import HOUR
from stream.ports import POSTS, Transient

HIGH_WATER = 50_000
"""Posts that may wait to be understood before a replay holds back."""

LOOK = 0.5
"""Seconds between two looks at how far the stages are: each opens the home anew, at the stages' cost."""

MESSAGES = "clamor.log"
"""File in the home for what the processes say while the terminal shows something else."""

AFTERMATH = 2 * HOUR
"""How long simulated time goes on after the last post: summaries of the last hour still leave."""


class News(NamedTuple):
    """What the person in front of it is shown, twice a second."""

    progress: Progress | None
    report: ReplayReport | None
    waiting: Backlog
    seconds: float


Show = Callable[[News], None]


def append_only(home: Home, paths: Sequence[Path], options: Options, show: Show, *, drain: bool) -> ReplayReport:
    """Beside a running `clamor run`: append, and with `drain` wait until it is decided and searchable."""
    started = time.monotonic()
    with open_home(home) as opened:

        def on_progress(progress: Progress) -> None:
            show(News(progress, None, backlog(opened), time.monotonic() - started))

        report = replay(
            paths,
            opened.log,
            opened.clock,
            options,
            cursors=Cursors(opened.engine),
            ledger=opened.ledger,
            progress=on_progress,
            hold=_hold(opened),
        )
        while drain and not settled(opened):
            show(News(None, report, backlog(opened), time.monotonic() - started))
            time.sleep(0.2)
        show(News(None, report, backlog(opened), time.monotonic() - started))
    return report


def with_stages(home: Home, paths: Sequence[Path], options: Options, show: Show) -> ReplayReport:
    """Run the stages for the length of the replay; ends once all is decided and searchable."""
    with open_home(home) as opened, whole_program(opened.home, web=False):
        make_ready(opened, by="clamor replay")
        opened.close()
        return _supervised(home, opened.configuration, paths, options, show)


def refuse_unreadable(paths: Sequence[Path], options: Options) -> None:
    """Before any stage starts. Raises Unreadable or Unmapped for the first file that cannot be read as asked."""
    for path in paths:
        if path != STDIN:
            with ForeignFile(path, options).opened():
                pass


def paced(own: Home, paths: Sequence[Path], options: Options, speed: float, show: Show, *, sends: bool) -> ReplayReport:
    """At `speed` times the pace of the days that the files tell of, in their home `own` (see `home_for_replay`) with
    their time. `sends`: mails go to the mail server that is configured, not only into the home's mailbox."""
    found = survey(paths, options)
    if found.first is None or found.last is None:
        raise HomeError("the files hold no post with a time, so there is nothing to replay at a pace: use --speed max")
    lived = load(own, IN_USE, use="check").home
    prepare(lived)
    set_pace(lived, found.first, speed, found.last + AFTERMATH, replayed=True, sends=sends)
    return with_stages(own, paths, options, show)


def home_for_replay(home: Home, into: Path, data: str, *, secrets: bool) -> Home:
    """A new home with the configuration of `home` and no data; with its secrets only where they are asked for. `data`
    is the setting. Raises HomeError where `into` holds data already, or the new home's data would be the old one's."""
    own = Home.at(into, data)
    if not own.data.resolve().is_relative_to(own.root.resolve()):
        raise HomeError(
            f"`data` is {own.data}, outside of any home, so that simulated time would go into it: name a "
            "folder in the home instead"
        )
    if own.data.exists() and any(own.data.iterdir()):
        raise HomeError(f"{into} holds data already, and simulated time must not mix with it: name another --into")
    own.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for source in (home.settings_file, home.rules_file, home.policy_file, *((home.secrets_file,) if secrets else ())):
        if source.exists() and not (own.root / source.name).exists():
            shutil.copy2(source, own.root / source.name)
    return own


def _supervised(
    home: Home, configuration: Configuration, paths: Sequence[Path], options: Options, show: Show
) -> ReplayReport:
    started = time.monotonic()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    feeder = ProcessSpec("replay", _feeder(home, paths, options, writing), essential=False)
    stages = [spec for spec in all_processes(home, configuration.settings) if spec.name not in (WEB, COLLECT)]
    mouth = _Mouth(reading)
    failed: list[int] = []

    def on_restart(name: str, code: int) -> None:
        if name == "replay":
            failed.append(code)

    note, messages = noting(configuration.home), home.root / MESSAGES
    supervisor = Supervisor([feeder, *stages], on_restart=on_restart, note=note, messages=messages)
    looked = 0.0

    def each_round() -> bool:
        nonlocal looked
        mouth.listen()
        if failed:
            return False
        if time.monotonic() - looked < LOOK:
            return True
        looked = time.monotonic()
        try:
            with Opened(configuration) as opened:
                show(News(mouth.progress, mouth.report, backlog(opened), time.monotonic() - started))
                return mouth.report is None or not settled(opened) or not told(opened)
        except Transient:
            # The stages wait for it as well, and say so.
            return True

    try:
        supervisor.run(each_round, interval=0.05)
        mouth.listen()
    finally:
        os.close(reading)
        os.close(writing)
    if mouth.report is None:
        raise HomeError(mouth.error or f"the replay ended before its files were read: see {home.root / MESSAGES}")
    return mouth.report


class _Mouth:
    """Reads what the feeding process says on its pipe, a line of JSON each."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.progress: Progress | None = None
        self.report: ReplayReport | None = None
        self.error = ""
        """Why it cannot go on, in words."""

    def listen(self) -> None:
        while True:
            try:
                part = os.read(self._descriptor, 65_536)
            except BlockingIOError:
                return
            if not part:
                return
            *lines, self._rest = (self._rest + part).split(b"\n")
            for line in lines:
                kind, body = line[:1], line[1:]
                if kind == b"p":
                    self.progress = msgspec.json.decode(body, type=Progress)
                elif kind == b"e":
                    self.error = msgspec.json.decode(body, type=str)
                else:
                    self.report = msgspec.json.decode(body, type=ReplayReport)


def _feeder(home: Home, paths: Sequence[Path], options: Options, writing: int) -> Callable[[Stop], None]:
    def body(stop: Stop) -> None:
        halt = halt_on(stop)
        with open_home(home) as opened:
            logs.configure(opened.settings.logging.format, "warning", "replay")
            try:
                report = replay(
                    paths,
                    opened.log,
                    opened.clock,
                    options,
                    cursors=Cursors(opened.engine),
                    ledger=opened.ledger,
                    progress=lambda progress: _say(writing, b"p", progress),
                    hold=_hold(opened),
                    stop=halt,
                )
            except (Unmapped, Unreadable) as error:
                _say(writing, b"e", str(error))
                raise SystemExit(1) from None
        _say(writing, b"r", report)

    return body


def _say(descriptor: int, kind: bytes, what: object) -> None:
    os.write(descriptor, kind + msgspec.json.encode(what) + b"\n")


def _hold(opened: Opened) -> Callable[[], str | None]:
    """Why a replay should wait: the stages behind, or the disk nearly full."""
    looked, reason = 0.0, None

    def hold() -> str | None:
        nonlocal looked, reason
        if time.monotonic() - looked > 0.5:
            looked = time.monotonic()
            lag = opened.log.lag("nlp", POSTS)
            reason = "disk" if opened.disk().pause else "lag" if lag > HIGH_WATER else None
        return reason

    return hold
