"""A stage with its offsets in SQL is killed at any instant: each record has its effect exactly once."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest
from embedded_place import open_embedded

from stream.ports import Append, TopicSpec

HERE = Path(__file__).parent
DAY = 86_400_000


def start(log: Path, sql: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "stage_worker.py"), str(log), str(sql)],
        env={**os.environ, "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("rounds", [2, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
def test_killed_at_any_instant_each_effect_happens_once(tmp_path: Path, rounds: int) -> None:
    log_path, sql_path = tmp_path / "log.db", tmp_path / "app.db"
    log = open_embedded(str(log_path))
    log.ensure([TopicSpec("posts", 4, DAY)])
    appended, chance = 0, random.Random(rounds)
    for _ in range(rounds):
        workers = [start(log_path, sql_path) for _ in range(2)]
        for _ in range(chance.randrange(4, 12)):
            log.append([Append("posts", f"x:{n}", str(n).encode()) for n in range(appended, appended + 50)])
            appended += 50
        threading.Event().wait(chance.uniform(0.0, 0.15))
        for worker in workers:
            worker.send_signal(SIGKILL)
            worker.communicate()
    last = start(log_path, sql_path)
    while log.lag("ledger", "posts"):
        threading.Event().wait(0.02)
    last.send_signal(SIGTERM)
    assert last.communicate()[0] == "stopped\n"
    assert last.returncode == 0
    log.close()
    sql = sqlite3.connect(sql_path)
    values = [int(value) for (value,) in sql.execute("SELECT value FROM effect")]
    sql.close()
    assert sorted(values) == list(range(appended))
