"""`clamor silence`, typed as people type it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from living import NOW, Living, settled_home
from typer.testing import CliRunner

from clamor import exits
from clamor.cli import program
from database.engine import write
from routing.incidents import book
from routing.incidents.book import Evidence
from routing.incidents.levels import Signal, Standing
from stream.clock import HOUR


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home")) as living:
        with write(living.opened.engine) as connection:
            loud = Evidence(NOW, (Signal("all@x", 60, 12, 1.5, 4.0, 2.2, 0.99),))
            book.open_incident(connection, "acme", Standing("warning", NOW - HOUR, NOW, NOW), loud, NOW)
        yield living


def clamor(living: Living, *words: str) -> Result:
    return CliRunner().invoke(program(words[0]), ["--home", str(living.home.root), *words])


def test_a_silence_is_made_shown_and_ended(living: Living) -> None:
    made = clamor(living, "silence", "add", "--brand", "acme", "--for", "4h", "--reason", "we know", "--by", "ana")
    assert made.exit_code == exits.OK, made.output
    assert "we know" in clamor(living, "silence", "list").output
    assert "silenced" in clamor(living, "incident", "list").output
    assert "by ana: we know" in clamor(living, "incident", "show", "1").output
    assert clamor(living, "silence", "end", "1", "--by", "ben").exit_code == exits.OK
    assert "ended by ben" in " ".join(clamor(living, "silence", "list", "--all").output.split())
    assert "silenced" not in clamor(living, "incident", "list").output
    assert clamor(living, "silence", "end", "1").exit_code == exits.FAILED


def test_that_of_an_incident_stands_in_its_history(living: Living) -> None:
    made = clamor(living, "silence", "add", "--incident", "1", "--for", "2h", "--reason", "legal writes", "--by", "ana")
    assert "incident 1 (acme)" in made.output
    assert "silenced: ana legal writes" in clamor(living, "incident", "show", "1").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--for", "4h"], "say what is silenced"),
        (["--brand", "acme"], "say when it ends"),
        (["--brand", "acmee", "--for", "4h"], "did you mean 'acme'"),
        (["--query", "brand:(", "--for", "4h"], "is not closed"),
        (["--incident", "9", "--for", "4h"], "there is no incident 9"),
        (["--brand", "acme", "--weekly", "sunday", "--for", "3h"], "write mon 09:00"),
        (["--brand", "acme", "--weekly", "sun 02:00", "--for", "3h", "--zone", "Mars"], "no time zone"),
        (["--brand", "acme", "--until", "2020-01-01"], "over before it begins"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(living: Living, words: list[str], said: str) -> None:
    refused = clamor(living, "silence", "add", "--reason", "r", *words)
    assert refused.exit_code != exits.OK
    assert said in " ".join(refused.output.replace("│", " ").split())
