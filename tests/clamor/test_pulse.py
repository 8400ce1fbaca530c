"""The health check of a container: the stage's own word, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from clamor.pulse import well
from stream.process import here, this_process
from stream.status import FRESH, StageState, StageStatus, StatusFolder

ROOT = Path(__file__).parents[2]
NOW = 1_764_000_000_000
PID, STARTED = this_process()
FINE = StageStatus(
    stage="nlp", topic="posts", group="nlp", pid=PID, started=STARTED, place=here(), state="idle", at=NOW, since=NOW,
    progress_at=NOW,
)  # fmt: skip


def test_a_stage_that_speaks_here_is_well(tmp_path: Path) -> None:
    assert not well(tmp_path, "nlp", NOW)
    StatusFolder(tmp_path / "status").write(FINE)
    assert well(tmp_path, "nlp", NOW + FRESH)
    assert not well(tmp_path, "nlp", NOW + FRESH + 1)
    assert not well(tmp_path, "index", NOW)


@pytest.mark.parametrize("state", ["retrying", "paused", "held", "waiting"])
def test_what_a_new_start_would_not_mend_is_well(tmp_path: Path, state: StageState) -> None:
    StatusFolder(tmp_path / "status").write(replace(FINE, state=state))
    assert well(tmp_path, "nlp", NOW)


def test_the_word_of_another_container_or_of_one_that_has_left_does_not_count(tmp_path: Path) -> None:
    folder = StatusFolder(tmp_path / "status")
    folder.write(replace(FINE, place="other/1"))
    folder.write(replace(FINE, state="stopped"))
    assert not well(tmp_path, "nlp", NOW)


def test_it_is_asked_from_the_command_line(tmp_path: Path) -> None:
    def ask(*words: str, **environment: str) -> int:
        plain = {name: value for name, value in os.environ.items() if name != "CLAMOR_DATA"}
        command = [sys.executable, "-m", "clamor.pulse", *words]
        return subprocess.run(
            command, cwd=ROOT, env={**plain, **environment}, capture_output=True, check=False
        ).returncode

    assert ask("nlp", CLAMOR_DATA=str(tmp_path)) == 1
    assert ask(CLAMOR_DATA=str(tmp_path)) == ask("nlp") == 2
