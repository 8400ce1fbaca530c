"""docs/commands.md names every command, option, argument and exit code that there is, and none that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from clamor import exits
from clamor.cli import program

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, sub in command.commands.items():
            yield from _commands(sub, (*path, name))
    else:
        yield " ".join(path), command


ROOT: Any = typer.main.get_command(program())
COMMANDS = dict(_commands(ROOT, ("clamor",)))


def _section(command: str) -> str:
    found = re.search(rf"^### `{re.escape(command)}`$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/commands.md has no section ### `{command}`"
    return found[1]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_option_and_argument_is_described(command: str) -> None:
    section = _section(command)
    for parameter in COMMANDS[command].params:
        if parameter.name == "help":
            continue
        names = (
            [parameter.metavar or parameter.name.upper()]
            if parameter.param_type_name == "argument"
            else [*parameter.opts, *parameter.secondary_opts]
        )
        for name in names:
            row = rf"^\| .*`{re.escape(name)}`.* \| .{{10,}} \|$"
            assert re.search(row, section, re.MULTILINE), f"{command}: {name} is not described in docs/commands.md"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_shows_examples(command: str) -> None:
    assert "[bold]Examples[/bold]" in COMMANDS[command].help
    assert "```sh" in _section(command)


def test_no_command_or_option_is_described_that_is_not_there() -> None:
    assert set(re.findall(r"^### `(.+)`$", PAGE, re.MULTILINE)) == set(COMMANDS)
    for command, found in COMMANDS.items():
        real = {name for parameter in found.params for name in (*parameter.opts, *parameter.secondary_opts)}
        rows = re.findall(r"^\| (`-.*?) \|", _section(command), re.MULTILINE)
        described = {name for row in rows for name in re.findall(r"`(-[^`]+)`", row)}
        assert described <= real, f"{command} has no {described - real}"


def test_options_of_every_command_are_described() -> None:
    head = PAGE.partition("## Start")[0]
    for parameter in ROOT.params:
        for name in parameter.opts:
            assert f"`{name}`" in head, name


def test_every_exit_code_is_described() -> None:
    codes = {value for name, value in vars(exits).items() if name.isupper()}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)} == codes
