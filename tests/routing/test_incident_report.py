"""The after-action report: how soon an incident was seen, answered and told, what is to learn, what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from mail_home import START, MailHome

from config.playbook import InBoth, Step
from database.engine import many, read, write
from routing.incidents import book, hold, said, tasks
from routing.incidents.book import Evidence
from routing.incidents.hold import Line
from routing.incidents.levels import Signal, Standing
from routing.incidents.report import Report, report_of
from routing.incidents.report_page import as_markdown
from stream.clock import HOUR, MINUTE

LOUD = Evidence(START, (Signal("negative", 60, 412, 3.25, 9.0, 4.2, 0.998),))
STEP = Step.model_validate(
    {"id": "look", "when": "warning", "do": InBoth(en="Look at it.", es="Mírelo."), "within": "10m"}
)
NAMES = {"acme": "Acme Air", "bakery": "Old Bakery"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MailHome]:
    made = MailHome(tmp_path)
    yield made
    made.close()


def incident(home: MailHome, brand: str = "acme") -> int:
    """A crisis that began five minutes before it was seen."""
    began = START - 5 * MINUTE
    with write(home.engine) as connection:
        return book.open_incident(connection, brand, Standing("crisis", began, START, START), LOUD, START)


def lived(home: MailHome) -> int:
    """One that went as the playbook asks."""
    for n in range(12):
        home.mention(f"palm oil burns the forest, says reader {n}")
    id = incident(home)
    with write(home.engine) as connection:
        tasks.follow(connection, [STEP], START)
        book.tell(connection, id, "acme", "crisis", 0, START)
        book.acknowledge(connection, id, "ana", START + 4 * MINUTE)
        tasks.end(connection, id, 1, "done", "ana", START + 6 * MINUTE)
        said.say(connection, id, "We answer at noon.", "our site", START + 30 * MINUTE, "ana", START + 40 * MINUTE)
        hold.put(connection, id, (Line("Wait.", "Espere."),), "ana", "one voice", START + 7 * MINUTE)
        book.move(connection, book.find(connection, id), Standing("over"), Evidence(), START + 3 * HOUR)
        hold.end_with_incidents(connection, START + 3 * HOUR)
        book.prove(connection, id, "ana", "real", START + 4 * HOUR)
    return id


def report(home: MailHome, id: int, at: int = START + 5 * HOUR) -> Report:
    with read(home.engine) as connection:
        return report_of(connection, id, NAMES, at)


def test_it_tells_how_soon_it_was_seen_answered_said_and_over(home: MailHome) -> None:
    made = report(home, lived(home))
    assert msgspec.structs.asdict(made.times) == {
        "to_detect": 5 * MINUTE, "to_acknowledge": 4 * MINUTE, "to_statement": 35 * MINUTE,
        "to_end": 3 * HOUR + 5 * MINUTE,
    }  # fmt: skip
    assert (made.told, made.posts, made.proved, made.lessons) == (1, 12, "real", ())
    assert [(one.hold.reason, one.cases) for one in made.holds] == [("one voice", 0)]


def test_the_timeline_has_everything_in_its_order(home: MailHome) -> None:
    changes = [one.change for one in report(home, lived(home)).timeline]
    assert changes == [
        "began", "crisis", "told", "acknowledged", "task", "hold", "said", "over", "lifted", "proved",
    ]  # fmt: skip


def test_what_nobody_did_is_what_there_is_to_learn(home: MailHome) -> None:
    id = incident(home)
    home.gap("x", START - HOUR, START + HOUR)
    with write(home.engine) as connection:
        tasks.follow(connection, [STEP], START)
        book.tell(connection, id, "acme", "crisis", 0, START)
        book.tell(connection, id, "acme", "still", 1, START + 15 * MINUTE)
        book.move(connection, book.find(connection, id), Standing("over"), Evidence(), START + 3 * HOUR)
    made = report(home, id)
    assert made.lessons == ("nobody_answered", "chain", "silent", "tasks_open", "holes", "not_proved")
    told = as_markdown(made, "en")
    assert "Was it one? Nobody has said so yet: clamor incident prove 1 real, or false." in told
    assert "until somebody looked after it: it did not happen." in told
    assert "x: 2026-09-21 13:13 UTC to 2026-09-21 15:13 UTC did not come in full" in told


def test_late_words_and_late_tasks_are_lessons_too(home: MailHome) -> None:
    id = incident(home)
    with write(home.engine) as connection:
        tasks.follow(connection, [STEP], START)
        tasks.end(connection, id, 1, "done", "ana", START + HOUR)
        said.say(connection, id, "We are sorry.", "x", START + 2 * HOUR, "ana", START + 2 * HOUR)
    assert report(home, id).lessons == ("said_late", "tasks_late")


def test_it_is_written_in_both_languages_and_no_mark_in_it_means_anything(home: MailHome) -> None:
    id = lived(home)
    with write(home.engine) as connection:
        book.note(connection, id, "note", START, "ben", "# <img src=x> [click](http://x)\n- all is well")
    english, spanish = (as_markdown(report(home, id), language) for language in ("en", "es"))  # type: ignore[arg-type]
    assert "# Incident 1: Acme Air" in english
    assert "On our site, 2026-09-21 14:43 UTC: We answer at noon." in english
    assert "From the first unusual minute until it was over: 3 h 5 min." in english
    assert r"\# \<img src=x\> \[click\](http://x) - all is well" in english
    assert "Nothing in these figures stands out." in english
    assert "# Incidente 1: Acme Air" in spanish
    assert "Mírelo." in spanish
    assert "## Cronología" in spanish


def test_a_matter_of_two_brands_is_one_report(home: MailHome) -> None:
    first, second = incident(home), incident(home, "bakery")
    with write(home.engine) as connection:
        many(connection, "UPDATE incident SET part_of = ? WHERE id = ?", [(first, second)])
    made = report(home, second)
    assert (made.incident, made.brands) == (first, ("Acme Air", "Old Bakery"))
    assert [one.brand for one in made.timeline if one.change == "crisis"] == ["Acme Air", "Old Bakery"]


def test_a_matter_is_as_grave_as_its_gravest_brand_and_over_when_all_are(home: MailHome) -> None:
    with write(home.engine) as connection:
        first = book.open_incident(connection, "acme", Standing("warning", START, START, START), LOUD, START)
    second = incident(home, "bakery")
    with write(home.engine) as connection:
        many(connection, "UPDATE incident SET part_of = ? WHERE id = ?", [(first, second)])
        book.move(connection, book.find(connection, first), Standing("over"), Evidence(), START + HOUR)
    made = report(home, first)
    assert (made.state, made.worst, made.over_at, "silent" in made.lessons) == ("crisis", "crisis", None, True)
    with write(home.engine) as connection:
        book.move(connection, book.find(connection, second), Standing("over"), Evidence(), START + 2 * HOUR)
    made = report(home, first)
    assert (made.state, made.worst, made.over_at) == ("over", "crisis", START + 2 * HOUR)


def test_what_went_by_other_channels_is_no_mail(home: MailHome) -> None:
    id = incident(home)
    with write(home.engine) as connection:
        book.tell(connection, id, "acme", "crisis", 0, START)
        sql = (
            "INSERT INTO mail (message_id, person, kind, channel, state, created_at, latest_at)"
            " VALUES (?, ?, 'incident', ?, 'sent', ?, ?)"
        )
        ways = [("ana", ""), ("ana", "chat"), ("", "pager")]
        many(connection, sql, [(f"<{n}@example.org>", *way, START, START) for n, way in enumerate(ways)])
        many(connection, "INSERT INTO mail_item (mail, alert) SELECT m.id, a.id FROM mail m, alert a", [()])
    mails = report(home, id).mails
    assert (mails.sent, mails.people, mails.most) == (1, 1, 1)


@pytest.mark.parametrize("language", ["en", "es"])
def test_whatever_happens_to_an_incident_has_a_name_in_the_timeline(home: MailHome, language: str) -> None:
    id = incident(home)
    changes = ("withheld", "unreached", "escalated", "silenced", "joined", "split", "hold", "lifted")
    with write(home.engine) as connection:
        for change in changes:
            book.note(connection, id, change, START)
    told = as_markdown(report(home, id), language)  # type: ignore[arg-type]
    assert not [one for one in ("withheld", "unreached") if one in told]
