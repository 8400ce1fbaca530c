"""Who may ask for a hole next: brands in a crisis first, then the oldest, over all sources that a process fills."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Event
from typing import NamedTuple

from ingest.patience import Stopped
from stream.records import Millis

AT_ONCE = 3
"""Requests for holes under way at a time in one process: more would only take the machine from what is live."""
_LOOK = 0.2


class Rank(NamedTuple):
    """The lowest goes first."""

    calm: bool
    """False: a brand in a crisis is asked for."""
    since: Millis
    source: str
    query: str = ""


class Turns:
    """Shared by the fillers of all sources; each takes a turn a request, so that a more urgent hole waits for no more
    than one."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free, self._waiting = at_once, list[Rank]()
        self._changed = Condition()

    @contextmanager
    def turn(self, rank: Rank, stop: Event) -> Iterator[None]:
        """Waits until it is its turn. Raises Stopped."""
        with self._changed:
            self._waiting.append(rank)
            try:
                while not self._free or min(self._waiting) != rank:
                    self._changed.wait(_LOOK)
                    if stop.is_set():
                        raise Stopped
                self._free -= 1
            finally:
                self._waiting.remove(rank)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()
