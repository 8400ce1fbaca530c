"""Trying again: how long to wait, and who may interrupt the wait."""

from __future__ import annotations

import random
from collections.abc import Callable
from threading import Event
from typing import TypeVar

import structlog

from stream.clock import MINUTE, SECOND
from stream.ports import Transient
from stream.records import Millis

T = TypeVar("T")
Hold = Callable[[], str | None]
"""Why nothing may be appended now (`lag`, `disk`); None: go on."""

HOLD_CHECK = 0.1
DISK = "disk"
"""The reason of a hold that cuts a stream and is recorded as a gap; any other makes it wait."""
DENIED_WAIT: Millis = 15 * MINUTE
BUDGET_WAIT: Millis = MINUTE
USED_UP = "the budget of this period is used up"

_log = structlog.get_logger(__name__)


class Stopped(Exception):
    """The wait was ended by a stop: what was not appended is not done."""


class Backoff:
    """Waits that double from `first` to `most`, each between half of it and the whole (so that many do not knock at
    once); `reset` after a success."""

    def __init__(self, first: Millis = SECOND, most: Millis = 5 * MINUTE, seed: int | None = None) -> None:
        self.first, self.most = first, most
        self._next = first
        self._random = random.Random(seed)

    def next(self) -> Millis:
        wait = round(self._next * self._random.uniform(0.5, 1.0))
        self._next = min(self._next * 2, self.most)
        return wait

    def reset(self) -> None:
        self._next = self.first


def insist(action: Callable[[], T], stop: Event, backoff: Backoff | None = None) -> T:
    """What `action` returns, tried again while it raises Transient. Raises Stopped when told to stop meanwhile."""
    backoff = backoff or Backoff(first=100, most=5 * SECOND)
    while True:
        try:
            return action()
        except Transient as fault:
            wait = backoff.next()
            _log.warning("ingest.append_waits", fault=type(fault).__name__, wait_ms=wait)
            if stop.wait(wait / 1000):
                raise Stopped from fault


def held(hold: Hold, stop: Event, on_hold: Callable[[str], None] | None = None) -> None:
    """Return once nothing holds it back; `on_hold` hears why, once. Raises Stopped when told to stop meanwhile."""
    reason = hold()
    if reason is None:
        return
    _log.info("ingest.held", reason=reason)
    if on_hold is not None:
        on_hold(reason)
    while hold() is not None:
        if stop.wait(HOLD_CHECK):
            raise Stopped
