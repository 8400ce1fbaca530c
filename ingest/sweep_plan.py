"""When a post is to be looked up again: young ones often, old ones rarely, very old ones never."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from config.sources import Collected, Swept
from ingest.sweep import APART
from stream.clock import DAY, MINUTE
from stream.records import Millis

EARLY = 0.75
"""Part of the allowed time after which a post may be looked up: what is left is for a full request, a slow network and
a program that does not run for a while."""
DOUBT_LIMIT: Millis = APART + 10 * MINUTE
GONE_LOOKS: tuple[Millis, ...] = (DAY, 7 * DAY)
"""How long after a sweep's delete it is looked at whether the post is there again."""


class Step(NamedTuple):
    """Posts that are younger than `younger_than` are looked up once in `every`, at least."""

    younger_than: Millis
    every: Millis


Schedule = Sequence[Step]
"""In the order of their ages."""


def schedule_of(settings: Collected) -> Schedule:
    """Of a source; empty where its network is not swept."""
    steps = settings.look_again if isinstance(settings, Swept) else ()
    return tuple(Step(step.younger_than, step.every) for step in steps)


class Due(NamedTuple):
    """A post may be looked up from `at` on, and has to be by `limit`."""

    at: Millis
    limit: Millis


def due(schedule: Schedule, published: Millis, seen: Millis) -> Due | None:
    """When a post that was seen to be there at `seen` is looked up again; None: never, it was too old by then."""
    every = next((step.every for step in schedule if seen - published < step.younger_than), None)
    return None if every is None else Due(seen + round(every * EARLY), seen + every)


def due_in_doubt(looked_at: Millis) -> Due:
    """Of a post that was not there: again half an hour later."""
    return Due(looked_at + APART, looked_at + DOUBT_LIMIT)


def due_when_gone(gone_at: Millis, now: Millis) -> Due | None:
    """Of a post that a sweep deleted: whether it is back; None: not looked at any more."""
    at = next((gone_at + later for later in GONE_LOOKS if gone_at + later > now), None)
    return None if at is None else Due(at, at + DAY)


def worth_a_request(waiting: Sequence[Due], most: int, now: Millis) -> bool:
    """Whether to ask now for those that may be looked up: they fill a request, or half of one's leeway has passed."""
    return len(waiting) >= most or any(2 * now >= one.at + one.limit for one in waiting)
