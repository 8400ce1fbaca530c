"""Work beside the runner of a source: in a thread of its own, under the same lease, budget and hold."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import TypeAlias

from sqlalchemy import Engine

from database.tenure import Guard, LeaseLost
from ingest.collector import Budget, Exhausted
from ingest.coverage import Ledger
from ingest.lately import Lately
from ingest.patience import Backoff, Hold, Stopped, insist
from stream.clock import SECOND, Clock
from stream.ports import Transient
from stream.records import Millis

IDLE: Millis = 2 * SECOND
"""How long it waits before it looks again whether there is anything to do."""
LOST: Millis = SECOND
"""How long one waits that has not the turn."""

Step: TypeAlias = Callable[[], Millis]
Failed: TypeAlias = Callable[[Exception], Millis]


@dataclass
class Beside:
    """What such work is given, and what all of it does the same way."""

    source_id: str
    engine: Engine
    ledger: Ledger
    clock: Clock
    hold: Hold = lambda: None
    budget: Budget | None = None
    backoff: Backoff = field(default_factory=Backoff)
    has_turn: Callable[[], bool] = lambda: True
    turn_kept: Callable[[], AbstractContextManager[None]] = nullcontext
    guard: Guard | None = None
    """`has_turn`, `turn_kept`, `guard`: of the lease of the source, where several processes may run it."""
    stop: Event = field(default_factory=Event)
    lately: Lately | None = None
    """Of all that append for the source."""

    def run(self, step: Step, failed: Failed) -> None:
        """Until `stop` is set or the source has an end; then what was reserved of the budget is free."""
        speed = getattr(self.clock, "speed", 1.0)
        try:
            while not self.stop.is_set():
                self.stop.wait(self.once(step, failed) / 1000 / speed)
        except (Exhausted, Stopped):
            pass
        finally:
            if self.budget is not None:
                with suppress(Transient):
                    self.budget.leave()

    def once(self, step: Step, failed: Failed) -> Millis:
        """How long to wait before the next step: what this one says or, where it raised, what `failed` says. Raises
        Exhausted, Stopped."""
        try:
            return step()
        except LeaseLost:
            return LOST
        except (Exhausted, Stopped):
            raise
        except Exception as fault:
            return failed(fault)

    def may_ask(self) -> bool:
        """Waits where the budget says so; False where it is used up. Raises Stopped."""
        while self.budget is not None and (wait := self.budget.wait(self.source_id, self.clock.wall(), "")):
            if wait < 0:
                return False
            if self.stop.wait(wait / 1000):
                raise Stopped
        return True

    def pay(self, cost: int, asked: int) -> None:
        budget, wall = self.budget, self.clock.wall()
        if budget is not None:
            insist(lambda: budget.spent(self.source_id, cost, asked, wall), self.stop)
