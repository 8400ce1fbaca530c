"""Who is to blame for an unexpected error, and what may be said of it."""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path


def of_the_surroundings(error: Exception) -> bool:
    """A fault of disk, memory, network or database: no record is to blame, so that none becomes a dead letter."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError | MemoryError | sqlite3.OperationalError):
            return True
        if any(kind.__name__ in ("OperationalError", "InterfaceError") for kind in type(cause).__mro__):
            return True
        cause = cause.__cause__
    return False


def without_text(error: Exception) -> str:
    """Class and place of an error: its own words might quote a post."""
    return f"unexpected {type(error).__name__} at {place_of(error)}"


def place_of(error: Exception) -> str:
    """File and line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "?"
    path = Path(frames[-1].filename)
    return f"{path.parent.name}/{path.name}:{frames[-1].lineno}"
