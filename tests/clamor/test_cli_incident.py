"""What people type in an incident: what was said in public, with its time, and who wrote it down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from living import CONFIGURATION, Living, post, settled_home
from typer.testing import CliRunner

from clamor import exits
from clamor.chores import KEEPER
from clamor.cli import program
from clamor.incident_watch import IncidentWatch
from database.engine import write
from database.tenure import Tenure
from routing.incidents import book, tasks
from routing.incidents.book import Evidence
from routing.incidents.levels import Standing
from stream.clock import HOUR, MINUTE, ManualClock, WallClock


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    now = WallClock().now()
    replies = "replies:\n  - {id: sorry, en: We are sorry., es: Lo sentimos.}\n"
    with Living(settled_home(tmp_path / "home", CONFIGURATION + replies), ManualClock(now)) as living:
        living.live(post(1, "Acme Air lost my bag and nobody answers, this is a disgrace", at=now))
        with write(living.opened.engine) as connection:
            standing = Standing("crisis", now - HOUR, now, now)
            book.open_incident(connection, "acme", standing, Evidence(), now)
        yield living


def typed(living: Living, *words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(program(words[0]), ["--home", str(living.home.root), *words], input=given)


def shown(living: Living) -> dict[str, object]:
    found: dict[str, object] = json.loads(typed(living, "incident", "show", "1", "--json").stdout)
    return found


def test_what_was_said_is_shown_with_where_and_when(living: Living) -> None:
    done = typed(living, "incident", "said", "1", "We answer at noon.", "--where", "our site", "--by", "ana")
    assert done.exit_code == exits.OK, done.output
    assert "incident 1: said on our site at" in done.output
    words = ["incident", "said", "1", "-", "--where", "x", "--at", "2026-01-02T10:40", "--by", "ana"]
    assert typed(living, *words, given="We have seen it.\n").exit_code == exits.OK
    told = typed(living, "incident", "show", "1").output
    assert "Said on x at 2026-01-02 10:40: We have seen it." in told
    assert "said: ana statement 1" in told
    assert [one["text"] for one in shown(living)["said"]] == ["We have seen it.", "We answer at noon."]  # type: ignore[attr-defined]


def test_tasks_are_shown_and_done(living: Living) -> None:
    with write(living.opened.engine) as connection:
        tasks.follow(connection, living.opened.registry.playbook(), living.clock.now())
    told = typed(living, "incident", "show", "1").output
    assert "Task 1. [due " in told
    assert "pr: Read the posts at the top of the mail." in " ".join(told.split())
    done = typed(living, "incident", "task", "1", "1", "done", "--by", "ana")
    assert (done.exit_code, "task 1 (look) is done" in done.output) == (exits.OK, True)
    assert "by ana] pr: Read" in " ".join(typed(living, "incident", "show", "1").output.split())
    needless = typed(living, "incident", "task", "1", "2", "needless")
    assert (needless.exit_code, "say why" in needless.output) == (exits.FAILED, True)
    unknown = typed(living, "incident", "task", "1", "99", "done")
    assert (unknown.exit_code, "has no task 99" in unknown.output) == (exits.FAILED, True)
    assert shown(living)["tasks"][0]["state"] == "done"  # type: ignore[index]


def test_a_hold_keeps_canned_replies_back_until_pr_lifts_it(living: Living) -> None:
    text = "Acme Air lost my bag and nobody answers, this is a disgrace"
    for n in range(2, 8):
        living.live(post(n, text, at=living.clock.now()))
    ask = ("case", "reply", "1", "--template", "sorry")
    assert "We are sorry." in typed(living, *ask).output
    done = typed(living, "incident", "hold", "1", "--why", "one voice", "--en", "We answer at noon.", "--by", "ben")
    assert (done.exit_code, "held back" in done.output) == (exits.OK, True)
    refused = typed(living, *ask)
    told = " ".join(refused.output.split())
    assert (refused.exit_code, "We are sorry." in told) == (exits.FAILED, False)
    assert "(incident 1, ben): one voice Say only: “We answer at noon.” PR owns this matter" in told
    assert "ana may lift it." in told
    case = json.loads(typed(living, "case", "show", "1", "--json").stdout)
    assert [one["reason"] for one in case["holds"]] == ["one voice"]
    assert "Diga solo: «We answer at noon.»" in typed(living, "case", "show", "1", "--language", "es").output
    assert "Canned replies are held back since" in typed(living, "incident", "show", "1").output
    assert "ben may not lift it" in typed(living, "incident", "lift", "1", "--why", "out", "--by", "ben").output
    assert typed(living, "incident", "lift", "1", "--why", "it is out", "--by", "ana").exit_code == exits.OK
    assert "We are sorry." in typed(living, *ask).output
    assert "released incident 1: it is out by ana" in typed(living, "case", "show", "1").output


def test_at_a_crisis_the_playbook_asks_for_its_tasks_and_puts_the_hold_once(living: Living) -> None:
    tenure = Tenure(living.opened.engine, KEEPER, living.clock)
    assert tenure.hold()
    watch = IncidentWatch(living.opened, tenure)
    watch.step()
    asked = shown(living)
    assert [one["step"] for one in asked["tasks"]][:2] == ["look", "facts"]  # type: ignore[attr-defined]
    assert asked["hold"]["reason"] == "playbook, one-voice"  # type: ignore[index]
    assert typed(living, "incident", "lift", "1", "--why", "not this time", "--by", "ana").exit_code == exits.OK
    living.clock.advance(20 * MINUTE)
    watch.step()
    assert shown(living)["hold"] is None


def test_the_lines_of_another_brand_are_not_taken_for_this_one(tmp_path: Path) -> None:
    step = "  - {{id: {0}, when: crisis, within: 1h, do: {1}, brands: [{0}], hold: [{{en: We of {0}., es: x}}]}}\n"
    playbook = "playbook:\n" + "".join(step.format(brand, "{en: x, es: x}") for brand in ("rival", "acme"))
    brands = CONFIGURATION.replace("brands:\n", "brands:\n  - {id: rival, name: Rival Air}\n", 1)
    with Living(settled_home(tmp_path / "home", brands + playbook)) as living:
        now = living.clock.now()
        with write(living.opened.engine) as connection:
            book.open_incident(connection, "acme", Standing("crisis", now - HOUR, now, now), Evidence(), now)
        done = typed(living, "incident", "hold", "1", "--why", "one voice")
        assert done.exit_code == exits.OK, done.output
        assert shown(living)["hold"]["lines"][0]["en"] == "We of acme."  # type: ignore[index]


def test_a_call_of_the_press_is_a_case_that_the_incident_shows_and_holds(living: Living) -> None:
    words = ["case", "open", "--brand", "acme", "--about", "did you know of it?", "--outlet", "El Norte"]
    words += ["--deadline", "2199-01-01T10:00", "--spokesperson", "ana", "--incident", "1", "--by", "ben"]
    assert "more than a year ahead" in typed(living, *words).output
    words[words.index("2199-01-01T10:00")] = soon = f"{datetime.now(UTC) + timedelta(hours=3):%Y-%m-%dT%H:%M}"
    done = typed(living, *words)
    assert done.exit_code == exits.OK, done.output
    (case,) = re.findall(r"case (\d+) \(ACM-", done.output)
    told = " ".join(typed(living, "case", "show", case).output.split())
    assert f"press (El Norte): did you know of it?; answer promised by {soon.replace('T', ' ')} UTC; ana speaks" in told
    assert f"Case {case}, press (El Norte)" in typed(living, "incident", "show", "1").output
    assert typed(living, "incident", "hold", "1", "--why", "one voice", "--en", "Wait.").exit_code == exits.OK
    assert typed(living, "case", "reply", case, "--template", "sorry").exit_code == exits.FAILED
    unknown = typed(living, "case", "open", "--brand", "acme", "--about", "x", "--incident", "9")
    assert (unknown.exit_code, "there is no incident 9" in unknown.output) == (exits.FAILED, True)


def test_a_briefing_is_printed_and_has_a_link_and_a_pdf(living: Living, tmp_path: Path) -> None:
    done = typed(living, "incident", "briefing", "1", "--expires", "12h", "--by", "ana")
    assert done.exit_code == exits.OK, done.output
    assert "Acme Air: crisis" in done.stdout
    assert "Acme Air lost my bag and nobody answers" in done.stdout
    assert re.search(r"for 12h at http://\S+/briefing/[\w-]+", " ".join(done.stderr.split()))
    told = json.loads(typed(living, "incident", "briefing", "1", "--json", "--language", "es").stdout)
    assert (told["briefing"], told["page"]["language"]) == (2, "es")
    assert typed(living, "incident", "briefing", "1", "--expires", "90d").exit_code == exits.USAGE
    pytest.importorskip("fpdf", reason="fpdf2 is not installed: the extra pdf brings it")
    pdf = tmp_path / "b.pdf"
    assert typed(living, "incident", "briefing", "1", "--pdf", str(pdf)).exit_code == exits.OK
    assert pdf.read_bytes().startswith(b"%PDF-1.")
    again = typed(living, "incident", "briefing", "1", "--pdf", str(pdf))
    assert (again.exit_code, "not written over" in " ".join(again.output.split())) == (exits.USAGE, True)


def test_the_report_is_markdown_or_json_in_two_languages(living: Living) -> None:
    with write(living.opened.engine):
        assert "# Incident 1: Acme Air" in typed(living, "incident", "report", "1").stdout, "it keeps no writer waiting"
    assert "## Qué aprender" in typed(living, "incident", "report", "1", "--language", "es").stdout
    made = json.loads(typed(living, "incident", "report", "1", "--json").stdout)
    assert (made["brands"], made["lessons"][0]) == (["Acme Air"], "seen_late")


def test_what_cannot_be_is_told_in_words(living: Living) -> None:
    ahead = typed(living, "incident", "said", "1", "We will.", "--where", "x", "--at", "2199-01-01")
    assert (ahead.exit_code, "it lies ahead" in ahead.output) == (exits.FAILED, True)
    nowhere = typed(living, "incident", "said", "1", "We will.")
    assert "Missing option '--where'" in nowhere.output
    unknown = typed(living, "incident", "said", "9", "We will.", "--where", "x")
    assert (unknown.exit_code, "there is no incident 9" in unknown.output) == (exits.FAILED, True)
    odd = typed(living, "incident", "said", "1", "We will.", "--where", "x", "--at", "noon")
    assert "'noon' is no time" in odd.output
