"""A mail server that is away: every mail waits and leaves once it is back, and nobody is told twice."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from program import Program, append, said, wait_until
from smtp_server import SmtpServer

sys.path.insert(0, str(Path(__file__).parents[1] / "routing"))

from mail_home import MailHome, smtp

from stream.clock import HOUR, MINUTE


def test_an_hour_without_a_mail_server(tmp_path: Path) -> None:
    """Promise 1: what must leave goes by the outbox; an hour's outage delays mails, loses and doubles none."""
    home = MailHome(tmp_path)
    try:
        with SmtpServer() as server:
            server.down()
            mailer = home.mailer(smtp(server.port))
            home.people = [
                home.people[0].__class__(id="ana", name="Ana", email="ana@example.org", max_mails_per_hour=900)
            ]
            tries = 0
            for minute in range(60):
                if minute % 6 == 0:
                    home.severe(f"nobody answers since minute {minute}")
                result = mailer.step(home.clock.now())
                tries += result.leader
                assert result.sent == 0
                home.clock.advance(MINUTE)
            assert server.mails == []
            assert set(home.states()) == {"pending"}
            server.up()
            home.clock.advance(HOUR // 30)
            for _ in range(10):
                mailer.step(home.clock.now())
                home.clock.advance(MINUTE)
            assert Counter(home.states()) == {"sent": 10}
            assert sorted(Counter(server.ids()).values()) == [1] * 10
    finally:
        home.close()


def test_the_program_mails_when_the_server_is_back(tmp_path: Path) -> None:
    """Promise 1 with the real program: posts go on being decided and searchable while no mail leaves."""
    with SmtpServer() as server:
        server.down()
        program = Program(tmp_path / "home", f", host: 127.0.0.1, port: {server.port}, security: none, timeout: 2s")
        try:
            run = program.start("run")
            with program.opened() as opened:
                append(opened, [said(n, f"Marlin Ferries mayday word{n}") for n in range(5)])
            _until_decided(program, 5)
            assert program.clamor("search", "mayday", "--count").stdout.strip() == "5"
            assert "mails" in program.clamor("status").stdout
            server.up()
            program.wait()
            assert sorted(Counter(server.ids()).values()) == [1] * 5
            assert program.stop(run) == 0
        finally:
            program.end()


def _until_decided(program: Program, mentions: int) -> None:
    wait_until(lambda: program.clamor("search", "mayday", "--count").stdout.strip() == str(mentions), "searchable")
    wait_until(lambda: bool(program.sql("SELECT 1 FROM mail WHERE attempts > 0 OR reason <> ''")), "a mail was tried")
