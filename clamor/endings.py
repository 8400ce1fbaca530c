"""Credentials that come to their end: until when each counts, in words, and what people are told ahead of it."""

from __future__ import annotations

from collections.abc import Collection

from clamor.commands.search import when
from clamor.opening import Opened
from clamor.sources import SourceStanding, standings
from stream.clock import DAY, HOUR
from stream.records import Millis

CREDENTIAL = "credential:"
"""How the keys of these troubles begin."""
DAYS_AHEAD = (14, 7, 3, 1)
"""Before its end a credential is told of so many days; once each."""


def endings(opened: Opened) -> dict[str, str]:
    """Of each source in force whose credential has ended or is near its end: the key of a trouble, and what is told."""
    return {
        f"{CREDENTIAL}{one.source}:{level}": _told(one, one.ends_at, one.ends_in)
        for one in standings(opened)
        if one.ends_at is not None and one.ends_in is not None and (level := nearness(one.ends_in)) is not None
    }


def nearness(still: Millis) -> int | None:
    """The fewest days of `DAYS_AHEAD` that a credential lasts no longer than which counts for `still`; 0: it has ended;
    None: it lasts longer than all."""
    if still <= 0:
        return 0
    return min((days for days in DAYS_AHEAD if still <= days * DAY), default=None)


def outrun(key: str, told: Collection[str]) -> bool:
    """Whether a nearer end of the same credential is `told` already, by a machine whose clock is a little ahead."""
    credential, _, level = key.rpartition(":")
    return credential.startswith(CREDENTIAL) and any(
        f"{credential}:{nearer}" in told for nearer in (0, *DAYS_AHEAD) if nearer < int(level)
    )


def left(still: Millis) -> str:
    """`ends in 9 days`, in whole days or, of the last two, in whole hours; `has ended`."""
    if still <= 0:
        return "has ended"
    if still < HOUR:
        return "ends within the hour"
    count, unit = (still // DAY, "day") if still >= 2 * DAY else (still // HOUR, "hour")
    return f"ends in {count} {unit}{'' if count == 1 else 's'}"


def _told(one: SourceStanding, ends_at: Millis, still: Millis) -> str:
    way = f"docs/networks/{one.kind}.md says how to get another one, and clamor sources test {one.source} tests it"
    if still <= 0:
        return (
            f"the credential of source {one.source} has ended ({when(ends_at)} UTC), so that it brings nothing: {way}"
        )
    return (
        f"the credential of source {one.source} {left(still)} ({when(ends_at)} UTC), and from then on the source "
        f"brings nothing: {way}"
    )
