"""Which stages make no progress, told from what they say of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import msgspec

from stream.clock import MINUTE, SECOND
from stream.records import Millis
from stream.status import StageStatus

PATIENCE: Millis = MINUTE


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    stage: str
    pid: int | None
    """None: no process of the stage works."""
    since: Millis
    """Wall time of its last sign of progress."""
    why: str


def stuck(statuses: Iterable[StageStatus], now: Millis, patience: Millis = PATIENCE) -> list[Stuck]:
    """Stages that have something to do, and have done nothing for `patience`; those that wait for a person at once.

    Those that are held on purpose are not stuck.

    `now` is wall time. An idle process is not stuck while others of its stage work: it may hold other partitions.
    """
    found: list[Stuck] = []
    ordered = sorted(statuses, key=lambda status: (status.stage, status.pid))
    for stage, group in groupby(ordered, key=lambda status: status.stage):
        members = [status for status in group if status.state != "stopped"]
        single = [fault for status in members if (fault := _fault(status, now, patience))]
        found += single or _nobody_works(stage, members, now, patience)
    return found


def _fault(status: StageStatus, now: Millis, patience: Millis) -> Stuck | None:
    if status.state == "paused":
        return _stuck(status, status.since, f"it waits for a person: {status.error}")
    if now - status.at > patience:
        return _stuck(status, status.at, "it says nothing: its process is gone, or hangs in a batch")
    idle_since = max(status.progress_at, status.since)
    if status.lag and now - idle_since > patience:
        if status.state == "retrying":
            return _stuck(status, status.progress_at, f"it tries again and again: {status.error}")
        if status.state == "waiting":
            return _stuck(status, status.progress_at, "the stage after it does not keep up")
    return None


def _nobody_works(stage: str, members: list[StageStatus], now: Millis, patience: Millis) -> list[Stuck]:
    if not members:
        return []
    latest = max(members, key=lambda status: status.at)
    progress = max(status.progress_at for status in members)
    if latest.lag == 0 or now - progress <= patience or latest.state == "held":
        return []
    why = f"{latest.lag} records wait and nobody has done any for {(now - progress) // SECOND} s"
    return [Stuck(stage=stage, pid=None, since=progress, why=why)]


def _stuck(status: StageStatus, since: Millis, why: str) -> Stuck:
    return Stuck(stage=status.stage, pid=status.pid, since=since, why=why)
