"""Where each collector stands. A cursor is written only after the posts before it are durable in the log."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, write
from stream.records import Millis


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
        guard: Callable[[Connection], None] | None = None,
    ) -> None:
        """`guard` raises where this process may not write any more (see `database.tenure.Tenure`)."""
        with write(self.engine, alone=guard is not None) as connection:
            if guard is not None:
                guard(connection)
            many(
                connection,
                "INSERT INTO collector_cursor (source_id, name, value, updated_at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (source_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
                [(source_id, name, value, now)],
            )

    def drop(self, source_id: str, name: str = "") -> None:
        with write(self.engine, alone=False) as connection:
            many(connection, "DELETE FROM collector_cursor WHERE source_id = ? AND name = ?", [(source_id, name)])


class SourceNotes:
    """Keeps `ingest.setting.Notes`, beside the source's cursors."""

    def __init__(self, engine: Engine, source_id: str, wall: Callable[[], Millis]) -> None:
        self._cursors, self._source, self._wall = Cursors(engine), source_id, wall

    def get(self, name: str) -> str | None:
        return self._cursors.get(self._source, f"note:{name}")

    def put(self, name: str, value: str) -> None:
        self._cursors.put(self._source, f"note:{name}", value, self._wall())
