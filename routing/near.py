"""Which posts of late say nearly the same, by fingerprint: the entries of table `cluster_post`, held in memory.

Two fingerprints that differ in at most 7 of 64 bits have one of four stretches of 16 bits in which at most one bit
differs, so that 68 looks into tables of 65,536 places find every pair (Norouzi, Punjani and Fleet 2012). SQL is the
truth: this follows it by the rows' ascending numbers, and what it finds has to be looked up there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from database.engine import rows
from stream.clock import DAY
from stream.records import Millis

REACH = 7
"""Bits in which near copies may differ; docs/near-copies.md says what was measured. The look-up is complete for 7."""
WINDOW: Millis = 14 * DAY
MOST_IN_PLACE = 512
"""Entries of one place of one table that are looked at, the newest ones: what a flood made to collide costs at most."""
MOST_NEAR = 16
"""Entries that are looked at more closely, the nearest ones."""

_STRETCHES, _WIDTH = 4, 16
_FRESH = 512
"""Fewer entries are compared one by one and have no tables."""
_GROWTH = 4
_AT_ONCE = 512
_FEW = 64

Prints: TypeAlias = npt.NDArray[np.uint64]
Ints: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
_Places: TypeAlias = npt.NDArray[np.int32]


class Entry(NamedTuple):
    """A row of `cluster_post` by which its cluster is found. `fingerprint` is signed."""

    n: int
    cluster: int
    fingerprint: int
    at: Millis


class Near:
    """The entries that one process knows of, committed ones alone, so that a rollback leaves it right."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._last = 0
        self._gone: set[int] = set()

    def follow(self, connection: Connection) -> None:
        """Take in what was committed since the last call. Call it before `connection` writes rows of its own."""
        first = rows(connection, "SELECT min(n) FROM cluster_post")[0][0] or 0
        while found := rows(connection, _AFTER, (self._last, _MANY)):
            self._last = found[-1][0]
            self._add(_Run(np.array(found, dtype=np.int64).reshape(-1, 4)), first)

    def of(self, asked: Sequence[tuple[int, Millis]]) -> list[list[Entry]]:
        """For each (fingerprint, time) the entries within REACH and WINDOW of it, at most MOST_NEAR: the nearest, of
        equally near ones those of the clusters that began first."""
        found: list[list[Entry]] = [[] for _ in asked]
        if not asked or not self._runs:
            return found
        prints = np.array([fingerprint for fingerprint, _ in asked], dtype=np.int64).view(np.uint64)
        times = np.array([at for _, at in asked], dtype=np.int64)
        near = np.concatenate([run.near(prints, times) for run in self._runs])
        if not len(near):
            return found
        if self._gone:
            near = near[~np.isin(near[:, 2], np.fromiter(self._gone, np.int64, len(self._gone)))]
        near = near[np.lexsort((near[:, 2], near[:, 3], near[:, 1], near[:, 0]))]
        rank = np.arange(len(near)) - np.searchsorted(near[:, 0], near[:, 0])
        for place, _, *entry in near[rank < MOST_NEAR].tolist():
            found[place].append(Entry(*entry))
        return found

    def lose(self, numbers: Iterable[int]) -> None:
        """SQL no longer has these rows as entries."""
        self._gone.update(numbers)

    def _add(self, run: _Run, first: int) -> None:
        while self._runs and len(self._runs[-1]) < _GROWTH * len(run):
            run = self._runs.pop().with_(run, first, self._gone)
        self._runs.append(run)
        if len(self._runs) == 1:
            self._gone.clear()


_MANY = 50_000
_AFTER = "SELECT n, cluster, fingerprint, event_time FROM cluster_post WHERE n > ? AND entry = 1 ORDER BY n LIMIT ?"


class _Run:
    """Entries by ascending number, with tables where they are many."""

    def __init__(self, found: Ints) -> None:
        """`found`: a row (number, cluster, fingerprint, time) each."""
        self._names: Ints = np.ascontiguousarray(found[:, :2])
        self._prints: Prints = np.ascontiguousarray(found[:, 2]).view(np.uint64)
        self._times: Ints = np.ascontiguousarray(found[:, 3])
        # Of few entries the upper bits of a stretch do: where one bit of all differs, at most one of these does.
        self._bits = min(_WIDTH, len(found).bit_length())
        self._masks: Ints = np.array([0, *(1 << bit for bit in range(self._bits))], dtype=np.int64)
        self._tables = [self._table(stretch) for stretch in range(_STRETCHES)] if len(found) >= _FRESH else []

    def __len__(self) -> int:
        return len(self._prints)

    def with_(self, later: _Run, first: int, gone: set[int]) -> _Run:
        """Both as one, without those that went."""
        both = np.concatenate((self._found(), later._found()))
        keep = both[:, 0] >= first
        if gone:
            keep &= ~np.isin(both[:, 0], np.fromiter(gone, np.int64, len(gone)))
        return _Run(both[keep])

    def _found(self) -> Ints:
        return np.column_stack((self._names, self._prints.view(np.int64), self._times))

    def near(self, prints: Prints, times: Ints) -> Ints:
        """(place in `prints`, distance, number, cluster, fingerprint, time) of each pair within REACH and WINDOW."""
        places, rows = self._looked_up(prints) if self._tables else self._compared(prints)
        timely = np.flatnonzero(np.abs(self._times[rows] - times[places]) <= WINDOW)
        if not len(timely):
            return np.zeros((0, 6), np.int64)
        pairs = np.unique(places[timely] * len(self) + rows[timely])
        places, rows = np.divmod(pairs, len(self))
        apart = np.bitwise_count(self._prints[rows] ^ prints[places]).astype(np.int64)
        return np.column_stack((places, apart, self._names[rows], self._prints[rows].view(np.int64), self._times[rows]))

    def _compared(self, prints: Prints) -> tuple[Ints, Ints]:
        places, rows = np.nonzero(np.bitwise_count(self._prints[None, :] ^ prints[:, None]) <= REACH)
        return places, rows

    def _looked_up(self, prints: Prints) -> tuple[Ints, Ints]:
        """Pairs within REACH, some of them several times."""
        found: list[tuple[Ints, Ints]] = []
        for first in range(0, len(prints), _AT_ONCE):
            some = prints[first : first + _AT_ONCE]
            looks = len(self._masks)
            for stretch, (starts, order) in enumerate(self._tables):
                places = (self._stretch(some, stretch)[:, None] ^ self._masks[None, :]).ravel()
                ends = starts[places + 1]
                counts = np.minimum(ends - starts[places], MOST_IN_PLACE)
                sums = np.cumsum(counts, dtype=np.int32)
                shifts = np.repeat(ends - sums, counts)
                rows = order[np.arange(len(shifts), dtype=np.int32) + shifts]
                asking = np.repeat(np.arange(len(some)), np.diff(sums[looks - 1 :: looks], prepend=0))
                close = np.flatnonzero(np.bitwise_count(self._prints[rows] ^ some[asking]) <= REACH)
                found.append((asking[close] + first, rows[close].astype(np.int64)))
        return np.concatenate([asking for asking, _ in found]), np.concatenate([rows for _, rows in found])

    def _table(self, stretch: int) -> tuple[_Places, _Places]:
        """(where each place begins, rows in order of place and number)."""
        values = self._stretch(self._prints, stretch)
        order = np.argsort(values.astype(np.uint16), kind="stable").astype(np.int32)
        starts = np.zeros((1 << self._bits) + 1, np.int32)
        np.cumsum(np.bincount(values, minlength=1 << self._bits), out=starts[1:])
        return starts, order

    def _stretch(self, prints: Prints, stretch: int) -> Ints:
        shift = _WIDTH * (stretch + 1) - self._bits
        return ((prints >> np.uint64(shift)) & np.uint64((1 << self._bits) - 1)).astype(np.int64)


def among(fingerprints: Sequence[int]) -> Flags:
    """Which of these are within REACH of which, themselves included."""
    prints = np.array(fingerprints, dtype=np.int64).view(np.uint64)
    found = np.zeros((len(prints), len(prints)), bool)
    for first in range(0, len(prints), _FEW):
        some = slice(first, first + _FEW)
        found[some] = np.bitwise_count(prints[None, :] ^ prints[some, None]) <= REACH
    return found


def distance(one: int, other: int) -> int:
    """In how many of 64 bits two fingerprints (signed integers) differ."""
    return ((one ^ other) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()
