"""A drill keeps to its sandbox, says of itself everywhere that it is one, and tells in the end how it went."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from living import CONFIGURATION, NOW, Living, post, settled_home
from typer.testing import CliRunner

from clamor import drill as drills
from clamor.cli import program
from clamor.clocks import is_drill, pace_of
from clamor.commands.drill import _wait_for
from clamor.drill import Drill
from clamor.mail import channels, people, settings, transport
from clamor.opening import open_home
from clamor.scorecard import scorecard
from clamor.storms import STORMS, lines
from config.home import Home, HomeError
from database.engine import many, read, write
from ingest.scenario import load
from routing.incidents import book, hold, said
from routing.incidents.book import Evidence
from routing.incidents.hold import Line
from routing.incidents.levels import Standing
from routing.mail.drill import BANNER, Marked, marked
from stream.clock import HOUR, MINUTE
from web.routes.links import _page

REAL = """\
sources:
  - {id: shop, kind: webhook, network: forum, secret_env: CLAMOR_TEST_SHOP}
incidents: {crisis_posts: 40}
"""


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    home = settled_home(tmp_path / "home", CONFIGURATION + REAL)
    home.secrets_file.write_text(f"CLAMOR_TEST_SHOP={'s' * 40}\n", encoding="utf-8")
    home.secrets_file.chmod(0o600)
    with Living(home) as living:
        living.live(post(1))
        yield living


def made(living: Living, folder: Path) -> tuple[Home, Drill]:
    own = drills.sandbox(living.home, folder, {"port": 8851}, sends=False)
    planned = Drill("attack", "acme", NOW, NOW + HOUR, 1, False)
    drills.begin(own, planned, 0.05)
    return own, planned


@pytest.mark.parametrize("name", STORMS)
def test_a_storm_is_a_scenario_that_reaches_its_networks_in_turn(name: str, tmp_path: Path) -> None:
    storm, path = STORMS[name], tmp_path / "storm.jsonl"
    text = "\n".join(lines(storm, "Acme Air", posts=storm.posts))
    assert text == "\n".join(lines(storm, "Acme Air", posts=storm.posts)), "the same each time"
    path.write_text(text, encoding="utf-8")
    scenario = load(path, NOW)
    assert min(one.time for part in scenario.parts for one in part.posts) >= NOW
    assert scenario.end <= NOW + (storm.minutes + 10) * MINUTE
    first = [min(one.time for one in part.posts) for part in scenario.parts]
    assert first == sorted(first)
    said_so = Counter(one.draft.text for part in scenario.parts for one in part.posts)
    assert said_so.most_common(1)[0][1] >= storm.copied * storm.posts * 0.7
    assert all("Acme Air" in words for words in said_so if words)


def test_a_drill_sends_no_digest_and_no_test_of_the_month(living: Living, tmp_path: Path) -> None:
    own = drills.sandbox(living.home, tmp_path / "sandbox", {"port": 8851}, sends=False)
    plain = yaml.safe_load(own.settings_file.read_text(encoding="utf-8"))
    plain["people"][0]["digest"], plain["alerts"] = "daily", {"monthly_test": True}
    own.settings_file.write_text(yaml.safe_dump(plain), encoding="utf-8")
    drills.begin(own, Drill("attack", "acme", NOW, NOW + HOUR, 1, True), 0.05)
    with open_home(own) as opened:
        assert opened.registry.people()[0].digest == "daily"
        assert {one.digest for one in people(opened)} == {"none"}
        assert not settings(opened).monthly_test


def test_the_sandbox_has_the_people_and_rules_and_nothing_that_leads_out(living: Living, tmp_path: Path) -> None:
    own, _ = made(living, tmp_path / "sandbox")
    plain = yaml.safe_load(own.settings_file.read_text(encoding="utf-8"))
    assert "sources" not in plain
    assert plain["people"][0]["id"] == "ana"
    assert plain["incidents"] == {"crisis_posts": 40}
    assert not own.secrets_file.exists(), "nothing is sent, no secret is needed"
    with open_home(own) as opened:
        assert opened.registry.current().rules_yaml == living.opened.registry.current().rules_yaml
        assert opened.registry.sources() == ()
        assert channels(opened) == ()
        assert is_drill(opened.home)
        assert isinstance(transport(opened.configuration), Marked)
    pace = pace_of(own.with_data("data"))
    assert pace is not None
    assert not pace.sends


def test_a_home_whose_rules_post_cases_to_another_program_can_be_drilled(tmp_path: Path) -> None:
    channel = "channels:\n  - {id: desk, kind: webhook, url_env: CLAMOR_TEST_DESK, secret_env: CLAMOR_TEST_DESK_KEY}\n"
    home = settled_home(tmp_path / "home", CONFIGURATION + channel)
    rule = "rules:\n  - {name: bags, when: bag, queue: support, crm: desk, why: {en: a bag, es: una maleta}}\n"
    (home.root / "rules.yaml").write_text(rule, encoding="utf-8")
    secrets = f"CLAMOR_TEST_DESK=https://desk.example.org/in\nCLAMOR_TEST_DESK_KEY={'k' * 40}\n"
    home.secrets_file.write_text(secrets, encoding="utf-8")
    home.secrets_file.chmod(0o600)
    with Living(home) as living:
        own = drills.sandbox(living.home, tmp_path / "sandbox", {"port": 8851}, sends=True)
        drills.begin(own, Drill("attack", "acme", NOW, NOW + HOUR, 1, True), 0.05)
        with open_home(own) as opened:
            assert "crm: desk" in opened.registry.current().rules_yaml
            assert channels(opened) == (), "and nothing is posted"
        assert own.secrets_file.stat().st_mode & 0o777 == 0o600


def test_what_is_stored_in_the_real_home_is_as_before(living: Living, tmp_path: Path) -> None:
    tables = ("mention", "cases", "count_minute", "count_delta", "alert", "kpi_delta", "outbox")
    before = [living.sql(f"SELECT * FROM {table}") for table in tables]
    made(living, tmp_path / "sandbox")
    assert [living.sql(f"SELECT * FROM {table}") for table in tables] == before
    with sqlite3.connect(tmp_path / "sandbox" / "data" / "app.db") as other:
        assert other.execute("SELECT count(*) FROM mention").fetchone() == (0,)
        assert other.execute("SELECT sum(mentions) > 300 FROM count_delta").fetchone() == (1,)


def test_engines_that_the_environment_names_are_refused(
    living: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAMOR_DATA", str(living.opened.home.data))
    with pytest.raises(HomeError, match="keeps to its sandbox"):
        drills.sandbox(living.home, tmp_path / "sandbox", {}, sends=False)


def test_a_mail_of_a_drill_says_so_in_subject_text_and_html() -> None:
    mail = EmailMessage(policy=policy.SMTP)
    mail["Subject"], mail["From"], mail["To"] = "CRISIS · Ácme", "a@example.org", "b@example.org"
    mail["Message-ID"] = "<1@example.org>"
    mail.set_content("Algo pasa. " * 200)
    mail.add_alternative("<html><body class='x'><p>Algo pasa</p></body></html>", subtype="html")
    found = message_from_bytes(marked(mail.as_bytes(policy=policy.SMTP)), policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert found["Subject"] == "DRILL · CRISIS · Ácme"
    assert (found["X-Clamor-Drill"], found["Message-ID"]) == ("yes", "<1@example.org>")
    plain, html = found.get_body(("plain",)), found.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().startswith(f"*** {BANNER} ***")
    assert "Algo pasa." in plain.get_content()
    assert html.get_content().index("DRILL") < html.get_content().index("Algo pasa")
    again = message_from_bytes(marked(bytes(found)), policy=policy.default)
    assert again["Subject"] == "DRILL · CRISIS · Ácme"


def test_the_scorecard_tells_who_answered_and_what_contradicts(living: Living, tmp_path: Path) -> None:
    own, planned = made(living, tmp_path / "sandbox")
    with open_home(own) as opened:
        with write(opened.engine) as connection:
            standing = Standing("crisis", NOW, NOW, NOW)
            id = book.open_incident(connection, "acme", standing, Evidence(), NOW + 10 * MINUTE)
            book.tell(connection, id, "acme", "crisis", 0, NOW + 10 * MINUTE)
            book.tell(connection, id, "acme", "still", 1, NOW + 25 * MINUTE)
            book.acknowledge(connection, id, "ana", NOW + 27 * MINUTE)
            line = Line("We are looking into it.", "Lo estamos mirando.")
            hold.put(connection, id, [line], "ana", "one voice", NOW + 28 * MINUTE)
            said.say(connection, id, "We are looking into it.", "x", NOW + 30 * MINUTE, "ana", NOW + 30 * MINUTE)
            said.say(connection, id, "It is all a lie.", "reddit", NOW + 31 * MINUTE, "ben", NOW + 31 * MINUTE)
            sql = "INSERT INTO case_event (case_id, at, change, detail) VALUES (1, ?, 'exception', 'kind')"
            many(connection, sql, [(NOW,)])
        with read(opened.engine) as connection:
            card = scorecard(connection, "attack", "acme", NOW, NOW + HOUR, hurts=True)
    (one,) = card.incidents
    assert (one.to_warning, one.to_crisis) == (10 * MINUTE, 10 * MINUTE)
    assert (one.to_acknowledge, one.acknowledged_by) == (17 * MINUTE, "ana")
    assert (one.to_escalate, one.escalations) == (15 * MINUTE, 1)
    assert (one.statements, one.contradictory) == (2, 1)
    assert card.exceptions == 1
    assert any("contradict" in line for line in card.verdict)
    assert drills.score(own, planned).incidents[0].acknowledged_by == "ana"


def test_a_storm_that_nobody_is_told_of_is_told_in_the_end(living: Living, tmp_path: Path) -> None:
    made(living, tmp_path / "sandbox")
    with read(living.opened.engine) as connection:
        loud = scorecard(connection, "attack", "acme", NOW, NOW + HOUR, hurts=True)
        praise = scorecard(connection, "praise", "acme", NOW, NOW + HOUR, hurts=False)
    assert "nobody was told of the storm" in loud.verdict[0]
    assert praise.verdict == ["nobody was told, as it should be"]


def test_the_pages_behind_its_links_say_so() -> None:
    shown = bytes(_page(200, "en", "Silence", "for four hours", "Do it", True).body).decode()
    assert shown.count("DRILL") == 2
    assert "DRILL" not in bytes(_page(200, "en", "Silence", "for four hours", "Do it", False).body).decode()


def drill(living: Living, *words: str) -> Result:
    return CliRunner().invoke(program("drill"), ["--home", str(living.home.root), "drill", *words])


def test_what_there_is_not_is_refused_with_what_there_is(living: Living) -> None:
    assert "attack" in drill(living, "atack").output
    assert "acme" in drill(living, "attack", "--brand", "acne").output
    assert "18:00" in drill(living, "attack", "--at", "noon").output
    assert drill(living, "attack", "--into", str(living.home.root)).exit_code == 2
    assert living.home.secrets_file.exists(), "a home of somebody's own is no sandbox"
    assert 0 < _wait_for("18:00") <= 24 * 3_600
