"""The mentions put into another store from SQL, and what changed meanwhile from the topic that the indexer reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from zlib import crc32

import msgspec
from sqlalchemy import Engine

from clamor.moving.journal import Journal
from clamor.moving.note import MoveError
from clamor.reindexing import chunks
from database import epochs
from database.engine import read, rows, rows_in
from index.port import IndexStore
from index.refusals import NotIndexed
from query.tree import Equals, Not, Or
from stream.ports import DECIDED, EVERYTHING, Log
from stream.records import Decided, Mention, Millis, UnknownMajor, decode, encode

WHOLE = "index/whole"
AFTER = "index/after"
RECORDS = 500
PAGE = 1_000
FOUND_WITHIN = 30.0
"""Seconds after which what was written is to be found: a cluster needs one."""
PARTS = 4_096
"""That are compared each by itself: the fewer mentions one has, the fewer are looked at again for one that changed."""

ALL = Or((Equals("about", True), Not(Equals("about", True))))
"""Every mention, those that are set aside among them: a question that asks for them is shown them."""
_WAITING = "SELECT DISTINCT mention FROM outbox WHERE kind = 'decided'"
_BODIES = "SELECT body, indexed_month FROM mention WHERE n IN (??)"


class Sums:
    """Of whole mentions, whatever their order, in as many parts as there are `PARTS`: by their ids."""

    def __init__(self) -> None:
        self.mentions, self._parts = 0, [0] * PARTS

    def add(self, mention: Mention) -> None:
        added = int.from_bytes(blake2b(encode(mention), digest_size=8).digest(), "big")
        part = crc32(mention.id.encode()) % PARTS
        self._parts[part] = (self._parts[part] + added) % (1 << 64)
        self.mentions += 1

    def differing(self, other: Sums) -> set[int]:
        """The parts that are not equal."""
        return {part for part in range(PARTS) if self._parts[part] != other._parts[part]}


class IndexCopy:
    """`step` as long as it does anything; once the source stands still `finish`, and `compare`."""

    def __init__(
        self, engine: Engine, log: Log, store: IndexStore, journal: Journal, epoch: str, now: Callable[[], Millis]
    ) -> None:
        """From the database `engine` and its `log` into `store`, whose offsets will be those of the log `epoch`."""
        self._engine, self._log, self._store = engine, log, store
        self._journal, self._epoch, self._now = journal, epoch, now

    def step(self) -> int:
        """Mentions put there. Raises Transient, IndexUnusable."""
        if self._journal.mark(WHOLE):
            return sum(self._follow(part, bounds) for part, bounds in self._log.bounds(DECIDED).items())
        after = self._journal.mark(AFTER)
        if after is None:
            after = self._begin()
        for last, decided in chunks(self._engine, after):
            self._put(decided)
            self._journal.set({AFTER: last})
            return len(decided)
        self._journal.set({WHOLE: 1})
        return 1

    def finish(self) -> None:
        """What SQL holds and the log was not told yet: it will be told in the new one, and the index knows it then."""
        while self.step():
            pass
        with read(self._engine) as connection:
            epoch = epochs.current(connection)
            waiting = sorted(row[0] for row in rows(connection, _WAITING))
            found = rows_in(connection, _BODIES, waiting)
        for start in range(0, len(found), RECORDS):
            part = found[start : start + RECORDS]
            self._put([Decided(epoch=epoch, month=month, mention=decode(Mention, body)) for body, month in part])

    def compare(self) -> int:
        """Mentions that can be found there: all that are live. Raises MoveError where they are not those of SQL.

        Where others may write to the database meanwhile, a mention that changes between the two looks is looked at
        again: it is enough that each part was equal once, since what came later stands behind `followed`.
        """
        deadline = time.monotonic() + FOUND_WITHIN
        unequal: set[int] | None = None
        while True:
            refused = self._journal.refused()
            wanted, found = self._in_sql(refused), self._in_store(refused)
            differing = wanted.differing(found)
            left = differing if unequal is None else differing & unequal
            if not left:
                return found.mentions
            if left == unequal and time.monotonic() > deadline:
                self._begin()
                raise MoveError(
                    f"the new index holds {found.mentions:,} mentions and SQL {wanted.mentions:,}"
                    + (", with other contents" if found.mentions == wanted.mentions else "")
                    + ": nothing was switched; remove that index and give the move again"
                )
            unequal = left
            time.sleep(1.0)
            self.finish()

    def followed(self) -> dict[int, int]:
        """By partition of `decided` in the log that is read: everything below was put there, what comes later may not
        have been."""
        return {part: self._journal.mark(_tail(part)) or 0 for part in self._log.bounds(DECIDED)}

    def go_on_at(self, offsets: Mapping[int, int]) -> None:
        """The store holds what stands below these, by partition: it is the one that there was before."""
        self._journal.set({WHOLE: 1, **{_tail(part): offset for part, offset in offsets.items()}})

    def _begin(self) -> int:
        """All of SQL is to be put there, whatever was; before it is read, since what changes from now on comes by the
        log."""
        bounds = self._log.bounds(DECIDED)
        self._journal.set({WHOLE: 0, AFTER: 0, **{_tail(part): end for part, (_, end) in bounds.items()}})
        return 0

    def _follow(self, part: int, bounds: tuple[int, int]) -> int:
        low, end = bounds
        place = self._journal.mark(_tail(part)) or 0
        if place >= end:
            return 0
        if place < low:
            # Retention was quicker than the copy: SQL is read once more.
            self._begin()
            return 1
        found = self._log.read(DECIDED, part, place, RECORDS)
        if not found:
            return 0
        decided: list[Decided] = []
        for record in found:
            try:
                decided.append(decode(Decided, record.value))
            except (msgspec.DecodeError, UnknownMajor, UnicodeDecodeError):
                continue  # The indexer made a dead letter of it.
        self._put(decided)
        self._journal.set({_tail(part): found[-1].offset + 1})
        return len(found)

    def _put(self, decided: Sequence[Decided]) -> None:
        try:
            self._store.apply(decided, (), self._epoch, self._now())
        except NotIndexed as error:
            self._journal.refuse([refusal.mention_id for refusal in error.refusals])

    def _in_sql(self, refused: frozenset[str]) -> Sums:
        found = Sums()
        for _, decided in chunks(self._engine, 0):
            for each in decided:
                if each.mention.state == "live" and each.mention.id not in refused:
                    found.add(each.mention)
        return found

    def _in_store(self, refused: frozenset[str]) -> Sums:
        found, cursor = Sums(), None
        while True:
            page = self._store.search(ALL, EVERYTHING, limit=PAGE, cursor=cursor, order="oldest")
            for hit in page.hits:
                if hit.mention.id not in refused:
                    found.add(hit.mention)
            cursor = page.cursor
            if cursor is None:
                return found


def _tail(part: int) -> str:
    return f"index/tail/{part}"
