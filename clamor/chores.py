"""What is done again and again beside the stages: relay, mails, keeping log and SQL, watching over all of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from socket import gethostname
from typing import Literal

import structlog

from clamor import losses
from clamor.budgets import caps_reached
from clamor.deletes import IndexedDeletes, RoutedDeletes
from clamor.endings import CREDENTIAL, endings, outrun
from clamor.incident_watch import IncidentWatch
from clamor.key_figures import KeyFigures
from clamor.likenesses import Likenesses
from clamor.mail import mailer, messenger
from clamor.matters import Matters
from clamor.offsets import places
from clamor.opening import Opened
from clamor.sources import ailing_sources, silent_sources
from clamor.sql import file_of
from clamor.standstill import BROKEN, standing_still
from clamor.sweeps import troubled_sweeps
from clamor.threads import Chore
from config.home import low_disk
from database import epochs
from database.engine import read, write
from database.tenure import Tenure
from ingest import thinning
from routing import absence, behaviour, by_hand, context, erasure
from routing.casework import WOKEN_AT_ONCE, wake
from routing.counts import fold
from routing.deadline_clock import tick
from routing.desk import Desk
from routing.handover import hand_over
from routing.operations import open_troubles, raise_operations, resolve_operations
from routing.relay import Relay
from routing.unreachable import Unreachable
from stream.clock import DAY, MINUTE, SECOND
from stream.embedded import EmbeddedLog
from stream.losses import Laggard
from stream.ports import Brokered, Log, Transient
from stream.records import Millis
from stream.retention import laggards, sweep
from stream.status import Pressure

log = structlog.get_logger(__name__)

LOOK = 0.5
KEEPER = "keeper"
"""The lease of whoever keeps SQL: retention, the ledger, accounts that went away, the folding of counts, incidents."""
LONGEST_STEP: Millis = 10 * MINUTE
"""A chore that takes longer counts as hanging: another process may begin beside it."""


def of_routing(opened: Opened) -> list[Chore]:
    """The chores of a process that routes. Where several do, on as many machines, one of them keeps SQL, one relays and
    one mails; each watches over its own machine."""
    mails, messages = mailer(opened), messenger(opened)
    keeper = Keeper(opened)
    watch = Watch(opened)
    with read(opened.engine) as connection:
        epoch = epochs.current(connection)
    relay = Relay(opened.engine, opened.log, opened.clock, epoch=epoch)
    kept = Tenure(opened.engine, KEEPER, opened.clock)
    watched = [Chore("incidents", IncidentWatch(opened, kept).step, 1.0)] if opened.settings.incidents.enabled else []
    return [
        Chore("relay", lambda: relay.step() > 0, 0.02, relay.close),
        Chore("deletes", RoutedDeletes(opened, held(opened)).step, LOOK),
        Chore("mailer", lambda: mails.step(opened.clock.now()).more, 0.25, mails.close),
        Chore("messenger", lambda: messages.step(opened.clock.now()).more, 0.5, messages.close),
        Chore("retention", lambda: keep_log(opened), 60.0),
        Chore("watch", watch.step, 5.0),
        *by_one(
            kept,
            *watched,
            Chore("absences", Absences(opened).step, 0.5),
            Chore("cases", CaseClock(opened).step, 5.0),
            Chore("matters", Matters(opened, kept).step, 0.5),
            Chore("compactor", lambda: fold(opened.engine) > 0, 2.0),
            Chore("key figures", KeyFigures(opened).step, 2.0),
            Chore("keeper", keeper.step, 30.0),
            Chore("likenesses", Likenesses(opened).step, 5.0),
            Chore("ledger", LedgerKeeper(opened).step, 600.0),
        ),
    ]


def by_one(tenure: Tenure, *chores: Chore) -> list[Chore]:
    """The chores, done by one process of all machines. A step is False as well where another one does it.

    The last of them to end gives the lease back: one that was still at work would lose it, or take it anew for good.
    """
    at_work, turn = len(chores), threading.Lock()

    def step(chore: Chore) -> bool:
        if not tenure.hold():
            return False
        with tenure.kept(LONGEST_STEP):
            return chore.step()

    def leave() -> None:
        nonlocal at_work
        with turn:
            at_work -= 1
            last = at_work == 0
        if last:
            tenure.leave()

    return [replace(chore, step=partial(step, chore), leave=leave) for chore in chores]


def held(opened: Opened) -> Callable[[], bool]:
    """Whether the disk is so full that nothing but deletes is written; looked up at most every half second."""
    looked, full = 0.0, False

    def tight() -> bool:
        nonlocal looked, full
        now = time.monotonic()
        if now - looked >= LOOK:
            looked = now
            with contextlib.suppress(OSError):
                full = opened.disk().stop
        return full

    return tight


def pressure(opened: Opened, after: tuple[str, str] | None = None, most: int = 0) -> Pressure:
    """What holds a stage back: the disk, or more than `most` records that wait for `after`, the next stage as (group,
    topic); the latter looked up at most every half second."""
    looked, full = 0.0, False
    tight = held(opened)

    def standing() -> Literal["waiting", "held"] | None:
        nonlocal looked, full
        if tight():
            return "held"
        now = time.monotonic()
        if after is not None and now - looked >= LOOK:
            looked = now
            with contextlib.suppress(Transient):
                full = opened.log.lag(*after) > most
        return "waiting" if full else None

    return standing


def keep_log(opened: Opened) -> bool:
    """Let go of old records; what a stage lost by it is written into the ledger. False: nothing more to do."""
    log = opened.log
    if isinstance(log, EmbeddedLog):
        now = opened.clock.now()
        for loss in sweep(log, now).losses:
            losses.record(opened.ledger, loss, now)
    elif isinstance(log, Brokered):
        # The brokers let go by themselves: a stage that stands still must not have to start for its loss to be known.
        for place in places(opened):
            if place.lost:
                log.tell_loss(place.group, place.topic, place.partition, place.next or 0, place.low)
    return False


def of_index(opened: Opened) -> list[Chore]:
    """The chores of the process that owns the index."""
    return [Chore("deletes", IndexedDeletes(opened, held(opened)).step, LOOK)]


class Keeper:
    """Retention in SQL: a chunk a step, round and round."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._desk = Desk(opened.registry.current())
        self._expired = self._forgotten = 0

    def step(self) -> bool:
        """True while the round goes on."""
        opened, now = self._opened, self._opened.clock.now()
        retention = opened.settings.retention
        self._desk.keep_up(opened.registry.current())
        sooner = {network: now - kept for network, kept in retention.networks.items()}
        old = erasure.expire(
            opened.engine, self._desk, now - retention.posts, now, after=self._expired, networks=sooner
        )
        ids = erasure.forget_unmatched(opened.engine, now - retention.ids, now, after=self._forgotten)
        copies = erasure.let_go_of_copies(opened.engine, now)
        context.let_go(opened.engine, now)
        by_hand.let_go(opened.engine, now - retention.posts)
        erasure.let_go_of_notes(opened.engine)
        kinds = behaviour.let_go(opened.engine, now) == behaviour.CHUNK
        self._expired = 0 if old.done else old.after
        self._forgotten = 0 if ids.done else ids.after
        if old.done and ids.done:
            erasure.wipe(opened.engine)
        return copies or kinds or not (old.done and ids.done)


class Absences:
    """Takes along the posts of accounts that went away: a chunk a step."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._desk = Desk(opened.registry.current())
        self._unreachable = Unreachable(opened.clock)

    def step(self) -> bool:
        """True while there is more to take along."""
        with read(self._opened.engine) as connection:
            if not absence.waiting(connection):
                return False
        self._desk.keep_up(self._opened.registry.current())
        swept = absence.sweep(self._opened.engine, self._desk, self._opened.clock.now())
        self._unreachable.note(swept.gone)
        self._unreachable.tidy(self._opened.engine)
        return swept.more


class CaseClock:
    """Wakes the snoozed cases whose time has come, tells of deadlines and hands over at the end of a team's day, by the
    home's own clock."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._desk = Desk(opened.registry.current())

    def step(self) -> bool:
        """True while there may be more to do."""
        engine, now = self._opened.engine, self._opened.clock.now()
        self._desk.keep_up(self._opened.registry.current())
        woken = wake(engine, self._desk, now) == WOKEN_AT_ONCE
        handed = hand_over(engine, self._desk, now) > 0
        return tick(engine, self._desk, now) > 0 or woken or handed


class LedgerKeeper:
    """Keeps the coverage ledger short: a day of it a step, from the oldest to the one that ended a day ago."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._since: Millis = 0

    def step(self) -> bool:
        """True while the round goes on."""
        engine, now = self._opened.engine, self._opened.clock.now()
        if thinning.forget(engine, now - self._opened.settings.retention.coverage):
            return True
        day = thinning.next_day(engine, self._since)
        if day is None or day + 2 * DAY > now:
            return False
        thinning.thin(engine, day)
        self._since = day + DAY
        return True


SET_BACK: Millis = 10 * SECOND
"""A wall clock that was set back by more than this is told of; less is what keeping it right takes."""
_WATCHED = (
    "stage:",
    "retention:",
    "disk:data",
    "coverage:silent:",
    "coverage:source:",
    "coverage:sweep:",
    "budget:",
    CREDENTIAL,
    "clock:",
)
"""How the keys of troubles that `Watch` raises, and resolves, begin."""
_OF_THIS_MACHINE = ("stage:", "disk:data", "clock:")
"""Of these: those that another machine knows nothing of, and must not take for over."""


class Watch:
    """Tells of stages that make no progress or come near to losing records, of budgets and credentials that come to
    their end, of a disk that fills up, of a clock that was set back; once each, until it is over. What a process before
    this one has told of, it goes on with."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._here = f"@{opened.home.machine}" if file_of(opened.configuration) is None else ""
        """Where other machines may watch as well: the name of this one."""
        with read(opened.engine) as connection:
            self._raised = {key for key in open_troubles(connection, _WATCHED) if key == self._key(key)}
        self._set_by = self._wall_ahead()
        self._look_behind_at: Millis = 0
        self._were_behind: list[Laggard] = []

    def step(self) -> bool:
        found = {
            **self._stages(),
            **self._behind(),
            **self._disk(),
            **self._silent(),
            **caps_reached(self._opened),
            **endings(self._opened),
            **self._sweeps(),
            **self._clock(),
        }
        troubles = {self._key(key): self._placed(key, why) for key, why in found.items()}
        now = self._opened.clock.now()
        over = self._raised - troubles.keys()
        if troubles or over:
            with write(self._opened.engine) as connection:
                for key in over:
                    resolve_operations(connection, key, now)
                told = open_troubles(connection, (CREDENTIAL,))
                for key, why in troubles.items():
                    if outrun(key, told):
                        continue
                    if raise_operations(connection, key, key.partition(":")[0], why, now):
                        log.error("trouble", key=key, why=why)
            self._raised = set(troubles)
        return False

    def _stages(self) -> dict[str, str]:
        return {
            f"stage:{one.stage}": f"stage {one.stage} makes no progress: {one.why}"
            for one in standing_still(self._opened)
        }

    def _behind(self) -> dict[str, str]:
        """Stages that stand still for so long that retention comes near to what they have not done."""
        log, now = self._opened.log, self._opened.clock.now()
        found = laggards(log, now) if isinstance(log, EmbeddedLog) else self._behind_at_brokers(log, now)
        return {
            f"retention:{one.group}:{one.topic}:{one.partition}:{one.level}": (
                f"stage {one.group} stands still on {one.topic}: {one.percent} % of the retention has passed "
                f"and {one.behind} records are not done; see clamor status, records are lost at 100 %"
            )
            for one in found
        }

    def _behind_at_brokers(self, log: Log, now: Millis) -> list[Laggard]:
        """Looked up once a minute, each time by several questions; as before while nobody answers."""
        steady = self._opened.clock.steady()
        if steady >= self._look_behind_at:
            self._look_behind_at = steady + MINUTE
            with contextlib.suppress(*BROKEN):
                retention = self._opened.settings.engines.log.retention
                self._were_behind = losses.laggards(log, places(self._opened), retention, now)
        return self._were_behind

    def _silent(self) -> dict[str, str]:
        """Sources that used to bring posts and bring none though they are listened to, or that cannot be asked."""
        found = {f"coverage:silent:{one.id}": one.why for one in silent_sources(self._opened)}
        return found | {f"coverage:source:{one.id}": one.why for one in ailing_sources(self._opened)}

    def _sweeps(self) -> dict[str, str]:
        """Sources whose posts are not looked up again in time, or not at all."""
        return {f"coverage:sweep:{source}": why for source, why in troubled_sweeps(self._opened).items()}

    def _disk(self) -> dict[str, str]:
        """Two troubles, so that the worse one is told to people who know of the other; never both at once."""
        data, free = self._opened.home.data, self._opened.disk()
        found = {"disk:data:stop"} if free.stop else set[str]()
        if free.pause and (not free.stop or self._key("disk:data") in self._raised):
            found.add("disk:data")
        return dict.fromkeys(sorted(found), low_disk(data, free))

    def _clock(self) -> dict[str, str]:
        before, self._set_by = self._set_by, self._wall_ahead()
        back = before - self._set_by
        if back <= SET_BACK:
            return {}
        why = (
            f"the clock of this machine was set back by {back // SECOND} s; nothing waits for it, but the times of "
            "what came in before it lie ahead: look at its time service"
        )
        return {"clock:wall": why}

    def _key(self, key: str) -> str:
        """As it is kept: with this machine's name where other machines keep theirs beside it."""
        here = self._here if key.startswith(_OF_THIS_MACHINE) else ""
        return key if key.endswith(here) else key + here

    def _placed(self, key: str, why: str) -> str:
        return f"{why} (on {gethostname()})" if self._here and key.startswith(_OF_THIS_MACHINE) else why

    def _wall_ahead(self) -> Millis:
        return self._opened.clock.wall() - self._opened.clock.steady()
