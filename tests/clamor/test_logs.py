"""Logs carry ids, never texts or secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from living import Living, post, settled_home

from clamor import logs
from stream.ports import POSTS, Append


def test_a_text_passed_by_mistake_does_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info", "test")
    structlog.get_logger("x").info("seen", post="x:1", text="a private matter", token="abc")
    line = json.loads(capsys.readouterr().err)
    assert line["post"] == "x:1"
    assert line["process"] == "test"
    assert "private" not in json.dumps(line)
    assert "abc" not in line["token"]


def test_a_post_is_followed_through_all_stages_by_its_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At level debug each stage names what it has done; what a mail was about is named at info."""
    mayday = "Acme Air mayday mayday"
    home = settled_home(tmp_path / "home")
    home.rules_file.write_text(RULES)
    with Living(home) as living:
        logs.configure("json", "debug", "test")
        living.live(post(7, mayday))
        assert living.mail() == 1
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    seen = {line["stage"]: line["keys"] for line in lines if line["event"] == "batch_done"}
    assert seen == {"nlp": ["x:7"], "routing": ["x:7"], "index": ["x:7#acme"]}
    assert [line["keys"] for line in lines if line["event"] == "mail_ended"] == [["x:7#acme"]]
    assert mayday not in json.dumps(lines)


def test_what_is_put_aside_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        logs.configure("json", "info", "test")
        living.opened.log.append([Append(POSTS, "x:8", b"no post")])
        living.drain()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["event"] == "dead_letter"]
    assert (line["stage"], line["key"]) == ("nlp", "x:8")


RULES = """\
rules:
  - {name: loud, when: "mayday", queue: pr, priority: urgent, alert: true, why: {en: "mayday", es: "pide auxilio"}}
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


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
