"""Any number of records in the order of their times, with bounded memory: sorted runs on disk, merged."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from stream.records import Millis

RUN = 50_000
"""Records held in memory at once (about 50 MB of ordinary posts)."""
MOST_RUNS = 400
"""Open files: 20 million records at most."""

_FRAME = struct.Struct("<qqI")


class Timed(NamedTuple):
    time: Millis
    number: int
    """Place of arrival: records of one time keep it."""
    value: bytes


class TooMany(Exception):
    """More records than can be brought into order at once."""


class ByTime:
    """Put records in any order, then iterate over them by (time, arrival). Close it to remove the runs."""

    def __init__(self, run: int = RUN) -> None:
        self._run = run
        self._held: list[Timed] = []
        self._files: list[BinaryIO] = []
        self.count = 0

    def put(self, time: Millis, value: bytes) -> None:
        """Raises TooMany past MOST_RUNS runs."""
        self._held.append(Timed(time, self.count, value))
        self.count += 1
        if len(self._held) >= self._run:
            self._spill()

    def __iter__(self) -> Iterator[Timed]:
        self._held.sort()
        return heapq.merge(*(_read(file) for file in self._files), self._held)

    def close(self) -> None:
        for file in self._files:
            file.close()
        self._files.clear()
        self._held.clear()

    def _spill(self) -> None:
        if len(self._files) >= MOST_RUNS:
            raise TooMany(f"more than {MOST_RUNS * self._run:,} posts cannot be brought into order at once")
        self._held.sort()
        file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 (closed by close)
        self._files.append(file)
        for time, number, value in self._held:
            file.write(_FRAME.pack(time, number, len(value)))
            file.write(value)
        self._held.clear()


def _read(file: BinaryIO) -> Iterator[Timed]:
    file.seek(0)
    while head := file.read(_FRAME.size):
        time, number, size = _FRAME.unpack(head)
        yield Timed(time, number, file.read(size))
