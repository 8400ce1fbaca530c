"""Which mails the server has taken, written down the moment it says so: what narrows the window of a double.

Between the server's answer and the commit in SQL lie some milliseconds, in which a killed process would forget that the
mail left. One write to a file lies there instead, some microseconds; the file outlives the process (not a power cut).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


class Journal:
    """A file of Message-IDs, one a line, that SQL may not know yet.

    Without `path`, and where the file cannot be written, this process alone knows them; the latter is logged and stops
    nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None
        self._of_this_process: set[str] = set()

    def taken(self) -> frozenset[str]:
        """Message-IDs that were written and not yet forgotten; a line torn by a crash is left out."""
        if self._path is None or not self._path.exists():
            return frozenset(self._of_this_process)
        whole, _, _ = self._path.read_bytes().rpartition(b"\n")
        return frozenset(self._of_this_process).union(whole.decode("ascii", "replace").splitlines())

    def write(self, message_id: str) -> None:
        """Called as soon as the server has taken the mail."""
        self._of_this_process.add(message_id)
        if self._path is not None:
            try:
                os.write(self._open(), message_id.encode("ascii", "replace") + b"\n")
            except OSError as fault:
                log.error("journal_not_written", journal=str(self._path), why=fault.strerror or str(fault))

    def forget(self) -> None:
        """Called when SQL knows of all that was written."""
        self._of_this_process.clear()
        if self._path is not None:
            # What stays in the file is true all the same, and asked only of mails that SQL does not know.
            with suppress(OSError):
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
