"""Service accounts: an access token for what their private key signs (RFC 7523).

https://developers.google.com/identity/protocols/oauth2/service-account (under "HTTP/REST"): the claims, RS256, the
grant type. A network's file imports this one at its top, so that a missing library is told with the command that brings
it (extra `googleplay`).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ingest.collector import Denied
from ingest.credentials import Given, Question, Terms, answered
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

    return Terms(url, {"key": key}, "key", f"is the clock of this machine right? Else {where}", ask, answered)


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
    head = {"alg": "RS256", "typ": "JWT", **({"kid": file.private_key_id} if file.private_key_id else {})}
    text = f"{_packed(msgspec.json.encode(head))}.{_packed(msgspec.json.encode(claims))}"
    try:
        private = load_pem_private_key(file.private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, RSAPrivateKey):
        raise Denied(f"the private key in the JSON file that {key} holds cannot be read: {where}")
    return f"{text}.{_packed(private.sign(text.encode(), PKCS1v15(), SHA256()))}"


def _packed(part: bytes) -> str:
    return urlsafe_b64encode(part).rstrip(b"=").decode()
