"""Links by which somebody without a login reads one briefing, until they expire. They allow nothing else.

Signed as links in mails are (`routing.links`), over words that no link of a mail begins with.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Literal

import msgspec
from sqlalchemy import Connection

from routing.link_key import key_of
from routing.links import BadLink
from stream.clock import DAY, HOUR
from stream.records import Millis

COUNTS: Millis = 3 * DAY
SHORTEST: Millis = HOUR
LONGEST: Millis = 14 * DAY
MOST_LETTERS = 200
_MEANS = b"briefing\0"
_MARK = 16
"""Bytes."""


class Readable(msgspec.Struct, frozen=True, array_like=True):
    number: int
    language: Literal["en", "es"]
    ends: Millis


def token(key: bytes, allowed: Readable) -> str:
    body = msgspec.json.encode(allowed)
    return urlsafe_b64encode(_mark(key, body) + body).decode().rstrip("=")


def readable(connection: Connection, said: str, now: Millis) -> Readable:
    """What the link lets somebody read. Raises BadLink."""
    key = key_of(connection)
    if key is None or len(said) > MOST_LETTERS:
        raise BadLink("forged")
    try:
        whole = urlsafe_b64decode(said + "=" * (-len(said) % 4))
    except ValueError:
        raise BadLink("forged") from None
    mark, body = whole[:_MARK], whole[_MARK:]
    if not hmac.compare_digest(mark, _mark(key, body)):
        raise BadLink("forged")
    found = msgspec.json.decode(body, type=Readable)
    if now >= found.ends:
        raise BadLink("expired", found.language)
    return found


def _mark(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, _MEANS + body, sha256)[:_MARK]
