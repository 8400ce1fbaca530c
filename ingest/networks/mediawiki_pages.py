"""Which revisions of a page are posts here: of a page that is deleted or comes back only its number is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock

from ingest.setting import Notes
from stream.clock import DAY, Clock
from stream.records import Millis

MOST = 1_000
"""Of one page, the latest."""
TIDY_EVERY: Millis = DAY


class Pages:
    """Durable. For several threads."""

    def __init__(self, notes: Notes, keep: Millis, clock: Clock) -> None:
        """`keep`: how long a page is remembered of which nothing new came."""
        self._notes, self._keep, self._clock, self._lock = notes, keep, clock, Lock()
        self._tidied: Millis | None = None

    def keep(self, found: Iterable[tuple[int, int]]) -> None:
        """Pages and revisions of posts, before these are taken: whoever is killed in between knows too much, never too
        little. Raises Transient."""
        more: dict[int, dict[int, None]] = {}
        for page, revid in found:
            more.setdefault(page, {})[revid] = None
        with self._lock:
            if more:
                known = self._of(more)
                values = {page: list(dict.fromkeys([*known[page], *revids]))[-MOST:] for page, revids in more.items()}
                self._notes.put_all({_name(page): " ".join(map(str, revids)) for page, revids in values.items()})
            now = self._clock.steady()
            if self._tidied is None or now - self._tidied >= TIDY_EVERY:
                self._tidied = now
                self._notes.forget(self._clock.wall() - self._keep)

    def of(self, pages: Iterable[int]) -> list[int]:
        """Revisions of these pages. Raises Transient."""
        return [revid for revids in self._of(dict.fromkeys(pages)).values() for revid in revids]

    def _of(self, pages: Iterable[int]) -> Mapping[int, list[int]]:
        pages = list(pages)
        kept = self._notes.all([_name(page) for page in pages])
        return {page: [int(one) for one in kept.get(_name(page), "").split()] for page in pages}


def _name(page: int) -> str:
    return f"page:{page}"
