"""Which mails the server has taken, written down the moment it says so: what narrows the window of a double.

Between the server's answer and the commit in SQL lie some milliseconds, in which a killed process would forget that the
mail left. One write to a file lies there instead, some microseconds; the file outlives the process (not a power cut).
"""

from __future__ import annotations

import os
from pathlib import Path


class Journal:
    """A file of Message-IDs, one a line, that SQL may not know yet. Without `path` it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None

    def taken(self) -> frozenset[str]:
        """Message-IDs that were written and not yet forgotten; a line torn by a crash is left out."""
        if self._path is None or not self._path.exists():
            return frozenset()
        whole, _, _ = self._path.read_bytes().rpartition(b"\n")
        return frozenset(whole.decode("ascii", "replace").splitlines())

    def write(self, message_id: str) -> None:
        """Called as soon as the server has taken the mail."""
        if self._path is not None:
            os.write(self._open(), message_id.encode("ascii", "replace") + b"\n")

    def forget(self) -> None:
        """Called when SQL knows of all that was written."""
        if self._path is not None:
            os.ftruncate(self._open(), 0)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        if self._file is None and self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
            self._file = os.open(self._path, flags, 0o600)
        assert self._file is not None
        return self._file
