"""A file of counts, `timestamp,value`, as steps of one width, row by row."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice, pairwise
from typing import Final, NamedTuple

TIMESTAMP, VALUE = "timestamp", "value"
AHEAD: Final = 200
"""Rows whose time stamps show how wide a step is."""
MINUTE: Final = 60.0
LARGEST: Final = 1e12


class Unreadable(Exception):
    """A line that can't be understood; the message names the line, the value and the way out."""


class Row(NamedTuple):
    timestamp: str
    """As it stands in the file."""
    minute: float
    """Since 1970, UTC."""
    value: float | None
    """None where the file says that it isn't known."""


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """The rows in their order, one at a time.

    Raises:
        Unreadable: at the first line that isn't understood, or doesn't come after the one before.
    """
    reader = csv.reader(lines)
    head = [name.strip().lower() for name in next(reader, [])]
    for name in (TIMESTAMP, VALUE):
        if head.count(name) != 1:
            held = ", ".join(head) or "nothing"
            raise Unreadable(
                f"line 1: no column {name!r} (there is: {held}); the first line names the columns: {TIMESTAMP},{VALUE}"
            )
    at, count = head.index(TIMESTAMP), head.index(VALUE)
    last: Row | None = None
    for cells in _cells(reader):
        if not cells:
            continue
        if len(cells) <= max(at, count):
            raise Unreadable(
                f"line {reader.line_num}: {','.join(cells)[:60]!r} has too few columns; a row is {TIMESTAMP},{VALUE}"
            )
        row = Row(cells[at], _minute(cells[at], reader.line_num), _value(cells[count], reader.line_num))
        if last is not None and row.minute <= last.minute:
            raise Unreadable(
                f"line {reader.line_num}: {row.timestamp!r} doesn't come after {last.timestamp!r}, the row before; "
                "sort the file by time, each time once (local times that go back in autumn need their offset)"
            )
        yield row
        last = row


def stepped(rows: Iterable[Row]) -> tuple[float, Iterator[Row]]:
    """How many minutes a step is wide, and the rows again.

    Raises:
        Unreadable: fewer than three rows, or no distance that most time stamps keep.
    """
    rows = iter(rows)
    first = list(islice(rows, AHEAD))
    return _width(first), chain(first, rows)


def _cells(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line = getattr(reader, "line_num", 0)
            raise Unreadable(f"line {line}: {error}; save the file as plain CSV, in UTF-8") from None


def _minute(text: str, line: int) -> float:
    """Of ISO 8601 (UTC where it says nothing else), or of seconds since 1970."""
    text = text.strip()
    try:
        if text.isdecimal():
            seconds = datetime.fromtimestamp(int(text), UTC).timestamp()
        else:
            at = datetime.fromisoformat(text)
            seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise Unreadable(
            f"line {line}: {text[:60]!r} is no time; write 2026-11-27T09:30:00Z, or with an offset (+01:00), "
            "or seconds since 1970"
        ) from None
    return seconds / MINUTE


def _value(text: str, line: int) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LARGEST:
        raise Unreadable(
            f"line {line}: {text[:60]!r} is no count; write a number from 0 to {LARGEST:.0e}, "
            "and nothing at all where it isn't known"
        )
    return value


def _width(rows: Sequence[Row]) -> float:
    if len(rows) < 3:
        raise Unreadable(f"{len(rows)} rows: the width of a step can't be told from fewer than 3")
    apart = Counter(round((after.minute - before.minute) * MINUTE) for before, after in pairwise(rows))
    width, times = apart.most_common(1)[0]
    if width < 1 or times * 2 < len(rows) - 1:
        raise Unreadable(
            f"the first {len(rows)} time stamps keep no common distance "
            f"({width} s is the most frequent, {times} times); "
            "count the posts by minute or by hour first: one row a step, zeros included"
        )
    return width / MINUTE
