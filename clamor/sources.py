"""How the sources of a home do: listened to or not, what is wrong with them, and which have gone silent."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from clamor.opening import Opened
from config.sources import AnySource, Collected, WebhookSource
from config.units import format_duration
from ingest.collector import NEVER
from ingest.listening import APART, Pulse, Pulses
from ingest.standing import CollectorStanding, Standings
from ingest.unasked import Unasked, unasked
from stream.clock import HOUR, MINUTE
from stream.records import Coverage, Millis

TOLD_AFTER: Millis = 15 * MINUTE
"""A network that does not answer for so long is told to people; what a person has to mend is told at once."""
HANGS_AFTER: Millis = 30 * MINUTE
"""A source that is listened to and reaches no further for so long hangs, whatever it says of itself."""


class SourceStanding(msgspec.Struct, frozen=True):
    """Of one source in force that posts come from by themselves."""

    source: str
    state: str
    """Of a webhook `open`, `paused` (for want of disk), `silent`, `shut` (nobody listens: the API does not run). Of a
    source that Clamor asks, those of `ingest.standing.State`, and `shut`: no process collects."""
    last_post_at: Millis | None
    """None: it never brought any."""
    silent_for: Millis
    """Of a webhook: time listened since the last post."""
    looked_at: Millis
    kind: str = "webhook"
    network: str = ""
    trouble: str = ""
    """In words; empty: none is known."""
    since: Millis | None = None
    """When it came into this state, where that is known."""
    appended: int = 0
    filled: int = 0
    """Posts that filled holes: not among `appended`."""
    filtered: int = 0
    """Left out, since they named nobody who is listened for."""
    dead: int = 0
    cuts: int = 0
    lag: Millis | None = None
    """How far what came lies behind now; None: it has not been asked, or pushes."""
    ends_at: Millis | None = None
    """When its credential ends; None: not at all, or nobody knows."""
    ends_in: Millis | None = None
    """How long it still counts; below 0: it has ended."""


class Silent(NamedTuple):
    id: str
    why: str


def standings(opened: Opened) -> list[SourceStanding]:
    """In the order of the configuration; webhooks that were ever open, and all sources that Clamor asks."""
    pulses, collected = Pulses(opened.engine).all(), Standings(opened.engine).all()
    paused, now, wall = opened.disk().pause, opened.clock.now(), opened.clock.wall()
    apart = APART * getattr(opened.clock, "speed", 1.0)
    found = []
    for source in opened.registry.sources():
        if isinstance(source, WebhookSource):
            if (pulse := pulses.get(source.id)) is not None:
                found.append(_webhook(source, pulse, paused, now - pulse.looked_at > apart))
        elif isinstance(source, Collected):
            found.append(_collected(source, collected.get(source.id), now, wall))
    return found


def _webhook(source: WebhookSource, pulse: Pulse, paused: bool, shut: bool) -> SourceStanding:
    state = "paused" if paused else "shut" if shut else "open"
    if state == "open" and source.silent_after is not None and pulse.silent_for > source.silent_after:
        state = "silent"
    return SourceStanding(
        source.id, state, pulse.last_post_at, pulse.silent_for, pulse.looked_at, network=source.network
    )


def _collected(source: Collected, word: CollectorStanding | None, now: Millis, wall: Millis) -> SourceStanding:
    kind = kind_of(source)
    if word is None:
        return SourceStanding(source.id, "shut", None, 0, 0, kind, kind)
    ends_at = None if word.ends_at == NEVER else word.ends_at
    return SourceStanding(
        source=source.id,
        state=word.state if word.fresh(wall) else "shut",
        last_post_at=word.last_post_at,
        silent_for=0,
        looked_at=word.looked_at,
        kind=kind,
        network=kind,
        trouble=word.trouble,
        since=word.since,
        appended=word.appended,
        filled=word.filled,
        filtered=word.filtered,
        dead=word.dead,
        cuts=word.cuts,
        lag=None if word.reached_at is None else max(0, now - word.reached_at),
        ends_at=ends_at,
        ends_in=None if ends_at is None else ends_at - wall,
    )


def not_asked(opened: Opened) -> list[Unasked]:
    """Holes of sources that no process asks now, which none has written into the ledger."""
    words = Standings(opened.engine).all()
    return unasked(opened.registry.sources(), words, opened.clock.now(), opened.clock.wall())


def rows_now(opened: Opened, sources: Collection[str] | None = None, since: Millis = 0) -> list[Coverage]:
    """What the ledger says of the time from `since` on, oldest first, then what nobody has written into it yet."""
    open_ended = [
        one.row
        for one in not_asked(opened)
        if one.row.until > since and (sources is None or one.row.source_id in sources)
    ]
    return [*opened.ledger.rows(sources, since=since), *open_ended]


def kind_of(source: AnySource) -> str:
    """As its section says."""
    return str(getattr(source, "kind", ""))


def collected(opened: Opened, source: str) -> bool:
    """Whether Clamor asks this source by itself."""
    return any(one.id == source and isinstance(one, Collected) for one in opened.registry.sources())


def ailing_sources(opened: Opened) -> list[Silent]:
    """Sources that Clamor asks, of which people are to be told that they bring nothing as things are."""
    now = opened.clock.now()
    return [
        Silent(one.source, why)
        for one in standings(opened)
        if one.kind != "webhook" and (why := _ails(one, now - (one.since or now)))
    ]


def _ails(one: SourceStanding, lasts: Millis) -> str:
    """Why people are to be told, in a sentence; empty: they are not."""
    ask = f"clamor sources test {one.source} asks it once more"
    match one.state:
        case "broken" | "refused":
            return f"source {one.source} brings nothing: {one.trouble}; {ask}"
        case "cut" if lasts > TOLD_AFTER:
            return f"source {one.source} has not been reached for {longest(lasts)}: {one.trouble}; {ask}"
        case "listening" if one.lag is not None and one.lag > HANGS_AFTER:
            return f"source {one.source} has come no further for {longest(one.lag)}, though it is connected; {ask}"
    return ""


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
