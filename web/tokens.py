"""Bearer tokens: made once, shown once, stored as a hash, each with what it may see."""

from __future__ import annotations

import hashlib
import secrets

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from database.engine import read, write
from database.tables.web import api_token
from stream.ports import EVERYTHING, AccessScope
from stream.records import Millis

PREFIX = "clamor_"
TOKEN_BYTES = 32
LONGEST_NAME = 64


def issue(engine: Engine, name: str, now: Millis, scope: AccessScope = EVERYTHING) -> str:
    """A new token in place of any earlier one of this name. It is returned here and nowhere again.

    Raises ValueError for a name that is not 1 to LONGEST_NAME printable characters.
    """
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a token's name has 1 to {LONGEST_NAME} printable characters, and this one is {name[:80]!r}")
    token, row = _made(name, now, scope)
    with write(engine) as connection:
        changed = connection.execute(update(api_token).where(api_token.c.name == name).values(**row)).rowcount
        if not changed:
            connection.execute(insert(api_token).values(**row))
    return token


def issue_first(engine: Engine, now: Millis) -> str | None:
    """The token of the first start; None where there is one already (it cannot be shown again)."""
    if any_made(engine):
        return None
    token, row = _made("first", now, EVERYTHING)
    with write(engine) as connection:
        # Of several machines that start at once one shows a token, and it stays good.
        if _any(connection):
            return None
        connection.execute(insert(api_token).values(**row))
    return token


def any_made(engine: Engine) -> bool:
    """Whether there is a token, be it revoked."""
    with read(engine) as connection:
        return _any(connection)


class Listed(msgspec.Struct, frozen=True):
    """What is known of a token, without it."""

    name: str
    scope: AccessScope
    created_at: Millis
    revoked_at: Millis | None


def listed(engine: Engine) -> list[Listed]:
    """Every token that was ever made, by name."""
    columns = (api_token.c.name, api_token.c.scope, api_token.c.created_at, api_token.c.revoked_at)
    with read(engine) as connection:
        found = connection.execute(select(*columns).order_by(api_token.c.name)).all()
    return [Listed(r.name, msgspec.json.decode(r.scope, type=AccessScope), r.created_at, r.revoked_at) for r in found]


def revoke(engine: Engine, name: str, now: Millis) -> bool:
    """False where no living token has this name."""
    statement = update(api_token).where(api_token.c.name == name, api_token.c.revoked_at.is_(None))
    with write(engine) as connection:
        return connection.execute(statement.values(revoked_at=now)).rowcount > 0


def scope_of(engine: Engine, token: str) -> AccessScope | None:
    """What this token may see; None where it is unknown or revoked.

    The token is looked up by its hash: with 256 random bits behind it, the time of the look-up tells nothing.
    """
    if not token.startswith(PREFIX) or len(token) > 200:
        return None
    statement = select(api_token.c.scope).where(api_token.c.hash == _hash(token), api_token.c.revoked_at.is_(None))
    with read(engine) as connection:
        row = connection.execute(statement).first()
    return msgspec.json.decode(row.scope, type=AccessScope) if row else None


def _made(name: str, now: Millis, scope: AccessScope) -> tuple[str, dict[str, object]]:
    """(a token, its row)."""
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    encoded = msgspec.json.encode(scope).decode()
    row = {"name": name, "hash": _hash(token), "scope": encoded, "created_at": now, "revoked_at": None}
    return token, row


def _any(connection: Connection) -> bool:
    return connection.execute(select(api_token.c.n).limit(1)).first() is not None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
