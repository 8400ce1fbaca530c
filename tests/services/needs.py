"""What a test of a real server needs: missing it is a failure where CI=true, and a visible skip elsewhere."""

from __future__ import annotations

import importlib.util
import os
from typing import NoReturn

import pytest


def library(name: str, extra: str) -> None:
    """For the top of a test module, before it imports anything that needs the library."""
    if importlib.util.find_spec(name) is None:
        missing(f"{name} is not installed: pip install 'clamor[{extra}]'", module=True)


def missing(why: str, *, module: bool = False) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"in CI the real servers must run: {why}", pytrace=False)
    pytest.skip(f"no real server here: {why}", allow_module_level=module)
