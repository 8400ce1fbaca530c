"""What a stage says of itself, and the folder in which `clamor status` reads it from another process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import quote

import msgspec

from stream import process
from stream.records import Millis

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
    overloaded: bool = False
    """It works in a hastier way than it is set to, since too much waits."""
    batch: int = 0
    """Most records taken at a time at present."""
    error: str = ""
    """Class and words of the last fault; empty once the stage goes on."""

    def alive(self) -> bool:
        """Whether the process that wrote this still runs (on this machine)."""
        return process.runs(self.pid, self.started)


Publish: TypeAlias = Callable[[StageStatus], None]


class StatusFolder:
    """One small file a stage and process, replaced whole, so that readers and writers never wait for each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, status: StageStatus) -> None:
        target = self._folder / f"{quote(status.stage, safe='')}.{status.pid}.json"
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
