"""One process for each role: what may work a home beside what."""

from __future__ import annotations

from pathlib import Path

import pytest

from clamor.roles import whole_program, worked_by
from config.home import AlreadyRunning, Home
from config.lock import RunLock


def test_a_stage_alone_and_a_whole_program_exclude_each_other(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    with whole_program(home), pytest.raises(AlreadyRunning), RunLock(home, "routing"):
        pass
    with RunLock(home, "index"), pytest.raises(AlreadyRunning, match="index"), whole_program(home):
        pass
    with whole_program(home):
        assert worked_by(home) is not None
    assert worked_by(home) is None


def test_the_api_alone_does_not_keep_a_replay_from_running_the_stages(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    with RunLock(home, "web"), whole_program(home, web=False):
        assert worked_by(home) is not None
