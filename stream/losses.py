"""What retention takes from a group that stands still, and who is about to lose something: of whichever log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from stream.records import Millis

LEVELS: tuple[int, ...] = (80, 50)
"""Percent of the retention at which a group that stands still is reported."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Records that retention removed before a group had done them."""

    group: str
    topic: str
    partition: int
    first: int
    """Offset of the first one lost."""
    records: int
    since: Millis
    """Append time of the first one lost."""
    until: Millis
    """Append time of the last one lost."""


OnLoss: TypeAlias = Callable[[Loss], None]
"""Keeps a loss for good. The same one may be told again, with more records: it is known by group, topic, partition and
`first`."""


class Laggard(msgspec.Struct, frozen=True, kw_only=True):
    """A group whose next record in a partition will be removed when 100 percent are reached."""

    group: str
    topic: str
    partition: int
    percent: int
    """How much of the retention has passed, by age or by size, whichever is more."""
    level: int
    """The highest of LEVELS that it has passed."""
    behind: int
    """Records not yet done."""
    since: Millis
    """Append time of the next record."""


def level_of(percent: int) -> int | None:
    """The highest of LEVELS that is passed at `percent`; None below all of them."""
    return next((level for level in LEVELS if percent >= level), None)


def fallen_out(
    group: str, topic: str, partition: int, following: int, low: int, done: Millis | None, kept: Millis
) -> Loss:
    """What a group that goes on at `following` has lost in a log that keeps from `low` on, and does not tell times of
    what it no longer keeps.

    `done`: append time of the last record that the group has done, where it is known; `kept`: of the oldest record
    kept. What was lost lies between the two.
    """
    since = kept if done is None else min(done, kept)
    return Loss(
        group=group, topic=topic, partition=partition, first=following, records=low - following, since=since, until=kept
    )
