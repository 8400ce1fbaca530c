"""A mail that the server refused for good is named and tried again by command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import NOW, Living, post, settled_home
from typed import clamor

from clamor import exits
from config.home import Home
from database.engine import write
from tests.smtp_server import Fault, SmtpServer

REFUSED = "550 5.1.1 no such person here"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, server: SmtpServer) -> Path:
    """One whose mail server refused both of its people."""
    configuration = f"""\
brands:
  - {{id: acme, name: Acme Air}}
people:
  - {{id: ana, name: Ana Example, email: ana@example.org}}
  - {{id: ben, name: Ben Example, email: ben@example.org}}
mail: {{host: 127.0.0.1, port: {server.port}, security: none}}
"""
    home = settled_home(tmp_path / "home", configuration)
    server.fault = Fault("rcpt", REFUSED)
    with Living(home) as living:
        living.live(post(1))
        with write(living.opened.engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO alert (kind, mention_n, brand, queue, risk, why, event_time, created_at) "
                "VALUES ('mention', 1, 'acme', 'pr', 90, 'severe', ?, ?)",
                (NOW, NOW),
            )
        assert living.mail() == 0
    server.fault = None
    return home.root


def test_mails_that_failed_are_listed_with_the_servers_words(home: Path) -> None:
    done = clamor(home, "mails", "list")
    assert done.code == exits.OK
    rows = [line for line in done.out.splitlines() if " failed " in line]
    assert [row.split()[0] for row in rows] == ["1", "2"]
    assert all(REFUSED in row and "alert: acme pr" in row for row in rows)
    assert "2 failed (clamor mails retry), 0 held" in done.err


def test_a_mail_that_failed_is_sent_at_the_next_try(home: Path, server: SmtpServer) -> None:
    done = clamor(home, "mails", "retry", "--person", "ben")
    assert (done.code, done.out) == (exits.OK, "1 to be tried again; they leave once clamor run works this home\n")
    with Living(Home.at(home)) as living:
        assert living.mail() == 1
    assert [mail.recipient for mail in server.mails] == ["ben@example.org"]
    assert clamor(home, "mails", "retry", "--all").out.startswith("1 to be tried again")
    with Living(Home.at(home)) as living:
        assert living.mail() == 1
    assert [mail.recipient for mail in server.mails] == ["ben@example.org", "ana@example.org"]
    assert clamor(home, "mails", "list").err.startswith("0 failed")


def test_what_is_to_be_tried_again_has_to_be_named(home: Path) -> None:
    assert clamor(home, "mails", "retry").code == exits.USAGE
    unknown = clamor(home, "mails", "retry", "9")
    assert (unknown.code, "9 (clamor mails list)" in unknown.err) == (exits.FAILED, True)
    some = clamor(home, "mails", "retry", "1", "9")
    assert (some.code, some.out.startswith("1 to be")) == (exits.SOME_REFUSED, True)


def test_the_commands_in_a_mail_can_be_typed_as_they_stand(home: Path, server: SmtpServer) -> None:
    clamor(home, "mails", "retry", "--person", "ana")
    with Living(Home.at(home)) as living:
        assert living.mail() == 1
    text = " ".join(server.mails[-1].text.split())
    commands = re.findall(r"On Clamor's machine: (clamor .*?'x:1#acme')", text)
    assert len(commands) == 1, text
    program, option, place, *words = shlex.split(commands[0])
    assert (program, option, Path(place)) == ("clamor", "--home", home)
    told = clamor(home, *words)
    assert (told.code, told.out.splitlines()[0]) == (exits.OK, "x:1#acme")
    assert "/api/" not in text
