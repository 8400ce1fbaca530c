"""Who is to blame for an unexpected error, and what may be said of it."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Iterator
from pathlib import Path

_OF_WHAT_IS_STORED = ("22", "23", "54")
"""SQLSTATE classes of data, of rules that it breaks, and of sizes that a server does not take (an id too long to be
indexed): drivers count the last among their OperationalErrors."""


def of_the_surroundings(error: Exception) -> bool:
    """A fault of disk, memory, network or database: no record is to blame, so that none becomes a dead letter."""
    if any(str(getattr(cause, "sqlstate", None) or "").startswith(_OF_WHAT_IS_STORED) for cause in _causes(error)):
        return False
    for cause in _causes(error):
        if isinstance(cause, OSError | MemoryError | sqlite3.OperationalError):
            return True
        if any(kind.__name__ in ("OperationalError", "InterfaceError") for kind in type(cause).__mro__):
            return True
    return False


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


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
