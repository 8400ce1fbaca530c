"""What the demo says at its end is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from clamor.commands.demo import _Served, _where_next
from clamor.scenario import WEEK
from config.home import Home
from ingest.scenario import load

SCENARIO = load(WEEK)


def test_an_api_that_has_ended_is_not_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _where_next(Home.at(tmp_path), SCENARIO, tmp_path / "clamor.mbox", None)
    told = capsys.readouterr().out
    assert "http" not in told
    assert "token" not in told
    assert "clamor demo --stay keeps it serving" in told


def test_an_api_that_goes_on_is_named_with_its_token(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _where_next(Home.at(tmp_path), SCENARIO, tmp_path / "clamor.mbox", _Served("http://127.0.0.1:8800", "clamor_abc"))
    told = capsys.readouterr().out
    assert "http://127.0.0.1:8800/api/docs" in told
    assert "clamor_abc" in told
    assert "goes on serving" in told
