"""`clamor case`: what people do with a case, typed as they type it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from living import CONFIGURATION, NOW, Living, post, settled_home
from typer.testing import CliRunner

from clamor.chores import CaseClock
from clamor.cli import program
from routing.casework import Wait, work
from routing.desk import Desk
from stream.records import Author

REPLIES = """\
replies:
  - {id: sorry, en: "Dear {author}, {brand} is sorry ({case}).", es: "Hola {author}, lo sentimos ({case})."}
  - {id: hola, es: "Hola {author}."}
"""


TEAMS = """\
teams:
  - {id: madrid, name: Madrid, zone: Europe/Madrid, members: [ana], hours: {mon: ["09:00-18:00"]}}
deadlines:
  - {id: standard, first_response: {normal: 4h, high: 1h}, resolution: {normal: 2 working days, high: 8h business}}
"""


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home", CONFIGURATION + REPLIES + TEAMS)) as living:
        author = Author(id="z", handle="zoe")
        living.live(post(1, "Acme Air lost my bag and nobody answers, where is it?", author=author))
        yield living


def case(living: Living, *words: str) -> Result:
    return CliRunner().invoke(program("case"), ["--home", str(living.home.root), "case", *words])


def test_a_case_is_worked_on_from_the_first_look_to_the_end(living: Living) -> None:
    assert "acme, support, new" in case(living, "list").output
    assert "ana's now" in case(living, "assign", "1", "ana", "--by", "ben").output
    assert "told: ana" in case(living, "note", "ACM-2026-000001", "@ana look", "--by", "ben").output
    assert "+vip" in case(living, "tag", "1", "vip").output
    assert "waits for its customer" in case(living, "wait", "1").output
    assert case(living, "resolve", "1", "--why", "found", "--by", "ana").exit_code == 0
    assert case(living, "list").output.strip() == "no case fits"
    shown = json.loads(case(living, "show", "1", "--json").stdout)
    assert (shown["state"], shown["assignee"], shown["tags"], shown["notes"][0]["text"]) == (
        "resolved", "ana", ["vip"], "@ana look",
    )  # fmt: skip
    assert [(move["change"], move["person"]) for move in shown["history"]][-1] == ("resolved", "ana")
    listed = case(living, "list", "--state", "resolved", "--tag", "VIP", "--assignee", "ana", "--json").stdout
    assert json.loads(listed)["tracking"] == "ACM-2026-000001"


def test_who_saw_an_older_revision_is_told_and_nothing_is_done(living: Living) -> None:
    case(living, "assign", "1", "ana")
    late = case(living, "assign", "1", "--nobody", "--revision", "0")
    assert (late.exit_code, "has revision 1 by now, and you saw 0" in late.stderr) == (1, True)
    assert "ana has it" in case(living, "show", "1").output


def test_a_snoozed_case_wakes_by_the_clock_of_the_home(living: Living) -> None:
    assert "is snoozed until" in case(living, "snooze", "1", "--until", "2126-12-01T09:00").output
    assert living.sql("SELECT state FROM cases") == [("snoozed",)]
    clock = CaseClock(living.opened)
    clock.step()
    assert living.sql("SELECT state FROM cases") == [("snoozed",)]
    living.clock.at = NOW + 101 * 366 * 86_400_000
    clock.step()
    assert living.sql("SELECT state FROM cases") == [("open",)]


def test_a_reply_is_filled_in_and_printed(living: Living) -> None:
    assert (
        case(living, "reply", "1", "--template", "sorry").stdout == "Dear zoe, Acme Air is sorry (ACM-2026-000001).\n"
    )
    assert case(living, "reply", "1", "--template", "sorry", "--language", "es").stdout.startswith("Hola zoe")
    other = case(living, "reply", "1", "--template", "hola")
    assert (other.stdout, "has no words in en" in other.stderr) == ("Hola zoe.\n", True)
    wrong = case(living, "reply", "1", "--template", "sory")
    assert (wrong.exit_code, "did you mean 'sorry'?" in wrong.stderr) == (1, True)


def test_what_cannot_be_done_says_why(living: Living) -> None:
    for words, code, why in (
        (("assign", "1"), 2, "name a person"),
        (("assign", "1", "zoe"), 1, "nobody whom Clamor knows"),
        (("snooze", "1"), 2, "either until when"),
        (("show", "one"), 2, "names no case"),
        (("wait", "7"), 1, "there is no case 7"),
        (("undo", "1"), 1, "was not merged"),
    ):
        found = case(living, *words)
        assert (found.exit_code, why in " ".join(found.stderr.replace("│", " ").split())) == (code, True), found.stderr


def test_what_was_promised_and_kept_is_written_for_an_audit(living: Living) -> None:
    living.clock.advance(600_000)
    with_clock = Desk(living.opened.registry.current())
    work(living.opened.engine, with_clock, 1, Wait(), "ana", living.clock.now())
    all_of_it = ("audit", "--since", "2026-01-01")
    (first, second) = [json.loads(line) for line in case(living, *all_of_it, "--format", "jsonl").stdout.splitlines()]
    assert (first["what"], first["outcome"], first["done_by"], first["tracking"]) == (
        "first_response", "kept", "ana", "ACM-2026-000001",
    )  # fmt: skip
    assert (second["what"], second["outcome"], second["due"]) == ("resolution", "paused", "")
    table = case(living, *all_of_it, "--brand", "acme").stdout.splitlines()
    assert (table[0].partition(",brand")[0], len(table)) == ("tracking,case", 3)
    assert len(case(living, *all_of_it, "--brand", "none").stdout.splitlines()) == 1
    assert "first response (standard," in case(living, "show", "1").output
