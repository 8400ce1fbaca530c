"""A real PostgreSQL server: one for the whole run, a database of its own for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
ROOMS = ("clamor", "routing", "simulation")
sys.path[:0] = [str(HERE), *(str(TESTS / room) for room in ROOMS), str(TESTS)]

from database.engine import open_database  # noqa: E402
from tests.places import keeping, new_database  # noqa: E402
from tests.services.postgres_server import PostgresServer, server  # noqa: E402


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with keeping("postgres"):
        yield server()


@pytest.fixture
def address(postgres: PostgresServer, tmp_path: Path) -> str:
    """Of a database with all tables."""
    return new_database(tmp_path)


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    engine = open_database(address)
    yield engine
    engine.dispose()
