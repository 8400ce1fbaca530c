"""Where a page ended, as an opaque text that the next request brings back."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TypeVar

import msgspec

from query.tree import Node


class BadCursor(ValueError):
    """A cursor that this index did not give for this query and order."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """`last`: number of the last mention shown. `risk`: its risk. `newest`, `skip`: for the order by relevance, the
    newest number of the mentions that are ranked, and how many of them were shown."""

    last: int
    risk: int | None = None
    newest: int | None = None
    skip: int = 0


T = TypeVar("T", bound=msgspec.Struct)


def seal(cursor: msgspec.Struct, query: Node, order: str, secret: bytes) -> str:
    """The cursor as text, bound to query and order."""
    body = msgspec.msgpack.encode(cursor)
    return base64.urlsafe_b64encode(_seal(body, query, order, secret) + body).decode().rstrip("=")


def unseal(text: str, query: Node, order: str, secret: bytes) -> Cursor:
    """Raises BadCursor where it was changed, or belongs to another query, order or index."""
    return unsealed(Cursor, text, query, order, secret)


def unsealed(kind: type[T], text: str, query: Node, order: str, secret: bytes) -> T:
    """As `unseal`, for a store whose pages end at something else."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        sealed, body = raw[:_SIZE], raw[_SIZE:]
        if sealed != _seal(body, query, order, secret):
            raise ValueError
        return msgspec.msgpack.decode(body, type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise BadCursor(
            "this cursor does not belong to this query and order, or was changed on its way: "
            "ask for the first page again, without a cursor"
        ) from error


_SIZE = 9


def _seal(body: bytes, query: Node, order: str, secret: bytes) -> bytes:
    meant = msgspec.json.encode((query, order))
    return hashlib.blake2b(body + b"\0" + meant, digest_size=_SIZE, key=secret).digest()
