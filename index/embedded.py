"""The embedded store: every mention in one SQLite file, `index.db`, with full text by FTS5.

One process writes, any number read. The file is a projection: it may be thrown away and rebuilt from SQL. Connections
are opened when first needed and belong to the process that opened them: make a store after a fork, not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from index import asking, erasure, rebuilding, schema, search
from index.cursor import seal, unseal
from index.erasure import Erasing
from index.file_writer import FileWriter
from index.files import IndexUnusable, QueryTooSlow
from index.highlight import highlights
from index.latency import HIDDEN, SEARCHABLE, latency
from index.readers import Readers
from index.search import Order
from index.standing import Standing, adopt, standing
from index.visibility import sees
from index.write import prepare
from query.fields import FIELDS
from query.tree import Node
from stream.clock import DAY, HOUR, Clock, WallClock
from stream.latency import Latency
from stream.ports import AccessScope, Commit, Count, Facet, Histogram, Hit, OffsetOutside, Page
from stream.records import Decided, Mention, Millis

__all__ = ["EmbeddedStore", "IndexUnusable", "QueryTooSlow"]

BATCH = 500
"""Mentions written in one transaction."""
MAX_LIMIT = 1_000
"""Hits of a page, values of a facet."""
ERASE_EVERY: Millis = DAY
"""Erased texts are gathered so long before the inverted index is merged for them."""


class EmbeddedStore:
    """A `stream.ports.Store` in the file `path`."""

    def __init__(
        self,
        path: Path,
        clock: Clock | None = None,
        *,
        time_limit: float = 10.0,
        readers: int = 4,
        erase_every: Millis = ERASE_EVERY,
    ) -> None:
        """`clock` is the one that stamps arrivals in the log; `time_limit` seconds are given to a search."""
        self.path, self._clock, self._erase_every = path, clock or WallClock(), erase_every
        self._writer = FileWriter(path, self._clock)
        self._readers = Readers(path, most=readers, time_limit=time_limit, create=self._writer.touch)

    # --- writing: one process ---

    def apply(self, decided: Sequence[Decided], commits: Sequence[Commit], epoch: str, now: Millis) -> None:
        """As `Store.apply`: the highest (epoch, revision) of each mention wins, what is not live is hidden and erased.

        Raises OffsetConflict, OffsetOutside (another log's offsets), Transient (locked, disk full), IndexUnusable.
        """
        entries = prepare(decided)
        starts = range(0, len(entries), BATCH) or range(1)
        for start in starts:
            last = start == starts[-1]
            self._writer.put(entries[start : start + BATCH], commits if last else (), epoch, now)

    def offsets(self, topic: str, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        """Stored offsets of `topic`; a partition without one is left out. Raises OffsetOutside: another log's."""
        with self._readers.reading("read offsets") as connection:
            stored = schema.meta(connection, "log")
            if stored is not None and stored != epoch:
                raise OffsetOutside(
                    f"{self.path} holds offsets of another log ({stored!s}, not {epoch}): rebuild it with "
                    "`clamor reindex`"
                )
            rows = connection.execute("SELECT partition, next FROM offset WHERE topic = ?", (topic,)).fetchall()
        return {partition: following for partition, following in rows if partition in partitions}

    def standing(self) -> Standing:
        """What is stored of the log's offsets, whatever log they are of; nothing where there is no file yet."""
        return standing(self.path)

    def adopt(self, epoch: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Go on at `offsets` of the log `epoch`, while no indexer runs."""
        adopt(self.path, epoch, offsets)

    def rebuild(
        self, decided: Iterable[Decided], epoch: str, offsets: Mapping[tuple[str, int], int] | None = None
    ) -> int:
        """Build the index anew and put it in place at once; searches go on meanwhile. Returns mentions read.

        `offsets`, by (topic, partition) of the log `epoch`: where the indexer goes on from; take them before the first
        of `decided` is read. A running indexer notices by OffsetConflict and goes on from there.
        """
        return rebuilding.rebuild(self.path, decided, epoch, offsets or {})

    def idle(self, now: Millis) -> None:
        """Between batches: store what was measured, take a step of erasure."""
        self._writer.tidy()
        self.erase_step(now)

    def erase_step(self, now: Millis) -> bool:
        """A few milliseconds of work to take erased texts out of the file for good; true where there is more to do."""
        return self._writer.erase_step(now, self._erase_every)

    # --- reading: any number of processes and threads ---

    def search(
        self, query: Node, scope: AccessScope, *, limit: int = 20, cursor: str | None = None, order: Order = "newest"
    ) -> Page:
        """A page of mentions. Pages do not shift when mentions come in; `relevance` ranks the newest 10,000 hits.

        Raises BadCursor, ValueError (limit, order), QueryTooSlow, Transient, IndexUnusable.
        """
        _within_limit("limit", limit)
        if order not in search.ORDERS:
            raise ValueError(f"no order is called {order!r}: {', '.join(search.ORDERS)}")
        with self._readers.reading("search") as connection:
            secret = schema.meta(connection, "secret")
            assert isinstance(secret, bytes)
            after = unseal(cursor, query, order, secret) if cursor is not None else None
            reading = asking.asked(connection, query, scope).reading
            rows = search.page(connection, reading, order, after, limit + 1)
            found = search.bodies(connection, [n for n, _ in rows[:limit]])
        hits = tuple(Hit(found[n], highlights(query, found[n])) for n, _ in rows[:limit])
        more = len(rows) > limit
        return Page(hits, seal(rows[limit - 1][1], query, order, secret) if more else None)

    def count(self, query: Node, scope: AccessScope, *, exact: bool = True) -> Count:
        """How many mentions; above 20,000 and not `exact`, an estimate from one in 16."""
        with self._readers.reading("count") as connection:
            return asking.count(connection, asking.asked(connection, query, scope), exact=exact)

    def facets(
        self, query: Node, scope: AccessScope, fields: Sequence[str], *, size: int = 10, exact: bool = False
    ) -> list[Facet]:
        """The commonest values of each field. Estimated above 20,000 hits unless `exact`; of fields whose values few
        mentions share (author, link, …) over the newest 4,000, unless `exact`. Risk is counted in steps of ten."""
        _within_limit("size", size)
        for field in fields:
            if field not in FIELDS or FIELDS[field].kind == "time":
                raise ValueError(f"values of {field!r} cannot be counted: take a field that is not a time")
        with self._readers.reading("count values") as connection:
            return asking.facets(connection, asking.asked(connection, query, scope), fields, size, exact=exact)

    def histogram(self, query: Node, scope: AccessScope, interval: Millis, *, exact: bool = False) -> Histogram:
        """Mentions per interval (milliseconds, counted from 1970); intervals without any are left out."""
        if interval < 1:
            raise ValueError(f"an interval of {interval} ms: it must be 1 or more")
        with self._readers.reading("make a histogram") as connection:
            return asking.histogram(connection, asking.asked(connection, query, scope), interval, exact=exact)

    def get(self, mention_id: str, scope: AccessScope) -> Mention | None:
        """The mention, where it is live and `scope` covers it."""
        with self._readers.reading("look up a mention") as connection:
            row = connection.execute("SELECT n FROM place WHERE id = ?", (mention_id,)).fetchone()
            found = search.bodies(connection, [row[0]]) if row and row[0] is not None else {}
        mention = next(iter(found.values()), None)
        return mention if mention is not None and sees(scope, mention) else None

    def latency(self, now: Millis, span: Millis = HOUR) -> Latency:
        """Arrival → searchable of the mentions that came within `span` before `now`, whichever process indexed them."""
        with self._readers.reading("read latencies") as connection:
            return latency(connection, SEARCHABLE, now, span)

    def hidden(self, now: Millis, span: Millis = HOUR) -> Latency:
        """Delete → not to be found any more, of the mentions that were hidden within `span` before `now`."""
        with self._readers.reading("read latencies") as connection:
            return latency(connection, HIDDEN, now, span)

    def size(self) -> int:
        """Bytes on the disk, with the write-ahead log; a rebuilt index is a link to the file that has both."""
        path = self.path.resolve()
        return sum(one.stat().st_size for one in (path, path.with_name(path.name + "-wal")) if one.exists())

    def erasing(self) -> Erasing:
        """How far the erasure of texts from the file's bytes is."""
        with self._readers.reading("read erasures") as connection:
            return erasure.progress(connection)

    def close(self) -> None:
        self._readers.close()
        self._writer.close()


def _within_limit(name: str, value: int) -> None:
    if not 1 <= value <= MAX_LIMIT:
        raise ValueError(f"{name} is {value}: it must lie between 1 and {MAX_LIMIT}")
