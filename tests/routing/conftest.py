"""The SMTP server that tests share, and what several tests of this room need, lie beside them. Whatever works on a
database does so on SQLite and on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from smtp_server import SmtpServer  # noqa: E402

from tests.places import keeping, on_both  # noqa: E402


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_both(metafunc, ("home", "place", "way"))


@pytest.fixture(autouse=True)
def kept_in(request: pytest.FixtureRequest) -> Iterator[str]:
    with keeping(getattr(request, "param", "sqlite")) as where:
        yield where


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running
