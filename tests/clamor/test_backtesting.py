"""A back-test by several processes finds what one finds, and one that is stopped tells what it saw."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bench.backtest import history
from bench.decide import rules_of
from bench.routing import BRANDS, NOW
from clamor import backtesting
from clamor.backtesting import Ask, Progress
from clamor.backtesting import history as over
from database.engine import open_database

ASK = Ask(0, NOW * 2, rules_of(12, words=True), {brand.id: brand.name for brand in BRANDS}, False)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "app.db"
    history(path, 1_500)
    return path


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtesting, "STRETCH", 200)
    monkeypatch.setattr(backtesting, "WORTH_IT", 0)


def test_two_processes_find_what_one_finds(file: Path) -> None:
    seen: list[Progress] = []
    engine = open_database(file)
    with over(engine, file, ASK, 1) as past:
        one, reached = past.look(threading.Event(), seen.append)
    with over(engine, file, ASK, 2) as past:
        two, _ = past.look(threading.Event(), lambda _: None)
    assert one == two
    assert (one.mentions, reached) == (1_500, Progress(1_500, 1_500))
    assert [far.after for far in seen] == [200, 400, 600, 800, 1_000, 1_200, 1_400, 1_500]
    assert one.moves.total() > 100


@pytest.mark.parametrize("workers", [1, 2])
def test_one_that_is_stopped_has_what_it_saw(file: Path, workers: int) -> None:
    stop = threading.Event()

    def show(reached: Progress) -> None:
        if reached.after >= 600:
            stop.set()

    with over(open_database(file), file, ASK, workers) as past:
        found, reached = past.look(stop, show)
    assert (reached.after, found.mentions) == (600, 600)
