"""Texts of posts that replies in cases answer, and that no brand is named in: kept because a person asked for them.

Which posts those are is listed by the collecting process before it hands them over. The text stands here only while it
stands in no mention; it goes in the transaction that learns that its post is gone, and some time after the case that it
was fetched for has closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, rows_in, write
from routing.rows import PostRow
from routing.sheet import Sheet
from stream.clock import DAY
from stream.records import Millis, encode

KEPT_FOR: Millis = 30 * DAY
"""After the case has closed, and after the last time that somebody asked."""


def keep(sheet: Sheet, touched: Iterable[PostRow]) -> None:
    """Bring the listed ones among these posts in line with what became of them."""
    connection = sheet.connection
    if not rows(connection, "SELECT id FROM context_post LIMIT 1"):
        return
    by_id = {row.id: row for row in touched}
    found = rows_in(connection, "SELECT id FROM context_post WHERE id IN (??)", list(by_id))
    listed = [by_id[id] for id in sorted(id for (id,) in found)]
    many(connection, "DELETE FROM context_post WHERE id = ?", [(row.id,) for row in listed if row.state not in _HERE])
    bodies: list[tuple[bytes | None, str]] = []
    for row in listed:
        if row.state not in _HERE:
            continue
        if any(m.state == "live" for m in sheet.mention_rows(row.n).values()):
            bodies.append((None, row.id))
        elif (post := sheet.contents.get(row.n)) is not None:
            bodies.append((encode(post), row.id))
            if post.source_id in sheet.desk.in_force.swept:
                sheet.swept.append((post.source_id, row.n))
    many(connection, "UPDATE context_post SET body = ? WHERE id = ?", bodies)


def let_go(engine: Engine, now: Millis) -> int:
    """Forget what was asked for `KEPT_FOR` ago by cases that closed as long ago, or are no more; how many posts."""
    with read(engine) as connection:
        asked = dict(tuple(row) for row in rows(connection, _ASKED))
        over = [(id,) for id in _over(connection, asked, now - KEPT_FOR)]
    if not over:
        return 0
    with write(engine) as connection:
        many(connection, "DELETE FROM context_request WHERE case_id = ?", over)
        return many(connection, "DELETE FROM context_post WHERE case_id = ?", over)


def _over(connection: Connection, asked: Mapping[int, Millis], before: Millis) -> list[int]:
    """Those of these cases that closed, and were asked for last, before; one that was merged stands as the one that it
    was merged into."""
    held: dict[int, tuple[int, Millis | None, int | None]] = {}
    wanted = set(asked)
    while wanted:
        sql = "SELECT id, live, closed_at, merged_into FROM cases WHERE id IN (??)"
        found = rows_in(connection, sql, list(wanted))
        held.update({id: (live, closed, into) for id, live, closed, into in found})
        wanted = {into for _, _, _, into in found if into is not None} - held.keys()
    over = []
    for id, asked_at in asked.items():
        at, passed = id, set[int]()
        while at in held and (into := held[at][2]) is not None and at not in passed:
            passed.add(at)
            at = into
        live, closed, _ = held.get(at, (0, None, None))
        if not live and max(closed or 0, asked_at) < before:
            over.append(id)
    return over


_ASKED = (
    "SELECT case_id, max(asked_at) FROM (SELECT case_id, asked_at FROM context_post "
    "UNION ALL SELECT case_id, asked_at FROM context_request) asked GROUP BY case_id"
)
_HERE = ("live", "awaited")
