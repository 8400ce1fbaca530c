"""A digest comes at eight by its reader's clocks, once, and tells what the day or the week was like."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from mailbox import mbox
from pathlib import Path

import pytest
from mail_home import ANA, BEN, SETTINGS, START, MailHome, settle
from msgspec.structs import replace
from test_incident_mail import LOUD

from database.engine import many, write
from routing.digests import Period, period
from routing.incidents import book
from routing.incidents.levels import Standing
from routing.mail.mailbox import MailboxTransport
from routing.people_to_tell import Person
from stream.clock import HOUR, MINUTE
from stream.records import Millis

DAILY = replace(ANA, digest="daily", zone="Europe/Madrid")
"""Reads Spanish; START is 16:13 in Madrid on a Monday."""


def at(text: str) -> Millis:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_it_is_due_at_eight_by_the_clocks_of_the_reader() -> None:
    day, week = replace(DAILY), replace(DAILY, digest="weekly")
    assert period(day, at("2026-07-07T05:59")) == Period(at("2026-07-05T06:00"), at("2026-07-06T06:00"))
    assert period(day, at("2026-07-07T06:00")) == Period(at("2026-07-06T06:00"), at("2026-07-07T06:00"))
    assert period(week, at("2026-07-08T12:00")) == Period(at("2026-06-29T06:00"), at("2026-07-06T06:00"))
    assert period(week, at("2026-07-06T05:59")) == Period(at("2026-06-22T06:00"), at("2026-06-29T06:00"))
    assert period(replace(day, digest="none"), at("2026-07-07T06:00")) is None


def test_a_day_on_which_the_clocks_change_is_an_hour_longer_or_shorter() -> None:
    longer = period(DAILY, at("2026-10-25T12:00"))
    shorter = period(DAILY, at("2027-03-28T12:00"))
    assert longer is not None
    assert shorter is not None
    assert (longer.until - longer.since, shorter.until - shorter.since) == (25 * HOUR, 23 * HOUR)


class Story:
    def __init__(self, folder: Path, *people: Person) -> None:
        self.home = MailHome(folder, people, replace(SETTINGS, url=""))
        self.path = folder / "mail" / "alerts.mbox"
        self.mailer = self.home.mailer(MailboxTransport(self.path))
        self.home.mention("a first word", brand="acme")

    def at(self, moment: str) -> list[EmailMessage]:
        """What had come by then, in all."""
        self.home.clock.advance(at(moment) - self.home.clock.now())
        settle(self.mailer, self.home)
        if not self.path.exists():
            return []
        box = mbox(self.path, create=False)
        found = [message_from_bytes(one.as_bytes(), policy=policy.default) for one in box]
        box.close()
        return [one for one in found if isinstance(one, EmailMessage)]

    def counted(self, when: str, queue: str, mentions: int, negative: int) -> None:
        sql = (
            "INSERT INTO count_delta (brand, minute, network, intent, queue, mentions, negative, positive, detractors,"
            " severe, risk, own) VALUES (1, ?, 1, 1, ?, ?, ?, 0, 0, 0, 0, 0)"
        )
        with write(self.home.engine) as connection:
            many(connection, sql, [(at(when) // MINUTE, queue, mentions, negative)])


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path, DAILY, BEN)
    yield made
    made.home.close()


def text(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return " ".join(str(part.get_content()).split())


def test_it_comes_once_whatever_restarts(story: Story) -> None:
    story.home.clock.advance(at("2026-09-22T05:59") - START)
    assert story.at("2026-09-22T05:59") == []
    assert len(story.at("2026-09-22T06:00")) == 1, "who wants none gets none"
    story.mailer.close()
    story.mailer = story.home.mailer(MailboxTransport(story.path))
    assert len(story.at("2026-09-22T06:05")) == 1
    assert len(story.at("2026-09-23T06:00")) == 2


def test_one_that_nothing_ran_for_is_left_out(story: Story) -> None:
    assert story.at("2026-09-22T18:30") == []


def test_it_tells_what_the_day_was_like(story: Story) -> None:
    story.counted("2026-09-21T10:00", "support", 30, 12)
    story.counted("2026-09-21T11:00", "none", 10, 0)
    story.counted("2026-09-20T11:00", "none", 5, 0)
    n = story.home.mention("where is my <b>suitcase</b>", case_id=1001, queue="support", risk=77)
    story.home.case(1001, queue="support", mentions=3)
    story.home.gap("reddit", at("2026-09-21T06:00"), at("2026-09-21T18:00"))
    story.home.gap("x", at("2026-09-21T06:00"), at("2026-09-21T06:01"), "complete")
    with write(story.home.engine) as connection:
        many(connection, "UPDATE cases SET risk = 77 WHERE id = ?", [(1001,)])
        many(connection, _MISSED, [(1001, at("2026-09-21T12:00"), at("2026-09-21T12:05"))])
        book.open_incident(connection, "acme", Standing("crisis", START, START, START), LOUD, START)
    (mail,) = story.at("2026-09-22T06:00")
    assert mail["Subject"] == "Clamor · 2026-09-22: 40 publicaciones"
    said = text(mail)
    assert "40 publicaciones del 2026-09-21 08:00 al 2026-09-22 08:00 (Europe/Madrid)." in said
    assert "Acme Air: 40 · 5 el día anterior · 30 % negativas, 0 % positivas · Atención al cliente 30" in said
    assert "solo se oyó el 75 % del tiempo de las fuentes" in said
    assert "Acme Air · crisis: desde 2026-09-21 16:13, hasta 412" in said
    assert "En 1 caso." in said
    assert "ACM-2026-001001" in said
    assert "where is my <b>suitcase</b>" in said
    assert "reddit: de" in said
    assert "&lt;b&gt;suitcase" in text(mail, "html")
    story.home.delete(n)
    later = story.at("2026-09-23T06:00")
    assert "suitcase" not in text(later[1])


def test_a_reader_is_told_of_their_own_brands_and_queues(tmp_path: Path) -> None:
    reader = replace(DAILY, language="en", digest="weekly", brands=frozenset({"bakery"}), queues=frozenset({"sales"}))
    story = Story(tmp_path, reader)
    story.counted("2026-09-21T10:00", "support", 30, 12)
    with write(story.home.engine) as connection:
        book.open_incident(connection, "bakery", Standing("crisis", START, START, START), LOUD, START)
    (mail,) = story.at("2026-09-28T07:00")
    assert mail["Subject"] == "Clamor · the week to 2026-09-28: 0 posts"
    assert "Acme" not in text(mail)
    assert "crisis" not in text(mail), "incidents are queue pr's"
    story.home.close()


def test_a_brand_that_was_added_while_the_mailer_ran_is_told_of(story: Story) -> None:
    story.home.mention("a first word of another", brand="newcomer")
    sql = (
        "INSERT INTO count_delta (brand, minute, network, intent, queue, mentions, negative, positive, detractors,"
        " severe, risk, own) SELECT n, ?, 1, 1, 'none', 7, 0, 0, 0, 0, 0, 0 FROM dictionary WHERE value = 'newcomer'"
    )
    with write(story.home.engine) as connection:
        many(connection, sql, [(at("2026-09-21T10:00") // MINUTE,)])
    (mail,) = story.at("2026-09-22T06:00")
    assert "newcomer: 7" in text(mail)


_MISSED = (
    "INSERT INTO case_deadline (case_id, what, deadline, target, began_at, due, missed_at)"
    " VALUES (?, 'first_response', 'standard', '4h', 0, ?, ?)"
)
