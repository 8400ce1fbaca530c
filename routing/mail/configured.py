"""What the configuration says of people and mail, as the mailer takes it."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import parseaddr
from pathlib import Path

from config.brands import Brand
from config.people import Person as Configured
from config.schema import Alerts, Mail
from routing.mail.mailbox import MailboxTransport
from routing.mail.smtp import SmtpTransport
from routing.mail.transport import Transport
from routing.people_to_tell import MailServer, MailSettings, Person

MAILBOX = "clamor.mbox"
DEADLINE = 3
"""A mail may take so many times what the server may take for one answer."""


def people_of(people: Iterable[Configured], alerts: Alerts) -> list[Person]:
    """The people in force; who has no limit of their own has that of `alerts`."""
    return [
        Person(
            id=person.id,
            name=person.name,
            email=parseaddr(person.email)[1],
            language=person.language,
            brands=frozenset(person.brands),
            queues=frozenset(person.queues),
            access=frozenset(person.access),
            operations=person.operations,
            max_mails_per_hour=person.max_mails_per_hour or alerts.max_mails_per_hour,
        )
        for person in people
    ]


def settings_of(mail: Mail, alerts: Alerts, base_url: str, brands: Iterable[Brand]) -> MailSettings:
    """How mails look and when they go. `base_url`: where people reach this Clamor."""
    return MailSettings(
        from_address=mail.from_address,
        from_name=mail.from_name,
        reply_to=parseaddr(mail.reply_to or "")[1],
        base_url=base_url,
        brand_names={brand.id: brand.name for brand in brands},
        risk_steps=alerts.worse_at,
        give_up_after=mail.give_up_after,
    )


def transport_of(mail: Mail, home: Path, password: str | None) -> Transport:
    """The SMTP server, or the mailbox file where none is named. Relative paths lie in `home`."""
    if mail.host is None:
        return MailboxTransport(home / mail.mailbox / MAILBOX)
    seconds = mail.timeout / 1000
    return SmtpTransport(
        MailServer(
            host=mail.host,
            port=mail.port,
            security=mail.security,
            user=mail.user or "",
            password=password or "",
            from_address=mail.from_address,
            timeout=seconds,
            deadline=DEADLINE * seconds,
            certificates=str(home / mail.certificates) if mail.certificates else None,
        )
    )
