"""`clamor rota show`, typed as people type it."""

from __future__ import annotations

import json
from pathlib import Path

from living import Living, settled_home
from typer.testing import CliRunner

from clamor import exits
from clamor.cli import program

CONFIGURATION = """
brands: [{id: acme, name: Acme Air}]
people: [{id: ana, name: Ana, email: ana@example.org}]
teams:
  - id: press
    name: Press
    zone: Europe/Madrid
    hours: {mon: ['09:00-18:00']}
    on_call:
      shifts: [{days: [mon], hours: '09:00-17:00', people: [ana]}]
  - {id: desk, name: Desk, zone: UTC, hours: {mon: ['09:00-18:00']}}
"""


def test_it_says_who_is_on_call_and_when_nobody_is(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home", CONFIGURATION)) as living:
        home = ["--home", str(living.home.root)]
        shown = CliRunner().invoke(program("rota"), [*home, "rota", "show", "--days", "8"])
        assert shown.exit_code == exits.OK, shown.output
        assert "press (Europe/Madrid)" in shown.output
        assert "desk" not in shown.output
        assert "ana" in shown.output
        assert "nobody: all who are configured are told" in " ".join(shown.output.split())
        lines = CliRunner().invoke(program("rota"), [*home, "rota", "show", "--days", "8", "--json"]).output
        found = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
        assert {(tuple(one["people"]), one["why"]) for one in found} == {(("ana",), "shift"), ((), "hole")}
        unknown = CliRunner().invoke(program("rota"), [*home, "rota", "show", "--team", "desk"])
        assert unknown.exit_code == exits.FAILED
        assert "those with one: press" in unknown.output
