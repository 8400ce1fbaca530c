from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from database.engine import open_database
from ingest.collector import Collector
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.patience import Backoff
from ingest.runner import Runner
from stream.clock import DAY, ManualClock
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, POSTS, TopicSpec
from stream.records import DeadLetter, Post, decode
from tests.places import keeping, new_database, on_both

NOW = 1_795_000_000_000


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    on_both(metafunc, ("engine",))


@pytest.fixture(autouse=True)
def kept_in(request: pytest.FixtureRequest) -> Iterator[str]:
    """Whatever works on a database does so on SQLite and on PostgreSQL."""
    with keeping(getattr(request, "param", "sqlite")) as where:
        yield where


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
    engine = open_database(new_database(tmp_path / "home"))
    yield engine
    engine.dispose()


@pytest.fixture
def cursors(engine: Engine) -> Cursors:
    return Cursors(engine)


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)


@pytest.fixture
def run(log: EmbeddedLog, cursors: Cursors, ledger: Ledger, clock: ManualClock) -> Callable[..., Runner]:
    """Run a collector until it ends."""

    def run(collector: Collector, **more: Any) -> Runner:
        runner = Runner(
            collector, more.pop("log", log), cursors, ledger, clock, backoff=Backoff(first=1, most=2), **more
        )
        runner.run()
        return runner

    return run
