"""A span of the past asked for by hand: origin `backfill`, accounted for in the ledger, resumed where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Event

import msgspec
import structlog

from ingest.collector import Budget, Collector, CursorLost, Delivery, Interrupted, Span
from ingest.coverage import BY_HAND, Ledger, gap_key, gap_row, span_key
from ingest.cursors import Cursors
from ingest.intake import Intake, Took
from ingest.patience import BUDGET_WAIT, USED_UP, Backoff, Hold, Stopped, held, insist
from ingest.windows import NOTHING, Sums, Window
from stream.clock import Clock
from stream.ports import Transient
from stream.records import Millis

_log = structlog.get_logger(__name__)


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is; kept beside the cursor, so that the sums go on where it was stopped."""

    since: Millis
    until: Millis
    cursor: str | None = None
    sums: Sums = NOTHING
    cost: int = 0
    oldest: Millis | None = None
    """Of the posts that came so far, by their own times."""
    newest: Millis | None = None

    @property
    def span(self) -> Span:
        return Span(self.since, self.until)


Show = Callable[[Filled, str], None]
"""How far it is, and why it waits (empty: it does not)."""


class Backfill:
    """One source and query. `name` is what the same backfill is known by when it is asked for again."""

    def __init__(
        self,
        collector: Collector,
        intake: Intake,
        cursors: Cursors,
        ledger: Ledger,
        clock: Clock,
        *,
        query: str,
        name: str,
        hold: Hold = lambda: None,
        budget: Budget | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.collector, self.intake = collector, intake
        self.cursors, self.ledger, self.clock = cursors, ledger, clock
        self.query, self.name = query, name
        self.hold, self.budget, self.backoff = hold, budget, backoff or Backoff()

    def begun(self, span: Span) -> Filled:
        """How far it is; a new one is of `span`, one that was stopped stays of its own."""
        kept = self.cursors.get(self.collector.source.id, self.name)
        return Filled(since=span.since, until=span.until) if kept is None else msgspec.json.decode(kept, type=Filled)

    def run(self, begun: Filled, stop: Event, show: Show) -> Filled:
        """Until its end. What passes is waited for; raises Unfillable, Denied, Stopped, and what the log raises for
        good. Whatever ends it, the same goes on from there."""
        try:
            return self._run(begun, stop, show)
        finally:
            if self.budget is not None:
                with suppress(Transient):
                    self.budget.leave()

    def _run(self, begun: Filled, stop: Event, show: Show) -> Filled:
        far, window = begun, Window(self.collector.source.id, self.query, begun.since, begun.sums)
        while True:
            try:
                self._go_on(far, stop, show)
                for delivery in self.collector.fill(self.query, far.span, far.cursor):
                    far = self._took(far, window, delivery, stop)
                    self.backoff.reset()
                    show(far, "")
                    self._go_on(far, stop, show)
                # The collector may have ended because it was told to.
                self._go_on(far, stop, show)
                break
            except CursorLost:
                far = msgspec.structs.replace(far, cursor=None)
            except Interrupted as fault:
                named = fault.retry_after or 0
                self._wait(max(named, self.backoff.next()), str(fault), far, stop, show)
        brands = tuple(dict.fromkeys((*self.collector.source.brands, *([self.query] if self.query else ()))))
        window.until = far.until
        self.ledger.fill(window.row(self.clock.now()), brands, f"{BY_HAND}{span_key(far.since, far.until)}")
        self.cursors.drop(self.collector.source.id, self.name)
        _log.info("ingest.backfilled", source=self.collector.source.id, since=far.since, until=far.until)
        return far

    def _took(self, far: Filled, window: Window, delivery: Delivery, stop: Event) -> Filled:
        now, drafts, source = self.clock.now(), delivery.drafts, self.collector.source
        took: Took = insist(lambda: self.intake.take(drafts, now, "backfill", delivery.malformed), stop)
        budget, wall = self.budget, self.clock.wall()
        if budget is not None:
            whose = delivery.whose(self.query)
            insist(lambda: budget.spent(source.id, delivery.cost, delivery.asked, wall, whose), stop)
        if delivery.hole is not None:
            hole = delivery.hole
            row = gap_row(source.id, delivery.query, Span(hole.since, hole.until), hole.reason, now)
            self.ledger.record(row, gap_key(hole.since), source.brands)
        window.add(delivery, took, far.since)
        times = [one.claimed_at for one in drafts if one.claimed_at is not None]
        far = msgspec.structs.replace(
            far,
            cursor=far.cursor if delivery.cursor is None else delivery.cursor,
            sums=window.sums(),
            cost=far.cost + delivery.cost,
            oldest=min([*times, *([far.oldest] if far.oldest is not None else [])], default=None),
            newest=max([*times, *([far.newest] if far.newest is not None else [])], default=None),
        )
        if delivery.cursor is not None:
            kept = msgspec.json.encode(far).decode()
            insist(lambda: self.cursors.put(source.id, self.name, kept, wall), stop)
        return far

    def _go_on(self, far: Filled, stop: Event, show: Show) -> None:
        """Return when the next request may be made. Raises Stopped."""
        if stop.is_set():
            raise Stopped
        held(self.hold, stop, lambda why: show(far, why))
        budget = self.budget
        while budget is not None:
            wait = insist(lambda: budget.wait(self.collector.source.id, self.clock.wall(), self.query), stop)
            if wait == 0:
                return
            why = USED_UP if wait < 0 else ""
            self._wait(BUDGET_WAIT if wait < 0 else wait, why, far, stop, show)

    def _wait(self, millis: Millis, why: str, far: Filled, stop: Event, show: Show) -> None:
        show(far, why)
        if stop.wait(millis / 1000):
            raise Stopped
