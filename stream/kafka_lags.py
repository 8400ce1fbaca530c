"""Lags that were asked for just now: three questions to the brokers each, and asked with every push of a webhook."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

YOUNG_SECONDS = 0.25
"""How long an answer may be given again."""


class _Answer(NamedTuple):
    at: float
    lag: int


class Lags:
    """For several threads. What this process does itself is in every answer at once: what it appended is added, and
    after what it committed nothing is remembered."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, str], _Answer] = {}
        self._changes = Counter[str]()

    def young(self, group: str, topic: str) -> int | None:
        """The lag, where it was asked for just now."""
        with self._lock:
            found = self._answers.get((group, topic))
        return found.lag if found is not None and self._seconds() - found.at < YOUNG_SECONDS else None

    def changes(self, topic: str) -> int:
        """To be read before one asks, and given to `keep`."""
        with self._lock:
            return self._changes[topic]

    def keep(self, group: str, topic: str, lag: int, changes: int) -> None:
        """Not where this process has changed something meanwhile: nobody knows whether the answer contains it."""
        with self._lock:
            if self._changes[topic] == changes:
                self._answers[group, topic] = _Answer(self._seconds(), lag)

    def appended(self, topic: str, records: int) -> None:
        with self._lock:
            self._changes[topic] += 1
            for key, (at, lag) in self._answers.items():
                if key[1] == topic:
                    self._answers[key] = _Answer(at, lag + records)

    def committed(self, group: str, topic: str) -> None:
        with self._lock:
            self._changes[topic] += 1
            self._answers.pop((group, topic), None)
