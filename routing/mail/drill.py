"""Mails of a drill: marked so that nobody takes one for the real thing, whatever program shows it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

from routing.mail.transport import Delivery, Outgoing, Transport
from stream.records import Millis

MARK = "DRILL · "
BANNER = "DRILL · SIMULACRO: this is an exercise, nothing of it is real. Esto es un ejercicio, nada es real."
HEADER = "X-Clamor-Drill"


class Marked:
    """A transport that marks every mail before another one takes it."""

    def __init__(self, behind: Transport) -> None:
        self._behind = behind

    @property
    def deadline(self) -> float:
        return self._behind.deadline

    def send(self, mail: Outgoing) -> Delivery:
        return self._behind.send(mail._replace(content=marked(mail.content)))

    def hang_up(self) -> None:
        self._behind.hang_up()

    def forget_older(self, before: Millis) -> int:
        return self._behind.forget_older(before)

    def close(self) -> None:
        self._behind.close()


def marked(content: bytes) -> bytes:
    """The mail with the mark in its subject, above its text and above its HTML; lines end as before."""
    mail = message_from_bytes(content, EmailMessage, policy=policy.SMTP)
    assert isinstance(mail, EmailMessage)
    subject = str(mail["Subject"] or "")
    del mail["Subject"]
    mail["Subject"] = MARK + subject.removeprefix(MARK)
    mail[HEADER] = "yes"
    for part in mail.walk():
        if part.get_content_type() == "text/plain" and not part.is_attachment():
            _put(part, f"*** {BANNER} ***\n\n{part.get_content()}", "plain")
        elif part.get_content_type() == "text/html" and not part.is_attachment():
            html = part.get_content()
            begins = html.find(">", html.find("<body")) + 1
            _put(part, html[:begins] + _HTML + html[begins:], "html")
    return mail.as_bytes(policy=policy.SMTP)


def _put(part: EmailMessage, text: str, kind: str) -> None:
    held = [(name, value) for name, value in part.items() if name.lower() == "content-id"]
    part.set_content(text, subtype=kind, charset="utf-8", cte="quoted-printable")
    for name, value in held:
        part[name] = value


_HTML = (
    '<p style="margin:0;padding:12px 16px;background:#b00020;color:#ffffff;font:bold 16px sans-serif;'
    f'text-align:center;">{BANNER}</p>'
)
