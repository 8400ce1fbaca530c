"""How the sweeps of a home do: which are paused or late, and what people are told of it."""

from __future__ import annotations

import msgspec

from clamor.opening import Opened
from config.units import format_duration
from ingest.sweep_list import Standing, standings
from stream.clock import HOUR, MINUTE
from stream.records import Millis

LATE: Millis = 10 * MINUTE
"""Posts that are overdue for less are told to nobody: a restart, a slow minute."""


class SweepStanding(msgspec.Struct, frozen=True):
    """Of one source that is swept."""

    source: str
    state: str
    """`on time`, `late`, `paused`."""
    held: int
    """Posts that are looked up again."""
    overdue: int
    """Of these: not looked up in time."""
    oldest_limit: Millis | None
    """By when the first of them had to be."""
    why: str
    looked_at: Millis


def sweeps(opened: Opened) -> list[SweepStanding]:
    """In the order of the configuration. Sources that were never swept are left out, and those that are none now."""
    found = standings(opened.engine)
    return [_standing(found[source.id]) for source in opened.registry.sources() if source.id in found]


def troubled_sweeps(opened: Opened) -> dict[str, str]:
    """By source, in words, what people are to be told of."""
    now = opened.clock.now()
    told: dict[str, str] = {}
    for one in sweeps(opened):
        if one.state == "paused":
            told[one.source] = (
                f"the sweep of source {one.source} is paused: {one.why}. Nothing of it is deleted meanwhile; look at "
                f"the network, and if they are gone indeed: clamor sweep --go-on {one.source}"
            )
        elif one.oldest_limit is not None and now - one.oldest_limit > LATE:
            why = f" ({one.why})" if one.why else ""
            told[one.source] = (
                f"{one.overdue:,} posts of source {one.source} were not looked up in time, the first for "
                f"{_long(now - one.oldest_limit)}{why}: whether they were deleted or edited is not known. Give the "
                "source a larger budget or longer spans under `look_again:`"
            )
    return told


def _standing(one: Standing) -> SweepStanding:
    state = "paused" if one.paused_at is not None else "late" if one.overdue else "on time"
    return SweepStanding(one.source_id, state, one.held, one.overdue, one.oldest_limit, one.why, one.looked_at)


def _long(span: Millis) -> str:
    unit = HOUR if span >= HOUR else MINUTE
    return format_duration(max(span - span % unit, unit))
