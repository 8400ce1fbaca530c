"""The mailer of a home: its people, its server or mailbox file, its limits, from the settings."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from email.utils import parseaddr
from pathlib import Path

import config.channels
from clamor.clocks import is_drill, sends_mails
from clamor.opening import Opened
from clamor.sql import file_of
from config.brands import Brand
from config.home import HomeError
from config.load import Configuration
from config.secrets import SHORTEST_KEY
from config.teams import Team
from routing.channels.apprise_way import AppriseWay
from routing.channels.messenger import Messenger
from routing.channels.signature import key_of
from routing.channels.ways import Way, Ways
from routing.channels.webhook import WebhookWay
from routing.mail.compose import in_words_of
from routing.mail.drill import Marked
from routing.mail.mailbox import MailboxTransport
from routing.mail.smtp import SmtpTransport
from routing.mail.transport import Transport
from routing.mailer import Mailer
from routing.people_to_tell import Channel, MailServer, MailSettings, Person
from routing.rules import RuleSet


def mailer(opened: Opened) -> Mailer:
    chosen = settings(opened)
    return Mailer(
        opened.engine,
        opened.clock,
        transport(opened.configuration),
        lambda: people(opened),
        chosen,
        reason=in_words_of(_Rules(opened), chosen.brand_names),
        journal=opened.home.data / "mails.journal",
        elsewhere=file_of(opened.configuration) is None,
    )


def messenger(opened: Opened) -> Messenger:
    """Hands over what leaves by channels. Raises HomeError where an address or a key is not to be found."""
    return Messenger(
        opened.engine,
        opened.clock,
        Ways({channel.id: way(opened, channel) for channel in channels(opened)}, opened.clock),
        lambda: people(opened),
        settings(opened),
        journal=opened.home.data / "channels.journal",
        elsewhere=file_of(opened.configuration) is None,
    )


def channels(opened: Opened) -> tuple[config.channels.Channel, ...]:
    """None in a home whose mails go nowhere: a replay wakes nobody; and none in a drill, which goes by mail alone."""
    return opened.settings.channels if sends_mails(opened.home) and not is_drill(opened.home) else ()


def way(opened: Opened, channel: config.channels.Channel) -> Way:
    """Raises HomeError."""
    url = _secret(opened, channel.id, channel.url_env)
    if channel.kind == "apprise":
        return AppriseWay(url)
    names = [name for name in (channel.secret_env, channel.former_secret_env) if name is not None]
    keys = [_secret(opened, channel.id, name) for name in names]
    for name, key in zip(names, keys, strict=True):
        try:
            long = len(key_of(key)) >= SHORTEST_KEY
        except ValueError as error:
            raise HomeError(f"{name}, a key of channel {channel.id}: {error}") from None
        if not long:
            raise HomeError(f"{name}, a key of channel {channel.id}, has fewer than {SHORTEST_KEY} characters")
    return WebhookWay(url, keys, opened.clock, timeout=channel.timeout / 1000, anywhere=channel.allow_private)


def _secret(opened: Opened, channel: str, name: str) -> str:
    found = opened.configuration.secrets.get(name)
    if found is None:
        raise HomeError(f"channel {channel} needs {name}: set it in the environment or in {opened.home.secrets_file}")
    return found.get_secret_value()


def mailbox_file(configuration: Configuration) -> Path:
    """Where mails are written when there is no SMTP server: an mbox file that any mail program opens. A replay's are
    kept in its home, whatever folder is configured."""
    if not sends_mails(configuration.home):
        return configuration.home.path("mail") / "clamor.mbox"
    return configuration.home.path(configuration.settings.mail.mailbox) / "clamor.mbox"


def transport(configuration: Configuration) -> Transport:
    """Raises HomeError where the server's password is not to be found."""
    found = _transport(configuration)
    return Marked(found) if is_drill(configuration.home) else found


def _transport(configuration: Configuration) -> Transport:
    mail = configuration.settings.mail
    if mail.host is None or not sends_mails(configuration.home):
        path = mailbox_file(configuration)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return MailboxTransport(path)
    password = configuration.secrets.get(mail.password_env) if mail.password_env else None
    if mail.password_env and password is None:
        raise HomeError(
            f"the password of mail server {mail.host} is not there: set {mail.password_env} in the environment "
            f"or in {configuration.home.secrets_file}"
        )
    name, address = parseaddr(mail.sender)
    return SmtpTransport(
        MailServer(
            host=mail.host,
            port=mail.port,
            security=mail.security,
            user=mail.user or "",
            password=password.get_secret_value() if password else "",
            from_address=address,
            from_name=name or "Clamor",
            timeout=mail.timeout / 1000,
            certificates=str(configuration.home.path(mail.certificates)) if mail.certificates else None,
        )
    )


def people(opened: Opened) -> list[Person]:
    """The people in force; who has no limit of their own has the general one. A drill sums up no day: its quiet days
    are invented."""
    most, teams = opened.settings.alerts.max_mails_per_hour, opened.registry.current().teams
    drill = is_drill(opened.home)
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
            digest="none" if drill else person.digest,
            zone=person.zone,
            channels=person.channels,
            shared=_shared(teams, person.id),
            max_mails_per_hour=person.max_mails_per_hour or most,
        )
        for person in opened.registry.people()
    ]


def _shared(teams: Sequence[Team], person: str) -> tuple[str, ...]:
    """Channels of the teams that somebody is in."""
    return tuple(dict.fromkeys(name for team in teams if person in team.members for name in team.channels))


def settings(opened: Opened) -> MailSettings:
    mail, alerts = opened.settings.mail, opened.settings.alerts
    name, address = parseaddr(mail.sender)
    return MailSettings(
        from_address=address,
        from_name=name or "Clamor",
        reply_to=mail.reply_to or "",
        program=f"clamor --home {shlex.quote(str(opened.home.root))}",
        brand_names={brand.id: brand.name for brand in opened.registry.current().brands},
        risk_steps=alerts.worse_at,
        monthly_test=alerts.monthly_test and sends_mails(opened.home) and not is_drill(opened.home),
        url=opened.settings.api.url,
        channels=tuple(
            Channel(
                id=one.id,
                tells=frozenset(one.tells),
                texts=one.kind == "webhook",
                language=one.language,
                access=frozenset(one.access),
            )
            for one in channels(opened)
        ),
        teams=lambda: opened.registry.current().teams,
        chain=opened.settings.incidents.escalate_to,
        give_up_after=mail.give_up_after,
        keep=opened.settings.retention.mails,
    )


class _Rules:
    """The rules in force, read anew only when they or the brands have changed."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._read: RuleSet | None = None
        self._of: tuple[int, tuple[Brand, ...]] = (-1, ())

    def __call__(self) -> RuleSet | None:
        in_force = self._opened.registry.current()
        if (in_force.rules_revision, in_force.brands) != self._of:
            self._of = (in_force.rules_revision, in_force.brands)
            names = {brand.id: brand.name for brand in in_force.brands}
            self._read = RuleSet.read(in_force.rules_yaml, self._of[0], brands=names) if in_force.rules_yaml else None
        return self._read
