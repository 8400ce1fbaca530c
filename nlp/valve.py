"""The overload valve: when posts that are news wait too long, the linear model reads them until it has caught up."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import structlog

from nlp.classifier import Classifier
from stream.records import Millis

logger = structlog.get_logger(__name__)


class Limits(NamedTuple):
    """Of how long the post at hand has waited in the log, in milliseconds; `opens_at` is greater than `closes_at`."""

    opens_at: Millis
    closes_at: Millis


def following(is_open: bool, waited: Millis, limits: Limits, *, held_up: bool = False) -> bool:
    """Whether the valve is open next. It opens at `opens_at`, shuts below `closes_at`, and between them stays as it is.

    `held_up`: a later stage is what all wait for, so that to read faster would gain nothing; it does not open then.
    """
    if is_open:
        return waited >= limits.closes_at
    return waited >= limits.opens_at and not held_up


class Valve:
    """The valve of one process: each has its own partitions, and its own lag."""

    def __init__(self, classifier: Classifier, limits: Limits, held_up: Callable[[], bool] = lambda: False) -> None:
        """`classifier` reads while it is open. `held_up` is asked only before it opens."""
        self.classifier, self._limits, self._held_up = classifier, limits, held_up
        self.is_open = False

    def look(self, waited: Millis) -> bool:
        """Whether it is open now that the oldest of the news at hand has waited so long."""
        was = self.is_open
        asking = not was and waited >= self._limits.opens_at
        self.is_open = following(was, waited, self._limits, held_up=asking and self._held_up())
        if self.is_open and not was:
            logger.warning("overload: the linear model reads what is new", waited_seconds=waited // 1_000)
        elif was and not self.is_open:
            logger.info("overload is over: the model in force reads again", waited_seconds=waited // 1_000)
        return self.is_open
