"""Which of a home's three engines answer: for `/readyz` and the metrics."""

from __future__ import annotations

from clamor.opening import Opened
from clamor.standstill import BROKEN
from database.engine import read, rows
from stream.ports import DECIDED, POSTS

ENGINES = ("log", "database", "store")


def silent_engines(opened: Opened) -> dict[str, str]:
    """Why one does not answer, by its name. While the log is silent the store is not asked: it is asked by the log's
    identity."""
    missing = {}
    for name, ask in {"log": _log, "database": _database, "store": _store}.items():
        if name == "store" and "log" in missing:
            continue
        try:
            ask(opened)
        except BROKEN as error:
            missing[name] = str(error)
    return missing


def _log(opened: Opened) -> None:
    opened.log.bounds(POSTS)


def _database(opened: Opened) -> None:
    with read(opened.engine) as connection:
        rows(connection, "SELECT 1")


def _store(opened: Opened) -> None:
    opened.store.offsets(DECIDED, frozenset({0}), opened.log.epoch())
