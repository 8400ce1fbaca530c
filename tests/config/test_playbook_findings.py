"""A playbook that names somebody who is not there: an error with its line, and the way out."""

from __future__ import annotations

from pathlib import Path

import yaml

from config import load
from config.content import playbook
from config.home import Home
from config.playbook import shipped

HOME = """\
people:
  - {id: ana, name: Ana, email: ana@example.org}
  - {id: sue, name: Sue, email: sue@example.org, queues: [support]}
teams:
  - {id: madrid, name: Madrid, zone: Europe/Madrid, members: [ana], hours: {mon: ['09:00-18:00']}}
playbook:
"""
STEP = "  - {id: %s, when: %s, within: 1h, do: {en: Speak., es: Hable.}, who: %s}\n"


def found(tmp_path: Path, *steps: tuple[str, str, str]) -> list[tuple[int | None, str, str, str]]:
    (tmp_path / "clamor.yaml").write_text(HOME + "".join(STEP % one for one in steps), encoding="utf-8")
    problems = [one for one in load.check(Home.at(tmp_path)) if "playbook" in one.path]
    return [(one.line, one.severity, one.message, one.advice) for one in problems]


def test_people_teams_and_queues_are_known(tmp_path: Path) -> None:
    assert found(tmp_path, ("speak", "crisis", "[ana, madrid, pr]")) == []


def test_a_name_that_nobody_has_is_an_error_with_line_and_advice(tmp_path: Path) -> None:
    ((line, severity, message, advice),) = found(tmp_path, ("look", "warning", "[pr]"), ("speak", "crisis", "[anna]"))
    assert (line, severity, message) == (8, "error", "no person, team or queue has this id")
    assert "ana" in advice


def test_who_is_told_of_no_incident_is_a_warning(tmp_path: Path) -> None:
    ((line, severity, message, advice),) = found(tmp_path, ("speak", "crisis", "[sue]"))
    assert (line, severity) == (7, "warning")
    assert "is told of no incident" in message
    assert "hold pr" in advice


def test_two_steps_of_one_id_and_a_state_that_is_none_are_errors(tmp_path: Path) -> None:
    twice = found(tmp_path, ("look", "warning", "[pr]"), ("look", "crisis", "[pr]"))
    assert [line for line, *_ in twice] == [8]
    assert [line for line, *_ in found(tmp_path, ("look", "panic", "[pr]"))] == [7]
    assert found(tmp_path, ("look", "warning", "7"))[0][1] == "error"


def test_the_shipped_playbook_stands_on_the_page_and_can_be_stated_as_it_is(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    text = (root / "config" / "default_playbook.yaml").read_text(encoding="utf-8")
    assert f"```yaml\n{text}```" in (root / "docs" / "incidents.md").read_text(encoding="utf-8")
    (tmp_path / "clamor.yaml").write_text(text, encoding="utf-8")
    assert [one for one in load.check(Home.at(tmp_path)) if one.severity == "error"] == []
    assert len({one.id for one in shipped()}) == len(yaml.safe_load(text)["playbook"])
    assert playbook("[]") == ()
