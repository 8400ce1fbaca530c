"""Promise 1 for mails: whatever instant the mailer is killed at, each mail arrives, but for a known window once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mail_home import START, MailHome, settle
from mail_worker import PEOPLE
from smtp_server import SmtpServer

from database.engine import read, write
from database.tenure import LENGTH
from routing.mail.journal import Journal
from routing.mail.mailbox import MailboxTransport
from routing.mail.transport import Delivery, Outgoing
from routing.mailer import Mailer
from routing.named import named
from tests.places import only_sqlite

WORKER = Path(__file__).with_name("mail_worker.py")


def test_killed_at_random_instants_no_mail_is_lost(tmp_path: Path, kept_in: str) -> None:
    doubles = rounds_of_kills(tmp_path, kills=8, seed=7)
    assert doubles <= 2, "only a kill between the server's taking and the journal's line may double a mail"


@pytest.mark.soak
def test_not_twice_in_99_of_100_rounds(tmp_path: Path) -> None:
    doubles = rounds_of_kills(tmp_path, kills=300, seed=11)
    print(f"300 rounds of 2 mails and a kill: {doubles} mails came twice")
    assert doubles <= 3


def rounds_of_kills(folder: Path, kills: int, seed: int) -> int:
    """Each round an alert for two people, and a kill at any instant of the next 0.4 s; how many mails came twice."""
    chance = random.Random(seed)
    home = MailHome(folder, PEOPLE)
    with SmtpServer() as server, working(home, server.port) as again:
        child = again()
        for _ in range(kills):
            home.stage_severe()
            home.write_staged()
            time.sleep(chance.uniform(0.0, 0.4))
            os.kill(child, signal.SIGKILL)
            child = again()
        wait_until(lambda: _left(home) == 0)
        os.kill(child, signal.SIGKILL)
        count = Counter(server.ids())
    home.close()
    assert len(count) == kills * len(PEOPLE)
    return sum(times - 1 for times in count.values())


@contextmanager
def working(home: MailHome, port: int) -> Iterator[Callable[[], int]]:
    """Calls give the process that mails now; each but the first after the one before was killed."""
    command = [sys.executable, str(WORKER), str(home.folder), home.address, str(port)]
    root = str(WORKER.parents[2])
    path = os.pathsep.join([root, str(WORKER.parent), str(WORKER.parents[1])])
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert worker.stdin is not None
    assert worker.stdout is not None
    first = True

    def again() -> int:
        nonlocal first
        if not first:
            worker.stdin.write("\n")  # type: ignore[union-attr]
            worker.stdin.flush()  # type: ignore[union-attr]
        first = False
        while not (line := worker.stdout.readline()).strip().isdigit():  # type: ignore[union-attr]
            assert line, "the worker ended"
        return int(line)

    try:
        yield again
    finally:
        worker.stdin.close()
        worker.stdout.close()
        worker.wait(20)


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.005)


def _left(home: MailHome) -> int:
    with read(home.engine) as connection:
        return int(
            named(
                connection,
                "SELECT (SELECT COUNT(*) FROM alert WHERE state = 'pending')"
                " + (SELECT COUNT(*) FROM mail WHERE state <> 'sent') AS n",
            )[0].n
        )


class Dies(BaseException):
    """The process ends here, as by kill -9: nothing after this line runs."""


class DiesAfterTaking(MailboxTransport):
    """The mail was taken; the process ends before it can note that anywhere."""

    def send(self, mail: Outgoing) -> object:  # type: ignore[override]
        super().send(mail)
        raise Dies


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MailHome]:
    made = MailHome(tmp_path, PEOPLE[:1])
    yield made
    made.engine.dispose()


def test_a_mailbox_never_holds_a_mail_twice_even_in_the_window(home: MailHome) -> None:
    home.severe()
    path = home.folder / "alerts.mbox"
    first = home.mailer(DiesAfterTaking(path), owner="a dead one")
    with pytest.raises(Dies):
        first.step(START)
    second = home.mailer(MailboxTransport(path))
    assert not second.step(START).leader
    home.clock.advance(LENGTH)
    assert second.step(home.clock.now()).sent == 1
    assert path.read_bytes().count(b"\nMessage-ID: ") == 1


@only_sqlite
def test_what_the_journal_knows_is_not_sent_again(home: MailHome) -> None:
    home.severe()
    journal = home.folder / "mail.journal"
    path = home.folder / "alerts.mbox"
    first = home.mailer(MailboxTransport(path), journal, owner="a dead one")
    with write(home.engine) as connection:
        # The commit after the hand-over never comes: the row stays claimed.
        connection.exec_driver_sql(
            "CREATE TRIGGER dies BEFORE UPDATE OF ended_at ON mail WHEN NEW.state = 'sent'"
            " BEGIN SELECT RAISE(ABORT, 'the process ends here'); END"
        )
    with pytest.raises(Exception, match="the process ends here"):
        first.step(START)
    with write(home.engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER dies")
    assert len(Journal(journal).taken()) == 1
    path.unlink()
    second = home.mailer(MailboxTransport(path), journal)
    assert not second.step(START).leader
    home.clock.advance(LENGTH)
    second.step(home.clock.now())
    assert home.states() == ["sent"]
    assert not path.exists(), "it was not handed over again"
    assert not Journal(journal).taken()


def test_a_journal_torn_by_a_crash_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b"<a@b>\n<c@d>\n<e@")
    assert Journal(tmp_path / "j").taken() == {"<a@b>", "<c@d>"}


def test_a_mailbox_gets_nothing_of_a_process_that_stood_still_until_another_one_may_mail(home: MailHome) -> None:
    class StoodStill(MailboxTransport):
        def send(self, mail: Outgoing) -> Delivery:
            home.clock.advance(LENGTH)
            return super().send(mail)

    home.severe()
    path = home.folder / "alerts.mbox"
    assert home.mailer(StoodStill(path), owner="one").step(START).sent == 0
    assert not path.exists()
    settle(home.mailer(MailboxTransport(path), owner="two"), home)
    home.clock.advance(LENGTH)
    settle(home.mailers[1], home)
    assert home.states() == ["sent"]
    assert path.read_bytes().count(b"\nMessage-ID: ") == 1


def test_a_mailbox_cut_off_by_a_crash_is_mended(tmp_path: Path) -> None:
    box = MailboxTransport(tmp_path / "m.mbox")
    mail = Outgoing("<1@x>", "a@x", "b@x", b"Message-ID: <1@x>\r\nSubject: one\r\n\r\nFrom here\r\n")
    assert box.send(mail).outcome == "sent"
    whole = box.path.read_bytes()
    other = mail._replace(message_id="<2@x>", content=mail.content.replace(b"<1@x>", b"<2@x>"))
    box.send(other)
    both = box.path.read_bytes()
    for cut in range(len(whole), len(both)):
        box.path.write_bytes(both[:cut])
        assert box.send(other._replace(repeated=True)).outcome == "sent"
        assert box.path.read_bytes() == both


def test_a_full_disk_leaves_the_mailbox_whole_and_the_mail_waiting(home: MailHome) -> None:
    home.severe()
    (home.folder / "file").write_text("no folder")
    mailer: Mailer = home.mailer(MailboxTransport(home.folder / "file" / "m.mbox"))
    mailer.step(START)
    assert home.mails()[0][2] == "pending"
    assert "cannot be written" in home.mails()[0][3]
