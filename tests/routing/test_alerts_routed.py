"""From what was understood to the mail server: routing's own transaction, then the mailer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_home import SETTINGS, smtp
from route_home import MINUTE, NOW, RouteHome, passed, reading, said
from smtp_server import SmtpServer

from routing.mail.compose import in_words_of
from routing.mailer import Mailer
from routing.people_to_tell import Person
from routing.rules import RuleSet, default_rules
from stream.clock import HOUR, ManualClock
from stream.records import Understood

PEOPLE = [
    Person(id="ana", name="Ana", email="ana@example.org", language="es"),
    Person(id="sam", name="Sam", email="sam@example.org", queues=frozenset({"support"})),
]


class Way:
    """Routing and the mailer on one database, one clock."""

    def __init__(self, folder: Path, port: int) -> None:
        self.home = RouteHome(folder)
        self.clock = ManualClock(NOW)
        rules = RuleSet.read(default_rules(), 1)
        self.mailer = Mailer(
            self.home.engine,
            self.clock,
            smtp(port),
            lambda: PEOPLE,
            SETTINGS,
            reason=in_words_of(lambda: rules, SETTINGS.brand_names),
        )

    def take(self, *records: Understood) -> None:
        self.home.take(*records, now=self.clock.at)
        while not self.mailer.step(self.clock.at).idle:
            pass

    def later(self, by: int) -> None:
        self.clock.advance(by)
        self.take()


@pytest.fixture
def way(tmp_path: Path, server: SmtpServer) -> Iterator[Way]:
    made = Way(tmp_path, server.port)
    yield made
    made.mailer.close()
    made.home.close()
    made.home.engine.dispose()


def severe(id: str, text: str = "two people were hurt on the stairs", **values: object) -> Understood:
    about = reading(intent="public_issue", detractor=3, terms=(("severity", 36.0), ("safety", 12.0)))
    return said(id, about, text=text, **({"followers": 200_000} | values))  # type: ignore[arg-type]


def test_a_severe_post_is_told_to_those_who_act_on_it_and_an_ordinary_one_to_nobody(
    way: Way, server: SmtpServer
) -> None:
    way.take(severe("1", link="https://x.example/1"), said("2", reading(intent="help_request"), text="opening hours?"))
    (mail,) = server.mails
    assert mail.recipient == "ana@example.org"
    assert "two people were hurt on the stairs" in mail.text
    assert "https://x.example/1" in mail.text
    assert f"case show {way.home.live_cases()[0]['id']}" in mail.text


def test_the_same_post_again_and_an_answer_to_it_send_no_second_mail(way: Way, server: SmtpServer) -> None:
    way.take(severe("1"))
    way.take(severe("1"), severe("3", text="I saw it too", reply_to="x:1", conversation="x:1"))
    assert len(server.mails) == 1


def test_a_case_that_gets_worse_is_told_again(way: Way, server: SmtpServer) -> None:
    way.take(severe("1", followers=None))
    way.take(severe("3", text="me too", reply_to="x:1", conversation="x:1", followers=2_000_000))
    assert len({case for case, *_ in way.home.sql("SELECT case_id FROM alert")}) == 1
    assert len(server.mails) == 2
    assert "me too" in server.mails[1].text


def test_a_post_deleted_before_the_mail_leaves_is_never_mailed(way: Way, server: SmtpServer) -> None:
    server.down()
    way.take(severe("1"))
    way.take(passed("1", "deleted", NOW + 1))
    server.up()
    way.later(5 * MINUTE)
    assert not server.mails


def test_an_edit_before_the_mail_leaves_is_what_is_mailed(way: Way, server: SmtpServer) -> None:
    server.down()
    way.take(severe("1"))
    way.take(severe("1", text="three people were hurt", kind="edited", edited_at=NOW + 5, at=NOW + 5))
    server.up()
    way.later(5 * MINUTE)
    (mail,) = server.mails
    assert "three people were hurt" in mail.text
    assert "two people" not in mail.text


def test_what_was_old_when_it_arrived_wakes_nobody_and_a_filled_gap_is_one_mail(way: Way, server: SmtpServer) -> None:
    old = NOW - 5 * HOUR
    way.take(severe("1", at=old, origin="backfill"), severe("2", at=old, origin="import"))
    way.take(severe("3", text="late one", at=old, origin="gapfill"), severe("4", at=old, origin="gapfill"))
    assert not server.mails
    way.later(2 * MINUTE)
    (mail,) = server.mails
    assert "2 publicaciones graves" in mail.subject
    assert "late one" in mail.text
