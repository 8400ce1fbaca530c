"""Consumer groups of the embedded log: members share the partitions by rows in the file and fence one another."""

from __future__ import annotations

import os
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from stream import process
from stream.clock import SECOND
from stream.ports import Commit, LogRecord, LogUnusable, OffsetConflict, OffsetOutside, Transient
from stream.sqlite_file import open_file, speaking

if TYPE_CHECKING:
    from stream.embedded import EmbeddedLog, Topic

logger = structlog.get_logger(__name__)

SHORTEST_SLEEP, LONGEST_SLEEP = 0.0005, 0.02


class EmbeddedConsumer:
    """`stream.ports.Consumer`: to be used by one thread at a time. It joins the group with its first poll."""

    def __init__(
        self,
        log: EmbeddedLog,
        group: str,
        topic: Topic,
        on_assigned: Callable[[frozenset[int]], Mapping[int, int] | None] | None,
        on_revoked: Callable[[frozenset[int]], None] | None,
    ) -> None:
        self.group, self.topic = group, topic
        self._log = log
        self.member = f"{socket.gethostname()}:{os.getpid()}:{random.getrandbits(48):012x}"
        self._on_assigned, self._on_revoked = on_assigned, on_revoked
        self._reader = open_file(log.path)
        self._held: dict[int, int] = {}
        self._positions: dict[int, int] = {}
        self._paused: set[int] = set()
        self._turn = 0
        self._version = -1
        self._stale = True
        self._next_look = 0.0
        self._closed = False

    def poll(self, max_records: int, timeout: float) -> list[LogRecord]:
        """Raises Transient, LogUnusable, OffsetOutside, and whatever `on_assigned` raises (asked again next time)."""
        deadline = time.monotonic() + timeout
        sleep = SHORTEST_SLEEP
        while True:
            self._settle()
            with speaking(self._log.path, "read"):
                records = self._fetch(max_records)
            left = deadline - time.monotonic()
            if records or left <= 0:
                return records
            self._log.wait(min(left, sleep))
            sleep = min(sleep * 1.5, LONGEST_SLEEP)

    def assignment(self) -> frozenset[int]:
        return frozenset(self._positions)

    def seek(self, partition: int, offset: int) -> None:
        self._check_held(partition)
        self._positions[partition] = offset
        self._stale = True

    def position(self, partition: int) -> int:
        self._check_held(partition)
        return self._positions[partition]

    def commit(self, commits: Sequence[Commit]) -> None:
        """All or none. A fenced member gets OffsetConflict, whatever the offsets are."""
        with self._log.writer.transaction("commit offsets") as connection:
            for topic, partition, expected, following in commits:
                if topic != self.topic.name:
                    raise ValueError(f"consumer of {self.topic.name!r} cannot commit {topic!r}")
                moved = connection.execute(
                    "UPDATE progress SET next = ? WHERE grp = ? AND topic = ? AND partition = ?"
                    " AND next = ? AND member = ? AND generation = ?",
                    (
                        *(following, self.group, self.topic.id, partition),
                        *(expected, self.member, self._held.get(partition, -1)),
                    ),
                ).rowcount
                if moved != 1:
                    self._next_look = 0.0
                    raise OffsetConflict(
                        f"group {self.group!r} no longer stands at {expected} in {topic}/{partition} for this member: "
                        "somebody else moved it or took the partition over"
                    )

    def pause(self, partition: int) -> None:
        self._check_held(partition)
        self._paused.add(partition)

    def resume(self, partition: int) -> None:
        self._paused.discard(partition)
        self._stale = True

    def stay(self, timeout: float) -> bool:
        """Raises as `poll` does. A commit is possible at any time here."""
        deadline = time.monotonic() + timeout
        while True:
            self._settle()
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            self._log.wait(min(left, LONGEST_SLEEP))

    def close(self) -> None:
        """Leaves the group: the others take its partitions over at once."""
        if self._closed:
            return
        self._closed = True
        self._log.heart.remove(self)
        try:
            self._give_back(frozenset(self._held))
            with self._log.writer.transaction("leave the group") as connection:
                connection.execute("DELETE FROM member WHERE id = ?", (self.member,))
        except (Transient, LogUnusable) as error:
            logger.warning("group_not_left", group=self.group, topic=self.topic.name, error=type(error).__name__)
        finally:
            self._reader.close()
            self._log.closed(self)

    def abandon(self) -> None:
        """Ends as a crash would: the group finds out when the session is over."""
        self._closed = True
        self._log.heart.remove(self)
        self._reader.close()

    def beat(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO member (id, grp, topic, host, pid, started, seen) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET seen = excluded.seen",
            (self.member, self.group, self.topic.id, *_this_process(), self._log.clock.wall()),
        )

    def _fetch(self, max_records: int) -> list[LogRecord]:
        version: int = self._reader.execute("PRAGMA data_version").fetchone()[0]
        if version == self._version and not self._stale:
            return []
        name, records = self.topic.name, list[LogRecord]()
        order = sorted(self._positions.keys() - self._paused)
        self._turn += 1
        for step in range(len(order)):
            partition = order[(self._turn + step) % len(order)]
            rows = self._reader.execute(
                f"SELECT id, key, value, time FROM {self.topic.table(partition)} WHERE id >= ? ORDER BY id LIMIT ?",
                (self._positions[partition], max_records - len(records)),
            ).fetchall()
            if rows:
                self._positions[partition] = rows[-1][0] + 1
                records += [LogRecord(name, partition, *row) for row in rows]
                if len(records) >= max_records:
                    break
        self._version, self._stale = version, bool(records)
        return records

    def _settle(self) -> None:
        """Take a fair share of the partitions, give back what is too much, notice what was taken away."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self._log.settings.rebalance / SECOND
            with speaking(self._log.path, "read"):
                view = self._view(self._reader)
            self._drop({p for p, generation in self._held.items() if view.leases.get(p) != (self.member, generation)})
            release, claim = share(self.topic.partitions, view.owners(), view.living, self.member)
            self._give_back(release)
            if claim or view.overdue:
                self._claim()
        waiting = frozenset(self._held.keys() - self._positions.keys())
        if waiting:
            self._start(waiting)

    def _claim(self) -> None:
        with self._log.writer.transaction("join the group") as connection:
            self.beat(connection)
            view = self._view(connection)
            _, claim = share(self.topic.partitions, view.owners(), view.living, self.member)
            claimed = {p: (view.leases[p][1] if p in view.leases else 0) + 1 for p in claim}
            connection.executemany(
                "INSERT INTO progress (grp, topic, partition, next, member, generation) VALUES (?, ?, ?, 0, ?, ?)"
                " ON CONFLICT (grp, topic, partition)"
                " DO UPDATE SET member = excluded.member, generation = excluded.generation",
                [(self.group, self.topic.id, p, self.member, generation) for p, generation in claimed.items()],
            )
            for dead in view.dead:
                connection.execute("DELETE FROM member WHERE id = ?", (dead,))
        self._held |= claimed
        self._log.heart.add(self)

    def _start(self, partitions: frozenset[int]) -> None:
        """Find where to start. An error leaves the partitions waiting, so that the next poll asks again."""
        kept = self._on_assigned(partitions) if self._on_assigned else None
        if kept:
            self._adopt({p: kept[p] for p in partitions if p in kept})
        stored = self._log.committed(self.group, self.topic.name)
        for partition in partitions:
            start = kept.get(partition) if kept else None
            self._positions[partition] = stored.get(partition, 0) if start is None else start
        self._stale = True

    def _adopt(self, offsets: Mapping[int, int]) -> None:
        ends = self._log.bounds(self.topic.name)
        for partition, offset in offsets.items():
            if not 0 <= offset <= ends[partition][1]:
                raise OffsetOutside(
                    f"group {self.group!r} stands at {offset} in {self.topic.name}/{partition}, but {self._log.path} "
                    f"ends at {ends[partition][1]}: the log is not the one that this offset belongs to; "
                    "restore the right one, or decide with `clamor offsets` where to go on"
                )
        with self._log.writer.transaction("note offsets") as connection:
            connection.executemany(
                "UPDATE progress SET next = ?"
                " WHERE grp = ? AND topic = ? AND partition = ? AND member = ? AND generation = ?",
                [(o, self.group, self.topic.id, p, self.member, self._held[p]) for p, o in offsets.items()],
            )

    def _give_back(self, partitions: frozenset[int]) -> None:
        held = {p: self._held[p] for p in partitions if p in self._held}
        if not held:
            return
        if self._on_revoked:
            self._on_revoked(frozenset(held))
        with self._log.writer.transaction("give partitions back") as connection:
            connection.executemany(
                "UPDATE progress SET member = NULL"
                " WHERE grp = ? AND topic = ? AND partition = ? AND member = ? AND generation = ?",
                [(self.group, self.topic.id, p, self.member, generation) for p, generation in held.items()],
            )
        self._forget(partitions)

    def _drop(self, partitions: set[int]) -> None:
        if partitions:
            logger.warning("partitions_lost", group=self.group, topic=self.topic.name, partitions=sorted(partitions))
            self._forget(partitions)
            if self._on_revoked:
                self._on_revoked(frozenset(partitions))

    def _forget(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._held.pop(partition, None)
            self._positions.pop(partition, None)
            self._paused.discard(partition)

    def _view(self, connection: sqlite3.Connection) -> _View:
        wall, session = self._log.clock.wall(), self._log.settings.session
        living, dead, overdue = list[str](), list[str](), True
        for member, host, pid, started, seen in connection.execute(
            "SELECT id, host, pid, started, seen FROM member WHERE grp = ? AND topic = ?", (self.group, self.topic.id)
        ).fetchall():
            if member == self.member:
                overdue = abs(wall - seen) > session / 2
                living.append(member)
            elif abs(wall - seen) <= session and _may_live(host, pid, started):
                living.append(member)
            else:
                dead.append(member)
        rows = connection.execute(
            "SELECT partition, member, generation FROM progress WHERE grp = ? AND topic = ?",
            (self.group, self.topic.id),
        )
        leases = {partition: (member, generation) for partition, member, generation in rows}
        return _View(living, dead, overdue, leases)

    def _check_held(self, partition: int) -> None:
        if partition not in self._positions:
            raise ValueError(f"{self.topic.name}/{partition} is not assigned to this member of group {self.group!r}")


def share(
    partitions: int, owners: Mapping[int, str], living: Sequence[str], me: str
) -> tuple[frozenset[int], frozenset[int]]:
    """(what `me` gives back, what it takes) for a fair and sticky division.

    Every member reckons the same from the same rows: partitions // members each, and one more for those that hold
    the most already. Only what nobody living holds is taken.
    """
    members = set(living) | {me}
    held: dict[str, list[int]] = {member: [] for member in members}
    free: list[int] = []
    for partition in range(partitions):
        owner = owners.get(partition, "")
        held.get(owner, free).append(partition)
    fewest, more = divmod(partitions, len(members))
    ranked = sorted(members, key=lambda member: (-len(held[member]), member))
    quota = fewest + (ranked.index(me) < more)
    mine = held[me]
    return frozenset(mine[quota:]), frozenset(free[: max(0, quota - len(mine))])


class Heart:
    """Says every third of a session that this process's members live, also while a stage is busy or waits."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log = log
        self._members: set[EmbeddedConsumer] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, consumer: EmbeddedConsumer) -> None:
        with self._lock:
            self._members.add(consumer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log-heart", daemon=True)
                self._thread.start()

    def remove(self, consumer: EmbeddedConsumer) -> None:
        with self._lock:
            self._members.discard(consumer)

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._log.settings.session / SECOND / 3):
            # Under the lock, so that nobody who has left is said to live.
            with self._lock:
                if self._members:
                    self._beat()

    def _beat(self) -> None:
        try:
            with self._log.writer.transaction("say that it lives") as connection:
                for member in self._members:
                    member.beat(connection)
        except Exception as error:
            # A thread that ended here would cost all members of the process their partitions, again and again.
            logger.warning("heartbeat_missed", path=str(self._log.path), error=type(error).__name__)


class _View(NamedTuple):
    living: list[str]
    dead: list[str]
    overdue: bool
    """This member is unknown yet, or was not heard of for half a session."""
    leases: dict[int, tuple[str | None, int]]

    def owners(self) -> dict[int, str]:
        return {partition: member for partition, (member, _) in self.leases.items() if member}


def _this_process() -> tuple[str, int, str]:
    return _host(), *process.this_process()


def _host() -> str:
    """Two processes with the same one see each other's process ids."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{socket.gethostname()}/{space}"


def _may_live(host: str, pid: int, started: str) -> bool:
    """False only where the process is known to be dead, so that its partitions need not wait for the session's end."""
    return host != _host() or process.runs(pid, started)
