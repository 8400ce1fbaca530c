"""Files that people or programs put into a folder: read once each, and on from where they ended when they grow."""

from __future__ import annotations

import glob
from pathlib import Path
from threading import Event

import msgspec
import structlog

from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.files import Options, ReplayReport, Unmapped, Unreadable, replay
from ingest.patience import Hold
from stream.clock import SECOND, Clock
from stream.ports import Log
from stream.records import Millis

LOOK_EVERY: Millis = 5 * SECOND
MOST_FILES = 10_000

_log = structlog.get_logger(__name__)


class Folder:
    """One file source of the configuration. `troubles` says by file what a person has to mend."""

    def __init__(
        self,
        pattern: Path,
        log: Log,
        clock: Clock,
        cursors: Cursors,
        ledger: Ledger,
        options: Options,
        *,
        hold: Hold | None = None,
        stop: Event | None = None,
    ) -> None:
        """`pattern` may have `*`, `?` and `**`. A file is best written under another name and renamed when whole."""
        self.pattern, self.log, self.clock = pattern, log, clock
        self.cursors, self.ledger = cursors, ledger
        self.options = msgspec.structs.replace(options, paced=False, resume=True, follow=True)
        self.hold, self.stop = hold, stop or Event()
        self.troubles: dict[str, str] = {}
        self._known: dict[Path, tuple[int, int]] = {}

    def run(self, every: Millis = LOOK_EVERY) -> None:
        """Look into the folder until stopped."""
        while not self.stop.is_set():
            self.look()
            self.stop.wait(every / 1000)

    def look(self) -> list[ReplayReport]:
        """Read what is new since the last look, in order of name; a file that cannot be read does not stop the rest."""
        reports = []
        names = sorted(glob.glob(str(self.pattern), recursive=True))  # noqa: PTH207 (absolute patterns)
        for path in map(Path, names[:MOST_FILES]):
            if self.stop.is_set():
                break
            report = self._read(path)
            if report is not None:
                reports.append(report)
        return reports

    def _read(self, path: Path) -> ReplayReport | None:
        try:
            state = path.stat()
        except OSError:
            return None
        now = (state.st_size, state.st_mtime_ns)
        if state.st_size == 0 or not path.is_file() or self._known.get(path) == now:
            return None
        try:
            report = replay(
                [path], self.log, self.clock, self.options,
                cursors=self.cursors, ledger=self.ledger, hold=self.hold, stop=self.stop,
            )  # fmt: skip
        except (Unreadable, Unmapped) as fault:
            if self.troubles.get(str(path)) != str(fault):
                _log.error("ingest.file_refused", source=self.options.source_id, file=str(path))
            self.troubles[str(path)] = str(fault)
            self._known[path] = now
            return None
        self.troubles.pop(str(path), None)
        if not report.stopped:
            self._known[path] = now
        return report
