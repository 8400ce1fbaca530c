from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """A worker of pytest-xdist is told the size of a terminal; what a test starts has none, as without workers."""
    if hasattr(config, "workerinput"):
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)
