"""Where each collector stands. A cursor is written only after the posts before it are durable in the log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import msgspec
from sqlalchemy import Engine

from database.engine import many, read, rows, rows_in, write
from database.tenure import Guard
from ingest.collector import CursorLost
from stream.records import Millis

T = TypeVar("T")

NOTE = "note:"


def opened(cursor: str | None, shape: type[T], whose: str) -> T:
    """What a collector `closed`, anew where there is nothing yet. Raises CursorLost, which says that the cursor is not
    one of `whose` ("TikTok's")."""
    try:
        return shape() if cursor is None else msgspec.json.decode(cursor, type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise CursorLost(f"the cursor of this source is not one of {whose}") from None


def closed(held: object) -> str:
    """What a collector holds, as its cursor."""
    return msgspec.json.encode(held).decode()


class Cursors:
    """Durable text values by (source, name); the meaning of a value is the collector's own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def get(self, source_id: str, name: str = "") -> str | None:
        with read(self.engine) as connection:
            found = rows(
                connection, "SELECT value FROM collector_cursor WHERE source_id = ? AND name = ?", (source_id, name)
            )
        return str(found[0][0]) if found else None

    def put(
        self,
        source_id: str,
        name: str,
        value: str,
        now: Millis,
        guard: Guard | None = None,
    ) -> None:
        """`guard` raises where this process may not write any more (see `database.tenure.Tenure`)."""
        with write(self.engine, alone=guard is not None) as connection:
            if guard is not None:
                guard(connection)
            many(connection, _PUT, [(source_id, name, value, now)])

    def drop(self, source_id: str, name: str = "") -> None:
        with write(self.engine, alone=False) as connection:
            many(connection, "DELETE FROM collector_cursor WHERE source_id = ? AND name = ?", [(source_id, name)])


class SourceNotes:
    """Keeps `ingest.setting.Notes`, beside the source's cursors."""

    def __init__(self, engine: Engine, source_id: str, wall: Callable[[], Millis]) -> None:
        self._cursors, self._source, self._wall = Cursors(engine), source_id, wall

    def get(self, name: str) -> str | None:
        return self._cursors.get(self._source, f"{NOTE}{name}")

    def put(self, name: str, value: str) -> None:
        self._cursors.put(self._source, f"{NOTE}{name}", value, self._wall())

    def all(self, names: Collection[str]) -> Mapping[str, str]:
        named = {f"{NOTE}{name}": name for name in names}
        with read(self._cursors.engine) as connection:
            found = rows_in(
                connection,
                "SELECT name, value FROM collector_cursor WHERE source_id = ? AND name IN (??)",
                list(named),
                (self._source,),
            )
        return {named[name]: str(value) for name, value in found}

    def put_all(self, notes: Mapping[str, str]) -> None:
        now = self._wall()
        with write(self._cursors.engine, alone=False) as connection:
            many(connection, _PUT, [(self._source, f"{NOTE}{name}", value, now) for name, value in notes.items()])

    def drop(self, names: Collection[str]) -> None:
        with write(self._cursors.engine, alone=False) as connection:
            many(
                connection,
                "DELETE FROM collector_cursor WHERE source_id = ? AND name = ?",
                [(self._source, f"{NOTE}{name}") for name in names],
            )

    def forget(self, before: Millis) -> None:
        with write(self._cursors.engine, alone=False) as connection:
            many(
                connection,
                f"DELETE FROM collector_cursor WHERE source_id = ? AND name LIKE '{NOTE}%' AND updated_at < ?",
                [(self._source, before)],
            )


_PUT = (
    "INSERT INTO collector_cursor (source_id, name, value, updated_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (source_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"
)
