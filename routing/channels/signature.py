"""How bodies are signed that Clamor posts: by Standard Webhooks 1.0, which libraries of many languages check."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"
_WRITTEN = "whsec_"


def headers(id: str, seconds: int, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """`seconds` since 1970 UTC; a signature for each key, parted by blanks: the HMAC-SHA256 (RFC 2104) of
    `id.timestamp.body`, in base64, behind `v1,`."""
    said = f"{id}.{seconds}.".encode() + body
    signatures = [f"v1,{b64encode(hmac.digest(key_of(key), said, sha256)).decode()}" for key in keys]
    return {ID: id, TIMESTAMP: str(seconds), SIGNATURE: " ".join(signatures)}


def key_of(written: str) -> bytes:
    """`whsec_` and the key in base64, as the standard writes it; else the text itself. Raises ValueError where that is
    not base64: whoever checks the signature would have another key, or none."""
    if not written.startswith(_WRITTEN):
        return written.encode()
    try:
        return b64decode(written.removeprefix(_WRITTEN), validate=True)
    except ValueError:
        raise ValueError("what stands behind whsec_ is not base64") from None
