"""Whether posts that a network no longer shows were deleted: a decision that is hard to take back, so it is slow.

A post counts as deleted when the network says so in words, or when it is absent from two sweeps half an hour apart that
both showed a control post (one that is known to exist). When more than one post in twenty is gone at once, it is
rather the sweep that is broken: nothing is deleted, and a person is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ingest.collector import Existence
from stream.clock import MINUTE
from stream.records import Millis

APART: Millis = 30 * MINUTE
MOST_GONE = 0.05
SMALLEST = 20
"""Sweeps of fewer posts are not judged by the share that is gone."""
FEW = 3
"""So many gone are no accident, however small the sweep."""


class Verdict(NamedTuple):
    deleted: tuple[str, ...]
    absent_since: Mapping[str, Millis]
    """To be handed in with the next sweep: when each post that was not there was first missed."""
    paused: str
    """Why nothing was decided; empty where it was."""


def judge(
    found: Mapping[str, Existence], absent_since: Mapping[str, Millis], *, control_found: bool, now: Millis
) -> Verdict:
    """What a sweep's answer means for the posts asked for; `absent_since` is that of the last verdict."""
    if not control_found:
        return Verdict((), absent_since, "the control post was not found: the sweep sees nothing")
    missing = [native_id for native_id, existence in found.items() if existence != "there"]
    fresh = [native_id for native_id in missing if native_id not in absent_since]
    if len(found) >= SMALLEST and len(fresh) > max(FEW, MOST_GONE * len(found)):
        return Verdict(
            (), absent_since, f"{len(fresh):,} of {len(found):,} posts are gone at once: a person should look"
        )
    since = {native_id: time for native_id, time in absent_since.items() if found.get(native_id, "absent") == "absent"}
    deleted = []
    for native_id in missing:
        first = since.setdefault(native_id, now)
        if found[native_id] == "gone" or now - first >= APART:
            deleted.append(native_id)
            del since[native_id]
    return Verdict(tuple(deleted), since, "")
