"""A replay at a pace lives apart: nobody outside hears of it unless asked, and no machine is too slow for its mails."""

from __future__ import annotations

import mailbox
from pathlib import Path

from living import CONFIGURATION
from smtp_server import SmtpServer
from test_cli_story import clamor

from clamor import exits

RULES = "rules:\n  - {name: loud, when: mayday, queue: pr, alert: true, why: {en: it calls mayday, es: pide auxilio}}\n"
WEEK = """\
{"id": "1", "created_at": "2026-11-20T09:00:00Z", "text": "Acme Air mayday one", "author": "ana"}
{"id": "2", "created_at": "2026-11-21T09:00:00Z", "text": "Acme Air mayday two", "author": "ben"}
{"id": "3", "created_at": "2026-11-22T09:00:00Z", "text": "Acme Air mayday three", "author": "cid"}
"""


def _home(root: Path, port: int, login: str = ", user: me, password_env: CLAMOR_TEST_MAIL") -> Path:
    root.mkdir()
    mail = f"mail: {{host: 127.0.0.1, port: {port}, security: none{login}}}"
    (root / "clamor.yaml").write_text(CONFIGURATION.replace("mail: {host: null}", mail) + "rules: rules.yaml\n")
    (root / "rules.yaml").write_text(RULES)
    (root / "secrets.env").write_text("CLAMOR_TEST_MAIL=hush\n")
    (root / "secrets.env").chmod(0o600)
    (root / "week.jsonl").write_text(WEEK)
    return root


def _lived(home: Path, *more: str) -> tuple[list[str], str]:
    """(the mails in the replay's own mailbox, what was said)."""
    into = home / "lived"
    # At this pace a second of work is more than a day: what came fifteen minutes late would never wake anybody.
    words = ("--speed", "100000x", "--into", str(into), "--network", "x", *more)
    done = clamor(home, "replay", str(home / "week.jsonl"), *words)
    assert done.code == exits.OK, done.err
    box = mailbox.mbox(into / "mail" / "clamor.mbox", create=False) if (into / "mail").exists() else ()
    found = [one.as_string() for one in box]
    if isinstance(box, mailbox.mbox):
        box.close()
    return found, done.err


def test_its_mails_stay_in_its_home_and_are_all_written(tmp_path: Path) -> None:
    with SmtpServer() as server:
        home = _home(tmp_path / "home", server.port)
        mails, said = _lived(home)
        assert len(mails) == 3
        assert "to nobody" in said
        assert server.mails == []
    assert not (home / "lived" / "secrets.env").exists()
    assert not any("127.0.0.1" in mail for mail in mails), "nothing serves the replay's home"


def test_it_mails_people_where_that_is_asked_for(tmp_path: Path) -> None:
    with SmtpServer() as server:
        mails, said = _lived(_home(tmp_path / "home", server.port, ""), "--send-mails")
        assert mails == []
        assert "mails go to people" in said
        assert {mail.recipient for mail in server.mails} == {"ana@example.org"}
        assert len(server.mails) == 3


def test_mails_that_cannot_leave_are_told_and_do_not_hold_it_for_ever(tmp_path: Path) -> None:
    with SmtpServer() as server:
        home = _home(tmp_path / "home", server.port, "")
    _, said = _lived(home, "--send-mails")
    assert "3 mails have not left" in said


def test_it_never_lives_in_the_data_of_another_home(tmp_path: Path) -> None:
    home = _home(tmp_path / "home", 1)
    data = tmp_path / "data"
    (home / "clamor.yaml").write_text(f"data: {data}\n" + (home / "clamor.yaml").read_text())
    done = clamor(home, "replay", str(home / "week.jsonl"), "--speed", "100000x", "--network", "x")
    assert done.code == exits.FAILED
    assert "simulated time" in done.err
    assert not (data / "clock.json").exists()
