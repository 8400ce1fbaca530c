"""`clamor status` as a person reads it: nothing wider than eighty columns, every trouble in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from living import NOW, Living, gone, post, settled_home
from msgspec.structs import replace
from test_move import BIG

from clamor.chores import Watch
from clamor.commands.search import when
from clamor.commands.status import _disk, _show, _time
from clamor.console import answers
from clamor.moving.beginning import begun
from clamor.moving.note import note
from clamor.status import status
from config.disk import DiskFree
from stream.clock import HOUR
from stream.records import Coverage


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_width", 80)


def shown(living: Living, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    _show(status(living.opened))
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_home_without_troubles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1))
        lines = shown(living, capsys)
        assert max(map(len, lines)) <= 80
        assert not [line for line in lines if line.startswith(("trouble", "stuck"))]
        text = "\n".join(lines)
        for line in (
            "deletes            none in the last day",
            "to be erased       no deleted text waits in the index",
            "sources            none",
            "sweeps             none",
            "last alert         none",
        ):
            assert line in text


def test_everything_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        living.live(post(1), post(2))
        living.live(gone(1))
        living.stages[1].step(0)
        living.opened.store.idle(living.clock.now())
        living.clock.advance(3 * HOUR)
        for part, row in {
            "a": Coverage(source_id="a", since=NOW, until=NOW + HOUR, state="complete", refused=10_123, missed=0),
            "b": Coverage(source_id="a", since=NOW, until=NOW + HOUR, state="partial", received=5, missed=1_234),
            "c": Coverage(source_id="a", since=NOW, until=NOW + HOUR, state="gap"),
        }.items():
            living.opened.ledger.record(row, part)
        living.opened.disk = lambda: DiskFree(4 * 10**9, 100 * 10**9)  # type: ignore[method-assign]
        Watch(living.opened).step()
        lines = shown(living, capsys)
        assert max(map(len, lines)) <= 80
        text = " ".join(" ".join(lines).split())
        for words in (
            "trouble since 2026-09-21 17:13: the disk under",
            "below 5% nothing but deletes is written",
            "10,123 rows refused, 1,234 known to be missed, 1 gap of unknown size",
            "deletes out of SQL: p50 1 ms, p99 1 ms (1 in the last day)",
            "out of searches: p50 1 ms, p99 1 ms (1 in the last day)",
            "1 batch waits in the index's file, the oldest for 3.0 h",
            "4.0 GB free (4%)",
            "only deletes are written",
            "last alert 2026-09-21 17:13 about disk",
        ):
            assert words in text


def test_a_move_that_is_under_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = settled_home(tmp_path / "home")
    (home.root / "big.yaml").write_text(BIG, encoding="utf-8")
    with Living(home) as living:
        assert status(living.opened)["move"] is None
        living.live(post(1))
        with begun(home, "big.yaml") as found:
            told = {"phase": "copying", "to": "big.yaml", "since": found.note.begun_at, "process": os.getpid()}
            assert status(living.opened)["move"] == told
            since = when(found.note.begun_at)
            assert f"move               to the engines of big.yaml since {since}: copying" in shown(living, capsys)
        assert status(living.opened)["move"] == {**told, "process": None}
        lines = shown(living, capsys)
        assert max(map(len, lines)) <= 80
        assert "copying, cut short: `clamor move --to big.yaml` goes on" in " ".join(" ".join(lines).split())
        note(living.home, replace(found.note, phase="done"))
        assert status(living.opened)["move"] is None


@pytest.mark.parametrize(
    ("millis", "words"),
    [(0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (90_000, "1.5 min"), (7_200_000, "2.0 h"), (10**10, "2,777.8 h")],
)
def test_times_are_short(millis: int, words: str) -> None:
    assert _time(millis) == words


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (75_248.3, "more than ten years left"),
        (1_240.2, "1,240 days left"),
        (31.04, "31 days left"),
        (2.5, "2.5 days left"),
    ],
)
def test_the_days_of_disk_are_no_more_exact_than_they_can_be(days: float, words: str) -> None:
    disk: dict[str, Any] = {
        "bytes": {}, "bytes_a_post": {}, "on_server": None, "free": 7e10, "free_share": 0.5, "writes": "all",
    }  # fmt: skip
    assert words in _disk({**disk, "days_left": days})
