"""What holds those back who bring posts in: too little disk, or too many posts that wait to be understood."""

from __future__ import annotations

import time
from contextlib import suppress

from clamor.opening import Opened
from ingest.patience import DISK
from stream.ports import POSTS, Transient

HIGH_WATER = 100_000
"""Posts that may wait to be understood before whoever brings some waits, or is asked to come again later."""
LOOK = 0.5
"""Seconds for which an answer holds: a stream asks before each of thousands of posts a second."""


class Holding:
    """Several threads may ask."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._looked = float("-inf")
        self._why: str | None = None

    def reason(self) -> str | None:
        """`disk` or `lag`; None: go on. As before while log or disk do not answer."""
        now = time.monotonic()
        if now - self._looked >= LOOK:
            self._looked = now
            with suppress(Transient, OSError):
                self._why = standing(self._opened)
        return self._why


def standing(opened: Opened) -> str | None:
    """At this moment. Raises Transient, OSError."""
    if opened.disk().pause:
        return DISK
    return "lag" if opened.log.lag("nlp", POSTS) > HIGH_WATER else None
