"""Mails about an incident: who is told, what they say, and which mails it makes needless."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from mailbox import mbox
from pathlib import Path

import msgspec
import pytest
from mail_home import ANA, BEN, SETTINGS, START, MailHome, settle, smtp
from smtp_server import Fault, SmtpServer

from config.playbook import shipped
from database.engine import read, write
from routing import links
from routing.incidents import book, said, tasks
from routing.incidents.book import Evidence, Word
from routing.incidents.curve import Point
from routing.incidents.levels import Signal, Standing
from routing.mail.mailbox import MailboxTransport
from routing.mail_status import mail_status
from routing.people_to_tell import Person
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Post

EVA = Person(id="eva", name="Eva Sol", email="eva@example.org", brands=frozenset({"bakery"}))
SUE = Person(id="sue", name="Sue Oak", email="sue@example.org", queues=frozenset({"support"}))
LOUD = Evidence(START, (Signal("negative@reddit", 60, 412, 3.25, 9.0, 4.2, 0.998),))


class Story:
    def __init__(self, folder: Path) -> None:
        settings = msgspec.structs.replace(SETTINGS, url="https://clamor.example", chain=("eva",))
        self.home = MailHome(folder, [ANA, BEN, EVA, SUE], settings)
        self.path = folder / "mail" / "alerts.mbox"
        self.mailer = self.home.mailer(MailboxTransport(self.path))

    def incident(self, state: str = "crisis", evidence: Evidence = LOUD) -> int:
        standing = Standing(state, START - HOUR, START, START)
        with write(self.home.engine) as connection:
            return book.open_incident(connection, "acme", standing, evidence, START)

    def tell(self, id: int, word: Word = "crisis", step: int = 0) -> None:
        with write(self.home.engine) as connection:
            book.tell(connection, id, "acme", word, step, self.home.clock.at)

    def mails(self, person: Person, later: int = MINUTE) -> list[EmailMessage]:
        self.home.clock.advance(later)
        settle(self.mailer, self.home)
        if not self.path.exists():
            return []
        box = mbox(self.path, create=False)
        found = [message_from_bytes(one.as_bytes(), policy=policy.default) for one in box]
        box.close()
        return [one for one in found if isinstance(one, EmailMessage) and person.email in str(one["To"])]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.home.close()


def text(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_it_says_what_since_when_how_sure_and_what_it_is_made_of(story: Story) -> None:
    for n in range(12):
        story.home.mention(f"palm oil burns the forest, says reader {n}", cluster=4 if n < 5 else None)
    id = story.incident()
    story.tell(id)
    (mail,) = story.mails(BEN)
    assert mail["Subject"] == "CRISIS · Acme Air · 412 negative posts on Reddit"
    words = " ".join(text(mail).split())
    assert "A crisis about Acme Air is under way" in words
    assert "412 negative posts on Reddit in 60 minutes; 3.2 were to be expected" in words
    assert "no chance: 99 %" in words
    assert "12 posts by 12 authors" in words
    assert "palm 100 %" in words
    assert "5 of them are near copies" in words
    assert f"incident show {id}" in words


def test_spanish_readers_read_spanish(story: Story) -> None:
    story.home.mention("el aceite quema el bosque")
    story.tell(story.incident())
    (mail,) = story.mails(ANA)
    assert mail["Subject"] == "CRISIS · Acme Air · 412 publicaciones negativas en Reddit"
    assert "se esperaban 3,2" in " ".join(text(mail).split())
    assert "Me ocupo yo" in text(mail, "html")


def test_only_people_of_the_brand_and_of_pr_are_told_and_the_chain_after_them(story: Story) -> None:
    id = story.incident()
    story.tell(id)
    assert [len(story.mails(one)) for one in (ANA, BEN, EVA, SUE)] == [1, 1, 0, 0]
    story.tell(id, "still", 1)
    assert [len(story.mails(one)) for one in (ANA, BEN, EVA, SUE)] == [1, 1, 1, 0]
    assert "nobody answered" in text(story.mails(EVA)[0])


def test_a_deleted_post_is_in_no_mail(story: Story) -> None:
    n = story.home.mention("the secret words of somebody")
    story.tell(story.incident())
    story.home.delete(n)
    (mail,) = story.mails(BEN)
    assert "secret words" not in mail.as_string()


def test_foreign_words_are_escaped(story: Story) -> None:
    for n in range(4):
        story.home.mention(f"<script>alert({n})</script> boo")
    story.tell(story.incident())
    (mail,) = story.mails(BEN)
    assert "<script>" not in text(mail, "html")


def test_its_links_allow_each_reader_one_thing(story: Story) -> None:
    story.home.mention("boo")
    id = story.incident()
    story.tell(id)
    (mail,) = story.mails(BEN)
    found = re.findall(r"https://clamor\.example/act/(\S+)", text(mail))
    with read(story.home.engine) as connection:
        deeds = [links.allowed(connection, said, story.home.clock.at) for said in found]
    assert [(one.deed, one.person, one.incident) for one in deeds] == [
        ("acknowledge", "ben", id), ("escalate", "ben", id), ("silence", "ben", id),
    ]  # fmt: skip


def test_over_is_told_without_links(story: Story) -> None:
    id = story.incident()
    with write(story.home.engine) as connection:
        held = book.find(connection, id)
        book.move(connection, held, Standing("over"), Evidence(), START + HOUR)
    story.tell(id, "over")
    (mail,) = story.mails(BEN)
    assert mail["Subject"] == "Over · Acme Air"
    assert "/act/" not in text(mail)
    assert f"incident prove {id} real --by ben" in text(mail), "whether it was one is asked at its end"


def spoken_of(story: Story) -> None:
    """What was said the day before."""
    for n in range(60):
        at = START - DAY + n * MINUTE
        old = Post(id=f"x:old{n}", network="x", text=f"flight {n} of Acme is late", seen_at=at, event_time=at)
        story.home.mention(post=old)


def test_a_new_brands_posts_send_their_mails_for_nobody_knows_which_words_are_new(story: Story) -> None:
    for n in range(12):
        story.home.mention(f"palm oil burns the forest, says reader {n}")
    story.tell(story.incident())
    story.mails(BEN)
    story.home.severe("again palm oil in it, shame")
    assert len(story.mails(BEN)) == 2


def test_posts_of_an_incident_send_no_mails_of_their_own_and_others_do(story: Story) -> None:
    spoken_of(story)
    for n in range(12):
        story.home.mention(f"palm oil burns the forest, says reader {n}")
    story.tell(story.incident())
    assert len(story.mails(BEN)) == 1
    story.home.severe("again palm oil in it, shame")
    assert len(story.mails(BEN)) == 1
    story.home.severe("the door fell off during our flight")
    assert len(story.mails(BEN)) == 2


def test_who_was_not_told_of_the_incident_gets_the_mail_of_the_case(story: Story) -> None:
    spoken_of(story)
    for n in range(12):
        story.home.mention(f"palm oil burns the forest, says reader {n}")
    story.tell(story.incident())
    story.mails(BEN)
    story.home.severe("again palm oil in it, where is my refund", queue="support")
    assert len(story.mails(SUE)) == 1
    assert len(story.mails(BEN)) == 1


def test_two_copies_in_a_storm_may_be_another_matter(story: Story) -> None:
    spoken_of(story)
    for n in range(40):
        story.home.mention(f"palm oil burns the forest, says reader {n}", cluster=7 if n < 20 else None)
    story.home.mention("the door fell off during our flight", cluster=8)
    story.tell(story.incident())
    assert len(story.mails(BEN)) == 1
    story.home.severe("the door fell off during our flight", cluster=8)
    assert len(story.mails(BEN)) == 2
    story.home.severe("nothing but shame", cluster=7)
    assert len(story.mails(BEN, 2 * MINUTE)) == 2


def test_what_was_said_in_public_stands_in_it_and_nobody_can_write_lines_into_it(story: Story) -> None:
    story.home.mention("boo")
    id = story.incident()
    with write(story.home.engine) as connection:
        said.say(connection, id, "We answer <b>at noon</b>.", "our site", START, "ana", START)
    story.tell(id)
    (mail,) = story.mails(BEN)
    assert "what we said in public" in text(mail).lower()
    assert "On our site, " in text(mail)
    assert "We answer <b>at noon</b>." in text(mail)
    assert "We answer &lt;b&gt;at noon&lt;/b&gt;." in text(mail, "html")
    assert "lo que hemos dicho en público" in text(story.mails(ANA)[0]).lower()


def test_what_has_to_be_done_by_whom_and_when_stands_in_it_in_the_readers_language(story: Story) -> None:
    story.home.mention("boo")
    id = story.incident()
    with write(story.home.engine) as connection:
        tasks.follow(connection, shipped(), START)
        tasks.end(connection, id, 1, "done", "ana", START)
    story.tell(id)
    (mail,) = story.mails(BEN)
    words = " ".join(text(mail).split())
    assert "what has to be done" in words.lower()
    assert "2. PR · due 2026-09-21 14:43 UTC: Ask who is responsible for the matter" in words
    assert "1 task is done." in words
    assert f"incident task {id} 2 done --by ben" in words
    spanish = " ".join(text(story.mails(ANA)[0]).split())
    assert "Pregunte a quien responde del asunto" in spanish
    assert "Ask who is responsible" not in spanish


def drawn(story: Story, monkeypatch: pytest.MonkeyPatch) -> EmailMessage:
    """The mail of an incident whose brand was watched."""
    points = tuple(Point(START - (36 - n) * 20 * MINUTE, 400.0 if n > 33 else 3.0, 4.0, 9.0) for n in range(36))
    monkeypatch.setattr("routing.mail.incident.curve_of", lambda *_: points)
    story.home.gap("reddit", START - 6 * HOUR, START - 5 * HOUR)
    story.home.mention("boo")
    story.tell(story.incident())
    (mail,) = story.mails(BEN)
    return mail


def test_the_curve_is_a_picture_in_the_mail_with_words_for_who_cannot_see_it(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    mail = drawn(story, monkeypatch)
    html = text(mail, "html")
    found = re.search(r'<img src="cid:([^"]+)"[^>]* alt="([^"]+)"', html)
    assert found is not None
    (part,) = [one for one in mail.walk() if one.get_content_type() == "image/png"]
    assert part["Content-ID"] == f"<{found[1]}>"
    assert part.get_content_disposition() == "inline"
    png = part.get_payload(decode=True)
    assert isinstance(png, bytes)
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000
    assert "At the highest 400 within 20 minutes" in found[2]
    assert "crisis:" in found[2]
    assert "Some of it was not heard." in found[2]
    assert "background:#b3261e" not in html.partition("The last twelve hours")[2].partition("What it is made of")[0]


def test_where_nothing_can_draw_there_are_bars(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.mail.picture.installed", lambda: False)
    mail = drawn(story, monkeypatch)
    assert "cid:" not in text(mail, "html")
    assert "grey: usual; red: beyond it" in text(mail, "html")
    assert not [one for one in mail.walk() if one.get_content_type() == "image/png"]


def test_a_picture_that_cannot_be_drawn_keeps_back_no_mail(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("routing.mail.picture._drawn", torn)
    assert "grey: usual; red: beyond it" in text(drawn(story, monkeypatch), "html")


def test_where_somebody_is_refused_for_good_the_next_of_the_chain_is_told(tmp_path: Path, server: SmtpServer) -> None:
    story = Story(tmp_path)
    story.home.people = [BEN, EVA]
    story.mailer = story.home.mailer(smtp(server.port))
    server.fault = Fault("rcpt", "550 5.1.1 nobody here", only=BEN.email)
    id = story.incident()
    story.tell(id)
    settle(story.mailer, story.home)
    assert [(person, state) for person, _, state, _ in story.home.mails()] == [("ben", "failed"), ("eva", "sent")]
    assert "nobody answered" in str(server.mails[0].message.get_body(("plain",)))
    with read(story.home.engine) as connection:
        assert ("unreached", "ben") in [(one.change, one.person) for one in book.events(connection, id)]
    refused = mail_status(story.home.engine, story.home.clock.now()).refused
    assert list(refused) == ["ben"]
    assert "nobody here" in refused["ben"]
    story.home.close()


def test_who_looks_after_it_was_reached_by_another_way(tmp_path: Path, server: SmtpServer) -> None:
    story = Story(tmp_path)
    story.home.people = [BEN, EVA]
    story.mailer = story.home.mailer(smtp(server.port))
    server.fault = Fault("rcpt", "550 5.1.1 nobody here", only=BEN.email)
    id = story.incident()
    story.tell(id)
    with write(story.home.engine) as connection:
        book.acknowledge(connection, id, "ben", START)
    settle(story.mailer, story.home)
    assert len(story.home.mails()) == 1
    story.home.close()
