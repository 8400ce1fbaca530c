"""How the mails stand: for `clamor status` and the pages, from any process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Engine

from database.engine import read
from routing.named import named
from stream.clock import DAY
from stream.records import Millis

LATENCIES = 1_000
"""Percentiles are taken over this many of the latest alert mails."""


class MailStatus(msgspec.Struct, frozen=True):
    """Counts of mails by state, the last one sent, and how long alerts took. Times in milliseconds."""

    waiting: int
    """To be sent as soon as the server takes them."""
    gathering: int
    """Summaries and "found late" mails that wait for more."""
    oldest_waiting: Millis | None
    """When the oldest waiting mail was made."""
    last_sent: Millis | None
    failed: int
    """Given up or refused for good within the last day."""
    dropped: int
    """Not sent within the last day, since their posts were deleted or their person is gone."""
    trouble: str
    """Why the oldest waiting mail has not left, or the last one failed; empty where all is well."""
    unheard: int
    """Alerts of the last day that nobody is configured for."""
    latency_p50: Millis | None
    """From arrival in the log to the mail server, over the latest alert mails."""
    latency_p99: Millis | None
    refused: dict[str, str] = {}
    """By id of a person whose last mail, within a month, was refused for good: the server's words."""
    channels: dict[str, ChannelStatus] = {}
    """By id of a channel, of those by which something was told within a day or waits."""


class ChannelStatus(msgspec.Struct, frozen=True):
    """How the messages by a way beside mail stand."""

    waiting: int = 0
    sent: int = 0
    """Within the last day, as `failed`."""
    failed: int = 0
    trouble: str = ""
    """Why the newest of those that wait has not left, or the last one failed."""


def mail_status(engine: Engine, now: Millis) -> MailStatus:
    """How the mails stand at `now`."""
    with read(engine) as connection:
        waiting = named(
            connection,
            "SELECT state, reason, created_at FROM mail WHERE state IN ('gathering', 'pending', 'sending')"
            " AND channel = '' ORDER BY id",
        )
        ended = named(
            connection,
            "SELECT state, COUNT(*) AS n FROM mail WHERE ended_at > ? AND channel = '' GROUP BY state",
            (now - DAY,),
        )
        failure = named(
            connection,
            "SELECT reason FROM mail WHERE ended_at > ? AND state = 'failed' AND channel = ''"
            " ORDER BY ended_at DESC LIMIT 1",
            (now - DAY,),
        )
        latest = named(
            connection,
            "SELECT kind, state, ended_at, arrived_at FROM mail WHERE ended_at IS NOT NULL AND channel = ''"
            " ORDER BY ended_at DESC LIMIT ?",
            (LATENCIES,),
        )
        unheard = named(
            connection,
            "SELECT COUNT(*) AS n FROM (SELECT state, created_at FROM alert ORDER BY id DESC LIMIT 10000) a"
            " WHERE state = 'nobody' AND created_at > ?",
            (now - DAY,),
        )
        last = named(connection, _LAST, (now - 30 * DAY,))
        beside = named(
            connection,
            "SELECT channel, state, reason FROM mail WHERE channel <> '' AND (ended_at > ? OR ended_at IS NULL)"
            " ORDER BY id",
            (now - DAY,),
        )
    stuck = [r for r in waiting if r.state != "gathering"]
    took = sorted(
        r.ended_at - r.arrived_at
        for r in latest
        if r.state == "sent" and r.kind == "alert" and r.arrived_at is not None
    )
    counts = {r.state: int(r.n) for r in ended}
    held_up = next((r.reason for r in stuck if r.reason), "")
    return MailStatus(
        waiting=len(stuck),
        gathering=len(waiting) - len(stuck),
        oldest_waiting=min((r.created_at for r in stuck), default=None),
        last_sent=next((r.ended_at for r in latest if r.state == "sent"), None),
        failed=counts.get("failed", 0),
        dropped=counts.get("dropped", 0),
        trouble=held_up or (failure[0].reason if failure else ""),
        unheard=int(unheard[0].n),
        latency_p50=_share(took, 0.5),
        latency_p99=_share(took, 0.99),
        refused={r.person: r.reason for r in last if r.state == "failed"},
        channels=_by_channel(beside),
    )


_LAST = (
    "SELECT m.person, m.state, m.reason FROM mail m JOIN (SELECT person, MAX(id) AS id FROM mail WHERE ended_at > ?"
    " AND state IN ('sent', 'failed') AND channel = '' GROUP BY person) l ON l.id = m.id ORDER BY m.person"
)


def _by_channel(found: Iterable[Any]) -> dict[str, ChannelStatus]:
    """Of (channel, state, reason), oldest first."""
    by_channel: dict[str, ChannelStatus] = {}
    for channel, state, reason in found:
        one = by_channel.get(channel, ChannelStatus())
        by_channel[channel] = ChannelStatus(
            one.waiting + (state in ("pending", "sending")),
            one.sent + (state == "sent"),
            one.failed + (state == "failed"),
            reason if reason and state in ("pending", "sending", "failed") else one.trouble,
        )
    return by_channel


def _share(ordered: list[Millis], share: float) -> Millis | None:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
