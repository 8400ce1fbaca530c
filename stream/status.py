"""What a stage says of itself, and the folder in which `clamor status` reads it from another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

import msgspec

from stream import process
from stream.clock import MINUTE
from stream.records import Millis
from stream.timing import Timing

StageState: TypeAlias = Literal["starting", "idle", "working", "retrying", "waiting", "held", "paused", "stopped"]
"""`waiting`: back-pressure. `held`: the disk is nearly full. `paused`: a person has to act (see `error`). `stopped`: it
left in order."""
Pressure: TypeAlias = Callable[[], Literal["waiting", "held"] | None]
"""Why a stage may take nothing now; None: it may."""


class StageStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One stage of one process at `at` (wall time). Counts are since the process started."""

    stage: str
    topic: str
    group: str
    pid: int
    started: str
    """When the process started, as `stream.process` says it: tells it from a later one with the same pid."""
    place: str = ""
    """Machine and container that `pid` is of, as `stream.process.here` says it; empty: the one that reads."""
    state: StageState
    at: Millis
    began: Millis = 0
    """Wall time at which the stage was started."""
    since: Millis
    """Wall time at which the stage came into this state."""
    progress_at: Millis
    """Wall time of the last commit, or of the start."""
    records: int = 0
    dead_letters: int = 0
    retries: int = 0
    lag: int = 0
    """Of the whole group, in records."""
    partitions: tuple[int, ...] = ()
    rebalances: int = 0
    """How often its partitions became others."""
    batch_time: Timing = Timing()
    """From the first record of a batch to its commit."""
    model_time: Timing = Timing()
    """What of it the model took, a reading of texts at a time."""
    overloaded: bool = False
    """It works in a hastier way than it is set to, since too much waits."""
    batch: int = 0
    """Most records taken at a time at present."""
    error: str = ""
    """Class and words of the last fault; empty once the stage goes on."""

    def alive(self) -> bool:
        """Whether the process that wrote this still runs; of one elsewhere, whether it was heard of lately."""
        if self.place in ("", process.here()):
            return process.runs(self.pid, self.started)
        return self.state != "stopped" and abs(time.time_ns() // 1_000_000 - self.at) <= FRESH


Publish: TypeAlias = Callable[[StageStatus], None]
FRESH: Millis = MINUTE
"""A process of another machine or container counts as ended when it has said nothing for so long."""


class StatusFolder:
    """One small file a stage and process, replaced whole, so that readers and writers never wait for each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, status: StageStatus) -> None:
        target = self._folder / f"{quote(status.stage, safe='')}.{_number(status)}.json"
        draft = target.with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(status))
        draft.replace(target)

    def read(self) -> list[StageStatus]:
        """Newest first within a stage; what ended processes left is part of it (see `StageStatus.alive`)."""
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=StageStatus))
            except (OSError, msgspec.DecodeError):
                continue
        return sorted(found, key=lambda status: (status.stage, -status.at))

    def sweep(self) -> None:
        """Removes what ended processes left. For a supervisor at its start."""
        for path in self._folder.glob("*.json"):
            try:
                status = msgspec.json.decode(path.read_bytes(), type=StageStatus)
            except (OSError, msgspec.DecodeError):
                path.unlink(missing_ok=True)
                continue
            if not status.alive():
                path.unlink(missing_ok=True)


def _number(status: StageStatus) -> str:
    """Two containers that share the folder may give their processes the same number."""
    place = blake2b(status.place.encode(), digest_size=4).hexdigest() if status.place else "here"
    return f"{place}.{status.pid}"
