"""The log of one machine: topics in one SQLite file, shared by any number of its processes and threads.

Each partition is a table whose AUTOINCREMENT key is the offset: appends are sequential, a page is written once, and
an offset is never given twice, not even after retention has emptied the table.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import NamedTuple
from zlib import crc32

import msgspec

from stream.clock import MINUTE, SECOND, Clock
from stream.groups import EmbeddedConsumer, Heart
from stream.ports import DEAD_LETTER, Append, LogRecord, LogUnusable, RecordTooLarge, TopicSpec
from stream.records import Millis
from stream.sqlite_file import Fsync, Writer, open_file, refuse_network, speaking

FORMAT = 1
LONGEST_KEY = 1_024

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS topic (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
    retention INTEGER NOT NULL, retention_bytes INTEGER
);
CREATE TABLE IF NOT EXISTS progress (
    grp TEXT NOT NULL, topic INTEGER NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    member TEXT, generation INTEGER NOT NULL, PRIMARY KEY (grp, topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS member (
    id TEXT PRIMARY KEY, grp TEXT NOT NULL, topic INTEGER NOT NULL,
    host TEXT NOT NULL, pid INTEGER NOT NULL, started TEXT NOT NULL, seen INTEGER NOT NULL
) WITHOUT ROWID;
"""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    fsync: Fsync = "always"
    """`always`: what `append` returned for survives a power cut; `normal`: it survives the end of any process."""
    max_record: int = 1_000_000
    """Bytes of key and value of one record (a dead letter may have twice as many, since it wraps one)."""
    session: Millis = 10 * SECOND
    """A member of a group that was not heard of for so long loses its partitions (at once, where its process died)."""
    rebalance: Millis = 500
    """How often a member looks whether the partitions are shared fairly."""
    patience: Millis = 5 * SECOND
    """How long a write waits for those of other processes before it is Transient."""


class Topic(NamedTuple):
    id: int
    name: str
    partitions: int
    retention: Millis
    retention_bytes: int | None

    def table(self, partition: int) -> str:
        return f"r{self.id}_{partition}"


class EmbeddedLog:
    """`stream.ports.Log` over one SQLite file, for several threads and processes; not to be carried over a fork."""

    def __init__(self, path: Path, clock: Clock, settings: LogSettings | None = None) -> None:
        """Makes the file where it is missing. Raises LogUnusable (damaged, network file system, permission)."""
        self.path, self.clock, self.settings = path, clock, settings or LogSettings()
        refuse_network(path.parent)
        self._grown = threading.Condition()
        self._topics: dict[str, Topic] = {}
        self._reader_lock = threading.RLock()
        self.writer = Writer(path, fsync=self.settings.fsync, patience=self.settings.patience / SECOND)
        try:
            self._reader = open_file(path)
        except BaseException:
            self.writer.close()
            raise
        try:
            self._epoch = self._identify()
        except BaseException:
            self._reader.close()
            self.writer.close()
            raise
        self.heart = Heart(self)
        self._consumers: list[EmbeddedConsumer] = []

    def epoch(self) -> str:
        return self._epoch

    def ensure(self, topics: Sequence[TopicSpec]) -> None:
        """Makes what is missing and adopts new retention. Raises ValueError where the partitions would change."""
        kept = {TopicSpec(*topic[1:]) for topic in self.topics()}
        news = [spec for spec in topics if spec not in kept]
        if not news:
            return
        with self.writer.transaction("make topics") as connection:
            for spec in news:
                self._ensure(connection, spec)
        self._topics.clear()

    def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
        """One transaction, one fsync. Raises RecordTooLarge, Transient, ValueError (unknown topic)."""
        places: list[tuple[Topic, int]] = []
        groups: dict[tuple[Topic, int], list[tuple[str, bytes]]] = {}
        for topic_name, key, value in records:
            self._check_size(topic_name, key, value)
            topic = self._topics.get(topic_name) or self.topic(topic_name)
            place = (topic, crc32(key.encode()) % topic.partitions)
            places.append(place)
            group = groups.get(place)
            if group is None:
                groups[place] = [(key, value)]
            else:
                group.append((key, value))
        if not places:
            return []
        nexts: dict[tuple[Topic, int], int] = {}
        with self.writer.transaction("append") as connection:
            now = self.clock.now()
            for place in sorted(groups):
                nexts[place] = _insert(connection, place, groups[place], now)
        with self._grown:
            self._grown.notify_all()
        offsets = []
        for place in places:
            offsets.append((place[1], nexts[place]))
            nexts[place] += 1
        return offsets

    def consumer(
        self,
        group: str,
        topic: str,
        *,
        on_assigned: Callable[[frozenset[int]], Mapping[int, int] | None] | None = None,
        on_revoked: Callable[[frozenset[int]], None] | None = None,
    ) -> EmbeddedConsumer:
        consumer = EmbeddedConsumer(self, group, self.topic(topic), on_assigned, on_revoked)
        self._consumers.append(consumer)
        return consumer

    def partitions(self, topic: str) -> int:
        return self.topic(topic).partitions

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        found = self.topic(topic)
        with self.reading() as connection:
            return {p: bounds_of(connection, found.table(p)) for p in range(found.partitions)}

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """What the group stored, 0 where it has done nothing yet; partitions that it never held are missing."""
        with self.reading() as connection:
            return dict(
                connection.execute(
                    "SELECT partition, next FROM progress WHERE grp = ? AND topic = ?", (group, self.topic(topic).id)
                )
            )

    def lag(self, group: str, topic: str) -> int:
        done = self.committed(group, topic)
        return sum(end - max(low, min(end, done.get(p, 0))) for p, (low, end) in self.bounds(topic).items())

    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LogRecord]:
        table = self._partition(topic, partition)
        with self.reading() as connection:
            rows = connection.execute(
                f"SELECT id, key, value, time FROM {table} WHERE id >= ? ORDER BY id LIMIT ?", (offset, max_records)
            ).fetchall()
        return [LogRecord(topic, partition, *row) for row in rows]

    def offset_at(self, topic: str, partition: int, time: Millis) -> int:
        table = self._partition(topic, partition)
        with self.reading() as connection:
            return first_where(connection, table, "time", time)

    def groups(self, topic: str) -> list[str]:
        """Groups that have ever held a partition of the topic."""
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT grp FROM progress WHERE topic = ? ORDER BY grp", (self.topic(topic).id,)
            ).fetchall()
        return [row[0] for row in rows]

    def topics(self) -> list[Topic]:
        with self.reading() as connection:
            return [Topic(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM topic ORDER BY id")]

    def topic(self, name: str) -> Topic:
        """Raises ValueError where there is no such topic."""
        found = self._topics.get(name)
        if found is None:
            with self.reading() as connection:
                row = connection.execute(f"SELECT {_COLUMNS} FROM topic WHERE name = ?", (name,)).fetchone()
            if row is None:
                raise ValueError(f"{self.path} has no topic {name!r}: it is made by `ensure` when a stage starts")
            found = self._topics[name] = Topic(*row)
        return found

    def forget_group(self, group: str) -> None:
        """Removes the offsets of a group that is no longer used, so that nobody waits for it."""
        with self.writer.transaction("forget a group") as connection:
            connection.execute("DELETE FROM progress WHERE grp = ?", (group,))

    def close_off(self, why: str) -> None:
        """From now on nothing is appended, by whatever process: each that tries is told `why`. Reads go on."""
        words = why.replace("'", "''")
        with self.writer.transaction("close it off") as connection:
            for table in self._tables():
                connection.execute(
                    f"CREATE TRIGGER IF NOT EXISTS closed_{table} BEFORE INSERT ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
                )

    def open_again(self) -> None:
        """The end of `close_off`."""
        with self.writer.transaction("open it again") as connection:
            for table in self._tables():
                connection.execute(f"DROP TRIGGER IF EXISTS closed_{table}")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The connection for reads outside of a group, one thread at a time."""
        with self._reader_lock, speaking(self.path, "read"):
            yield self._reader

    def wait(self, seconds: float) -> None:
        """Until this process appends, or `seconds` have passed."""
        with self._grown:
            self._grown.wait(seconds)

    def closed(self, consumer: EmbeddedConsumer) -> None:
        if consumer in self._consumers:
            self._consumers.remove(consumer)

    def close(self) -> None:
        for consumer in list(self._consumers):
            consumer.close()
        self._end()

    def abandon(self) -> None:
        """Ends as a crash would, for tests and the simulation: groups find out when the session is over."""
        for consumer in self._consumers:
            consumer.abandon()
        self._end()

    def _end(self) -> None:
        self.heart.stop()
        self.writer.close()
        with self._reader_lock:
            self._reader.close()

    def _identify(self) -> str:
        """The epoch. To open a log that exists writes nothing, so that it can be looked at while the disk is full."""
        with self.reading() as connection:
            made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        if not made:
            self._make()
        with self.reading() as connection:
            meta = dict(connection.execute("SELECT name, value FROM meta"))
        if meta.get("format") != str(FORMAT):
            raise LogUnusable(
                f"{self.path} has format {meta.get('format')}, this program reads {FORMAT}: "
                "use the release that wrote it"
            )
        return str(meta["epoch"])

    def _make(self) -> None:
        with self.writer.transaction("make its tables") as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('format', ?)", (str(FORMAT),))
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (str(uuid.uuid4()),))

    def _ensure(self, connection: Connection, spec: TopicSpec) -> None:
        row = connection.execute(f"SELECT {_COLUMNS} FROM topic WHERE name = ?", (spec.name,)).fetchone()
        if row is None:
            cursor = connection.execute(
                "INSERT INTO topic (name, partitions, retention, retention_bytes) VALUES (?, ?, ?, ?)",
                (spec.name, spec.partitions, spec.retention, spec.retention_bytes),
            )
            for partition in range(spec.partitions):
                connection.execute(
                    f"CREATE TABLE r{cursor.lastrowid}_{partition} (id INTEGER PRIMARY KEY AUTOINCREMENT,"
                    " time INTEGER NOT NULL, total INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL)"
                )
            return
        topic = Topic(*row)
        if topic.partitions != spec.partitions:
            raise ValueError(
                f"topic {spec.name!r} of {self.path} has {topic.partitions} partitions and the settings ask for "
                f"{spec.partitions}: a key would change its partition; keep the number or start with a new home"
            )
        connection.execute(
            "UPDATE topic SET retention = ?, retention_bytes = ? WHERE id = ?",
            (spec.retention, spec.retention_bytes, topic.id),
        )

    def _tables(self) -> list[str]:
        return [topic.table(partition) for topic in self.topics() for partition in range(topic.partitions)]

    def _partition(self, topic: str, partition: int) -> str:
        found = self.topic(topic)
        if not 0 <= partition < found.partitions:
            raise ValueError(f"topic {topic!r} has partitions 0 to {found.partitions - 1}, not {partition}")
        return found.table(partition)

    def _check_size(self, topic: str, key: str, value: bytes) -> None:
        size, bound = len(key) + len(value), self.settings.max_record
        if size > bound and topic == DEAD_LETTER:
            bound = 2 * bound + 16 * LONGEST_KEY
        if size > bound:
            raise RecordTooLarge(
                f"record {key[:100]!r} for topic {topic!r} has {size} bytes, the log takes {bound}: "
                "shorten it at its source"
            )
        if len(key) > LONGEST_KEY:
            raise RecordTooLarge(f"key {key[:100]!r} for topic {topic!r} has {len(key)} characters of {LONGEST_KEY}")


def bounds_of(connection: Connection, table: str) -> tuple[int, int]:
    """(oldest offset kept, next offset) of a partition's table."""
    low, high = connection.execute(
        f"SELECT (SELECT id FROM {table} ORDER BY id LIMIT 1), (SELECT id FROM {table} ORDER BY id DESC LIMIT 1)"
    ).fetchone()
    if low is None:
        low = _sequence(connection, table) + 1
        return low, low
    return low, high + 1


def first_where(connection: Connection, table: str, column: str, at_least: int) -> int:
    """First offset whose `column` (`time` or `total`: both grow) is at least so, else the next offset."""
    low, high = bounds_of(connection, table)
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(f"SELECT {column} FROM {table} WHERE id = ?", (middle,)).fetchone()
        # Retention may have taken it meanwhile: then it is older than all that is left.
        if row is None or row[0] < at_least:
            low = middle + 1
        else:
            high = middle
    return low


_COLUMNS = "id, name, partitions, retention, retention_bytes"


def _insert(connection: Connection, place: tuple[Topic, int], records: Sequence[tuple[str, bytes]], now: Millis) -> int:
    """Offset of the first one. Times do not run back within a partition when the clock is set back a little."""
    table = place[0].table(place[1])
    last = connection.execute(f"SELECT id, time, total FROM {table} ORDER BY id DESC LIMIT 1").fetchone()
    offset, time, total = last or (_sequence(connection, table), now, 0)
    first = offset + 1
    if not now < time <= now + MINUTE:
        time = now
    rows = []
    for key, value in records:
        offset += 1
        total += len(key) + len(value)
        rows.append((offset, time, total, key, value))
    connection.executemany(f"INSERT INTO {table} (id, time, total, key, value) VALUES (?, ?, ?, ?, ?)", rows)
    return int(first)


def _sequence(connection: Connection, table: str) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else 0
