"""What the terminal is shown is often foreign: it must neither steer the terminal nor stop the command."""

from __future__ import annotations

import pytest
from rich.table import Table

from clamor.console import Plain

HOSTILE = "[/foo] [bold]x[/] \x1b]0;owned\x07\x1b[31m \x9b31m \u202eabc :warning: [link=file:///etc]y"
SHOWN = "[/foo] [bold]x[/] ]0;owned[31m 31m abc :warning: [link=file:///etc]y"


def test_a_foreign_text_is_shown_as_it_is_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    console = Plain()
    console.print(HOSTILE, soft_wrap=True)
    table = Table(HOSTILE, box=None)
    table.add_row(HOSTILE)
    console.print(table, width=120)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [SHOWN] * 3


def test_a_console_still_colours_what_it_says_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Plain()
    with console.capture() as captured:
        console.print("bad", style="red")
    assert captured.get() == "\x1b[31mbad\x1b[0m\n"


PATH = "/a/folder/of/a/rather/long/name/" * 6 + "clamor.yaml"


def test_what_is_piped_on_is_not_broken_into_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    Plain().print(f"then: clamor --home {PATH} check")
    assert capsys.readouterr().out == f"then: clamor --home {PATH} check\n"


def test_a_width_that_is_asked_for_is_kept(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Plain().print("one word after the other, and none of them is cut")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 40
