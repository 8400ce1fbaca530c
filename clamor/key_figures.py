"""The key figures of the teams' work at work in a home: folded, caught up with, let go; as people ask for them."""

from __future__ import annotations

from clamor.opening import Opened
from database.engine import read, write
from routing.kpi import kept
from routing.kpi.asked import Asked, Figures, figures
from stream.clock import HOUR, passed
from stream.records import Millis


class KeyFigures:
    """A chore of the one process that keeps SQL."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._behind: kept.Behind | None = kept.Behind()
        """There may be cases from before they were measured; None: there are none."""
        self._tidied: Millis = 0

    def step(self) -> bool:
        """True while there is more to do. Raises Transient."""
        now = self._opened.clock.now()
        if self._behind is not None:
            self._behind = kept.catch_up(self._opened.engine, now, self._behind)
        if passed(self._tidied, now, HOUR):
            self._tidied = now
            with write(self._opened.engine) as connection:
                kept.let_go(connection, now)
        return kept.fold(self._opened.engine) > 0 or self._behind is not None


def asked_of(opened: Opened, asked: Asked) -> list[Figures]:
    """Of the brands in force."""
    kinds = {brand.id: brand.kind for brand in opened.registry.current().brands}
    with read(opened.engine) as connection:
        return figures(connection, asked, kinds)
