"""Building the index anew from SQL, in a file of its own, while searches go on in the old one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path

from index import schema
from index.file_writer import claim
from index.files import open_reader, open_writer, rebuilding, speaking
from index.write import Writer, prepare
from stream.ports import Commit
from stream.records import Decided

BATCH = 1_000


def rebuild(path: Path, decided: Iterable[Decided], epoch: str, offsets: Mapping[tuple[str, int], int]) -> int:
    """Number of mentions read. `offsets`, by (topic, partition) of the log `epoch`: where the indexer goes on from,
    taken before the first of `decided` was read. On an error the old index stays as it is."""
    with rebuilding(path) as new, speaking(new, "rebuild"), closing(open_writer(new)) as connection:
        read = _fill(connection, _secret(path), decided)
        connection.execute("BEGIN IMMEDIATE")
        claim(connection, epoch, new)
        Writer(connection).commit_offsets([Commit(*at, expected=0, next=next) for at, next in offsets.items()])
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return read


def _fill(connection: sqlite3.Connection, secret: bytes | None, decided: Iterable[Decided]) -> int:
    schema.create(connection, secret=secret)
    writer, read, batch = Writer(connection), 0, list[Decided]()
    for each in decided:
        batch.append(each)
        if len(batch) == BATCH:
            _write(connection, writer, batch)
            read += len(batch)
            batch.clear()
    _write(connection, writer, batch)
    return read + len(batch)


def _write(connection: sqlite3.Connection, writer: Writer, batch: list[Decided]) -> None:
    entries = prepare(batch)
    connection.execute("BEGIN IMMEDIATE")
    writer.write(entries)
    connection.execute("COMMIT")


def _secret(path: Path) -> bytes | None:
    """The old index's, so that cursors go on; None where it cannot be read."""
    with suppress(sqlite3.Error), closing(open_reader(path)) as connection:
        found = schema.meta(connection, "secret")
        return found if isinstance(found, bytes) else None
    return None
