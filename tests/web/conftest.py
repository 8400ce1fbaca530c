"""What the tests of this room share lies beside them; posts as `nlp` hands them over are made by routing's tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "routing")]

from web_home import WebHome, opened_home  # noqa: E402


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebHome]:
    """A home with its API on a socket; the tests of a module share it and use posts of their own."""
    with opened_home(tmp_path_factory.mktemp("web")) as home:
        yield home
