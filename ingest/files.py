"""Posts out of files: `clamor replay FILE…`, as fast as possible or at the pace of the days they tell of.

Every row is counted: `read` = `appended` + `dead` + `skipped`. What cannot be a post goes to the dead letters with file
and line, the rest goes on. A replay that was killed goes on where its cursor stands; a row that was already appended
may be appended again then, under the same id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from threading import Event
from typing import NamedTuple

import msgspec
import structlog

from ingest.collector import Span
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.foreign import FileReport, ForeignFile, Options, network_of
from ingest.mapping import Unmapped, parse_map
from ingest.order import ByTime
from ingest.patience import Hold, Stopped, held, insist
from ingest.reading import STDIN, Row, Unreadable
from stream.away import post_goes
from stream.clock import DAY, Clock, WallClock
from stream.ports import POSTS, Append, Log
from stream.records import Coverage, Millis

__all__ = [
    "FileReport", "Options", "Progress", "ReplayReport", "Survey", "Unmapped", "Unreadable", "network_of", "parse_map",
    "replay", "survey",
]  # fmt: skip

BATCH_BYTES = 4 * 1_048_576
CURSOR_EVERY = 10
"""Batches between two writings of the cursor: what a killed replay appends again at most."""
SHORTEST_WAIT = 0.02

AHEAD: Millis = 366 * DAY
"""How far ahead of the wall clock a post may lie to be played at a pace."""

_log = structlog.get_logger(__name__)


class ReplayReport(NamedTuple):
    read: int
    appended: int
    dead: int
    skipped: int
    """Rows that an earlier, interrupted replay had done."""
    first: Millis | None
    last: Millis | None
    """Oldest and newest event time appended."""
    stopped: bool
    files: tuple[FileReport, ...]


class Progress(NamedTuple):
    name: str
    read: int
    appended: int
    dead: int
    skipped: int
    share: float | None
    """Of the present file's bytes; None where unknown."""


class Survey(NamedTuple):
    posts: int
    dead: int
    first: Millis | None
    last: Millis | None


def replay(
    paths: Sequence[Path],
    log: Log,
    clock: Clock,
    options: Options | None = None,
    *,
    cursors: Cursors | None = None,
    ledger: Ledger | None = None,
    progress: Callable[[Progress], None] | None = None,
    hold: Hold | None = None,
    stop: Event | None = None,
) -> ReplayReport:
    """Append every post of the files (`-` is standard input) to topic `posts`; returns what was done when all are read,
    or when `stop` was set.

    `hold` holds it back while it gives a reason; with `cursors` an interrupted replay goes on where it was. Raises
    Unreadable and Unmapped before anything is appended (for standard input: when it is its turn).
    """
    options = options or Options()
    run = _Run(log, clock, options, cursors, ledger, progress, hold or (lambda: None), stop or Event())
    files = [ForeignFile(path, options) for path in paths]
    for file in files:
        if file.path != STDIN:
            with file.opened():
                pass
            file.notes.clear()
    try:
        if options.paced:
            run.paced(files)
        else:
            for file in files:
                run.imported(file)
    except Stopped:
        run.stopped = True
    return run.report(files)


def survey(paths: Sequence[Path], options: Options | None = None) -> Survey:
    """How many posts files hold, and their first and last time (where a simulated clock starts); appends nothing.

    Raises Unreadable and Unmapped; standard input cannot be surveyed.
    """
    options = options or Options()
    posts = dead = 0
    latest = WallClock().wall() + AHEAD
    first: Millis | None = None
    last: Millis | None = None
    for path in paths:
        if path == STDIN:
            raise Unreadable(
                "standard input cannot be read twice, which a simulated clock needs; save it to a file first"
            )
        file = ForeignFile(path, options)
        with file.opened() as (reading, mapping):
            for row in reading.rows():
                entry = file.entry(row, mapping, latest)
                if entry.due is None:
                    dead += 1
                    continue
                posts += 1
                first = entry.due if first is None else min(first, entry.due)
                last = entry.due if last is None else max(last, entry.due)
    return Survey(posts, dead, first, last)


class _Run:
    def __init__(
        self,
        log: Log,
        clock: Clock,
        options: Options,
        cursors: Cursors | None,
        ledger: Ledger | None,
        progress: Callable[[Progress], None] | None,
        hold: Hold,
        stop: Event,
    ) -> None:
        self.log, self.clock, self.options = log, clock, options
        self.cursors, self.ledger = cursors, ledger
        self.progress, self.hold, self.stop = progress, hold, stop
        self.stopped = False

    # --- as fast as possible ---

    def imported(self, file: ForeignFile) -> None:
        name, done = self._resumed([file])
        with file.opened() as (reading, mapping):
            rows = reading.rows()
            file.read = file.skipped = sum(1 for _ in islice(rows, done))
            for batches, batch in enumerate(_batches(rows, self.options.batch), 1):
                now = self.clock.now()
                entries = [file.entry(row, mapping, now) for row in batch]
                self._append([entry.record for entry in entries])
                file.read += len(batch)
                for entry in entries:
                    file.count(entry)
                if name and batches % CURSOR_EVERY == 0:
                    self._note(name, file.read)
                self._tell(file, reading.share_read())
        self._finished(name, [file])

    # --- at the pace of the clock ---

    def paced(self, files: Sequence[ForeignFile]) -> None:
        name, done = self._resumed(files)
        order = ByTime()
        try:
            for index, file in enumerate(files):
                self._sorted_in(file, index, order)
            released = 0
            for batch in self._due(order, done, files):
                self._append([record for _, record in batch])
                released += len(batch)
                for index, _ in batch:
                    files[index].appended += 1
                if name:
                    self._note(name, done + released)
                self._tell(files[batch[-1][0]], (done + released) / max(order.count, 1))
        finally:
            order.close()
        self._finished(name, files)

    def _sorted_in(self, file: ForeignFile, index: int, order: ByTime) -> None:
        with file.opened() as (reading, mapping):
            latest = self.clock.wall() + AHEAD
            for batch in _batches(reading.rows(), self.options.batch):
                dead: list[Append] = []
                for row in batch:
                    entry = file.entry(row, mapping, latest)
                    file.read += 1
                    file.mended.update(entry.notes)
                    if entry.due is None:
                        dead.append(entry.record)
                        continue
                    file.first = entry.time if file.first is None else min(file.first, entry.time)
                    file.last = entry.time if file.last is None else max(file.last, entry.time)
                    order.put(entry.due, msgspec.msgpack.encode((index, entry.record.key, entry.record.value)))
                if dead:
                    self._append(dead)
                    file.dead += len(dead)

    def _due(self, order: ByTime, done: int, files: Sequence[ForeignFile]) -> Iterator[list[tuple[int, Append]]]:
        """Batches of (file, record), each once the clock shows the time of its posts."""
        batch: list[tuple[int, Append]] = []
        speed = getattr(self.clock, "speed", 1.0)
        for place, timed in enumerate(order):
            index, key, value = msgspec.msgpack.decode(timed.value)
            if place < done:
                files[index].skipped += 1
                continue
            ahead = timed.time - self.clock.now()
            if batch and (ahead > 0 or len(batch) >= self.options.batch):
                yield batch
                batch = []
                ahead = timed.time - self.clock.now()
            while ahead > 0:
                if self.stop.wait(max(SHORTEST_WAIT, min(ahead / speed / 1000, 0.25))):
                    raise Stopped
                ahead = timed.time - self.clock.now()
            batch.append((index, Append(POSTS, key, value)))
        if batch:
            yield batch

    # --- both ---

    def _append(self, records: Sequence[Append]) -> None:
        if self.stop.is_set():
            raise Stopped
        if self.hold() is not None and not all(post_goes(record.value) for record in records):
            held(self.hold, self.stop)
        insist(lambda: self.log.append(records), self.stop)

    def _resumed(self, files: Sequence[ForeignFile]) -> tuple[str, int]:
        """(name of the cursor, rows already done); no name where there is nothing to remember by."""
        if self.cursors is None or not self.options.resume or any(file.path == STDIN for file in files):
            return "", 0
        name = "+".join(file.identity() for file in files)
        if len(files) > 1:
            name = hashlib.blake2b(name.encode(), digest_size=12).hexdigest()
        done = int(self.cursors.get(self.options.source_id, name) or 0)
        if done:
            files[0].notes.append(f"an interrupted replay had done {done:,} rows; it goes on behind them")
        return name, done

    def _note(self, name: str, done: int) -> None:
        assert self.cursors is not None
        self.cursors.put(self.options.source_id, name, str(done), self.clock.wall())

    def _finished(self, name: str, files: Sequence[ForeignFile]) -> None:
        """The ledger's rows. The cursor goes, so that the same files can be replayed from their start again."""
        for file in files if self.ledger is not None else ():
            if file.first is not None and file.last is not None:
                self._cover(file, Span(file.first, file.last + 1))
        if name and self.cursors is not None:
            self.cursors.drop(self.options.source_id, name)

    def _cover(self, file: ForeignFile, span: Span) -> None:
        assert self.ledger is not None
        row = Coverage(
            source_id=self.options.source_id,
            since=span.since,
            until=span.until,
            state="complete",
            received=file.appended + file.skipped,
            kept=file.appended + file.skipped,
            missed=0,
            refused=file.dead,
            reason=f"{file.dead:,} rows of the file were refused" if file.dead else "",
            recorded_at=self.clock.wall(),
        )
        self.ledger.record(row, part=file.place, brands=self.options.brands)

    def _tell(self, file: ForeignFile, share: float | None) -> None:
        if self.progress is not None:
            self.progress(Progress(file.place, file.read, file.appended, file.dead, file.skipped, share))

    def report(self, files: Sequence[ForeignFile]) -> ReplayReport:
        firsts = [file.first for file in files if file.first is not None]
        lasts = [file.last for file in files if file.last is not None]
        if self.stopped and self.options.paced:
            for file in files:
                file.read = file.appended + file.dead + file.skipped
        report = ReplayReport(
            sum(file.read for file in files),
            sum(file.appended for file in files),
            sum(file.dead for file in files),
            sum(file.skipped for file in files),
            min(firsts, default=None),
            max(lasts, default=None),
            self.stopped,
            tuple(file.report() for file in files),
        )
        _log.info(
            "ingest.replayed", read=report.read, appended=report.appended, dead=report.dead, skipped=report.skipped
        )
        return report


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Lists of at most `size` rows and little more than BATCH_BYTES."""
    batch: list[Row] = []
    held = 0
    for row in rows:
        batch.append(row)
        held += len(row.raw)
        if len(batch) >= size or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
