"""Which stages make no progress, told from what they say of themselves, or from what waits for those that are gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def absent(
    living: Iterable[StageStatus],
    left: Iterable[StageStatus],
    waiting: Mapping[str, int],
    now: Millis,
    patience: Millis = PATIENCE,
) -> list[Stuck]:
    """Stages that no process works on for `patience`, while others of the home are at work: records wait for them, or
    their last process ended without a word.

    `left` is what ended processes left behind, `waiting` the records that wait for each stage. A home that nobody
    works is not running, and nothing of it is absent.
    """
    at_work = [status for status in living if status.state != "stopped"]
    if not at_work:
        return []
    begun = min(status.began for status in at_work)
    last = {status.stage: status for status in sorted(left, key=lambda status: status.at)}
    gone = (waiting.keys() | last.keys()) - {status.stage for status in at_work}
    found = []
    for stage in sorted(gone):
        end = last.get(stage)
        since = max(begun, end.at) if end is not None and end.at <= now else begun
        why = _missed(waiting.get(stage, 0), end)
        if why and now - since > patience:
            why += f"; start one with `clamor stage {stage}`, or all stages with `clamor run`"
            found.append(Stuck(stage=stage, pid=None, since=since, why=why))
    return found


def _missed(waiting: int, end: StageStatus | None) -> str:
    if waiting:
        return f"{waiting} records wait and no process of it runs"
    if end is not None and end.state != "stopped":
        return f"its process {end.pid} ended without a word, and no other runs"
    return ""


def _fault(status: StageStatus, now: Millis, patience: Millis) -> Stuck | None:
    if status.state == "paused":
        return _stuck(status, status.since, f"it waits for a person: {status.error}")
    # A word from far ahead was said before the clock was set back, and nothing since.
    if abs(now - status.at) > patience:
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
