"""Promises: what must be told is told, in time, once; a server that fails loses nothing and doubles nothing."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from math import inf
from pathlib import Path

import pytest
from mail_home import ANA, BEN, MailHome, settle, smtp
from smtp_server import Fault, Place, SmtpServer, make_certificate

from database.engine import write
from routing import failed
from routing.mail import journal
from routing.mail.journal import Journal
from routing.mail.transport import Outgoing
from routing.mail_status import mail_status
from stream.clock import HOUR, MINUTE, SECOND


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MailHome]:
    made = MailHome(tmp_path, [ANA, BEN])
    yield made
    made.close()


def test_a_severe_post_reaches_the_people_of_its_brand_and_queue(home: MailHome, server: SmtpServer) -> None:
    home.severe("the plane left without us", queue="support")
    settle(home.mailer(smtp(server.port)), home)
    assert [mail.recipient for mail in server.mails] == [ANA.email]
    home.severe("they lied to the press", queue="pr")
    settle(home.mailers[0], home)
    assert [mail.recipient for mail in server.mails] == [ANA.email, ANA.email, BEN.email]
    assert server.sessions == 2, "one session for the mails of one batch"


def test_the_time_from_arrival_to_the_server_is_measured(home: MailHome, server: SmtpServer) -> None:
    home.severe()
    home.clock.advance(500)
    settle(home.mailer(smtp(server.port)), home)
    status = mail_status(home.engine, home.clock.now())
    assert status.latency_p50 == status.latency_p99 == 2_000
    assert (status.waiting, status.failed, status.last_sent) == (0, 0, home.clock.now())


PASSING = [
    Fault("greeting", "421 too many connections", times=1),
    Fault("greeting", "drop", times=1),
    Fault("greeting", "hang", times=1),
    Fault("mail", "451 try later", times=1),
    Fault("mail", "drop", times=1),
    Fault("rcpt", "450 4.2.1 mailbox busy", times=1),
    Fault("rcpt", "421 shutting down", times=1),
    Fault("rcpt", "hang", times=1),
    Fault("data", "452 no space", times=1),
    Fault("data", "421 going away", times=1),
    Fault("data", "drop", times=1),
    Fault("data", "hang", times=1),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: f"{fault.place}-{fault.answer.split()[0]}")
def test_a_fault_that_passes_delays_a_mail_and_neither_loses_nor_doubles_it(
    home: MailHome, server: SmtpServer, fault: Fault
) -> None:
    home.people = [ANA]
    for _ in range(3):
        home.severe()
    mailer = home.mailer(smtp(server.port, timeout=0.15, deadline=1.0))
    server.fault = fault
    for _ in range(6):
        settle(mailer, home)
        home.clock.advance(30 * SECOND)
    assert home.states() == ["sent"] * 3
    assert len(server.ids()) == len(set(server.ids())) == 3


def test_a_server_that_takes_a_mail_and_never_answers_gets_it_again_under_the_same_id(
    home: MailHome, server: SmtpServer
) -> None:
    home.people = [ANA]
    home.severe()
    mailer = home.mailer(smtp(server.port))
    server.fault = Fault("data", "swallow", times=1)
    settle(mailer, home)
    home.clock.advance(30 * SECOND)
    settle(mailer, home)
    first, second = server.ids()
    assert first == second
    assert home.states() == ["sent"]


def test_a_refused_recipient_fails_with_the_reason_and_the_others_get_theirs(
    home: MailHome, server: SmtpServer
) -> None:
    server.fault = Fault("rcpt", "550 5.1.1 no such person", only=ANA.email)
    home.severe()
    settle(home.mailer(smtp(server.port)), home)
    assert [(person, state) for person, _, state, _ in home.mails()] == [("ana", "failed"), ("ben", "sent")]
    reason = home.mails()[0][3]
    assert "550 5.1.1 no such person" in reason
    assert mail_status(home.engine, home.clock.now()).trouble == reason
    server.fault = None
    with write(home.engine) as connection:
        assert failed.retry(connection, failed.failed(connection)) == 1
    settle(home.mailers[0], home)
    assert home.states() == ["sent", "sent"]


def test_an_address_that_is_none_fails_and_nothing_is_sent_to_it(home: MailHome, server: SmtpServer) -> None:
    home.people = [ANA, BEN.__class__(id="eve", name="Eve", email="eve@example.org\r\nBcc: all@example.org")]
    home.severe()
    settle(home.mailer(smtp(server.port)), home)
    assert [mail.recipient for mail in server.mails] == [ANA.email]
    assert "address" in home.mails()[1][3]


def test_an_hour_without_a_server_loses_no_mail(home: MailHome, server: SmtpServer) -> None:
    mailer = home.mailer(smtp(server.port))
    server.down()
    for _ in range(30):
        home.severe(queue="support")
        settle(mailer, home)
        home.clock.advance(2 * MINUTE)
    assert not server.mails
    assert "pending" in home.states()
    assert mail_status(home.engine, home.clock.now()).trouble
    server.up()
    for _ in range(80):
        settle(mailer, home)
        home.clock.advance(MINUTE)
    assert len(server.ids()) == len(set(server.ids()))
    assert "pending" not in home.states()
    told = sum(_posts_told(mail.subject) for mail in server.mails)
    assert told == 30, [mail.subject for mail in server.mails]
    assert len(server.to(ANA.email)) <= 12


def test_when_the_server_is_back_it_is_noticed_within_a_minute(home: MailHome, server: SmtpServer) -> None:
    mailer = home.mailer(smtp(server.port))
    home.people = [ANA]
    server.down()
    home.severe()
    for _ in range(240):
        settle(mailer, home)
        home.clock.advance(15 * SECOND)
    server.up()
    for _ in range(5):
        settle(mailer, home)
        home.clock.advance(15 * SECOND)
    assert home.states() == ["sent"]


@pytest.mark.parametrize("fault", [Fault("greeting", "drop", times=3), Fault("rcpt", "450 busy", times=1)])
def test_a_clock_that_is_set_back_keeps_no_mail_waiting(home: MailHome, server: SmtpServer, fault: Fault) -> None:
    home.people = [ANA]
    mailer = home.mailer(smtp(server.port))
    server.fault = fault
    home.severe()
    settle(mailer, home)
    assert home.states() == ["pending"]
    home.clock.set(-6 * HOUR)
    for _ in range(20):
        home.clock.advance(15 * SECOND)
        settle(mailer, home)
    assert home.states() == ["sent"], "five minutes are longer than any pause after so few tries"
    home.severe()
    settle(mailer, home)
    assert home.states() == ["sent", "sent"], "what was sent in the future takes no place of this hour"


def test_a_server_that_does_not_want_us_is_named_and_not_pestered(home: MailHome, tmp_path: Path) -> None:
    with SmtpServer(users={"clamor": "right"}, certificate=make_certificate(tmp_path), tls="starttls") as server:
        home.people = [ANA]
        certificates = str(tmp_path / "certificate.pem")
        secured = {"security": "starttls", "certificates": certificates, "user": "clamor"}
        mailer = home.mailer(smtp(server.port, password="wrong", **secured))
        home.severe()
        for _ in range(60):
            settle(mailer, home)
            home.clock.advance(MINUTE)
        assert "535" in home.mails()[0][3]
        assert home.states() == ["pending"]
        assert server.sessions < 15
        mailer.close()
        settle(home.mailer(smtp(server.port, password="right", **secured)), home)
        assert home.states() == ["sent"]


def test_a_certificate_that_is_not_trusted_stops_the_mail_and_says_so(home: MailHome, tmp_path: Path) -> None:
    with SmtpServer(certificate=make_certificate(tmp_path), tls="starttls") as server:
        home.people = [ANA]
        home.severe()
        settle(home.mailer(smtp(server.port, security="starttls")), home)
        assert not server.mails
        assert home.states() == ["pending"]
        assert "certificate" in home.mails()[0][3]


def test_mail_goes_over_tls_from_the_start(home: MailHome, tmp_path: Path) -> None:
    with SmtpServer(certificate=make_certificate(tmp_path), tls="tls") as server:
        home.people = [ANA]
        home.severe()
        home.severe()
        certificates = str(tmp_path / "certificate.pem")
        settle(home.mailer(smtp(server.port, security="tls", certificates=certificates)), home)
        assert home.states() == ["sent", "sent"]


def test_a_server_without_starttls_gets_no_mail_where_it_is_asked_for(home: MailHome, server: SmtpServer) -> None:
    home.people = [ANA]
    home.severe()
    settle(home.mailer(smtp(server.port, security="starttls")), home)
    assert not server.mails
    assert home.states() == ["pending"]


def test_a_mail_that_never_gets_through_is_given_up_after_days_and_says_so(home: MailHome, server: SmtpServer) -> None:
    home.people = [ANA]
    home.severe()
    server.fault = Fault("rcpt", "450 4.2.1 mailbox full")
    mailer = home.mailer(smtp(server.port))
    for _ in range(80):
        settle(mailer, home)
        home.clock.advance(HOUR)
    assert home.states() == ["failed"]
    assert "given up" in home.mails()[0][3]
    assert "mailbox full" in home.mails()[0][3]


def test_a_full_mailbox_does_not_hold_up_the_mails_of_others(home: MailHome, server: SmtpServer) -> None:
    server.fault = Fault("rcpt", "452 4.2.2 mailbox full", only=ANA.email)
    mailer = home.mailer(smtp(server.port))
    for _ in range(4):
        home.severe(queue="pr")
        settle(mailer, home)
        assert len(server.to(BEN.email)) == _ + 1


def test_only_one_of_two_mailers_sends(home: MailHome, server: SmtpServer) -> None:
    first = home.mailer(smtp(server.port), owner="elsewhere|one")
    second = home.mailer(smtp(server.port), owner="elsewhere|two")
    home.people = [ANA]
    home.severe()
    assert first.step(home.clock.now()).leader
    assert not second.step(home.clock.now()).leader
    home.severe()
    home.clock.advance(HOUR)
    assert second.step(home.clock.now()).leader, "the lease of the first has run out"
    assert not first.step(home.clock.now()).leader
    settle(second, home)
    assert home.states() == ["sent", "sent"]
    assert len(set(server.ids())) == 2


@pytest.mark.parametrize("full", ["from its start", "later"])
def test_a_full_disk_under_the_journal_neither_stops_nor_doubles_a_mail(
    home: MailHome, server: SmtpServer, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database lies on a server, the journal's disk may be full and all else goes on."""
    home.people = [ANA]
    if full == "from its start":
        (home.folder / "data").write_text("no folder: nothing can be made in it")
    mailer = home.mailer(smtp(server.port), home.folder / "data" / "mails.journal")
    mailer.step(home.clock.now())
    if full == "later":
        monkeypatch.setattr(journal.os, "write", _no_space)
    home.severe()
    for _ in range(3):
        settle(mailer, home)
        home.clock.advance(MINUTE)
    assert home.states() == ["sent"]
    assert len(server.ids()) == 1


def test_what_a_full_disk_keeps_out_of_the_journal_its_process_knows(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    kept = Journal(tmp_path / "data" / "mails.journal")
    kept.write("<1@example.net>")
    assert kept.taken() == {"<1@example.net>"}
    kept.forget()
    assert not kept.taken()


def _no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("place", ["rcpt", "data"])
def test_a_hand_over_ends_before_another_mailer_may_begin(server: SmtpServer, place: Place) -> None:
    """However long the server takes. What was said before the text is certain, what came of the text is not."""
    server.fault = Fault(place, "hang")
    transport, ends = smtp(server.port, timeout=20.0, deadline=20.0), time.monotonic() + 0.3
    delivery = transport.send(mail_for(ANA.email, lambda: ends - time.monotonic()))
    transport.close()
    assert (delivery.outcome, delivery.unsure) == ("later", place == "data")
    assert "the one mailer" in delivery.reason


def test_a_hand_over_goes_on_while_the_lease_is_renewed(server: SmtpServer) -> None:
    server.fault = Fault("rcpt", "hang")
    transport = smtp(server.port, timeout=20.0, deadline=1.2)
    delivery = transport.send(mail_for(ANA.email, lambda: 0.5))
    transport.close()
    assert "no end after 1.2 s" in delivery.reason


def test_a_hand_over_that_may_not_begin_says_nothing_to_the_server(server: SmtpServer) -> None:
    transport = smtp(server.port)
    assert transport.send(mail_for(ANA.email, lambda: 0.0)).outcome == "later"
    assert transport.send(mail_for(ANA.email)).outcome == "sent"
    transport.close()
    assert server.ids() == ["<1@example.net>"]


def test_a_machine_that_slept_before_the_text_went_out_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease has run out then; the clock that the time-out goes by stood still, so that it is not due yet."""
    monkeypatch.setattr("routing.mail.smtp.ASK_EVERY", 60.0)
    left = [10.0]

    class PutsToSleep(SmtpServer):
        def take_fault(self, place: Place, recipients: Iterable[str] = ()) -> str | None:
            if place == "rcpt":
                left[0] = 0.0
            return super().take_fault(place, recipients)

    with PutsToSleep() as server:
        transport = smtp(server.port)
        delivery = transport.send(mail_for(ANA.email, lambda: left[0]))
        transport.close()
        assert (delivery.outcome, delivery.unsure, server.ids()) == ("later", False, [])
    assert "the one mailer" in delivery.reason


def mail_for(recipient: str, allowed: Callable[[], float] = lambda: inf) -> Outgoing:
    content = b"Message-ID: <1@example.net>\r\nSubject: one\r\n\r\nwords\r\n"
    return Outgoing("<1@example.net>", "clamor@example.net", recipient, content, allowed=allowed)


def _posts_told(subject: str) -> int:
    """How many posts a Spanish mail tells of: what its summary counts, else one."""
    words = subject.split("· ")[-1].split()
    return int(words[0]) if words[0].isdigit() else 1
