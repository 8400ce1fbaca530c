"""Cases that are one matter, found behind routing by the process that keeps SQL."""

from __future__ import annotations

from clamor.opening import Opened
from database.tenure import Tenure
from routing.desk import Desk
from routing.matters.seeking import Seeking, let_go
from stream.clock import MINUTE, passed
from stream.records import Millis


class Matters:
    """Finds cases that are one matter, and lets go of what showed it once nothing is compared with it any more."""

    def __init__(self, opened: Opened, tenure: Tenure) -> None:
        self._opened = opened
        self._desk = Desk(opened.registry.current())
        self._seeking = Seeking(opened.engine, self._desk, opened.settings.cases.join_at, tenure.guard)
        self._let_go_at: Millis | None = None

    def step(self) -> bool:
        """True while there is more to look at."""
        opened, now = self._opened, self._opened.clock.now()
        self._desk.keep_up(opened.registry.current())
        more = self._seeking.step(now)
        if not more and (self._let_go_at is None or passed(self._let_go_at, now, MINUTE)):
            self._let_go_at = None if let_go(opened.engine, now) else now
        return more
