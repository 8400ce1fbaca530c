"""A mailer on another machine follows one whose database was away: what that one handed over is not sent again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_home import ANA, MailHome, settle, smtp
from smtp_server import SmtpServer

from database.engine import write
from database.tenure import LENGTH
from routing.mail.mailbox import MailboxTransport
from routing.mail.transport import Delivery, Outgoing
from routing.mailer import FORMER_TELLS, Mailer
from stream.clock import SECOND
from stream.ports import Transient


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MailHome]:
    made = MailHome(tmp_path, [ANA])
    yield made
    made.close()


def cut_off(home: MailHome, server: SmtpServer, patch: pytest.MonkeyPatch, owner: str) -> Mailer:
    """A mailer whose database goes away between the server's taking of a mail and the commit."""
    mailer = home.mailer(smtp(server.port), home.folder / "one.journal", owner, elsewhere=True)
    home.severe()
    with patch.context() as while_away:
        while_away.setattr(mailer, "_end", _away)
        with pytest.raises(Transient):
            mailer.step(home.clock.now())
    assert (home.states(), len(server.ids())) == (["sending"], 1)
    return mailer


def follower(home: MailHome, server: SmtpServer) -> Mailer:
    """A mailer of another machine, which has just followed."""
    mailer = home.mailer(smtp(server.port), home.folder / "two.journal", "elsewhere|two", elsewhere=True)
    mailer.step(home.clock.now())
    home.clock.advance(LENGTH)
    assert mailer.step(home.clock.now()).leader
    return mailer


def test_what_it_handed_over_it_tells_when_the_database_is_back(
    home: MailHome, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cut_off(home, server, monkeypatch, "elsewhere|one")
    second = follower(home, server)
    home.clock.advance(FORMER_TELLS // 2)
    assert not first.step(home.clock.now()).leader
    assert home.states() == ["sent"]
    home.clock.advance(FORMER_TELLS)
    settle(second, home)
    assert len(server.ids()) == 1


def test_a_process_that_is_told_to_end_tells_it_before(
    home: MailHome, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cut_off(home, server, monkeypatch, "elsewhere|one")
    follower(home, server)
    first.close()
    assert home.states() == ["sent"]


def test_who_never_comes_back_is_not_waited_for_longer(
    home: MailHome, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(home, server, monkeypatch, "elsewhere|one")
    second = follower(home, server)
    home.clock.advance(FORMER_TELLS)
    settle(second, home)
    assert home.states() == ["sent"]
    first, again = server.ids()
    assert first == again, "rather twice than never, under the same Message-ID"


def test_a_dead_process_of_this_machine_tells_nothing_and_is_not_waited_for(
    home: MailHome, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = "from database.tenure import this_process; print(this_process())"
    dead = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True).stdout.strip()
    cut_off(home, server, monkeypatch, dead)
    settle(home.mailer(smtp(server.port), home.folder / "two.journal", elsewhere=True), home)
    assert (home.states(), len(server.ids())) == (["sent"], 2)


def test_its_own_mails_a_mailer_settles_at_once(
    home: MailHome, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else mailed meanwhile."""
    first = cut_off(home, server, monkeypatch, "elsewhere|one")
    home.clock.advance(LENGTH + SECOND)
    settle(first, home)
    assert (home.states(), len(server.ids())) == (["sent"], 1)


def test_what_is_told_while_the_next_one_is_at_work_is_not_claimed_any_more(home: MailHome) -> None:
    class Told(MailboxTransport):
        def send(self, mail: Outgoing) -> Delivery:
            with write(home.engine) as connection:
                connection.exec_driver_sql("UPDATE mail SET state = 'sent' WHERE state = 'pending'")
            return super().send(mail)

    home.severe()
    home.severe()
    box = Told(home.folder / "m.mbox")
    settle(home.mailer(box), home)
    assert home.states() == ["sent", "sent"]
    assert box.path.read_bytes().count(b"\nMessage-ID: ") == 1


def _away(*_: object) -> str:
    raise Transient("the database is away")
