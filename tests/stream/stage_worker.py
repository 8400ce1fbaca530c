"""A stage whose effects and offsets are in SQL, in a process of its own: `stage_worker.py LOG SQL`.

The tests kill it at any instant. It says `ready` once it runs, and ends in order on SIGTERM.
"""

from __future__ import annotations

import signal
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence

import structlog
from embedded_place import open_embedded

from stream.clock import WallClock
from stream.ports import Append, Commit, LogRecord, OffsetConflict, OffsetOutside
from stream.stage import Stage, StageOptions


class Ledger:
    """Notes each value in a table without any key that would hide a second time."""

    name, topic, group, owns_offsets = "ledger", "posts", "ledger", True

    def __init__(self, path: str) -> None:
        self.sql = sqlite3.connect(path, isolation_level=None, timeout=10)
        self.sql.execute("PRAGMA journal_mode = WAL")
        self.sql.execute("CREATE TABLE IF NOT EXISTS effect (value TEXT NOT NULL)")
        self.sql.execute(
            "CREATE TABLE IF NOT EXISTS place"
            " (partition INTEGER PRIMARY KEY, epoch TEXT NOT NULL, next INTEGER NOT NULL)"
        )
        self.epoch = ""

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: int) -> Sequence[Append]:
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            self.sql.executemany("INSERT INTO effect VALUES (?)", [(record.value.decode(),) for record in records])
            for commit in commits:
                changed = self.sql.execute(
                    "UPDATE place SET next = ? WHERE partition = ? AND next = ?",
                    (commit.next, commit.partition, commit.expected),
                ).rowcount
                if changed == 0:
                    raise OffsetConflict(f"partition {commit.partition} does not stand at {commit.expected}")
            time.sleep(0.002)
            self.sql.execute("COMMIT")
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        return ()

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        stored = {}
        for partition in partitions:
            self.sql.execute("INSERT OR IGNORE INTO place VALUES (?, ?, 0)", (partition, epoch))
            kept, following = self.sql.execute(
                "SELECT epoch, next FROM place WHERE partition = ?", (partition,)
            ).fetchone()
            if kept != epoch:
                raise OffsetOutside(f"partition {partition} belongs to another log")
            stored[partition] = following
        return stored

    def idle(self, now: int) -> None:
        pass

    def close(self) -> None:
        self.sql.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    log = open_embedded(sys.argv[1])
    stage = Stage(log, Ledger(sys.argv[2]), WallClock(), options=StageOptions(max_batch=20, pace=0))
    signal.signal(signal.SIGTERM, lambda *_: stage.stop())
    print("ready", flush=True)
    stage.run()
    log.close()
    print(stage.status().state, flush=True)
