"""Where the index stands in the log, and putting it elsewhere by a person's word."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from index import schema
from index.files import open_reader, open_writer, speaking


class Standing(NamedTuple):
    log: str | None
    """Epoch of the log that the offsets are of; None before the first."""
    offsets: dict[tuple[str, int], int]
    """By (topic, partition): the next record to take."""


def standing(path: Path) -> Standing:
    """What the index has stored, whatever log it is of. Raises Transient, IndexUnusable."""
    if not path.exists():
        return Standing(None, {})
    with speaking(path, "read offsets"), closing(open_reader(path)) as connection:
        log = schema.meta(connection, "log")
        rows = connection.execute("SELECT topic, partition, next FROM offset").fetchall()
    return Standing(str(log) if log is not None else None, {(topic, part): next for topic, part, next in rows})


def adopt(path: Path, epoch: str, offsets: Mapping[tuple[str, int], int]) -> None:
    """Let the index go on at `offsets` of the log `epoch`, while no indexer runs. Raises as `standing`."""
    with speaking(path, "move offsets"), closing(open_writer(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM offset")
        connection.execute("DELETE FROM meta WHERE name = 'log'")
        connection.execute("INSERT INTO meta (name, value) VALUES ('log', ?)", (epoch,))
        rows = [(topic, partition, following) for (topic, partition), following in offsets.items()]
        connection.executemany("INSERT INTO offset (topic, partition, next) VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")
