"""What the disk under a folder is like: how much is free, and whether it is one that SQLite can trust."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from stream.sqlite_file import NETWORK_FILE_SYSTEMS, file_system

PAUSE_AT = 0.10
"""Free part below which streams pause and record the gap as coverage."""
STOP_AT = 0.05
"""Free part below which all writes but deletes stop."""


class DiskFree(NamedTuple):
    """Bytes free to this user, bytes in all, and their ratio."""

    free: int
    total: int

    @property
    def part(self) -> float:
        return self.free / self.total if self.total else 0.0

    @property
    def pause(self) -> bool:
        """Below 10 % free: streams pause."""
        return self.part < PAUSE_AT

    @property
    def stop(self) -> bool:
        """Below 5 % free: only deletes are written."""
        return self.part < STOP_AT


def disk_free(path: Path) -> DiskFree:
    """Of the file system under `path`, or under the nearest folder above it that exists. Raises OSError."""
    usage = shutil.disk_usage(_existing(path))
    return DiskFree(usage.free, usage.free + usage.used)


def writable(path: Path) -> bool:
    """Whether this user may write in `path`, or make it in the nearest folder above it that exists."""
    nearest = _existing(path)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def network_file_system(path: Path) -> str | None:
    """The type of the network file system that `path` lies on or would lie on; None on a local one."""
    kind = file_system(_existing(path))
    return kind if kind in NETWORK_FILE_SYSTEMS else None


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
