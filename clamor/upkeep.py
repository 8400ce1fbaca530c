"""What a supervisor notes about its processes, and how others read it: a process that ends before it can say anything
of itself is known by this alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from config.home import Home
from stream.process import runs, this_process
from stream.records import Millis
from stream.watchdog import Stuck

FAILING = 3
"""Restarts in a row, none of them steady, after which a process counts as failing."""


class Kept(msgspec.Struct, frozen=True):
    """One process. `restarts` are those since it last ran steadily."""

    name: str
    pid: int
    """0: it does not run now."""
    restarts: int
    exit_code: int | None
    """Of its last end."""
    ended_at: Millis | None
    """Wall time of its last end."""


class Upkeep(msgspec.Struct, frozen=True):
    pid: int
    started: str
    """Of the supervisor, as `stream.process` says it."""
    processes: tuple[Kept, ...]


def noting(home: Home) -> Callable[[tuple[Kept, ...]], None]:
    """Notes the processes of this one. A full disk keeps the note as it was: the supervisor must go on."""

    def note(processes: tuple[Kept, ...]) -> None:
        draft = _path(home).with_suffix(".new")
        with suppress(OSError):
            draft.write_bytes(msgspec.json.encode(Upkeep(*this_process(), processes)))
            draft.replace(_path(home))

    return note


def noted(home: Home) -> tuple[Kept, ...]:
    """The processes of the supervisor that runs on this home now; none where there is none."""
    try:
        found = msgspec.json.decode(_path(home).read_bytes(), type=Upkeep)
    except (OSError, msgspec.DecodeError):
        return ()
    return found.processes if runs(found.pid, found.started) else ()


def failing(processes: tuple[Kept, ...]) -> list[Stuck]:
    """Processes that end again and again soon after their start, by the stage that they are to run."""
    return [
        Stuck(
            stage=one.name.partition("-")[0],
            pid=one.pid or None,
            since=one.ended_at or 0,
            why=f"its process {one.name} ended {one.restarts} times soon after its start, the last time with exit code "
            f"{one.exit_code}: the lines before `process ended` in the program's log say why",
        )
        for one in processes
        if one.restarts >= FAILING
    ]


def _path(home: Home) -> Path:
    return home.data / "processes.json"
