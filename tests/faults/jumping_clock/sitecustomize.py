"""A wall clock that is wrong by the seconds in a file: Python imports this at its start where it lies on its path."""

from __future__ import annotations

import os
import time
from pathlib import Path

_file = Path(os.environ["TEST_CLOCK_FILE"])
_true, _true_ns = time.time, time.time_ns


def _wrong() -> int:
    return int(_file.read_text())


def _time() -> float:
    return _true() + _wrong()


def _time_ns() -> int:
    return _true_ns() + _wrong() * 1_000_000_000


time.time, time.time_ns = _time, _time_ns
