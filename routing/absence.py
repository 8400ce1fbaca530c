"""An account that went away takes its posts along: chunk by chunk, since it may have written very many.

The batch that hears of it notes when, and whatever content comes from then on is held against that. What was there
before is swept here. What becomes of a post follows from what was seen of it and of its author alone: neither the order
of chunks, batches and records nor a process that dies between two chunks changes what stands at the end.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Engine

from database.engine import many, rows
from routing.apply import apply
from routing.desk import Desk
from routing.save import SWEEP
from stream.records import Millis

CHUNK = 50
"""Posts a transaction: others write in between."""


class Swept(NamedTuple):
    mentions: int
    """New revisions written."""
    more: bool
    gone: tuple[Millis, ...] = ()
    """Of each mention that lost its text: when the log took the word that the account had gone."""


def sweep(engine: Engine, desk: Desk, now: Millis, most: int = CHUNK) -> Swept:
    """Take along up to `most` posts of one author whose account went away; durable on return. Raises Transient."""
    with desk.transaction(engine) as connection:
        return _chunk(connection, desk, now, most)


def waiting(connection: Connection) -> int:
    """Authors whose posts are not all taken along yet."""
    authors: int = rows(connection, "SELECT count(*) FROM absence_sweep")[0][0]
    return authors


def begin(connection: Connection, authors: list[int]) -> None:
    """Let the posts of these authors be swept, from the first one on."""
    many(connection, SWEEP, [(author, 0) for author in authors])


def _chunk(connection: Connection, desk: Desk, now: Millis, most: int) -> Swept:
    # Who was just heard of goes first: most accounts are done with one chunk.
    found = rows(connection, "SELECT author, after, learnt_at FROM absence_sweep ORDER BY after, author LIMIT 1")
    if not found:
        return Swept(0, False)
    author, after, learnt = found[0]
    sql = "SELECT n FROM post WHERE author = ? AND n > ? ORDER BY n LIMIT ?"
    posts = [n for (n,) in rows(connection, sql, (author, after, most))]
    applied = apply(connection, desk, (), now, left=dict.fromkeys(posts, learnt)) if posts else None
    if len(posts) == most:
        many(connection, "UPDATE absence_sweep SET after = ? WHERE author = ?", [(posts[-1], author)])
    else:
        many(connection, "DELETE FROM absence_sweep WHERE author = ?", [(author,)])
    more = len(posts) == most or waiting(connection) > 0
    return Swept(applied.mentions, more, applied.gone) if applied else Swept(0, more)
