"""Links in mails by which a person does one thing without a login: signed, for one person, once, and not for ever.

A token is what it allows, in JSON, and an HMAC-SHA256 of that (RFC 2104) under a key that stands in SQL. It is the same
however often a mail is written. Whoever opens a link only sees what it would do: mail scanners open links, too.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Literal

import msgspec
from sqlalchemy import Connection

from database.engine import many, rows
from routing import chain_test
from routing.incidents import book
from routing.link_key import key_of
from stream.clock import DAY, HOUR
from stream.records import Millis

Deed = Literal["acknowledge", "escalate", "silence", "confirm"]
DEEDS: tuple[Deed, ...] = ("acknowledge", "escalate", "silence")
"""Of an incident. `confirm` is of a test of the way."""
COUNTS: Millis = 2 * DAY
"""So long after its mail was asked for a link does what it says."""
SILENT: Millis = 4 * HOUR
"""For so long the link `silence` keeps an incident from telling people."""
LONGEST = 600
KEPT: Millis = 90 * DAY


class Allowed(msgspec.Struct, frozen=True, array_like=True):
    """What a link allows."""

    deed: Deed
    incident: int
    """Of `confirm`: the number of the test's alert."""
    person: str
    language: Literal["en", "es"]
    ends: Millis
    step: int = 0
    """Of `escalate`: whom of the chain."""


class BadLink(ValueError):
    """It does nothing: `why` is forged, expired or used."""

    def __init__(self, why: Literal["forged", "expired", "used"], language: Literal["en", "es"] = "en") -> None:
        super().__init__(f"the link is {why}")
        self.why, self.language = why, language


def token(key: bytes, allowed: Allowed) -> str:
    said = msgspec.json.encode(allowed)
    return f"{_written(said)}.{_written(hmac.digest(key, said, sha256)[:16])}"


def allowed(connection: Connection, said: str, now: Millis) -> Allowed:
    """What the link allows still. Raises BadLink."""
    key = key_of(connection)
    if key is None or len(said) > LONGEST:
        raise BadLink("forged")
    try:
        what, _, mark = said.partition(".")
        body = _read(what)
        if _written(body) != what:
            raise BadLink("forged")
        if not hmac.compare_digest(_read(mark), hmac.digest(key, body, sha256)[:16]):
            raise BadLink("forged")
        found = msgspec.json.decode(body, type=Allowed)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError):
        raise BadLink("forged") from None
    if now >= found.ends:
        raise BadLink("expired", found.language)
    if rows(connection, "SELECT 1 FROM link_used WHERE id = ?", (_id(said),)):
        raise BadLink("used", found.language)
    return found


def follow(connection: Connection, said: str, now: Millis) -> Allowed:
    """Do what the link says, in a transaction that writes. Raises BadLink, NoSuchIncident, and ValueError, in words,
    where it cannot be done any more."""
    found = allowed(connection, said, now)
    many(
        connection,
        "INSERT INTO link_used (id, person, deed, at) VALUES (?, ?, ?, ?)",
        [(_id(said), found.person, found.deed, now)],
    )
    if found.deed == "confirm":
        chain_test.confirm(connection, found.incident, found.person, now)
    elif found.deed == "acknowledge":
        book.acknowledge(connection, found.incident, found.person, now)
    elif found.deed == "escalate":
        book.escalate(connection, found.incident, found.person, found.step, now)
    else:
        book.silence(connection, found.incident, found.person, now + SILENT, now)
    return found


def forget_used(connection: Connection, now: Millis) -> None:
    """Links that would have expired long ago."""
    many(connection, "DELETE FROM link_used WHERE at < ?", [(now - KEPT,)])


def _id(said: str) -> str:
    """Of what a link allows, whose spelling is one: the mark behind it could be spelt in several ways."""
    return sha256(said.partition(".")[0].encode()).hexdigest()


def _written(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _read(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
