"""The policy for detractors as people type it: written, taken over, shown where somebody answers, and in an export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from living import Living, post, settled_home
from typed import clamor
from typer.testing import CliRunner

from clamor import exits
from clamor.cli import program
from database.engine import many, write
from routing.keys import NOBODY
from routing.policy import default_policy
from stream.clock import ManualClock, WallClock
from stream.records import Author


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    now = WallClock().now()
    with Living(settled_home(tmp_path / "home"), ManualClock(now)) as living:
        author = Author(id="z", handle="zoe")
        words = "Acme Air lost my bag and nobody answers, this is a disgrace"
        living.live(post(1, words, author=author, at=now))
        yield living


def typed(living: Living, *words: str) -> Result:
    return CliRunner().invoke(program(words[0]), ["--home", str(living.home.root), *words])


def test_the_shipped_policy_is_to_be_had_as_a_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert clamor(home, "init", "--policy").code == exits.OK
    assert (home / "detractors.yaml").read_text() == default_policy()
    assert clamor(home, "check").code == exits.OK
    kept = clamor(home, "init", "--policy")
    assert (kept.code, "exists already and is left as it is" in kept.err) == (exits.FAILED, True)
    (home / "detractors.yaml").write_text(default_policy().replace("tell: [pr]", "tell: [nobody-here]", 1))
    (home / "clamor.yaml").write_text("people: [{id: ana, name: Ana, email: ana@example.org}]\n")
    wrong = clamor(home, "check")
    assert wrong.code == exits.CONFIGURATION
    assert "there is no person of this id (found 'nobody-here')" in wrong.err
    assert "Traceback" not in wrong.err


def test_the_case_shows_the_advice_and_why_in_the_readers_language(living: Living) -> None:
    shown = typed(living, "case", "show", "1").output
    assert "unhappy-customer until" in shown
    assert "Approved: “We are sorry about this." in shown
    assert "intent:complaint is true" in shown
    assert "Aprobado: «Sentimos lo ocurrido." in typed(living, "case", "show", "1", "--language", "es").output
    (advice,) = json.loads(typed(living, "case", "show", "1", "--json").stdout)["policy"]
    assert (advice["kind"], advice["queue"], advice["remove"]) == ("unhappy-customer", "support", "never")
    assert "unhappy-customer until" in typed(living, "explain", "x:1").output
    assert json.loads(typed(living, "explain", "x:1", "--json").stdout)["policy"]["kind"] == "unhappy-customer"


def test_a_kind_is_replayed_with_its_decision(living: Living) -> None:
    told = typed(living, "replay-decision", "x:1#acme")
    assert (told.exit_code, "kind unhappy-customer by the policy: the same" in told.output) == (0, True)


def test_an_exception_stands_in_the_history(living: Living) -> None:
    made = typed(living, "case", "exception", "1", "--why", "she asked for a call", "--by", "ben")
    assert (made.exit_code, "stands in the history of case 1" in made.output) == (0, True)
    history = json.loads(typed(living, "case", "show", "1", "--json").stdout)["history"]
    assert [(move["person"], move["detail"]) for move in history if move["change"] == "exception"] == [
        ("ben", "unhappy-customer, policy 1: she asked for a call")
    ]


def test_a_persons_export_holds_all_that_is_held(living: Living) -> None:
    exported = typed(living, "person", "export", "@Zoe", "--network", "x")
    assert exported.exit_code == 0, exported.output
    held = json.loads(exported.stdout)
    assert held["accounts"] == [{"network": "x", "id": "z", "handle": "zoe", "name": ""}]
    assert [one["id"] for one in held["posts"]] == ["x:1"]
    stored = held["mentions"][0]["stored"]
    assert stored["post"]["text"].startswith("Acme Air lost my bag")
    assert held["mentions"][0]["labels"]["intent"] == stored["understanding"]["intent"]["label"] == "complaint"
    assert stored["decision"]["queue"] == "support"
    (kind,) = held["kinds"]
    assert (kind["kind"], kind["matter"]) == ("unhappy-customer", "x:1")
    assert kind["why"]["es"] == "un cliente cuenta algo que salió mal con Acme Air"
    assert kind["until"] > kind["since"]
    assert [one["mentions"] for one in held["cases"]] == [["x:1#acme"]]
    assert held["counts"][0]["negatives"] == 1
    assert held["earlier"] == []


def test_an_export_has_the_exceptions_and_what_a_person_stated(living: Living) -> None:
    typed(living, "case", "exception", "1", "--why", "she asked for a call", "--by", "ben")
    typed(living, "correct", "x:1#acme", "--queue", "pr", "--by", "ana")
    held = json.loads(typed(living, "person", "export", "zoe").stdout)
    assert [(one["by"], one["why"]) for case in held["cases"] for one in case["exceptions"]] == [
        ("ben", "unhappy-customer, policy 1: she asked for a call")
    ]
    assert held["mentions"][0]["stored"]["correction"]["person"] == "ana"
    assert held["earlier"][0]["decision"]["rule"]


def test_a_kind_is_in_the_export_though_its_author_was_learnt_later(living: Living) -> None:
    with write(living.opened.engine) as connection:
        many(connection, "UPDATE behaviour SET author = ?", [(NOBODY,)])
    held = json.loads(typed(living, "person", "export", "zoe").stdout)
    assert [one["kind"] for one in held["kinds"]] == ["unhappy-customer"]


def test_what_is_gone_is_in_no_export(living: Living) -> None:
    living.live(post(1, "", kind="deleted"))
    gone = typed(living, "person", "export", "zoe")
    assert (gone.exit_code, "nothing is held about zoe" in gone.stderr) == (1, True)
    by_id = json.loads(typed(living, "person", "export", "z", "--network", "x").stdout)
    assert (by_id["mentions"], by_id["kinds"]) == ([], [])
    assert [(one["post"], one["brand"], one["decision"]["queue"]) for one in by_id["earlier"]] == [
        ("x:1", "acme", "support")
    ]
    assert [one["state"] for one in by_id["posts"]] == ["deleted"]
