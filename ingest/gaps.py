"""Holes of a source: recorded while they are open, filled where the network allows, else said to be lost."""

from __future__ import annotations

from collections.abc import Callable, Collection
from threading import Event

import msgspec
import structlog

from database.tenure import LeaseLost
from ingest.collector import Collector, CursorLost, Delivery, Exhausted, Hole, Interrupted, Span, Unfillable
from ingest.coverage import Ledger, gap_key, gap_row
from ingest.cursors import Cursors
from ingest.intake import Intake, Took
from ingest.patience import Stopped, insist
from ingest.turns import Rank, Turns
from ingest.windows import Sums, Window
from stream.clock import DAY, Clock
from stream.records import Coverage, Millis, Origin

SPEND_CAP = "spend cap"
"""How the reason of a hole begins that a budget made."""
AGAIN = "asked for again"
"""In the reason of what a cap left out, and was not all there when its budget had room: it is not paid for twice."""
FOUND_LATE: Millis = DAY
"""A younger gap is filled as `gapfill` (severe posts found late are told once), an older one as `backfill`."""

_log = structlog.get_logger(__name__)


class Gaps:
    """The holes of one collector."""

    def __init__(
        self,
        collector: Collector,
        intake: Intake,
        cursors: Cursors,
        ledger: Ledger,
        clock: Clock,
        *,
        turns: Turns | None = None,
        urgent: Callable[[str], bool] = lambda _: False,
        concerns: Callable[[str], Collection[str]] | None = None,
        after_cap: bool = False,
    ) -> None:
        """`turns` are shared with the other sources; `urgent`: whether a query asks for a brand in a crisis (the empty
        one: for any); `concerns`: the brands that a row of the ledger is about, by its query, else those of the source.
        `after_cap`: what a cap left out of single queries is asked for as well, once.
        """
        self.collector, self.intake = collector, intake
        self.cursors, self.ledger, self.clock = cursors, ledger, clock
        self._turns, self._urgent = turns or Turns(), urgent
        self._after_cap = after_cap
        self._concerns = concerns or (lambda _: collector.source.brands)
        self.appended = 0
        self._failed: dict[str, int] = {}
        """How often in this process a hole could not be filled, by its name."""
        self._lasting: set[tuple[str, Millis]] = set()
        """Holes of single queries that still grow: query and beginning."""

    def note(self, span: Span, reason: str, query: str = "") -> None:
        """The hole as it is now; an earlier, shorter note of the same beginning is replaced."""
        if span.since < span.until:
            self.ledger.record(self._row(span, query, reason), gap_key(span.since), self._concerns(query))

    def note_hole(self, query: str, hole: Hole) -> None:
        """Of one query, while the others go on."""
        if hole.lasts:
            self._lasting.add((query, hole.since))
        else:
            self._lasting.discard((query, hole.since))
        self.note(Span(hole.since, hole.until), hole.reason, query)

    def cut(self) -> None:
        """What single queries missed is one hole of all of them from now on."""
        self._lasting.clear()

    def closed(self, span: Span) -> None:
        """What was missed in `span` came after all, and was counted with what came since."""
        self.ledger.close(msgspec.structs.replace(self._row(span, "", ""), missed=0), self._concerns(""))

    def fill_all(
        self,
        stop: Event,
        go_on: Callable[[str], None],
        pay: Callable[[Delivery, str], None],
        *,
        before: Millis,
        besides: Millis | None,
    ) -> None:
        """Ask the network for every hole in the ledger that ended `before`, those of brands in a crisis first, then the
        oldest, but for the one that begins at `besides`. `go_on` returns when the next request may be made for a query,
        `pay` is told what came of it.

        What fails for now stays a gap, and keeps no other from being filled for long: one whose brand has used up its
        budget is passed over, one that failed comes last the next time. Raises what `fill` and `go_on` raise, and
        Stopped.
        """
        failed: Interrupted | None = None
        found = [*self.ledger.gaps([self.collector.source.id], fillable=True), *self._left_out()]
        self._failed = {gap: times for gap in map(_name, found) if (times := self._failed.get(gap))}
        used_up: Interrupted | None = None
        for gap in sorted(found, key=lambda one: (one.state, self._failed.get(_name(one), 0), self._rank(one))):
            if stop.is_set():
                raise Stopped
            waits = (gap.query, gap.since) in self._lasting if gap.query else gap.until > before or gap.since == besides
            if waits:
                continue
            try:
                self._fill(gap, stop, go_on, pay)
            except (Stopped, LeaseLost, Exhausted):
                raise
            except Exception as fault:
                if isinstance(fault, Interrupted) and fault.reason.startswith(SPEND_CAP):
                    used_up = fault
                    continue
                self._failed[_name(gap)] = self._failed.get(_name(gap), 0) + 1
                if gap.query and isinstance(fault, Interrupted):
                    failed = failed or fault
                    continue
                raise
        for passing in (failed, used_up):
            if passing is not None:
                raise passing

    def _left_out(self) -> list[Coverage]:
        """Spans of single queries that a cap left out, and that were not asked for again: what lies side by side is
        one."""
        if not self._after_cap:
            return []
        rows = self.ledger.gaps([self.collector.source.id])
        found: list[Coverage] = []
        for row in sorted(rows, key=lambda one: (one.query, one.since)):
            if row.state != "partial" or not row.query or SPEND_CAP not in row.reason or AGAIN in row.reason:
                continue
            before = found[-1] if found else None
            if before is not None and before.query == row.query and row.since <= before.until:
                found[-1] = msgspec.structs.replace(before, until=max(before.until, row.until))
            else:
                found.append(row)
        return found

    def _rank(self, gap: Coverage) -> Rank:
        return Rank(not self._urgent(gap.query), gap.since, gap.source_id, gap.query)

    def _fill(
        self, gap: Coverage, stop: Event, go_on: Callable[[str], None], pay: Callable[[Delivery, str], None]
    ) -> None:
        source, name = self.collector.source, _name(gap)
        span = Span(gap.since, gap.until)
        origin: Origin = "gapfill" if self.clock.now() - gap.until < FOUND_LATE else "backfill"
        begun = _begun(self.cursors.get(source.id, name))
        window = Window(source.id, gap.query, gap.since, begun.sums)
        deliveries = iter(self.collector.fill(gap.query, span, begun.cursor))
        try:
            while True:
                # Waiting for the budget takes no turn from the others.
                go_on(gap.query)
                with self._turns.turn(self._rank(gap), stop):
                    delivery = next(deliveries, None)
                if delivery is None:
                    if stop.is_set():
                        # It may have ended because of that.
                        raise Stopped
                    break
                took = self._take(delivery, origin, stop)
                pay(delivery, delivery.whose(gap.query))
                if delivery.hole is not None:
                    self.note_hole(delivery.query, delivery.hole)
                else:
                    window.add(delivery, took, gap.since)
                if delivery.cursor is not None:
                    kept = _KEPT + msgspec.json.encode(_Begun(delivery.cursor, window.sums())).decode()
                    self.cursors.put(source.id, name, kept, self.clock.wall())
        except CursorLost:
            # The network knows nothing of where it was: the next try begins at the hole's beginning.
            self.cursors.drop(source.id, name)
            raise
        except Unfillable as lost:
            why = f"{gap.reason}; the network gives no history: {lost}"
            if gap.state == "partial":
                # Some of it came.
                self.ledger.fill(self._row(span, gap.query, f"{why}, {AGAIN}"), self._concerns(gap.query))
                return
            self.ledger.lose(self._row(span, gap.query, why), self._concerns(gap.query))
            return
        window.until = gap.until
        row = window.row(self.clock.now())
        if gap.state == "partial" and row.missed != 0:
            row = msgspec.structs.replace(row, reason=f"{row.reason}, {AGAIN}")
        self.ledger.fill(row, self._concerns(gap.query))
        self.cursors.drop(source.id, name)
        _log.info("ingest.gap_filled", source=source.id, since=gap.since, until=gap.until, origin=origin)

    def _take(self, delivery: Delivery, origin: Origin, stop: Event) -> Took:
        now = self.clock.now()
        took: Took = insist(lambda: self.intake.take(delivery.drafts, now, origin, delivery.malformed), stop)
        self.appended += len(took.kept)
        return took

    def _row(self, span: Span, query: str, reason: str) -> Coverage:
        return gap_row(self.collector.source.id, query, span, reason, self.clock.now())


class _Begun(msgspec.Struct, frozen=True):
    """How far a filling came, and what it brought: one that was killed goes on with its sums."""

    cursor: str | None = None
    sums: Sums = Sums()


_KEPT = "sums:"


def _begun(kept: str | None) -> _Begun:
    """Earlier releases kept the bare cursor."""
    if kept is None or not kept.startswith(_KEPT):
        return _Begun(kept)
    return msgspec.json.decode(kept.removeprefix(_KEPT), type=_Begun)


def _name(gap: Coverage) -> str:
    """Of the cursor of its filling."""
    return f"fill:{gap.query}:{gap.since}-{gap.until}"
