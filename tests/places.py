"""Where the database of a test lies: in a SQLite file, or in a database of its own on a real PostgreSQL server.

What a test promises holds on both; the fixture `kept_in` of a room's conftest says where it runs this time.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import database.tables  # noqa: F401
from database.base import metadata
from database.engine import open_database, write
from tests.services import postgres_server

_POSTGRES = pytest.param("postgres", marks=pytest.mark.services)
PLACES = ("sqlite", _POSTGRES)
only_sqlite = pytest.mark.parametrize("kept_in", ["sqlite"], indirect=True)
"""For what a test does to SQLite itself."""
only_postgres = pytest.mark.parametrize("kept_in", [_POSTGRES], indirect=True)

_now = ["sqlite"]


@contextmanager
def keeping(where: str) -> Iterator[str]:
    """Databases are made there meanwhile, and removed afterwards. Skips where there is no server."""
    before, _now[0] = _now[0], where
    try:
        if where == "postgres":
            postgres_server.server()
        yield where
    finally:
        _now[0] = before
        if where == "postgres" and postgres_server.server.cache_info().currsize:
            postgres_server.server().drop_all()


def new_database(folder: Path, *, filled: bool = True) -> str:
    """What `open_database` takes: a database with all tables (not `filled`: with none) and nothing in them."""
    if _now[0] == "postgres":
        return postgres_server.server().create(postgres_server.EMPTY if filled else None)
    path = folder / "app.db"
    if filled:
        path.write_bytes(_empty())
    return str(path)


def on_both(metafunc: pytest.Metafunc, fixtures: Collection[str]) -> None:
    """For a conftest's `pytest_generate_tests`: tests that use one of `fixtures`, or ask for `kept_in` themselves, run
    in every place; the others in none but SQLite."""
    marks = metafunc.definition.iter_markers("parametrize")
    marked = any(mark.args and "kept_in" in mark.args[0] for mark in marks)
    asks = "kept_in" in inspect.signature(metafunc.function).parameters
    if not marked and (asks or not set(fixtures).isdisjoint(metafunc.fixturenames)):
        metafunc.parametrize("kept_in", PLACES, indirect=True)


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "app.db"
        engine = open_database(path)
        with write(engine) as connection:
            metadata.create_all(connection)
        engine.dispose()
        return path.read_bytes()
