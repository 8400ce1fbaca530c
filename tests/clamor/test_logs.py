"""Logs carry ids, never texts or secrets."""

from __future__ import annotations

import json

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
