"""Killed at any instant, routing goes on where it stood: every effect exactly once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from route_home import NOW, RouteHome, as_log
from route_story import story

from stream.ports import Commit

WORKER = Path(__file__).parent / "route_worker.py"
ROUNDS = 3


def test_kill_9_during_batches_leaves_every_effect_exactly_once(tmp_path: Path, kept_in: str) -> None:
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    expected = calm(tmp_path / "calm")
    home = RouteHome(tmp_path / "killed")
    dice = random.Random(5)
    try:
        for _ in range(ROUNDS):
            _run_and_kill(home.address, dice.uniform(0.0, 0.15))
        finished = subprocess.run([sys.executable, WORKER, home.address], capture_output=True, text=True, timeout=60)
        assert finished.stdout.endswith("done\n"), finished.stderr
        assert state(home) == expected
    finally:
        home.close()


def _run_and_kill(address: str, after: float) -> None:
    with subprocess.Popen([sys.executable, WORKER, address], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(after)
        worker.kill()


def calm(folder: Path) -> dict[str, Any]:
    """The same, undisturbed and in the worker's batches."""
    home = RouteHome(folder)
    try:
        records = as_log(story())
        for at in range(0, len(records), 7):
            batch = records[at : at + 7]
            home.work.run(batch, [Commit("mentions", 0, at, at + len(batch))], NOW)
        return state(home)
    finally:
        home.close()


def state(home: RouteHome) -> dict[str, Any]:
    mentions = {
        id: (m.state, m.revision, m.decision and m.decision.queue, m.decision and m.decision.risk)
        for id, m in home.mentions().items()
    }
    cases = sorted(
        (case["queue"], case["state"], case["mentions"], sorted(home.members(case["id"])))
        for case in home.cases().values()
    )
    sent = home.sql("SELECT kind, revision, count(*) FROM outbox GROUP BY kind, revision ORDER BY kind, revision")
    alerts = home.sql("SELECT kind, brand, queue, count(*) FROM alert GROUP BY kind, brand, queue ORDER BY 1, 2, 3")
    authors = home.sql(
        "SELECT author, value, mentions, negatives FROM author JOIN dictionary d ON d.n = brand ORDER BY author, value"
    )
    offset = home.sql("SELECT next FROM stored_offset")
    return {
        "mentions": mentions, "cases": cases, "outbox": sent, "alerts": alerts, "authors": authors,
        "counts": home.counted(), "offset": offset,
    }  # fmt: skip
