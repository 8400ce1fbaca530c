"""Who is told, and how mail leaves the house: what the mailer needs of the configuration, nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from email.errors import HeaderParseError
from email.headerregistry import Address
from typing import Literal

import msgspec

from config.teams import Team
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import Millis

Language = Literal["en", "es"]

PUBLIC: frozenset[str] = frozenset({"public"})


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who gets mail. Empty `brands` or `queues`: all of them."""

    id: str
    name: str
    email: str
    language: Language = "en"
    brands: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    access: frozenset[str] = PUBLIC
    """Labels of sources whose texts this person may read; others arrive as a reference without text."""
    operations: bool = False
    """Is told when Clamor itself needs somebody: a paused stage, a silent source, a full disk."""
    channels: tuple[str, ...] = ()
    """Ids of channels by which this person is told as well,"""
    shared: tuple[str, ...] = ()
    """and of those of teams, which are told once of what several of their members are told."""
    digest: Literal["daily", "weekly", "none"] = "none"
    zone: str = "UTC"
    """Of the digest's times."""
    max_mails_per_hour: int = 6


Tells = Literal["crisis", "warning", "alert", "trouble"]


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A way beside mail, without its address."""

    id: str
    tells: frozenset[Tells] = frozenset({"crisis", "warning"})
    texts: bool = False
    """Whether posts are told by it with what they say: of programs of one's own."""
    language: Language = "en"
    access: frozenset[str] = PUBLIC
    """Labels of sources whose texts it may be told, where it is told for nobody in particular."""


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """An SMTP server and the account to use on it. Times in seconds."""

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    from_address: str
    from_name: str = "Clamor"
    timeout: float = 15.0
    """For the connection and for each answer of the server."""
    deadline: float | None = None
    """For one mail altogether, connecting included; the mailer's lease outlasts it. None: three time-outs."""
    certificates: str | None = None
    """File with the certificates to trust, for a server with one of its own making; empty: the system's."""

    def __repr__(self) -> str:
        """Without the password, whatever prints it."""
        return f"MailServer({self.host}:{self.port}, {self.security}, user={self.user!r})"


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How mails look and when they go. Times in milliseconds."""

    from_address: str
    from_name: str = "Clamor"
    reply_to: str = ""
    """Where an answer to a mail goes; empty: to `from_address`."""
    program: str = "clamor"
    """How the commands that a mail names begin: with the home, so that they can be taken as they stand."""
    brand_names: dict[str, str] = {}
    """Names that people know by brand id; a brand without one is called by its id."""
    similar: int = 3
    """How many similar posts a mail shows."""
    risk_steps: tuple[int, ...] = (40, 55, 70, 85)
    """Where one risk level ends and the next begins: a case that crosses one is told again."""
    window: Millis = HOUR
    """The span of `max_mails_per_hour`."""
    url: str = ""
    """Address of the API, for links by which a person does something; empty: mails have none."""
    channels: tuple[Channel, ...] = ()
    """Ways beside mail."""
    teams: Callable[[], Sequence[Team]] = tuple
    """Those in force, whose rotas say who is on call; asked whenever somebody is to be told."""
    chain: tuple[str, ...] = ()
    """Ids of the people who are told of an incident one after another, while nobody answers."""
    monthly_test: bool = False
    """Whether the way to people is tested each month."""
    late_quiet: Millis = MINUTE
    """A "found late" mail waits until a gap has brought nothing new for this long, one of news of cases until nothing
    more happens,"""
    late_longest: Millis = 10 * MINUTE
    """but no longer than this, which lies between two mails of news to a person as well."""
    retry_first: Millis = 5 * SECOND
    retry_longest: Millis = 15 * MINUTE
    give_up_after: Millis = 3 * DAY
    keep: Millis = 90 * DAY
    """How long the record of sent mails (references, no texts) is kept."""


def told_about(people: Iterable[Person], brand: str, queue: str) -> list[Person]:
    """The people configured for a brand and a queue, by id."""
    chosen = (p for p in people if (not p.brands or brand in p.brands) and (not p.queues or queue in p.queues))
    return sorted(chosen, key=lambda p: p.id)


def told_about_operations(people: Sequence[Person]) -> list[Person]:
    """The people who look after Clamor itself; everybody, where nobody was named."""
    return sorted([p for p in people if p.operations] or people, key=lambda p: p.id)


def valid_address(address: str) -> bool:
    """Whether mail can be addressed to this: one mailbox with a domain, nothing that could end a header."""
    if len(address) > 254 or any(ord(c) < 33 or ord(c) == 127 for c in address):
        return False
    try:
        parsed = Address(addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        return False
    return bool(parsed.username and parsed.domain)
