"""Clamor's own asking: a runner in a thread for every source in force that is a `Collected`, as long as it is in force.

Several processes may collect: a lease a source says which of them asks it. What is applied meanwhile counts within
seconds; a source that cannot be asked is a trouble of its own, and the others go on.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any, NamedTuple

import structlog

from clamor import networks
from clamor.budgets import budget_of
from clamor.clocks import pace_of
from clamor.held import HeldInSQL
from clamor.holding import Holding
from clamor.networks import NotInstalled
from clamor.opening import Opened
from clamor.presence import Presence
from clamor.roles import COLLECT
from config.sources import Collected
from database.engine import read, rows
from database.tenure import Tenure
from ingest.collector import Collector, Denied, Source
from ingest.credentials import ends_of
from ingest.cursors import Cursors, SourceNotes
from ingest.patience import DISK, Backoff
from ingest.runner import Runner
from ingest.setting import Setting
from ingest.standing import CollectorStanding, Standings, State
from ingest.sweep_plan import schedule_of
from ingest.tokens import KeptTokens
from ingest.turns import Turns
from ingest.wanted import Wanted, wanted
from query.prefilter import compile_prefilter
from stream.clock import MINUTE, SECOND
from stream.ports import InForce, Transient, Unusable
from stream.process import here
from stream.records import Millis

log = structlog.get_logger(__name__)

LOOK = 0.25
"""Seconds between two looks at what is in force, which costs a statement a second."""
TELL_EVERY = 2.0
SAID_AT_LEAST_EVERY: Millis = 15 * SECOND
"""Wall time after which a source's standing is told again though nothing has changed."""
URGENT_EVERY = 10.0
AGAIN = Backoff(5 * SECOND, 5 * MINUTE)
"""How long a source waits that cannot be made or whose runner fell: what it lacks may come."""
LEAVING = 20.0
"""Seconds that all sources together have to finish what is in hand when the process ends."""

Make = Callable[[Collected, Setting], Collector]


def collect(opened: Opened, stop: Callable[[], bool]) -> None:
    """Blocks until `stop`."""
    collecting, presence = Collecting(opened), Presence(opened, COLLECT)
    told = float("-inf")
    lived_through = pace_of(opened.home) is not None
    if lived_through:
        log.info("no source is asked: this home's time is simulated, and what a network says now is not of it")
    try:
        while not stop():
            presence.serving()
            if lived_through:
                time.sleep(LOOK)
                continue
            try:
                collecting.look()
                if time.monotonic() - told >= TELL_EVERY:
                    told = time.monotonic()
                    collecting.tell()
            except (Transient, Unusable) as fault:
                log.warning("collecting waits for a fault to pass", why=str(fault))
                time.sleep(1.0)
            time.sleep(LOOK)
        presence.ended()
    finally:
        collecting.close()


class Collecting:
    """The sources that this process asks, or stands ready to ask."""

    def __init__(self, opened: Opened, make: Make = networks.make) -> None:
        self._opened, self._make = opened, make
        self._brands = BrandsInForce(opened)
        self._standings = Standings(opened.engine)
        self._turns = Turns()
        self._asked: dict[str, Asked] = {}
        self._leaving: list[Asked] = []

    def look(self) -> None:
        """Start what is new, stop what is gone, and both for what has changed. Raises Transient."""
        inforce = {one.id: one for one in self._opened.registry.sources() if isinstance(one, Collected)}
        for id, asked in list(self._asked.items()):
            if id not in inforce or asked.changed(inforce[id]):
                log.info("source left", source=id, why="changed" if id in inforce else "not in force any more")
                asked.stop.set()
                self._leaving.append(self._asked.pop(id))
        self._leaving = [one for one in self._leaving if one.alive]
        for id, source in inforce.items():
            if id not in self._asked:
                log.info("source taken up", source=id)
                self._asked[id] = Asked(self._opened, source, self._make, self._brands, self._turns)
                self._asked[id].start()

    def tell(self) -> None:
        """How each source does that is asked here. Raises Transient; then the same is told the next time."""
        words = [(asked, word) for asked in self._asked.values() if (word := asked.word()) is not None]
        broken = [word for _, word in words if word.state == "broken"]
        others = self._standings.all() if broken else {}
        wall, own = self._opened.clock.wall(), this_process_name()
        better = {
            one.source_id for one in others.values() if one.process != own and one.state != "broken" and one.fresh(wall)
        }
        said = [(asked, word) for asked, word in words if word.state != "broken" or word.source_id not in better]
        self._standings.add([word for _, word in said])
        for asked, word in said:
            asked.was_told(word)

    def close(self) -> None:
        """All end what is in hand; who does not within LEAVING is left to end with the process."""
        everyone = [*self._asked.values(), *self._leaving]
        for asked in everyone:
            asked.stop.set()
        ends = time.monotonic() + LEAVING
        for asked in everyone:
            asked.join(max(0.1, ends - time.monotonic()))
        with suppress(Transient, Unusable):
            self.tell()


class BrandsInForce:
    """The brands as collectors ask for them, anew whenever they have changed. Several threads may ask."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._urgent: frozenset[str] = frozenset()
        self._looked = float("-inf")

    def wanted(self, only: Collection[str]) -> tuple[Wanted, ...]:
        return wanted(self._opened.registry.current().brands, only, self.urgent())

    def urgent(self) -> frozenset[str]:
        """Brands with a live case in queue `pr`; as before while SQL does not answer."""
        now = time.monotonic()
        if now - self._looked >= URGENT_EVERY:
            self._looked = now
            with suppress(Transient), read(self._opened.engine) as connection:
                self._urgent = frozenset(brand for (brand,) in rows(connection, _URGENT))
        return self._urgent

    def prefilter(self, only: Collection[str]) -> Callable[[str], bool]:
        """What passes names one of the brands in force at that moment."""
        registry = self._opened.registry
        made: tuple[InForce | None, Callable[[str], bool]] = (None, lambda _: False)

        def may_match(text: str) -> bool:
            nonlocal made
            inforce = registry.current()
            if made[0] is not inforce:
                made = (inforce, compile_prefilter(one for one in inforce.brands if not only or one.id in only))
            return made[1](text)

        return may_match


_URGENT = "SELECT DISTINCT d.value FROM cases c JOIN dictionary d ON d.n = c.brand WHERE c.live = 1 AND c.queue = 'pr'"


class Counts(NamedTuple):
    appended: int = 0
    filled: int = 0
    filtered: int = 0
    dead: int = 0
    cuts: int = 0

    def plus(self, other: Counts) -> Counts:
        return Counts(*(one + another for one, another in zip(self, other, strict=True)))

    def less(self, other: Counts) -> Counts:
        return Counts(*(one - another for one, another in zip(self, other, strict=True)))


class Asked:
    """One source, in a thread of its own; how it stands is asked from another one."""

    def __init__(self, opened: Opened, source: Collected, make: Make, brands: BrandsInForce, turns: Turns) -> None:
        self.source, self.stop = source, threading.Event()
        self._opened, self._make, self._brands, self._turns = opened, make, brands, turns
        self._keys = keys(opened, source)
        self._thread = threading.Thread(target=self._run, name=f"collect-{source.id}", daemon=True)
        self._runner: Runner | None = None
        self._lacks = ""
        """Why no collector can be made, in words."""
        self._before = self._told = Counts()
        """Of runners that are over; of all that was told."""
        self._last: tuple[str, str, Millis | None, Millis] | None = None

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def changed(self, source: Collected) -> bool:
        """Its section, or a secret that it names."""
        return source != self.source or keys(self._opened, source) != self._keys

    def word(self) -> CollectorStanding | None:
        """None: nothing new, or another process asks it."""
        runner, lacking, clock = self._runner, self._lacks, self._opened.clock
        counts, wall = self._counts().less(self._told), clock.wall()
        if runner is None and not lacking:
            return None
        if runner is not None and not runner.has_turn and counts == Counts():
            return None
        state: State = "broken" if runner is None or lacking else _state(runner)
        trouble = lacking if runner is None or lacking else runner.trouble
        ends = None if runner is None else ends_of(runner.collector)
        if (
            self._last is not None
            and self._last[:3] == (state, trouble, ends)
            and counts == Counts()
            and wall - self._last[3] < SAID_AT_LEAST_EVERY
        ):
            return None
        return CollectorStanding(
            source_id=self.source.id,
            process=this_process_name(),
            state=state,
            trouble=trouble,
            since=clock.now(),
            reached_at=runner.reached_at if runner is not None else None,
            last_post_at=runner.last_post_at if runner is not None else None,
            looked_at=wall,
            ends_at=ends,
            **counts._asdict(),
        )

    def was_told(self, word: CollectorStanding) -> None:
        self._last = (word.state, word.trouble, word.ends_at, word.looked_at)
        said = Counts(word.appended, word.filled, word.filtered, word.dead, word.cuts)
        self._told = self._told.plus(said)

    def _counts(self) -> Counts:
        runner = self._runner
        return self._before if runner is None else self._before.plus(_counts(runner))

    def _run(self) -> None:
        again = Backoff(AGAIN.first, AGAIN.most)
        while not self.stop.is_set():
            try:
                runner = self._made()
            except Exception as fault:
                self._lacks = lacks(fault)
                log.error("source cannot be asked", source=self.source.id, why=self._lacks)
            else:
                self._lacks, self._runner = "", runner
                if self._outlasted(runner):
                    again.reset()
                if runner.ended:
                    self.stop.wait()
            self.stop.wait(again.next() / SECOND)

    def _outlasted(self, runner: Runner) -> bool:
        """Runs it until its end; whether that was in order."""
        try:
            runner.run()
        except Exception as fault:
            log.error("runner fell, started anew", source=self.source.id, fault=type(fault).__name__)
            self._before, self._runner = self._before.plus(_counts(runner)), None
            return False
        return True

    def _made(self) -> Runner:
        opened, source = self._opened, self.source
        budget = budget_of(opened, source, lambda: self._brands.wanted(source.listen_for))
        setting = setting_of(opened, source, self._brands, self.stop)
        if budget is not None:
            setting = replace(setting, allowed=budget.allowed)
        collector = self._make(source, setting)
        return Runner(
            collector,
            opened.log,
            Cursors(opened.engine),
            opened.ledger,
            opened.clock,
            prefilter=self._brands.prefilter(source.listen_for),
            hold=Holding(opened).reason,
            budget=budget,
            stop=self.stop,
            tenure=Tenure(opened.engine, f"source:{source.id}", opened.clock),
            turns=self._turns,
            urgent=self._is_urgent,
            held=HeldInSQL(opened.engine),
            sweeps=schedule_of(source),
            concerns=self._concerns,
            fill_after_cap=source.budget.fill_after_cap,
            alone=not networks.pushes(source),
        )

    def _concerns(self, query: str) -> tuple[str, ...]:
        """What is missing of one brand lowers no other's figure."""
        source = self.source
        of_one = any(query == one.brand for one in self._brands.wanted(source.listen_for))
        asked = (query,) if of_one else source.listen_for
        return tuple(dict.fromkeys((*source.brands, *asked)))

    def _is_urgent(self, query: str) -> bool:
        """Whether a hole of this query is one of a brand in a crisis; without a query, of all that are asked for."""
        return any(one.urgent for one in self._brands.wanted(self.source.listen_for) if query in ("", one.brand))


def setting_of(
    opened: Opened,
    source: Collected,
    brands: BrandsInForce,
    stop: threading.Event,
    only: Sequence[str] | None = None,
) -> Setting:
    """What a network's file is given; `only` these brands instead of those that the source listens for."""
    chosen = tuple(source.listen_for if only is None else only)
    return Setting(
        source=source_of(source),
        wanted=lambda: brands.wanted(chosen),
        secret=lambda name: secret(opened, name),
        clock=opened.clock,
        stop=stop,
        prefilter=brands.prefilter(chosen),
        public_url=(opened.settings.api.public_url or "").rstrip("/"),
        notes=SourceNotes(opened.engine, source.id, opened.clock.wall),
        tokens=KeptTokens(opened.engine, opened.clock),
    )


def source_of(source: Collected) -> Source:
    named: Any = source
    return Source(
        id=source.id,
        network=named.kind,
        brands=source.brands,
        access=source.access,
        max_lateness=source.max_lateness,
    )


def secret(opened: Opened, name: str) -> str | None:
    found = opened.configuration.secrets.get(name)
    return None if found is None else found.get_secret_value()


def keys(opened: Opened, source: Collected) -> tuple[tuple[str, bytes], ...]:
    """The secrets that its section names, each as a hash: when one is replaced, the source is begun anew."""
    names = [str(value) for field, value in source if field.endswith("_env") and value]
    found = [(name, secret(opened, name)) for name in names]
    return tuple((name, blake2b((value or "").encode(), digest_size=16).digest()) for name, value in found)


def lacks(fault: Exception) -> str:
    """Why no collector could be made, without a strange fault's words: they may hold a secret."""
    return str(fault) if isinstance(fault, NotInstalled | Denied | Transient) else f"unexpected {type(fault).__name__}"


def this_process_name() -> str:
    """The same in every call of a process."""
    return f"{here().partition('/')[0]}:{os.getpid()}"


def _state(runner: Runner) -> State:
    if runner.ended:
        return "ended"
    held = runner.hold()
    if held == DISK:
        return "paused"
    if runner.connected:
        return "waiting" if held is not None else "listening"
    if runner.refused:
        return "refused"
    return "cut" if runner.trouble else "starting"


def _counts(runner: Runner) -> Counts:
    return Counts(runner.appended, runner.filled, runner.filtered, runner.dead, runner.cuts)
