"""Looks up again the posts that we hold of a source, and says what became of them: deleted, edited, back, more reach.

Beside the runner of a source, in a thread of its own and under the same lease and budget. When posts are looked up is
`sweep_plan`'s, whether one that is not there was deleted is `sweep`'s to decide. What a look told is durable in the log
before the list remembers that the look was made: a process that is killed in between looks once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import structlog
from msgspec.structs import replace

from database.tenure import LeaseLost
from ingest.beside import IDLE, LOST, Beside
from ingest.collector import (
    Delivery,
    Denied,
    Draft,
    Exhausted,
    Existence,
    Found,
    Interrupted,
    Source,
    Sweepable,
)
from ingest.coverage import SWEEP
from ingest.gaps import FOUND_LATE
from ingest.intake import Intake, Took, Unacceptable, stamped
from ingest.patience import DENIED_WAIT, DISK, USED_UP, insist
from ingest.sweep import APART, MOST_GONE, SMALLEST, Verdict, judge
from ingest.sweep_list import Held, Look, Standing, SweepList, go_on, next_look
from ingest.sweep_plan import DOUBT_LIMIT, Due, Schedule, due_in_doubt, due_when_gone, worth_a_request
from ingest.windows import Window
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.merge import content_hash
from stream.ports import Log, Transient
from stream.records import CONTENT_KINDS, Metrics, Millis, Origin

ROUND = 1_000
"""Posts judged together, at most."""
ROUND_TIME: Millis = 10 * SECOND
"""What was learnt is passed on after so long, whether the round is over or not."""
CONTROLS = 2
PROBE: Millis = HOUR
"""How often a paused sweep looks whether the posts that it missed are there again."""
TELL_EVERY: Millis = MINUTE

_log = structlog.get_logger(__name__)


class Sweeper:
    """`run` returns once `stop` is set; `trouble` says in words what is wrong meanwhile."""

    def __init__(
        self,
        network: Sweepable,
        source: Source,
        schedule: Schedule,
        log: Log,
        beside: Beside,
    ) -> None:
        self.network, self.source, self.schedule = network, source, tuple(schedule)
        self.intake, self.beside, self.clock = Intake(log, source, lately=beside.lately), beside, beside.clock
        self.list = SweepList(beside.engine, source.id, beside.guard)
        self.trouble = ""
        self.deleted = self.edited = self.restored = 0
        self._known_to_be_there: tuple[str, Millis] | None = None
        self._standing: Standing | None = None
        self._told_at: Millis | None = None
        self._window: Window | None = None
        self._overdue = 0

    def seen(self, drafts: Sequence[Draft], kept: str) -> None:
        """The source has just brought these: a sweep that does not find the one `kept` sees nothing."""
        if drafts[-1].native_id == kept and drafts[-1].kind == "created":
            self._known_to_be_there = (kept, self.clock.now())

    def run(self) -> None:
        try:
            self.beside.run(self.step, self.failed)
        finally:
            with suppress(Transient):
                self._close_window()

    def step(self) -> Millis:
        """Plan, or look up what is due; how long to wait before the next step. Raises what `look_up` and SQL raise."""
        if not self.beside.has_turn():
            self._standing = None
            return LOST
        with self.beside.turn_kept():
            self._standing = self._begun()
            if self.list.plan(self.schedule):
                return 0
            done = self._round() if self._standing.paused_at is None else self._probe(self._standing)
            self._tell()
        self.beside.backoff.reset()
        return 0 if done else IDLE

    # --- where it stands ---

    def _begun(self) -> Standing:
        """What SQL says of the sweep; posts are planned anew where the schedule is another."""
        written = ",".join(f"{younger}:{every}" for younger, every in self.schedule)
        standing = self.list.standing()
        if standing is None:
            standing = Standing(self.source.id, written, self.clock.now())
            self.list.tell(standing)
        elif standing.schedule != written:
            self.list.anew()
            standing = replace(standing, schedule=written)
            self.list.tell(standing)
        return standing

    def _tell(self) -> None:
        steady, now = self.clock.steady(), self.clock.now()
        if self._standing is None or (self._told_at is not None and steady - self._told_at < TELL_EVERY):
            return
        self._told_at = steady
        held, overdue, oldest = self.list.counted(now)
        self._standing = replace(
            self._standing, looked_at=now, held=held, overdue=overdue, oldest_limit=oldest, why=self.trouble
        )
        self.list.tell(self._standing)
        self._overdue = overdue
        if overdue:
            self._account(Delivery(asked=0), [], now)

    def failed(self, fault: Exception) -> Millis:
        """How long to wait after a step that raised; it is told."""
        wait = self._waits_for(fault)
        with suppress(Transient, LeaseLost):
            self._tell()
        return wait

    def _waits_for(self, fault: Exception) -> Millis:
        """How long to wait after a fault; sets `trouble`, without a strange fault's words: they may hold a post's."""
        denied = isinstance(fault, Denied)
        known = denied or isinstance(fault, Interrupted | Transient)
        self.trouble = str(fault) if known else f"unexpected {type(fault).__name__}"
        named = fault.retry_after if isinstance(fault, Interrupted) else DENIED_WAIT if denied else None
        wait = self.beside.backoff.next() if named is None else named
        _log.warning("ingest.sweep_waits", source=self.source.id, fault=type(fault).__name__, wait_ms=wait)
        return wait

    # --- a round ---

    def _round(self) -> bool:
        """Look up what is due; False where nothing is worth a request yet."""
        now, most = self.clock.now(), self.network.most_looked_up
        if not worth_a_request(self.list.dues(now, most), most, now):
            return False
        waiting = self.list.waiting(now, max(ROUND, most))
        kept = [one for one in waiting if one.id and (one.live or one.gone_at is not None)]
        # Deleted, expired, about no brand any more, or not even known by its id: that was learnt in another way.
        stay = {one.post for one in kept}
        self.list.remember([Look(one.post, None) for one in waiting if one.post not in stay])
        if not kept:
            return True
        found, asked_for = self._looked_up(kept)
        if not asked_for:
            return False
        self._decide(asked_for, found)
        return True

    def _looked_up(self, wanted: Sequence[Held]) -> tuple[Found, list[Held]]:
        """The answers of as many requests as a round has time for, and for whom they are. Raises what the first of them
        raises; a fault of a later one ends the round."""
        began, most = self.clock.steady(), self.network.most_looked_up
        by_id = {self._native(one.id): one for one in wanted}
        ids = [*self._controls(wanted), *by_id]
        existence: dict[str, Existence] = {}
        drafts: list[Draft] = []
        for start in range(0, len(ids), most):
            if self.beside.stop.is_set() or (start and self.clock.steady() - began >= ROUND_TIME):
                break
            if not self.beside.may_ask():
                self.trouble = USED_UP
                break
            part = ids[start : start + most]
            try:
                found = self.network.look_up(part)
            except (Exhausted, Denied):
                raise
            except Exception as fault:
                if not existence:
                    raise
                self._waits_for(fault)
                break
            now = self.clock.now()
            self.beside.pay(found.cost, found.asked)
            existence |= {id: found.existence.get(id, "absent") for id in part}
            drafts += [replace(one, seen_at=one.seen_at or now) for one in found.drafts if one.native_id in set(part)]
            self._account(Delivery(asked=found.asked), [id for id in part if existence[id] == "there"], now)
        return Found(existence=existence, drafts=drafts), [one for id, one in by_id.items() if id in existence]

    def _controls(self, wanted: Sequence[Held]) -> list[str]:
        """Posts that are known to exist, asked for with few others or with such as were missed before: among many, any
        that is found is one."""
        if sum(one.absent_since is None and one.gone_at is None for one in wanted) >= SMALLEST:
            return []
        among = {self._native(one.id) for one in wanted}
        found = [self._native(id) for id in self.list.control([one.post for one in wanted], CONTROLS)]
        lately = self._known_to_be_there
        if lately is not None and self.clock.now() - lately[1] < DAY:
            found.insert(0, lately[0])
        return [id for id in dict.fromkeys(found) if id not in among][:CONTROLS]

    # --- what it means ---

    def _decide(self, asked_for: Sequence[Held], found: Found) -> None:
        now = self.clock.now()
        held = {self._native(one.id): one for one in asked_for}
        judged = {id: found.existence[id] for id, one in held.items() if one.gone_at is None}
        doubts = {id: held[id].absent_since or 0 for id in judged if held[id].absent_since is not None}
        control_found = "there" in found.existence.values()
        verdict = judge(judged, doubts, control_found=control_found, now=now)
        if verdict.paused:
            self._not_decided(judged, held, verdict, control_found, now)
            return
        self.trouble = ""
        told = self._told(held, found, verdict, now)
        full = self.beside.hold() == DISK
        later = {draft.native_id for _, draft in told if full and draft.kind != "deleted"}
        self._append([(origin, draft) for origin, draft in told if draft.native_id not in later], now)
        self.list.remember([
            Look(one.post, Due(now + APART, now + DOUBT_LIMIT), absent_since=one.absent_since) if id in later
            else self._look(one, id, found.existence[id], verdict, now)
            for id, one in held.items()
        ])  # fmt: skip

    def _look(self, one: Held, id: str, existence: Existence, verdict: Verdict, now: Millis) -> Look:
        if one.gone_at is not None:
            if existence == "there":
                return Look(one.post, next_look(self.schedule, replace(one, gone_at=None), now), now)
            return Look(one.post, due_when_gone(one.gone_at, now), one.seen, gone_at=one.gone_at)
        if existence == "there":
            return Look(one.post, next_look(self.schedule, one, now), now)
        if id in verdict.deleted:
            return Look(one.post, due_when_gone(now, now), one.seen, gone_at=now)
        since = verdict.absent_since[id]
        return Look(one.post, due_in_doubt(now), one.seen, absent_since=since)

    def _told(self, held: dict[str, Held], found: Found, verdict: Verdict, now: Millis) -> list[tuple[Origin, Draft]]:
        told: list[tuple[Origin, Draft]] = [("live", Draft(native_id=id, kind="deleted")) for id in verdict.deleted]
        there = {id for id in held if found.existence[id] == "there"}
        brought = set()
        for draft in found.drafts:
            one = held.get(draft.native_id)
            if one is not None and draft.native_id in there and draft.native_id not in brought:
                brought.add(draft.native_id)
                told += self._changed(one, draft, now)
        back = [id for id in there - brought if held[id].gone_at is not None]
        told += [("backfill", Draft(native_id=id, kind="restored")) for id in back]
        return told

    def _changed(self, one: Held, draft: Draft, now: Millis) -> list[tuple[Origin, Draft]]:
        """What is new in a post that is there: nothing, mostly."""
        if one.gone_at is not None:
            kept = draft if draft.kind in CONTENT_KINDS else replace(draft, text="", title=None, media=())
            return [("backfill", replace(kept, kind="restored"))]
        if draft.kind in CONTENT_KINDS:
            edit = replace(draft, kind="edited")
            origin = self._origin(one, now)
            try:
                post = stamped(edit, self.source, now, origin).post
            except Unacceptable as refusal:
                _log.warning("ingest.sweep_refused", source=self.source.id, post=one.id, why=str(refusal))
                return []
            if content_hash(post) != one.content_hash:
                return [(origin, edit)]
        if draft.metrics is None or draft.metrics in (one.metrics, Metrics()):
            return []
        return [("live", replace(draft, kind="metrics", text="", title=None, media=()))]

    def _origin(self, one: Held, now: Millis) -> Origin:
        """An edit was made at some time since the last look: it wakes people where it cannot be old."""
        since = now - one.seen
        if since <= self.source.max_lateness:
            return "live"
        return "gapfill" if since < FOUND_LATE else "backfill"

    def _append(self, told: Sequence[tuple[Origin, Draft]], now: Millis) -> None:
        by_origin: dict[Origin, list[Draft]] = {}
        for origin, draft in told:
            by_origin.setdefault(origin, []).append(draft)
        for origin, drafts in by_origin.items():
            insist(lambda drafts=drafts, origin=origin: self.intake.take(drafts, now, origin), self.beside.stop)  # type: ignore[misc]
        kinds = [draft.kind for _, draft in told]
        self.deleted += kinds.count("deleted")
        self.edited += kinds.count("edited")
        self.restored += kinds.count("restored")
        if told:
            _log.info("ingest.swept", source=self.source.id, **{kind: kinds.count(kind) for kind in sorted(set(kinds))})

    # --- when it cannot be right ---

    def _not_decided(
        self,
        judged: dict[str, Existence],
        held: dict[str, Held],
        verdict: Verdict,
        control_found: bool,
        now: Millis,
    ) -> None:
        """Nothing is deleted. Without a control post it is tried again; where too many are gone, a person is waited
        for, and meanwhile it is looked now and then whether they are back."""
        self.trouble = verdict.paused
        self._told_at = None
        later = [Look(one.post, Due(now + APART, now + DOUBT_LIMIT), absent_since=one.absent_since)
                 for id, one in held.items() if not control_found or judged.get(id, "there") == "there"]  # fmt: skip
        missed: list[Look] = []
        if control_found:
            missed = [Look(held[id].post, Due(now + PROBE, now + 2 * PROBE), absent_since=held[id].absent_since or now)
                      for id, existence in judged.items() if existence != "there"]  # fmt: skip
            self.list.pause(verdict.paused, now)
        self.list.remember([*later, *missed])
        _log.error("ingest.sweep_paused", source=self.source.id, why=verdict.paused)

    def _probe(self, standing: Standing) -> bool:
        """Whether the posts that a paused sweep missed are there again: then it was the sweep, and it goes on."""
        self.trouble = standing.why
        now = self.clock.now()
        doubted = self.list.doubted(now, self.network.most_looked_up)
        if not doubted:
            return False
        found, asked_for = self._looked_up(doubted)
        if not asked_for:
            return False
        there = [one for one in asked_for if found.existence[self._native(one.id)] == "there"]
        self.list.remember([
            Look(one.post, next_look(self.schedule, one, now), now) if one in there
            else Look(one.post, Due(now + PROBE, now + 2 * PROBE), absent_since=one.absent_since)
            for one in asked_for
        ])  # fmt: skip
        if len(there) >= (1 - MOST_GONE) * len(asked_for):
            go_on(self.list.engine, self.source.id, now)
            self._told_at, self.trouble = None, ""
            _log.info("ingest.sweep_goes_on", source=self.source.id)
        return True

    # --- the ledger ---

    def _account(self, delivery: Delivery, there: Sequence[str], now: Millis) -> None:
        if self._window is None:
            self._window = Window(self.source.id, SWEEP, now)
        self._window.add(delivery, Took([], 0, 0, again=list(there)), now + 1)
        if self._window.full:
            self._close_window()

    def _close_window(self) -> None:
        if self._window is not None:
            if self._overdue:
                late = Delivery(asked=0, missed=self._overdue, reason="posts not looked up in time")
                self._window.add(late, Took([], 0, 0), self._window.until)
            self.beside.ledger.record(self._window.row(self.clock.now()), brands=self.source.brands)
            self._window = None

    def _native(self, id: str) -> str:
        return id.removeprefix(f"{self.source.network}:")
