"""Runs a collector: appends before the cursor moves, waits when told to, tries again after faults, keeps the ledger.

One runner, one source. What a network's file need not know stands here: back-pressure, back-off, budget, the origin of
late posts, holes and their filling, and a stop that finishes what is in hand.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from threading import Event, Thread
from typing import Any, cast

import structlog

from database.tenure import LeaseLost, Tenure
from ingest.beside import Beside
from ingest.collector import (
    Budget,
    Collector,
    CursorLost,
    Delivery,
    Denied,
    Exhausted,
    Hole,
    Interrupted,
    Span,
    Sweepable,
)
from ingest.context import ContextFetcher
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.gaps import SPEND_CAP, Gaps
from ingest.intake import Intake, Prefilter
from ingest.known import Held
from ingest.lately import Lately
from ingest.patience import BUDGET_WAIT, DENIED_WAIT, DISK, USED_UP, Backoff, Hold, Stopped, held, insist
from ingest.sweep_plan import Schedule
from ingest.sweeper import Sweeper
from ingest.turns import Turns
from ingest.windows import Windows
from stream.clock import DAY, MINUTE, SECOND, Clock
from stream.ports import Log, Transient
from stream.records import Millis

CURSOR_EVERY: Millis = SECOND
"""Wall time between two writings of the cursor: what a killed collector brings twice at most."""
STEADY: Millis = 30 * SECOND
"""Wall time that a connection has to last before the next fault waits as short as the first."""
LOST_MOST: Millis = 16 * SECOND
"""The longest wait after a stream's connection was lost that had come about: the network answers, so that only how
often it may be asked matters. X asks for no more ("Handling disconnections")."""
DISK_WAIT: Millis = 10 * SECOND
FILL_AGAIN: Millis = MINUTE
LONGEST: Millis = DAY
"""A connection or a wait that lasts longer counts as hanging, where several processes may run the source."""
WINDOWS_EVERY: Millis = 10 * SECOND
"""Wall time between two writings of what a stream's open windows hold: so much more than it missed is a killed one's
hole, of a network that is paid for each post."""
BEHIND: Millis = MINUTE
"""A stream whose posts are older, as it says itself, is not read up to now: more of them wait."""
GROWS: Millis = MINUTE
"""How often a hole is noted anew while its network is left alone: a quota may be used up until midnight."""
TURN: Millis = SECOND
"""How often a process that does not run its source asks for it."""
BEGUN = "begun"
"""Name of the cursor that says since when a source is listened to, until the ledger has its first row."""

_log = structlog.get_logger(__name__)


class Runner:
    """`run` returns when `stop` is set or the source has an end; `trouble` says in words what is wrong meanwhile."""

    def __init__(
        self,
        collector: Collector,
        log: Log,
        cursors: Cursors,
        ledger: Ledger,
        clock: Clock,
        *,
        prefilter: Prefilter | None = None,
        held: Held | None = None,
        hold: Hold | None = None,
        budget: Budget | None = None,
        backoff: Backoff | None = None,
        stop: Event | None = None,
        tenure: Tenure | None = None,
        turns: Turns | None = None,
        urgent: Callable[[str], bool] = lambda _: False,
        sweeps: Schedule = (),
        concerns: Callable[[str], Collection[str]] | None = None,
        fill_after_cap: bool = False,
        alone: bool = True,
    ) -> None:
        """`tenure`: where several processes may run this source, the lease under which one of them does. `turns` and
        `urgent`: in which order holes are filled (see `ingest.gaps.Gaps`). `held`: what tells which posts of a firehose
        may be here (see `ingest.known`). `sweeps`: how often its posts are looked up again, where its network can be
        asked for single posts. `concerns`: the brands that a row of the ledger is about, by its query; None: those of
        the source. `fill_after_cap`: whether what a cap left out of single queries is asked for when it has room.
        `alone`: nobody else appends posts of this source (no webhook), so that what was appended last is known."""
        self.collector, self.source = collector, collector.source
        self.lately = Lately() if alone else None
        self.intake = Intake(log, self.source, prefilter, held, self.lately)
        self.cursors, self.clock, self.budget = cursors, clock, budget
        self.hold, self.backoff, self.stop = hold or (lambda: None), backoff or Backoff(), stop or Event()
        self._lost = Backoff(self.backoff.first, min(self.backoff.most, LOST_MOST))
        """After connections of a stream that were lost; `backoff` is for those that did not come about."""
        self.windows = Windows(self.source, ledger, concerns)
        self.gaps = Gaps(
            collector, self.intake, cursors, ledger, clock,
            turns=turns, urgent=urgent, concerns=concerns, after_cap=fill_after_cap,
        )  # fmt: skip
        self._ledger = ledger
        self.trouble = ""
        self.appended = self.filtered = self.dead = self.cuts = 0
        """Of the stream itself; what the filler brought is in `filled`."""
        self.last_post_at: Millis | None = None
        self.ended = self.refused = False
        """The source has an end, and it is reached; the network refuses, and a person has to act."""
        self._tenure = tenure
        self._began_under: int | None = None
        self._gap_since: Millis | None = self._known_until()
        self._gap_why = "it was not running"
        self._caught_up_at: Millis | None = None
        self._recalled = False
        self._connected_at: Millis = 0
        self._late_before: Millis = 0
        """End of the last hole: what comes from before it is gap-filled."""
        self._cursor = self._cursor_kept = cursors.get(self.source.id)
        self._cursor_kept_at: Millis = 0
        self._windows_kept_at: Millis = 0
        self._over, self._connected, self._wake_filler = Event(), Event(), Event()
        self.sweeper: Sweeper | None = None
        if sweeps and isinstance(collector, Sweepable):
            self.sweeper = Sweeper(collector, self.source, sweeps, log, self._beside())
        self.context = ContextFetcher(collector, log, self._beside())

    @property
    def filled(self) -> int:
        """Posts appended that filled a hole."""
        return self.gaps.appended

    @property
    def has_turn(self) -> bool:
        """Whether this process runs the source, as far as it knows."""
        return self._tenure is None or (self._began_under is not None and self._tenure.fence == self._began_under)

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    @property
    def reached_at(self) -> Millis | None:
        """Up to when all that was asked for came, but for older holes; None: nothing is known yet."""
        return self._gap_since if self._gap_since is not None else self.windows.until()

    def _beside(self) -> Beside:
        """For work in a thread of its own."""
        return Beside(
            self.source.id,
            self.cursors.engine,
            self._ledger,
            self.clock,
            hold=self.hold,
            budget=self.budget,
            backoff=Backoff(self.backoff.first, self.backoff.most),
            has_turn=self._has_the_turn,
            turn_kept=self._turn_kept,
            guard=None if self._tenure is None else self._tenure.guard,
            lately=self.lately,
        )

    def run(self) -> None:
        """Collect until stopped or until the source ends; other threads fill holes, sweep and fetch what replies answer
        meanwhile."""
        besides = [("fill", self._fill), ("context", self.context.run)]
        if self.sweeper is not None:
            besides.append(("sweep", self.sweeper.run))
        threads = [Thread(target=work, name=f"{name}-{self.source.id}", daemon=True) for name, work in besides]
        for thread in threads:
            thread.start()
        try:
            while not self.stop.is_set() and self._round():
                pass
        finally:
            try:
                self._say_how_far()
            finally:
                self._end(threads)

    def _say_how_far(self) -> None:
        """Where another process runs the source by now, it knows better where that stands. Where SQL does not answer,
        whoever goes on finds an older cursor and a longer gap."""
        with suppress(LeaseLost):
            self._keep_cursor()
            with suppress(Transient):
                self.windows.close_all(self.clock.now())

    def _end(self, threads: Sequence[Thread]) -> None:
        self._over.set()
        self._wake_filler.set()
        threads[0].join()
        for work in (self.context, self.sweeper):
            if work is not None:
                work.beside.stop.set()
        for thread in threads:
            thread.join()
        self.collector.close()
        self._pay_back()
        if self._tenure is not None:
            with suppress(Transient):
                self._tenure.leave()

    def _round(self) -> bool:
        """A connection or a cut; False when it is over."""
        try:
            try:
                if self._has_turn():
                    self._collect()
            except (Exhausted, Stopped, LeaseLost):
                raise
            except Exception as fault:
                self._cut(fault)
        except LeaseLost:
            self._give_way()
        except Exhausted:
            self.ended = True
            return False
        except Stopped:
            return False
        return True

    # --- one of several ---

    def _has_turn(self) -> bool:
        """Whether this process runs the source; waits a moment where another one does. Whoever takes it over goes on
        from where SQL says that it stands."""
        tenure = self._tenure
        if tenure is None:
            self._recall()
            return True
        if not insist(tenure.hold, self.stop):
            self.stop.wait(TURN / 1000)
            return False
        if self._began_under != (fence := tenure.fence):
            self._cursor = self._cursor_kept = insist(lambda: self.cursors.get(self.source.id), self.stop)
            self._gap_since = insist(self._known_until, self.stop)
            self._recalled = False
            self._began_under = fence
        self._recall()
        return True

    def _recall(self) -> None:
        """What was appended by whoever had the source before; where the log does not answer, some of it comes twice."""
        if self.lately is not None and not self._recalled:
            self._recalled = True
            with suppress(Transient):
                self.lately.recall(self.intake.log, self.source.network, self.clock.now())

    def _known_until(self) -> Millis | None:
        """Up to when anything is known. A hole that was being closed when its process died goes on: what was missed
        comes from the cursor on."""
        latest = self._ledger.latest(self.source.id)
        if latest is None and (begun := self.cursors.get(self.source.id, BEGUN)) is not None:
            return int(begun)
        if latest is not None and self.collector.resumes:
            for gap in self._ledger.gaps([self.source.id], fillable=True):
                if gap.until == latest and not gap.query:
                    return gap.since
        return latest

    def _has_the_turn(self) -> bool:
        """Whether this process runs the source at this moment, for those who work beside the collector."""
        tenure = self._tenure
        return tenure is None or (self._began_under is not None and tenure.hold() and tenure.fence == self._began_under)

    def _turn_kept(self) -> AbstractContextManager[None]:
        return nullcontext() if self._tenure is None else self._tenure.kept(LONGEST)

    def _give_way(self) -> None:
        """What came since the last writing of the cursor comes once more to the one that has the source now."""
        _log.warning("ingest.gave_way", source=self.source.id)
        self._connected.clear()
        self._cursor = self._cursor_kept = self._began_under = self._caught_up_at = None
        self.windows.drop_all()

    # --- a connection ---

    def _collect(self) -> None:
        """One connection of a stream, or one round of a poll."""
        self._go_on()
        since = self.clock.steady()
        with self._turn_kept(), closing(cast("Any", self.collector.collect(self._cursor))) as deliveries:
            for place, delivery in enumerate(deliveries):
                self._check_turn()
                if place == 0:
                    self._now_connected()
                # Before anything else is asked for: what was fetched is paid for, and may not come again.
                self._take(delivery)
                if self.clock.steady() - since >= STEADY:
                    self.backoff.reset()
                    self._lost.reset()
                if self.stop.is_set():
                    return
                self._go_on()
        if self.stop.is_set():
            # It may have ended because of that.
            return
        if self.collector.style == "stream":
            raise Interrupted("the stream ended")
        self._now_connected()
        self._caught_up()
        self._keep_windows(self.clock.now(), at_once=False)
        self._keep_cursor()
        self.backoff.reset()
        self._rest(self.collector.interval / 1000 / getattr(self.clock, "speed", 1.0))

    def _take(self, delivery: Delivery) -> None:
        now, drafts = self.clock.now(), delivery.drafts
        took = insist(
            lambda: self.intake.take(drafts, now, "live", delivery.malformed, late_before=self._connected_at), self.stop
        )
        self.appended += len(took.kept)
        if took.kept:
            self.last_post_at = now
        if self.sweeper is not None and drafts and took.kept:
            self.sweeper.seen(drafts, took.kept[-1])
        self.filtered += took.filtered + delivery.filtered
        self.dead += took.dead
        self._pay(delivery, delivery.whose(""))
        times = [draft.seen_at or draft.claimed_at or now for draft in drafts]
        reached = delivery.reached if delivery.reached is not None else max(times, default=now)
        if delivery.hole is not None:
            self._note_hole(delivery.query, delivery.hole)
        else:
            # What waits behind these posts is lost with the connection, and a hole then.
            late = not self.collector.resumes and delivery.reached is not None and now - reached > BEHIND
            self.windows.add(delivery, took, now, reached, behind=reached if late else None)
        if delivery.cursor is not None:
            self._cursor = delivery.cursor
        # Killed before the first one was kept, it would begin anew, behind what came meanwhile.
        first = self._cursor is not None and self._cursor_kept is None
        if first or self.clock.steady() - self._cursor_kept_at >= CURSOR_EVERY:
            self._keep_cursor()
        if self.collector.style == "stream":
            if self._caught_up_at is not None and reached >= self._caught_up_at:
                self._caught_up()
            # A row that goes up to now must not hide what the others are not known to have read.
            self._keep_windows(now, at_once=delivery.span is not None)

    def _note_hole(self, query: str, hole: Hole) -> None:
        insist(lambda: self.gaps.note_hole(query, hole), self.stop)
        if not hole.lasts:
            self._wake_filler.set()

    def _keep_windows(self, now: Millis, *, at_once: bool) -> None:
        steady = self.clock.steady()
        if not at_once and steady - self._windows_kept_at < WINDOWS_EVERY:
            return
        self._windows_kept_at = steady
        insist(lambda: self.windows.keep(now), self.stop)

    def _keep_cursor(self) -> None:
        self._cursor_kept_at = self.clock.steady()
        if self._cursor is not None and self._cursor != self._cursor_kept:
            wall = self.clock.wall()
            guard = self._tenure.guard if self._tenure is not None else None
            insist(lambda: self.cursors.put(self.source.id, "", self._cursor or "", wall, guard), Event())
            self._cursor_kept = self._cursor

    def _pay(self, delivery: Delivery, whose: str) -> None:
        budget, wall = self.budget, self.clock.wall()
        if budget is not None:
            insist(lambda: budget.spent(self.source.id, delivery.cost, delivery.asked, wall, whose), self.stop)

    def _pay_back(self) -> None:
        """What this thread had reserved for its next request is free again."""
        if self.budget is not None:
            with suppress(Transient):
                self.budget.leave()

    def _go_on(self, query: str | None = None) -> None:
        """Return when the next request may be made; `query`: what it is for, where one thing alone is asked for. Raises
        Interrupted where waiting would hide a hole, Stopped, LeaseLost."""
        self._check_turn()
        reason = self.hold()
        if reason == DISK:
            raise Interrupted("too little disk is free: collecting is paused", retry_after=DISK_WAIT)
        if reason is not None:
            held(self.hold, self.stop)
        budget = self.budget
        while budget is not None:
            wait = insist(lambda: budget.wait(self.source.id, self.clock.wall(), query), self.stop)
            if wait < 0:
                raise Interrupted(f"{SPEND_CAP}: {USED_UP}", retry_after=BUDGET_WAIT)
            if not wait:
                return
            with self._turn_kept():
                if self.stop.wait(wait / 1000):
                    raise Stopped

    def _check_turn(self) -> None:
        tenure = self._tenure
        if tenure is not None and not (insist(tenure.hold, self.stop) and tenure.fence == self._began_under):
            raise LeaseLost(f"source {self.source.id} was run by another process meanwhile")

    # --- cuts, holes ---

    def _cut(self, fault: Exception) -> None:
        """The connection is gone: its hole is in the ledger from now on and grows until it comes back."""
        wait = self._waits_for(fault)
        self.cuts += 1
        self._connected.clear()
        now = self.clock.now()
        if isinstance(fault, CursorLost):
            self._cursor = self._cursor_kept = None
        if self._gap_since is None:
            known = [self.windows.until() or now, getattr(fault, "since", None) or now]
            self._gap_since, self._gap_why = min(known), self.trouble
        self._caught_up_at = None
        insist(lambda: self.windows.close_all(now), self.stop)
        self.gaps.cut()
        self._keep_cursor()
        self._note_gap(self._gap_since)
        _log.warning("ingest.cut", source=self.source.id, fault=type(fault).__name__, why=self.trouble, wait_ms=wait)
        self._leave_alone(wait, self._gap_since)

    def _note_gap(self, since: Millis) -> None:
        span = Span(since, self.clock.now())
        insist(lambda: self.gaps.note(span, self._gap_why), self.stop)

    def _leave_alone(self, wait: Millis, gap_since: Millis) -> None:
        """A number of the last minutes must say that they are missing, however long the network is not asked. Raises
        LeaseLost."""
        while True:
            self._rest(min(wait, GROWS) / 1000)
            wait -= GROWS
            if wait <= 0 or self.stop.is_set():
                return
            self._check_turn()
            self._note_gap(gap_since)

    def _rest(self, seconds: float) -> None:
        """Wait, and stay the one that runs the source."""
        with self._turn_kept():
            self.stop.wait(seconds)

    def _waits_for(self, fault: Exception) -> Millis:
        """How long to wait after a fault; sets `trouble`, without a strange fault's words: they may hold a post's."""
        self.refused = isinstance(fault, Denied)
        if self.refused:
            self.trouble = f"refused by the network, a person has to act: {fault}"
            return DENIED_WAIT
        known = isinstance(fault, Interrupted | CursorLost)
        self.trouble = str(fault) if known else f"unexpected {type(fault).__name__}"
        named = fault.retry_after if isinstance(fault, Interrupted) else None
        if named is not None and named >= self.backoff.first:
            return named
        # A network that names no time, or none to speak of, must not be asked again and again at once.
        lost = self.collector.style == "stream" and self._connected.is_set()
        return (self._lost if lost else self.backoff).next()

    def _now_connected(self) -> None:
        """The network answers. A hole before now is closed by what comes, or asked for by the filler."""
        now = self.clock.now()
        self.trouble, self.refused = "", False
        if self._connected.is_set():
            return
        self._connected_at = now
        if self.collector.style == "stream":
            self.backoff.reset()
        if not self.collector.resumes and self._ledger.latest(self.source.id) is None:
            # Killed before its first row, it would not know afterwards that it had begun.
            self.cursors.put(self.source.id, BEGUN, str(now), self.clock.wall())
        if self._gap_since is not None and self._gap_since < now:
            self._late_before = now
            self.gaps.note(Span(self._gap_since, now), self._gap_why)
            if self.collector.resumes and self._cursor is not None:
                self._caught_up_at = now
            else:
                self._gap_since = None
        self.windows.start(now)
        self._connected.set()
        self._wake_filler.set()

    def _caught_up(self) -> None:
        if self._caught_up_at is not None and self._gap_since is not None:
            self.gaps.closed(Span(self._gap_since, self._caught_up_at))
            self._gap_since = None
        self._caught_up_at = None

    def _fill(self) -> None:
        try:
            self._fill_on()
        finally:
            self._pay_back()

    def _fill_on(self) -> None:
        """Ask for what is missing, at once after a cut and now and then; once more when the source has ended."""
        backoff = Backoff(self.backoff.first, self.backoff.most)
        wait: float | None = None
        while True:
            self._wake_filler.wait(wait)
            self._wake_filler.clear()
            over = self._over.is_set()
            if self.stop.is_set():
                return
            if not over and not self._connected.is_set():
                continue
            wait = FILL_AGAIN / 1000
            try:
                self.gaps.fill_all(
                    self.stop, self._go_on, self._pay, before=self._connected_at, besides=self._gap_since
                )
                backoff.reset()
                if over:
                    return
            except Stopped:
                return
            except LeaseLost:
                # Its holes are filled by the one that runs the source now.
                if over:
                    return
            except Exception as fault:
                wait = (getattr(fault, "retry_after", None) or backoff.next()) / 1000
                _log.warning("ingest.fill_waits", source=self.source.id, fault=type(fault).__name__, wait_s=wait)
