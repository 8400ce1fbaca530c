"""Fetches what a reply in a case answers, when a person has asked for it.

Beside the runner of a source, in a thread of its own and under the same lease and budget. Which posts' texts are to be
kept is in SQL before the posts are in the log, so that routing knows it whenever they reach it; a request is over once
its posts are durable. A process that is killed in between asks once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any, cast

import structlog
from msgspec.structs import replace

from database.tenure import LeaseLost
from ingest.beside import IDLE, LOST, Beside
from ingest.collector import Collector, Contextual, Delivery, Denied, Draft, Exhausted, Interrupted
from ingest.context_list import ContextList, Request
from ingest.coverage import CONTEXT
from ingest.intake import Intake, Unacceptable, post_id
from ingest.patience import BUDGET_WAIT, DISK, USED_UP, Stopped, insist
from ingest.windows import Window
from stream.clock import DAY
from stream.ports import Log, Transient
from stream.records import CONTENT_KINDS, Millis

MOST_ABOVE = 50
"""Posts of a thread whose texts are kept for one request."""
MOST_TAKEN = 200
"""Posts taken from the network for one request, those below the reply included."""
GIVEN_UP: Millis = DAY
"""A network that did not answer for so long is not asked for this reply any more."""

_log = structlog.get_logger(__name__)


class ContextFetcher:
    """`run` returns once `stop` is set. Of a network that gives no context, each request is told so."""

    def __init__(self, collector: Collector, log: Log, beside: Beside) -> None:
        self.collector, self.source = collector, collector.source
        self.intake, self.beside, self.clock = Intake(log, self.source, lately=beside.lately), beside, beside.clock
        self.list = ContextList(beside.engine, self.source.id, beside.guard)

    def run(self) -> None:
        self.beside.run(self.step, self.failed)

    def failed(self, fault: Exception) -> Millis:
        _log.warning("ingest.context_waits", source=self.source.id, fault=type(fault).__name__)
        return self.beside.backoff.next()

    def step(self) -> Millis:
        """Do the next request; how long to wait before the next step. Raises Transient, LeaseLost, Stopped."""
        if not self.beside.has_turn():
            return LOST
        with self.beside.turn_kept():
            request = self.list.next()
            if request is None:
                return IDLE
            if request.id is None or request.state != "live":
                self.list.over(request, "none", "the reply itself is gone", self.clock.now())
                return 0
            if not isinstance(self.collector, Contextual):
                why = f"source {self.source.id}: this network gives no way to ask for it"
                self.list.over(request, "none", why, self.clock.now())
                return 0
            if self.beside.hold() == DISK:
                self.list.all_wait("too little disk is free")
                return BUDGET_WAIT
            return self._asked(request, self.collector)

    def _asked(self, request: Request, network: Contextual) -> Millis:
        try:
            found, spent = self._fetched(request, network)
        except (Stopped, LeaseLost, Transient):
            raise
        except Exception as fault:
            return self._waits_for(request, fault)
        self.beside.backoff.reset()
        now = self.clock.now()
        if not found and spent:
            self.list.all_wait(USED_UP)
            return BUDGET_WAIT
        if found:
            self.list.over(request, "fetched", USED_UP + ": there may be more above" if spent else "", now)
        else:
            self.list.over(request, "none", "the network did not give it: deleted, private, or too old", now)
        return 0

    def _fetched(self, request: Request, network: Contextual) -> tuple[bool, bool]:
        """(Whether the post that it answers came, whether the budget ended it)."""
        thread = _Above(self.source.network, request)
        native, taken = (request.id or "").removeprefix(f"{self.source.network}:"), 0
        with closing(cast("Any", network.context(native))) as deliveries:
            while taken < MOST_TAKEN:
                if not self.beside.may_ask():
                    return thread.found, True
                delivery = next(deliveries, None)
                if delivery is None:
                    break
                taken += self._take(request, delivery, thread, MOST_TAKEN - taken)
        return thread.found, False

    def _take(self, request: Request, delivery: Delivery, thread: _Above, most: int) -> int:
        now = self.clock.now()
        self.beside.pay(delivery.cost, delivery.asked)
        drafts = [replace(one, seen_at=one.seen_at or now) for one in delivery.drafts if one.kind in CONTENT_KINDS]
        drafts = drafts[:most]
        self.list.list(request, thread.climbed(drafts), now)
        took = insist(lambda: self.intake.take(drafts, now, "backfill", delivery.malformed), self.beside.stop)
        window = Window(self.source.id, CONTEXT, now)
        window.add(delivery, took, now + 1)
        self.beside.ledger.record(window.row(now), brands=self.source.brands)
        return len(drafts)

    def _waits_for(self, request: Request, fault: Exception) -> Millis:
        """How long to wait after a fault; it is told without a strange fault's words: they may hold a post's."""
        known = isinstance(fault, Denied | Interrupted)
        why, now = str(fault) if known else f"unexpected {type(fault).__name__}", self.clock.now()
        _log.warning("ingest.context_waits", source=self.source.id, fault=type(fault).__name__)
        if isinstance(fault, Denied):
            self.list.over(request, "refused", why, now)
            return 0
        if isinstance(fault, Exhausted) or now - request.asked_at >= GIVEN_UP:
            self.list.over(request, "none", why or "the source has an end", now)
            return 0
        self.list.waits(request, why, now)
        named = fault.retry_after if isinstance(fault, Interrupted) else None
        return self.beside.backoff.next() if named is None else named


class _Above:
    """Which of the posts that come stand above the reply: each answers the one before it."""

    def __init__(self, network: str, request: Request) -> None:
        self._network, self._parent = network, request.parent
        self._wanted = {request.parent} if request.parent else set[str]()
        self._listed = 0
        self.found = False

    def climbed(self, drafts: Sequence[Draft]) -> list[str]:
        """Ids of those of them that stand above."""
        by_id = dict(self._references(drafts))
        above = []
        while self._listed < MOST_ABOVE and (id := next((one for one in self._wanted if one in by_id), None)):
            self._wanted.remove(id)
            above.append(id)
            self._listed += 1
            self.found = self.found or id == self._parent
            answered = by_id.pop(id)
            if answered is not None:
                self._wanted.add(answered)
        return above

    def _references(self, drafts: Sequence[Draft]) -> Iterator[tuple[str, str | None]]:
        for draft in drafts:
            network = draft.network or self._network
            with suppress(Unacceptable):
                id = post_id(network, draft.native_id)
                yield id, None
                if draft.reply_to is not None:
                    yield id, post_id(network, draft.reply_to)
