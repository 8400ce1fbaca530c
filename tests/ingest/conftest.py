from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

import database.tables  # noqa: F401
from database.base import metadata
from database.engine import open_database
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from stream.clock import DAY, ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, POSTS, TopicSpec
from stream.records import DeadLetter, Post, decode

NOW = 1_795_000_000_000


class Held:
    """The two topics that ingest writes, read back."""

    def __init__(self, log: EmbeddedLog) -> None:
        self.log = log

    def posts(self) -> list[Post]:
        return [decode(Post, record.value) for record in self.log.read(POSTS, 0, 0, 100_000)]

    def dead(self) -> list[DeadLetter]:
        return [decode(DeadLetter, record.value) for record in self.log.read(DEAD_LETTER, 0, 0, 100_000)]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def log(tmp_path: Path, clock: ManualClock) -> Iterator[EmbeddedLog]:
    (tmp_path / "home").mkdir(exist_ok=True)
    log = EmbeddedLog(tmp_path / "home" / "log.db", clock)
    log.ensure([TopicSpec(POSTS, 1, 6 * DAY), TopicSpec(DEAD_LETTER, 1, 6 * DAY)])
    yield log
    log.close()


@pytest.fixture
def held(log: EmbeddedLog) -> Held:
    return Held(log)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "home").mkdir(exist_ok=True)
    engine = open_database(tmp_path / "home" / "app.db")
    names = ("collector_cursor", "coverage", "webhook_request", "webhook_item", "source_pulse")
    metadata.create_all(engine, tables=[metadata.tables[name] for name in names])
    yield engine
    engine.dispose()


@pytest.fixture
def cursors(engine: Engine) -> Cursors:
    return Cursors(engine)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)
