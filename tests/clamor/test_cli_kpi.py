"""`clamor kpi`, typed as people type it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from living import NOW, ZEPHYR, Living, post, settled_home
from typer.testing import CliRunner

from clamor.chores import KeyFigures
from clamor.cli import program
from routing.casework import Resolve, work
from routing.desk import Desk
from stream.clock import HOUR

CONFIGURATION = f"""\
brands:
  - {{id: acme, name: Acme Air}}
{ZEPHYR}people:
  - {{id: ana, name: Ana Example, email: ana@example.org, operations: false}}
mail: {{host: null}}
understanding: {{model: linear}}
"""


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home", CONFIGURATION)) as living:
        living.live(post(1), post(2), post(3, "Zephyr lost my bag again, I want my money back"))
        desk = Desk(living.opened.registry.current())
        work(living.opened.engine, desk, 1, Resolve("paid"), "ana", NOW + 2 * HOUR)
        living.clock.advance(3 * HOUR)
        yield living


def kpi(living: Living, *words: str) -> Result:
    return CliRunner().invoke(program("kpi"), ["--home", str(living.home.root), "kpi", "--since", "2026-01-01", *words])


def test_the_table_says_what_there_is_to_say(living: Living) -> None:
    shown = kpi(living, "--by", "brand").output
    assert "acme" in shown
    assert "1: 2.0 h, 2.0 h" in shown
    assert "66.7%" in shown
    assert "were real" not in shown, "what says nothing of any row is left out"


def test_json_and_csv_have_every_figure(living: Living) -> None:
    rows = [json.loads(line) for line in kpi(living, "--by", "brand", "--format", "json").stdout.splitlines()]
    first = rows[0]
    assert (first["brand"], first["cases"], first["resolved"], first["mentions"]) == ("acme", 2, 1, 2)
    found = list(csv.DictReader(io.StringIO(kpi(living, "--by", "brand,day", "--format", "csv").stdout)))
    assert (found[0]["since"], found[0]["brand"], found[0]["cases"]) == ("2026-09-21", "acme", "2")
    assert found[0].keys() == rows[0].keys()


def test_the_last_day_is_counted(living: Living) -> None:
    for last, rows in (("2026-09-20", 0), ("2026-09-21", 1)):
        shown = kpi(living, "--until", last, "--by", "brand", "--brand", "acme", "--format", "json").stdout
        assert len(shown.splitlines()) == rows


def test_what_there_is_not_is_refused_with_what_there_is(living: Living) -> None:
    wrong = kpi(living, "--brand", "acne")
    assert wrong.exit_code == 2
    assert "acme" in wrong.output
    assert "colour" in kpi(living, "--by", "colour").output
    assert kpi(living, "--queue", "sport").exit_code == 2


def test_the_chore_folds_and_says_when_there_is_no_more_to_do(living: Living) -> None:
    before = kpi(living, "--format", "json").stdout
    chore = KeyFigures(living.opened)
    while chore.step():
        pass
    assert living.sql("SELECT count(*) FROM kpi_delta") == [(0,)]
    assert kpi(living, "--format", "json").stdout == before
