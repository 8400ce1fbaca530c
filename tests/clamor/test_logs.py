"""Logs carry ids, never texts or secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from clamor import logs


def test_a_text_passed_by_mistake_does_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "test")
    structlog.get_logger("x").info("seen", post="x:1", text="a private matter", token="abc")
    line = json.loads(capsys.readouterr().err)
    assert line["post"] == "x:1"
    assert line["process"] == "test"
    assert "private" not in json.dumps(line)
    assert "abc" not in line["token"]


def test_the_level_is_respected(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "warning", "test")
    structlog.get_logger("x").info("quiet")
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full to stand for a full disk")
def test_a_log_that_cannot_be_written_stops_neither_processes_nor_their_supervisor(tmp_path: Path) -> None:
    """The log of a home often lies on the disk that is full."""
    done = tmp_path / "done"
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-c", _LOUD, str(done)], stdout=full, stderr=full, timeout=60, cwd=ROOT, check=False
        )
    assert done.read_text() == "started 3 times"
    assert ended.returncode == 0


ROOT = Path(__file__).parents[2]
_LOUD = """
import os, sys
from pathlib import Path
import structlog
from clamor import logs
from clamor.supervisor import ProcessSpec, Supervisor

logs.configure()
done = Path(sys.argv[1])
starts = Path(sys.argv[1] + ".starts")

def target(stop):
    with starts.open("a") as file:
        file.write("x")
    structlog.get_logger("x").error("nobody reads this" * 1000)
    if starts.stat().st_size < 3:
        raise RuntimeError("once more" * 1000)
    done.write_text(f"started {starts.stat().st_size} times")

Supervisor([ProcessSpec("one", target, essential=False)]).run(lambda: not done.exists(), interval=0.02)
os._exit(0)
"""
