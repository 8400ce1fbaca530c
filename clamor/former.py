"""What a restore must not undo, read from the databases that it replaces: deletes, tokens, numbers that were given."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from clamor.backup import BackupError
from database import epochs
from database.engine import many, open_database, read, rows, rows_in, write
from database.registry import SqlRegistry
from database.tables.credentials import credential
from routing import absence, parts
from routing.apply import apply
from routing.desk import Desk
from stream.away import post_goes
from stream.clock import HOUR
from stream.embedded import Topic
from stream.ports import POSTS, Append, Transient, Unusable
from stream.records import Millis, Post, PostKind, Understood
from stream.sqlite_file import open_file

CHUNK = 200
_GONE: tuple[tuple[str, PostKind, str], ...] = (
    ("forgotten", "forgotten", "forgotten_at"),
    ("deleted", "deleted", "gone_at"),
    ("expired", "expired", "expired_at"),
)


class Former:
    """The databases in `folder`, read into memory where they are small and walked through where they are not."""

    def __init__(self, folder: Path | None) -> None:
        """None: there were none, or they could not be read."""
        self._folder = folder
        self.known = folder is not None
        self.epoch = 0
        self._serials: list[Any] = []
        self._tokens: list[Any] = []
        self._credentials: list[Any] = []
        self._absences: list[Any] = []
        self._mails: list[Any] = []
        self._alerts: list[Any] = []
        if folder is not None:
            self._load(folder)

    def delete_again(self, engine: Engine, now: Millis, show: Callable[[int], None]) -> int:
        """Do in `engine` every delete, erasure and expiry that it does not know; how many."""
        desk = Desk(SqlRegistry(engine, None).current())
        done = 0
        for chunk in self._gone_posts():
            with write(engine) as connection:
                known = dict(
                    rows_in(connection, "SELECT id, state FROM post WHERE id IN (??)", [id for id, *_ in chunk])
                )
                records = [
                    _record(id, kind, at, now)
                    for id, state, kind, at in chunk
                    if known.get(id) not in (state, "forgotten")
                ]
                if records:
                    apply(connection, desk, records, now)
            done += len(records)
            show(done)
        return done + self._take_along_again(engine, desk, now)

    def _take_along_again(self, engine: Engine, desk: Desk, now: Millis) -> int:
        """Posts of accounts that went away; how many mentions."""
        with write(engine) as connection:
            many(connection, _ABSENCE, self._absences)
            absence.begin(connection, [author for author, gone, _ in self._absences if gone])
        done, more = 0, bool(self._absences)
        while more:
            swept = absence.sweep(engine, desk, now)
            done, more = done + swept.mentions, swept.more
        return done

    def unrouted_deletes(self, since: Millis, topics: Sequence[Topic]) -> list[Append]:
        """Records of the former log that take something away and that SQL may not have heard of."""
        if self._folder is None or not (self._folder / "log.db").exists() or not any(t.name == POSTS for t in topics):
            return []
        found: list[Append] = []
        try:
            connection = open_file(self._folder / "log.db")
            try:
                topic = connection.execute("SELECT id, partitions FROM topic WHERE name = ?", (POSTS,)).fetchone()
                for partition in range(topic[1] if topic else 0):
                    sql = f"SELECT key, value FROM r{topic[0]}_{partition} WHERE time >= ?"
                    found += [Append(POSTS, k, v) for k, v in connection.execute(sql, (since - HOUR,)) if post_goes(v)]
            finally:
                connection.close()
        except (sqlite3.Error, Transient) as error:
            raise _unreadable(self._folder / "log.db", error) from error
        return found

    def carry_over(self, connection: Connection) -> None:
        """Tokens as they stand now, those of networks too (a backup holds none of these), and numbers that others know
        must not be given again."""
        for name, following in self._serials:
            many(connection, _SERIAL, [(name, following)])
        for (last,) in self._alerts:
            many(connection, _NO_ALERT, [()])
            many(connection, _ALERT, [(last,)])
        if self.known:
            many(connection, "DELETE FROM api_token", [()])
            many(connection, _TOKEN, self._tokens)
            many(connection, _CREDENTIAL, self._credentials)

    def settle_mails(self, connection: Connection) -> None:
        """Mails of the backup that left, failed or were dropped since are not asked about."""
        sql = "UPDATE mail SET state = ?, reason = ?, ended_at = ? WHERE message_id = ? AND state = 'held'"
        many(connection, sql, self._mails)

    def _load(self, folder: Path) -> None:
        engine = open_database(folder / "app.db")
        try:
            with read(engine) as connection:
                tables = {name for (name,) in rows(connection, "SELECT name FROM sqlite_master WHERE type = 'table'")}
                if "post" not in tables:
                    return
                self.epoch = epochs.current(connection) if "epoch" in tables else 0
                self._serials = rows(connection, "SELECT name, next FROM serial")
                self._alerts = rows(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'alert'")
                self._tokens = rows(connection, "SELECT name, hash, scope, created_at, revoked_at FROM api_token")
                if "credential" in tables:
                    self._credentials = rows(connection, f"SELECT {_OF_CREDENTIAL} FROM credential")
                self._absences = rows(connection, "SELECT author, gone_at, back_at FROM author_absence")
                self._mails = rows(
                    connection, "SELECT state, reason, ended_at, message_id FROM mail WHERE ended_at > 0"
                )
        finally:
            engine.dispose()

    def _gone_posts(self) -> Iterator[list[tuple[str, str, PostKind, Millis]]]:
        if self._folder is None:
            return
        engine = open_database(self._folder / "app.db")
        try:
            after = 0
            while True:
                with read(engine) as connection:
                    found = rows(connection, _POSTS, (after, CHUNK))
                if found:
                    gone = [(id, state, parts.held(raw)) for _, id, state, raw in found]
                    yield [(id, *_how(held, state)) for id, state, held in gone if not _taken_along(held, state)]
                if len(found) < CHUNK:
                    return
                after = found[-1][0]
        finally:
            engine.dispose()


def former(folder: Path, without_deletes: bool) -> Former:
    """What stands in `folder`. Raises BackupError where it is damaged, unless `without_deletes`."""
    if not (folder / "app.db").exists():
        return Former(None)
    try:
        return Former(folder)
    except (DBAPIError, sqlite3.Error, Transient, Unusable) as error:
        if without_deletes:
            return Former(None)
        raise _unreadable(folder / "app.db", error) from error


def _unreadable(path: Path, error: Exception) -> BackupError:
    return BackupError(
        f"{path} cannot be read ({str(error).splitlines()[0][:200]}), so nobody knows what was deleted since the "
        "backup: with --without-deletes it is restored all the same, and what was deleted since then is back"
    )


def _taken_along(held: parts.Parts, state: str) -> bool:
    """Whether it is gone with its author's account alone."""
    return state == "deleted" and not (held.gone_at and held.gone_at >= held.back_at)


def _how(held: parts.Parts, state: str) -> tuple[str, PostKind, Millis]:
    for name, kind, at in _GONE:
        if name == state:
            return state, kind, getattr(held, at)
    raise ValueError(f"a post is {state!r}, which takes nothing away")


def _record(id: str, kind: PostKind, at: Millis, now: Millis) -> Understood:
    network = id.partition(":")[0]
    post = Post(id=id, network=network, kind=kind, seen_at=at, event_time=at, origin="reprocess")
    return Understood(post=post, appended_at=now, understood_at=now)


_POSTS = (
    "SELECT n, id, state, parts FROM post WHERE n > ? AND state IN ('deleted', 'forgotten', 'expired') "
    "ORDER BY n LIMIT ?"
)
_SERIAL = (
    "INSERT INTO serial (name, next) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET next = "
    "CASE WHEN excluded.next > serial.next THEN excluded.next ELSE serial.next END"
)
_NO_ALERT = (
    "INSERT INTO sqlite_sequence (name, seq) "
    "SELECT 'alert', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'alert')"
)
_ALERT = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'alert'"
"""Other programs know alerts by their ids, from topic `alerts`."""
_TOKEN = "INSERT INTO api_token (name, hash, scope, created_at, revoked_at) VALUES (?, ?, ?, ?, ?)"  # noqa: S105
_OF_CREDENTIAL = ", ".join(column.name for column in credential.columns)
_CREDENTIAL = (
    f"INSERT INTO credential ({_OF_CREDENTIAL}) VALUES ({', '.join('?' * len(credential.columns))}) "
    "ON CONFLICT (id) DO NOTHING"
)
_ABSENCE = (
    "INSERT INTO author_absence AS held (author, gone_at, back_at) VALUES (?, ?, ?) ON CONFLICT (author) DO UPDATE SET "
    "gone_at = CASE WHEN excluded.gone_at > held.gone_at THEN excluded.gone_at ELSE held.gone_at END, "
    "back_at = CASE WHEN excluded.back_at > held.back_at THEN excluded.back_at ELSE held.back_at END"
)
