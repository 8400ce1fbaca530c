"""The index anew from SQL, where the truth about every mention stands, while searches and stages go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Engine

from database import epochs
from database.engine import read, rows
from index.embedded import EmbeddedStore
from stream.ports import DECIDED, Log
from stream.records import Decided, Mention, decode

CHUNK = 1_000

Show = Callable[[int, int], None]
"""Called with (mentions read, mentions in all)."""


def reindex(engine: Engine, log: Log, store: EmbeddedStore, show: Show = lambda read, total: None) -> int:
    """Rebuild `store` from SQL; mentions written. On an error the old index stays.

    The indexer goes on at the end that `decided` has now: what stands before it was in SQL before it was sent there.
    """
    offsets = {(DECIDED, partition): end for partition, (_, end) in log.bounds(DECIDED).items()}
    return store.rebuild(decided(engine, show), log.epoch(), offsets)


def decided(engine: Engine, show: Show = lambda read, total: None) -> Iterator[Decided]:
    """Every mention as it stands in SQL, a chunk a transaction; those that change meanwhile come by `decided`."""
    with read(engine) as connection:
        epoch = epochs.current(connection)
        total = rows(connection, "SELECT count(*) FROM mention")[0][0]
    after = done = 0
    while True:
        with read(engine) as connection:
            found = rows(connection, "SELECT n, body FROM mention WHERE n > ? ORDER BY n LIMIT ?", (after, CHUNK))
        for _, body in found:
            yield Decided(epoch=epoch, mention=decode(Mention, body))
        done += len(found)
        show(done, max(done, total))
        if len(found) < CHUNK:
            return
        after = found[-1][0]
