"""The index anew from SQL, where the truth about every mention stands, while searches and stages go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sqlalchemy import Engine

from database import epochs
from database.engine import read, rows
from index.port import IndexStore
from stream.ports import DECIDED, Append, Log
from stream.records import Decided, Mention, decode, encode

CHUNK = 1_000

_FIND = (
    "SELECT m.body, m.indexed_month FROM post p JOIN mention m ON m.post = p.n JOIN dictionary d ON d.n = m.brand "
    "WHERE p.id = ? AND d.kind = 'brand' AND d.value = ?"
)

_NEXT = "SELECT n, body, indexed_month FROM mention WHERE n > ? ORDER BY n"

Show = Callable[[int, int], None]
"""Called with (mentions read, mentions in all)."""


def reindex(engine: Engine, log: Log, store: IndexStore, show: Show = lambda read, total: None) -> int:
    """Rebuild `store` from SQL; mentions written. On an error the old index stays.

    The indexer goes on at the end that `decided` has now: what stands before it was in SQL before it was sent there.
    """
    offsets = {(DECIDED, partition): end for partition, (_, end) in log.bounds(DECIDED).items()}
    written = store.rebuild(decided(engine, show), log.epoch(), offsets)
    _wake(engine, log, offsets)
    return written


def decided(engine: Engine, show: Show = lambda read, total: None) -> Iterator[Decided]:
    """Every mention as it stands in SQL, a chunk a transaction; those that change meanwhile come by `decided`."""
    with read(engine) as connection:
        total = rows(connection, "SELECT count(*) FROM mention")[0][0]
    done = 0
    for _, chunk in chunks(engine, 0):
        yield from chunk
        done += len(chunk)
        show(done, max(done, total))


def chunks(engine: Engine, after: int) -> Iterator[tuple[int, list[Decided]]]:
    """Mentions whose number is above `after`, as they stand in SQL: (the last one's number, they), a transaction
    each."""
    with read(engine) as connection:
        epoch = epochs.current(connection)
    while True:
        with read(engine) as connection:
            found = rows(connection, f"{_NEXT} LIMIT ?", (after, CHUNK))
        if not found:
            return
        after = found[-1][0]
        yield after, [Decided(epoch=epoch, month=month, mention=decode(Mention, body)) for _, body, month in found]


def _wake(engine: Engine, log: Log, offsets: Mapping[tuple[str, int], int]) -> None:
    """Let a running indexer find out: what it wrote meanwhile went into the old index.

    It notices when it next commits, so each partition in which something came gets its last mention once more, as it
    stands now; to take one twice changes nothing.
    """
    with read(engine) as connection:
        epoch = epochs.current(connection)
        for partition, (_, end) in log.bounds(DECIDED).items():
            if end == offsets[DECIDED, partition]:
                continue
            for record in log.read(DECIDED, partition, end - 1, 1):
                post, _, brand = record.key.rpartition("#")
                for body, month in rows(connection, _FIND, (post, brand)):
                    again = Decided(epoch=epoch, month=month, mention=decode(Mention, body))
                    log.append([Append(DECIDED, record.key, encode(again))])
