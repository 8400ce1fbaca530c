"""CPU by part: what a part within another takes counts for itself alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Clock:
    """Adds up seconds by the name of a part. Its own cost, under a microsecond a call, makes it one for batches."""

    def __init__(self, now: Callable[[], float] = time.process_time) -> None:
        self._now = now
        self._spent: Counter[str] = Counter()
        self._within = 0.0
        """Of the part that is being timed: what parts within it have taken so far."""

    def __call__(self, part: str, step: Callable[[], T]) -> T:
        """What `step` returns."""
        outer, self._within = self._within, 0.0
        begun = self._now()
        found = step()
        took = self._now() - begun
        self._spent[part] += took - self._within
        self._within = outer + took
        return found

    @contextmanager
    def around(self, part: str, owner: Any, name: str) -> Iterator[None]:
        """Every call of the function `name` of `owner` is timed, within the context."""
        plain = getattr(owner, name)
        setattr(owner, name, lambda *given, **named: self(part, lambda: plain(*given, **named)))
        try:
            yield
        finally:
            setattr(owner, name, plain)

    def taken(self) -> dict[str, float]:
        """Seconds by part, in the order first met, since this was last asked."""
        taken, self._spent = dict(self._spent), Counter()
        return taken
