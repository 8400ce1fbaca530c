"""How the sources of a home do that push: open or shut, and which of them have gone silent."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from clamor.opening import Opened
from config.sources import WebhookSource
from config.units import format_duration
from ingest.listening import APART, Pulses
from stream.clock import HOUR, MINUTE
from stream.records import Millis


class SourceStanding(msgspec.Struct, frozen=True):
    """Of one webhook that was ever open."""

    source: str
    state: str
    """`open`, `paused` (for want of disk), `silent`, `shut` (nobody listens: the API does not run)."""
    last_post_at: Millis | None
    """None: it never brought any."""
    silent_for: Millis
    """Time listened since the last post."""
    looked_at: Millis


class Silent(NamedTuple):
    id: str
    why: str


def standings(opened: Opened) -> list[SourceStanding]:
    """In the order of the configuration."""
    pulses, now = Pulses(opened.engine).all(), opened.clock.now()
    paused = opened.disk().pause
    apart = APART * getattr(opened.clock, "speed", 1.0)
    found = []
    for source in _webhooks(opened):
        pulse = pulses.get(source.id)
        if pulse is None:
            continue
        state = "paused" if paused else "shut" if now - pulse.looked_at > apart else "open"
        if state == "open" and source.silent_after is not None and pulse.silent_for > source.silent_after:
            state = "silent"
        found.append(SourceStanding(source.id, state, pulse.last_post_at, pulse.silent_for, pulse.looked_at))
    return found


def silent_sources(opened: Opened) -> list[Silent]:
    """Those of which people are to be told. One that nobody listens to any more stays what it was."""
    after = {source.id: source.silent_after for source in _webhooks(opened) if source.silent_after is not None}
    pulses = Pulses(opened.engine).all()
    return [
        Silent(
            id,
            f"source {id} brought posts and has brought none for {longest(pulses[id].silent_for)} "
            f"(silent_after: {format_duration(limit)}): look at the program that sends to /api/webhooks/{id}, "
            "its log says what was answered",
        )
        for id, limit in after.items()
        if id in pulses and pulses[id].silent_for > limit
    ]


def longest(time: Millis) -> str:
    """In whole hours, else in whole minutes."""
    return f"{time // HOUR} h" if time >= HOUR else f"{time // MINUTE} min"


def _webhooks(opened: Opened) -> list[WebhookSource]:
    return [source for source in opened.registry.sources() if isinstance(source, WebhookSource)]
