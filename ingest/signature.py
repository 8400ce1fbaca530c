"""Signed bodies: HMAC-SHA256 (RFC 2104) over `timestamp.body`, so that neither can be changed nor sent again later."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from config.secrets import SHORTEST_KEY
from stream.clock import MINUTE, SECOND
from stream.records import Millis

TIMESTAMP_HEADER = "X-Clamor-Timestamp"
"""Seconds since 1970 UTC, when the body was signed."""
SIGNATURE_HEADER = "X-Clamor-Signature"
"""`v1=` and the HMAC in hexadecimal; several, parted by commas, while a secret is being changed."""
REPLAY_WINDOW: Millis = 5 * MINUTE

_MOST_SIGNATURES = 8


class BadSignature(Exception):
    """The body is not from a holder of the secret, or not from now; says which header is wrong, never the secret."""


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The value of SIGNATURE_HEADER for a body signed at `timestamp` (seconds)."""
    return "v1=" + hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: Millis) -> None:
    """Return if one of the signatures is by one of the secrets and young enough; `headers` have lower-case names.

    Raises BadSignature. Every pair is compared, in constant time.
    """
    stamp = headers.get(TIMESTAMP_HEADER.lower(), "").strip()
    given = headers.get(SIGNATURE_HEADER.lower(), "")
    if not stamp or not given:
        raise BadSignature(f"send the headers {TIMESTAMP_HEADER} and {SIGNATURE_HEADER}")
    if not re.fullmatch(r"\d{1,12}", stamp, re.ASCII):
        raise BadSignature(f"{TIMESTAMP_HEADER} is not a number of seconds since 1970")
    parts = given.split(",")[:_MOST_SIGNATURES]
    good = False
    for secret in secrets:
        expected = sign(secret, int(stamp), body).encode()
        for part in parts:
            good |= hmac.compare_digest(expected, part.strip().encode("utf-8", "replace"))
    if not good:
        raise BadSignature(
            f"{SIGNATURE_HEADER} does not fit: it is v1= and the hexadecimal HMAC-SHA256 "
            "of TIMESTAMP.BODY under the secret"
        )
    if abs(now - int(stamp) * SECOND) > REPLAY_WINDOW:
        raise BadSignature(
            f"{TIMESTAMP_HEADER} is more than {REPLAY_WINDOW // MINUTE} minutes from this server's clock: "
            "sign when you send"
        )


def verify_body(
    given: str, body: bytes, secrets: Sequence[str], header: str, methods: Sequence[str] = ("sha256",)
) -> None:
    """Return if `given`, the value of `header`, is one of `methods`, `=` and the hexadecimal HMAC of the body by it
    under one of the secrets, as networks sign what they push. Raises BadSignature. Every secret is compared, in
    constant time."""
    good, named = False, given.strip().partition("=")[0].lower()
    method = named if named in methods else methods[0]
    for secret in secrets:
        expected = f"{method}=" + hmac.new(secret.encode(), body, method).hexdigest()
        good |= hmac.compare_digest(expected.encode(), given.strip().encode("utf-8", "replace"))
    if not good:
        raise BadSignature(f"{header} does not fit: it is {method}= and the HMAC of the body by it under the secret")


def verify_stamped(
    given: str, body: bytes, secrets: Sequence[str], header: str, now: Millis, window: Millis = REPLAY_WINDOW
) -> None:
    """Return if `given`, the value of `header`, is `t=SECONDS,s=HMAC`: the hexadecimal HMAC-SHA256 of `SECONDS.body`
    under one of the secrets, as TikTok signs, and not further than `window` from now. Raises BadSignature. Every pair
    is compared, in constant time."""
    parts = [part.strip().partition("=") for part in given.split(",")[: _MOST_SIGNATURES + 1]]
    stamp = next((value for name, _, value in parts if name == "t"), "")
    signatures = [value.encode("utf-8", "replace") for name, _, value in parts if name == "s"]
    if not re.fullmatch(r"\d{1,12}", stamp, re.ASCII) or not signatures:
        raise BadSignature(f"send {header}: t= and seconds since 1970, s= and the signature")
    good = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest().encode()
        for signature in signatures:
            good |= hmac.compare_digest(expected, signature)
    if not good:
        raise BadSignature(f"{header} does not fit: s is the hexadecimal HMAC-SHA256 of t.BODY under the secret")
    if abs(now - int(stamp) * SECOND) > window:
        raise BadSignature(f"{header} was made more than {window // MINUTE:,} minutes from this server's clock")


def signing_keys(*values: str | None) -> tuple[str, ...]:
    """Those of a source's keys, the present one and the former, by which a body may be signed: each whole, as it
    stands, and none that is too short to be a secret."""
    return tuple(value for value in values if value and len(value) >= SHORTEST_KEY)
