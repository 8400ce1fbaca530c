"""Which dead letters a collector has told of: a page is read again and again, what is wrong in it is told once."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from ingest.collector import Malformed

MOST = 100_000
"""Remembered, those that were told of last: then the same is told of again."""


class Buried:
    """By their payloads, as long as the process lives. For several threads."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, Lock()
        self._known: dict[int, None] = {}

    def unknown(self, malformed: Iterable[Malformed]) -> list[Malformed]:
        """Those of which nothing was told before, each once."""
        with self._lock:
            found = {hash(one.payload): one for one in malformed}
            return [one for payload, one in found.items() if payload not in self._known]

    def note(self, told: Iterable[Malformed]) -> None:
        """They are durable: a delivery that nobody took, for a full disk, is not."""
        with self._lock:
            self._known |= {hash(one.payload): None for one in told}
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]
