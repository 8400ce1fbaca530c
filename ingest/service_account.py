"""Service accounts: an access token for what their private key signs (RFC 7523).

https://developers.google.com/identity/protocols/oauth2/service-account (under "HTTP/REST"): the claims, RS256, the
grant type. A network's file imports this one at its top, so that a missing library is told with the command that brings
it (extra `googleplay`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import jwt
import msgspec

from ingest.collector import Denied
from ingest.oauth import Given, Question, Terms, answered
from stream.clock import SECOND
from stream.records import Millis

GOOGLE = "https://oauth2.googleapis.com/token"
LASTS = 3_600
"""Seconds that what is signed counts: the most that Google takes."""
BEHIND = 60
"""Seconds that it is dated back: a clock that is ahead must not sign of the future."""
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True)
class KeyFile:
    """What is used of the JSON file that is given with an account's key."""

    client_email: str
    private_key: str = field(repr=False)
    private_key_id: str = field(default="", repr=False)


def service_account(key: str, *, scope: str, where: str, url: str = GOOGLE) -> Terms:
    """`key`: NAME of the secret that holds the whole JSON file of the account's key."""

    def ask(given: Given, newer: str | None, wall: Millis) -> Question:
        file = _key_file(given["key"], key, where)
        return Question({"grant_type": _GRANT, "assertion": _signed(file, key, scope, url, where, wall // SECOND)})

    return Terms(
        url, {"key": key}, "key", f"{where}; where it is there, is the clock of this machine right?", ask, answered
    )


def account_of(held: str, key: str, where: str) -> str:
    """The e-mail address of the account that a key file is of, for people. Raises Denied."""
    return _key_file(held, key, where).client_email


def _key_file(held: str, key: str, where: str) -> KeyFile:
    try:
        return msgspec.json.decode(held, type=KeyFile)
    except (msgspec.MsgspecError, UnicodeError):
        raise Denied(f"{key} does not hold the JSON file of a service account's key: {where}") from None


def _signed(file: KeyFile, key: str, scope: str, url: str, where: str, now: int) -> str:
    claims = {
        "iss": file.client_email,
        "scope": scope,
        "aud": url,
        "iat": now - BEHIND,
        "exp": now - BEHIND + LASTS,
    }
    head = {"kid": file.private_key_id} if file.private_key_id else {}
    try:
        return jwt.encode(claims, file.private_key, algorithm="RS256", headers=head)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        raise Denied(f"the private key in the JSON file that {key} holds cannot be read: {where}") from None
