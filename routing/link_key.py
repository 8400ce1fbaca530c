"""The key by which links in mails are signed: one for a home, in SQL, so that all who mail or serve have the same."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection

from database.engine import many, rows


def key_of(connection: Connection) -> bytes | None:
    """None where no link was ever made."""
    found = rows(connection, "SELECT key FROM link_key WHERE n = 1")
    return bytes(found[0][0]) if found else None


def make_key(connection: Connection) -> bytes:
    """The key, made now where there is none. For a transaction that writes."""
    sql = "INSERT INTO link_key (n, key) VALUES (1, ?) ON CONFLICT (n) DO NOTHING"
    many(connection, sql, [(secrets.token_bytes(32),)])
    key = key_of(connection)
    assert key is not None
    return key
