"""Delimited text (RFC 4180 and its relatives), one record at a time, with records over several lines, and bounded.

A quote that is opened and never closed would swallow all that follows: when a record grows past the limit, or past the
end of the file, only its first line is given up and reading goes on with the second.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ingest.reading import Line

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_LINES = 100
HEADER_ROWS = 50
"""Rows that may stand above a header that is looked for: a title, who made the export, for which days."""

csv.field_size_limit(max(csv.field_size_limit(), 2_097_152))


class Cells(NamedTuple):
    line: int
    raw: bytes
    values: dict[str, object] | None
    problem: str = ""
    error: str = ""


class NoHeader(Exception):
    """None of the first rows is the header that was looked for; holds how many there were."""


class Table:
    """The rows below a header line: the first, or where `is_header` is given, the first of which it holds. `delimiter`
    is found from the first lines unless it is given."""

    def __init__(
        self,
        lines: Iterator[Line],
        text: Callable[[bytes], str],
        delimiter: str | None,
        limit: int,
        is_header: Callable[[list[str]], bool] | None = None,
    ) -> None:
        self._feed, self._is_header = _Feed(lines, text, limit), is_header
        self.header_line = 0
        head = self._feed.ahead(SNIFFED_LINES)
        if head and head[0].lower().startswith("sep=") and len(head[0].rstrip("\n")) == 5:
            delimiter = delimiter or head[0][4]
            self._feed.drop()
            head = head[1:]
        self.delimiter = delimiter or (is_header and _fitting(head, is_header)) or likely_delimiter(head)

    def rows(self) -> Iterator[Cells]:
        """Raises NoHeader where a header is looked for and none of the first rows is it."""
        feed, passed = self._feed, 0
        reader = csv.reader(feed, delimiter=self.delimiter, skipinitialspace=False)
        header: list[str] = []
        while True:
            feed.begin()
            try:
                cells = next(reader, None)
            except _TooMuch:
                yield self._given_up("the record has too many bytes, or a quote in it is never closed", "TooLong")
                continue
            except csv.Error as fault:
                yield self._given_up(f"the line cannot be split into fields: {fault}", "Error")
                continue
            if cells is None or passed >= HEADER_ROWS:
                if passed and not header:
                    raise NoHeader(passed)
                return
            if not any(cells):
                continue
            if not header and self._is_header is not None and not self._is_header(cells):
                passed += 1
                continue
            if feed.ended_inside and (header or len(feed.pulled) > 1):
                last = len(feed.pulled) == 1 and not feed.pulled[0].whole
                why = "the file ends in half a line" if last else "a quote is opened here and never closed"
                yield self._given_up(why, "HalfALine" if last else "OpenQuote")
                continue
            if not header:
                header, self.header_line = named(cells), feed.pulled[0].number
                continue
            yield self._cells(header, cells)

    def _cells(self, header: list[str], cells: list[str]) -> Cells:
        pulled = self._feed.pulled
        number, raw = pulled[0].number, pulled[0].raw if len(pulled) == 1 else b"\n".join(line.raw for line in pulled)
        if len(cells) > len(header) and any(cells[len(header) :]):
            why = f"the line has {len(cells)} fields and the header {len(header)}; quote texts that hold the delimiter"
            return Cells(number, raw, None, why, "TooManyFields")
        if len(cells) < len(header) and not pulled[-1].whole:
            return Cells(number, raw, None, "the file ends in half a line", "HalfALine")
        return Cells(number, raw, dict(zip(header, cells, strict=False)))

    def _given_up(self, why: str, error: str) -> Cells:
        first = self._feed.give_back()
        return Cells(first.number, first.raw, None, why, error)


def likely_delimiter(lines: list[str]) -> str:
    """What splits the header into at least two, and most lines into as many fields; `,` where nothing does."""
    best, score = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            counts = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        except csv.Error:
            continue
        if counts and counts[0] > 1:
            alike = counts.count(counts[0]) / len(counts)
            if alike * min(counts[0], 20) > score:
                best, score = delimiter, alike * min(counts[0], 20)
    return best


def _fitting(lines: list[str], is_header: Callable[[list[str]], bool]) -> str:
    """The delimiter by which one of the lines is the header; empty where there is none."""
    for delimiter in DELIMITERS:
        try:
            if any(is_header(cells) for cells in csv.reader(lines, delimiter=delimiter)):
                return delimiter
        except csv.Error:
            continue
    return ""


class _TooMuch(Exception):
    pass


class _Feed:
    """The lines as `csv.reader` pulls them; remembers those of the present record, and takes them back."""

    def __init__(self, lines: Iterator[Line], text: Callable[[bytes], str], limit: int) -> None:
        self._lines, self._text, self._limit = lines, text, limit
        self._held: deque[Line] = deque()
        self.pulled: list[Line] = []
        self.ended_inside = False
        self._size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._held.popleft() if self._held else next(self._lines, None)
        if line is None:
            self.ended_inside = bool(self.pulled)
            raise StopIteration
        self.pulled.append(line)
        self._size += line.size
        if self._size > self._limit:
            raise _TooMuch
        return self._shown(line)

    def begin(self) -> None:
        self.pulled, self.ended_inside, self._size = [], False, 0

    def give_back(self) -> Line:
        """The first line of the present record; those after it will be read again."""
        self._held.extendleft(reversed(self.pulled[1:]))
        return self.pulled[0]

    def ahead(self, lines: int) -> list[str]:
        held = 0
        while len(self._held) < lines and held < self._limit and (line := next(self._lines, None)) is not None:
            self._held.append(line)
            held += len(line.raw)
        return [line.raw.decode("utf-8", "replace") + "\n" for line in self._held if line.size <= self._limit]

    def drop(self) -> None:
        self._held.popleft()

    def _shown(self, line: Line) -> str:
        text = self._text(line.raw)
        return (text.replace("\r", " ") if "\r" in text else text) + "\n"


def named(cells: list[str]) -> list[str]:
    """A name for each column; the second `text` is `text_2`. In one pass: a line can hold a million columns."""
    names: dict[str, None] = {}
    times: dict[str, int] = {}
    for place, cell in enumerate(cells, 1):
        name = stated = cell.strip() or f"column {place}"
        while name in names:
            times[stated] = times.get(stated, 1) + 1
            name = f"{stated}_{times[stated]}"
        names[name] = None
    return list(names)
