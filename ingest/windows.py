"""What a collector received, gathered into rows of the ledger: one for every few minutes of a source and query."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import msgspec

from ingest.collector import Delivery, Source
from ingest.coverage import Ledger
from ingest.intake import Took
from stream.clock import MINUTE
from stream.records import Coverage, Millis

WINDOW: Millis = 5 * MINUTE
MOST_IDS = 500_000
"""Ids remembered to count distinct ones; at so many a window is closed early."""


class Sums(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a window held, without its ids."""

    asked: int = 0
    received: int = 0
    refused: int = 0
    kept: int = 0
    filtered: int = 0
    duplicates: int = 0
    late: int = 0
    missed: int | None = 0
    reasons: tuple[str, ...] = ()


NOTHING = Sums()


class Window:
    """One source and query from `since` on; `until` grows with every delivery."""

    def __init__(self, source_id: str, query: str, since: Millis, begun: Sums = NOTHING) -> None:
        """`begun`: what came of it before, in another process perhaps."""
        self.source_id, self.query = source_id, query
        self.since = self.until = self.reached = since
        self.asked, self.refused = begun.asked, begun.refused
        self.filtered, self.duplicates, self.late = begun.filtered, begun.duplicates, begun.late
        self._kept: set[str] = set()
        self._again: set[str] = set()
        self._begun = begun
        self._missed = begun.missed
        self._reasons: dict[str, None] = dict.fromkeys(begun.reasons)

    def add(self, delivery: Delivery, took: Took, until: Millis, reached: Millis | None = None) -> None:
        """`reached`: up to when it is known that all came; None: `until`. Of a stream more may wait behind posts that
        are not of just now."""
        self.reached = min(until if reached is None else reached, until)
        self._kept.update(took.kept)
        self._again.update(took.again)
        self.until = max(self.until, until)
        self.asked += delivery.asked
        self.filtered += took.filtered + delivery.filtered
        self.duplicates += len(took.again)
        self.late += took.late
        self.refused += took.dead
        lost = (self._missed, delivery.missed)
        self._missed = None if None in lost else sum(part or 0 for part in lost)
        for reason in (delivery.reason, "malformed" if took.dead else ""):
            if reason:
                self._reasons[reason] = None

    @property
    def full(self) -> bool:
        return self.until - self.since >= WINDOW or len(self._kept) + len(self._again) >= MOST_IDS

    def sums(self) -> Sums:
        return Sums(
            asked=self.asked, received=self.received, refused=self.refused, kept=self._begun.kept + len(self._kept),
            filtered=self.filtered, duplicates=self.duplicates, late=self.late, missed=self._missed,
            reasons=tuple(self._reasons),
        )  # fmt: skip

    @property
    def received(self) -> int:
        begun = self._begun.received - self._begun.filtered
        return begun + self.filtered + len(self._kept | self._again)

    def row(self, now: Millis) -> Coverage:
        """Its row of the ledger."""
        sums = self.sums()
        return Coverage(
            source_id=self.source_id,
            query=self.query,
            since=self.since,
            until=self.until,
            state="complete" if self._missed == 0 else "partial",
            asked=sums.asked,
            received=sums.received,
            kept=sums.kept,
            filtered=sums.filtered,
            duplicates=sums.duplicates,
            late=sums.late,
            missed=sums.missed,
            refused=sums.refused,
            reason=", ".join(self._reasons),
            recorded_at=now,
        )


class Windows:
    """The open windows of a source, one a query; each starts where the one before it ended."""

    def __init__(
        self, source: Source, ledger: Ledger, concerns: Callable[[str], Collection[str]] | None = None
    ) -> None:
        """`concerns`: the brands that a row is about, by its query; None: those of the source."""
        self.source, self.ledger = source, ledger
        self._concerns = concerns or (lambda _: source.brands)
        self._open: dict[str, Window] = {}
        self._ended: dict[str, Millis] = {}
        self._started: Millis | None = None

    def start(self, now: Millis) -> None:
        """A connection begins: what lies before is another's business."""
        self._started = now
        self._ended.clear()

    def add(
        self,
        delivery: Delivery,
        took: Took,
        now: Millis,
        reached: Millis | None = None,
        *,
        behind: Millis | None = None,
    ) -> None:
        """Account for a delivery that was read up to `reached` (None: up to now); one with a span or page of its own
        has its own row. `behind`: from then on more may be in hand."""
        if delivery.span is not None or delivery.page:
            since, until = delivery.span or (now, now + 1)
            own = Window(self.source.id, delivery.query, since)
            own.add(delivery, took, until)
            self.ledger.record(own.row(now), delivery.page, self._concerns(own.query))
            return
        query = delivery.query
        window = self._open.get(query)
        if window is None:
            window = self._open[query] = Window(self.source.id, query, self._ended.get(query, self._started or now))
        window.add(delivery, took, now if behind is None else behind, reached)
        if window.full:
            self._close(query, now)

    def until(self) -> Millis | None:
        """Up to when everything asked for has come; None before the first connection."""
        ends: Iterable[Millis] = [*self._ended.values(), *(window.until for window in self._open.values())]
        return max(ends, default=self._started)

    def keep(self, now: Millis) -> None:
        """What is open goes into the ledger as far as it is known that all came: whoever is killed has not missed it.
        Each row is replaced as its window grows, and when it closes."""
        for query, window in self._open.items():
            if window.since < window.reached:
                row = msgspec.structs.replace(window.row(now), until=window.reached)
                self.ledger.record(row, _part(window), self._concerns(query))

    def close_all(self, now: Millis) -> None:
        for query in list(self._open):
            self._close(query, now)

    def drop_all(self) -> None:
        """They are another process's by now, which records them itself."""
        self._open.clear()
        self._ended.clear()

    def _close(self, query: str, now: Millis) -> None:
        window = self._open[query]
        # What came within the millisecond in which the connection began was asked for as well, or is missing.
        window.until = max(window.until, window.since + 1)
        self.ledger.record(window.row(now), _part(window), self._concerns(query))
        del self._open[query]
        self._ended[query] = window.until


def _part(window: Window) -> str:
    return f"window:{window.since}"
