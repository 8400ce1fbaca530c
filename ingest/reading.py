"""Rows out of files as people have them: JSON Lines, a JSON array, delimited text (each plain or gzip-packed), or an
Excel workbook.

Everything is bounded: a line, a record over several lines, the sample that the format is recognised from. What is
broken becomes a row with a problem, and reading goes on after it.
"""

from __future__ import annotations

import codecs
import gzip
import itertools
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Protocol, cast

import msgspec

from ingest import delimited
from ingest.spreadsheet import NoSheet, Sheet, is_workbook

Format = Literal["jsonl", "csv", "json", "xlsx"]

MAX_LINE = 1_048_576
"""Bytes of one record; a longer one is refused whole."""
MAX_ARRAY = 16 * 1_048_576
"""Bytes of a file that is one JSON array: it has to be held in memory."""
SAMPLE_ROWS = 200
SAMPLE_BYTES = 4 * 1_048_576
STDIN = Path("-")

_HEAD = 65_536
_KEPT = 65_536


class Unreadable(Exception):
    """A file that cannot be read at all; the message names it and the way out."""


class Row(NamedTuple):
    """One record of a file, or why there is none at this place."""

    line: int
    """Its first line, counted from 1 (in a JSON array: its place in the array)."""
    raw: bytes
    values: dict[str, object] | None
    problem: str = ""
    error: str = ""


class Line(NamedTuple):
    number: int
    raw: bytes
    """UTF-8 without the line's end; of an over-long line the beginning."""
    size: int
    """Bytes that the line really has."""
    whole: bool
    """It ended with a line break."""


class ByteLines(Protocol):
    def readline(self, size: int = -1, /) -> bytes: ...


class Reading:
    """An open file: its format, columns and rows. Close it, or use it in a `with`."""

    def __init__(
        self,
        path: Path,
        form: Format | None = None,
        delimiter: str | None = None,
        *,
        sheet: str = "",
        header: Callable[[list[str]], bool] | None = None,
        inner: str = "",
    ) -> None:
        """`sheet`: of a workbook; empty: the first with a row. `header` knows the header of a table, which rows may
        stand above; None: the first row is it. `inner`: name of the list that holds the posts of a JSON object."""
        self.path, self.name = path, "standard input" if path == STDIN else str(path)
        self.place = "-" if path == STDIN else str(path)
        self.other_encoding = 0
        """Lines that were not UTF-8 and were read as Windows-1252 (which contains Latin-1's letters)."""
        self.encoding = "UTF-8"
        self.delimiter = delimiter
        self.sheet: Sheet | None = None
        self.header_line = 0
        """Where the header of a table stands, counted from 1; 0: it has none, or it was not read yet."""
        self._header, self._inner = header, inner
        self._open = ExitStack()
        self._broken: Row | None = None
        self._size = 0
        try:
            self._stream, head = self._unpacked(sheet)
            self._lines = self._decoded(head)
            self.blank = not head.strip()
            self.format: Format = "xlsx" if self.sheet else form or self._recognised(head)
            if self.format == "xlsx" and self.sheet is None:
                raise Unreadable(f"{self.name} is no Excel workbook (.xlsx); leave the format out and it is found out")
            if sheet and self.sheet is None:
                raise Unreadable(f"{self.name} is no Excel workbook, so that it has no sheet {sheet[:40]!r}")
            rows = self._rows()
            self.sample: list[Row] = []
            held = 0
            for row in itertools.islice(rows, SAMPLE_ROWS):
                self.sample.append(row)
                held += len(row.raw)
                if held >= SAMPLE_BYTES:
                    break
            self._rest = rows
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._open.close()

    def rows(self) -> Iterator[Row]:
        """Every row, once; those of the sample first."""
        sample, self.sample = self.sample, []
        yield from sample
        yield from self._rest

    def share_read(self) -> float | None:
        """Which part of the file's bytes was read; None where its size is unknown."""
        if self._size == 0:
            return None
        return min(1.0, self._file.tell() / self._size)

    # --- bytes to lines ---

    def _unpacked(self, sheet: str) -> tuple[BinaryIO, bytes]:
        stream: BinaryIO
        if self.path == STDIN:
            stream = sys.stdin.buffer
        else:
            try:
                stream = self._open.enter_context(self.path.open("rb", buffering=_HEAD))
                self._size = self.path.stat().st_size
            except OSError as fault:
                why = fault.strerror or str(fault)
                raise Unreadable(f"{self.name}: {why}; name a file that can be read, or - for standard input") from None
        self._file = stream
        head = cast("BufferedReader", stream).peek(_HEAD)[:_HEAD]
        if head[:2] == b"\x1f\x8b":
            packed = self._open.enter_context(gzip.GzipFile(fileobj=stream, mode="rb"))
            try:
                head = packed.peek(_HEAD)[:_HEAD]
            except _BROKEN as fault:
                raise self._broken_pack(fault) from None
            stream = cast("BinaryIO", packed)
        elif head.startswith(_ZIP) and self.path != STDIN and is_workbook(self.path):
            try:
                self.sheet = Sheet(self.path, sheet, header=self._header, limit=MAX_LINE)
            except NoSheet as refusal:
                raise Unreadable(f"{self.name}: {refusal}") from None
            self._open.callback(self.sheet.close)
            self._size = 0
            return stream, head
        for magic, what in _NOT_TEXT.items():
            if head.startswith(magic):
                raise Unreadable(f"{self.name} is {what}; save it as CSV (UTF-8) or as JSON Lines and replay that")
        if _no_text(head):
            raise Unreadable(
                f"{self.name} holds no text but the bytes of some program; replay takes JSON Lines, JSON, or a table "
                "with a header (CSV), each plain or gzip-packed, and Excel workbooks (.xlsx)"
            )
        return stream, head

    def _broken_pack(self, fault: Exception) -> Unreadable:
        return Unreadable(f"{self.name}: the gzip data is broken ({fault}); fetch or pack the file again")

    def _decoded(self, head: bytes) -> Iterator[Line]:
        encoding = _utf16(head)
        if encoding is None:
            return self._bounded(self._stream)
        self.encoding = encoding.upper()
        return self._bounded(_Recoded(self._stream, encoding))

    def _bounded(self, stream: ByteLines) -> Iterator[Line]:
        number = 0
        while True:
            number += 1
            try:
                raw = stream.readline(MAX_LINE + 1)
                size = len(raw)
                if size > MAX_LINE and not raw.endswith(b"\n"):
                    while True:
                        more = stream.readline(MAX_LINE)
                        size += len(more)
                        if not more or more.endswith(b"\n"):
                            break
                    yield Line(number, raw[:_KEPT], size, True)
                    continue
            except (*_BROKEN, UnicodeError) as fault:
                self._broken = Row(number, b"", None, f"the file ends early: {fault}", type(fault).__name__)
                return
            if not raw:
                return
            if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
                raw = raw[3:]
            whole = raw.endswith(b"\n")
            yield Line(number, raw.rstrip(b"\r\n"), size, whole)

    def _recognised(self, head: bytes) -> Format:
        start = head.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"") if self.encoding != "UTF-8" else head
        first = start.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").lstrip()[:1]
        if not first and _JSON_NAME.search(self.place):
            return "jsonl"
        if _OBJECT_OVER_LINES.match(start):
            return "json"
        return "jsonl" if first == b"{" else "json" if first == b"[" else "csv"

    # --- lines to rows ---

    def _rows(self) -> Iterator[Row]:
        if self.format == "jsonl":
            yield from self._unfolded(self._json_lines())
        elif self.format == "json":
            yield from self._unfolded(self._json_array())
        else:
            yield from self._table()
        if self._broken is not None:
            yield self._broken

    def _json_lines(self) -> Iterator[Row]:
        decode = msgspec.json.Decoder().decode
        for line in self._lines:
            raw = line.raw
            if line.size > MAX_LINE:
                yield too_long(line)
                continue
            try:
                values = decode(raw)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                if not raw.strip():
                    continue
                yield self._lenient(line)
                continue
            if type(values) is dict:
                yield Row(line.number, raw, values)
            else:
                yield Row(line.number, raw, None, "the line holds JSON, but no object {…}", "NotAnObject")

    def _lenient(self, line: Line) -> Row:
        """What the strict decoder refused: another encoding, NaN, control characters, half a surrogate pair."""
        try:
            values = json.loads(self.text(line.raw), strict=False)
        except (ValueError, RecursionError) as fault:
            if not line.whole:
                return Row(line.number, line.raw, None, "the file ends in half a line", "HalfALine")
            where = f" at character {fault.pos + 1}" if isinstance(fault, json.JSONDecodeError) else ""
            return Row(line.number, line.raw, None, f"the line is no JSON{where}", type(fault).__name__)
        if isinstance(values, dict):
            return Row(line.number, line.raw, values)
        return Row(line.number, line.raw, None, "the line holds JSON, but no object {…}", "NotAnObject")

    def _json_array(self) -> Iterator[Row]:
        try:
            raw = self._stream.read(MAX_ARRAY + 1)
        except _BROKEN as fault:
            raise self._broken_pack(fault) from None
        if len(raw) > MAX_ARRAY:
            raise Unreadable(
                f"{self.name} is one JSON array of more than {MAX_ARRAY >> 20} MiB; "
                "make it JSON Lines (one object a line), for instance with: jq -c '.[]'"
            )
        text = (
            self.text(raw.removeprefix(b"\xef\xbb\xbf"))
            if self.encoding == "UTF-8"
            else raw.decode(self.encoding, "replace")
        )
        try:
            items = json.loads(text.removeprefix("\ufeff"), strict=False)
        except (ValueError, RecursionError) as fault:
            raise Unreadable(
                f"{self.name} starts like a JSON array and is none ({fault}); give one JSON object a line instead"
            ) from None
        for number, item in enumerate(items if isinstance(items, list) else [items], 1):
            if isinstance(item, dict):
                yield Row(number, b"", item)
            else:
                raw = json.dumps(item)[:_KEPT].encode()
                yield Row(number, raw, None, "the array holds JSON, but no object {…} here", "NotAnObject")

    def _unfolded(self, rows: Iterator[Row]) -> Iterator[Row]:
        """For a row that holds its posts in a list (a page of a network's answer), one row for each of them."""
        for row in rows:
            held = row.values.get(self._inner) if self._inner and row.values else None
            if not isinstance(held, list):
                yield row
                continue
            for item in held:
                if isinstance(item, dict):
                    yield Row(row.line, b"", item)
                else:
                    raw = json.dumps(item)[:_KEPT].encode()
                    yield Row(row.line, raw, None, f"{self._inner} holds JSON, but no object {{…}} here", "NotAnObject")

    def _table(self) -> Iterator[Row]:
        table: delimited.Table | Sheet
        if self.sheet is not None:
            table = self.sheet
        else:
            table = delimited.Table(self._lines, self.text, self.delimiter, MAX_LINE, self._header)
            self.delimiter = table.delimiter
        try:
            for row in table.rows():
                self.header_line = table.header_line
                yield Row(*row)
        except delimited.NoHeader as none:
            raise Unreadable(
                f"{self.name}: none of its first {none.args[0]} rows is the header that such an export has; "
                "leave --as out and say with --map which column is which"
            ) from None

    def text(self, raw: bytes) -> str:
        """The line as text: UTF-8 (with surrogates written one by one, as some programs do: pairs are joined), else
        Windows-1252, else Latin-1 (the last two counted in `other_encoding`)."""
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            with suppress(UnicodeDecodeError):
                return _joined(raw.decode("utf-8", "surrogatepass"))
            self.other_encoding += 1
            try:
                return raw.decode("cp1252")
            except UnicodeDecodeError:
                return raw.decode("latin-1")


def _joined(text: str) -> str:
    """The text with each high surrogate and the low one behind it as the character that they are."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def too_long(line: Line) -> Row:
    return Row(
        line.number, line.raw, None,
        f"the record has {line.size:,} bytes, more than the {MAX_LINE:,} that one may have", "TooLong",
    )  # fmt: skip


_JSON_NAME = re.compile(r"\.(json|jsonl|ndjson)(\.gz)?$", re.IGNORECASE)
_OBJECT_OVER_LINES = re.compile(rb"\s*\{[ \t]*\r?\n\s*\"")
_BROKEN = (OSError, EOFError, zlib.error)
_ZIP = b"PK\x03\x04"
_NOT_TEXT = {
    b"PK\x03\x04": "a ZIP archive, or an Excel workbook that is packed, piped or broken",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "a SQLite database",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
}


_CONTROL = bytes({*range(0x20), 0x7F} - {*b"\t\n\v\f\r\x1b"})
_LOOKED_AT = 4_096
_FEW = 8
"""Control characters that stray into a text; more, and they are one byte in twenty, are no text's."""


def _no_text(head: bytes) -> bool:
    sample = head[:_LOOKED_AT]
    control = len(sample) - len(sample.translate(None, _CONTROL))
    return control > max(_FEW, len(sample) // 20) and _utf16(head) is None


def _utf16(head: bytes) -> str | None:
    """UTF-16's or UTF-32's name by its byte order mark, or UTF-16's by where its zero bytes stand."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    sample = head[:4096]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half >= 4 and max(even, odd) > 0.4 * half and min(even, odd) < 0.05 * half:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


class _Recoded:
    """A stream in another encoding, read as lines of UTF-8; what cannot be decoded becomes U+FFFD."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._text = codecs.getreader(encoding)(stream, "replace")
        self._held = ""
        self._ended = False

    def readline(self, size: int = -1, /) -> bytes:
        while "\n" not in self._held and len(self._held) < size and not self._ended:
            more = self._text.read(_HEAD)
            self._ended = not more
            self._held += more
        end = self._held.find("\n") + 1 or len(self._held)
        end = min(end, size)
        line, self._held = self._held[:end], self._held[end:]
        return line.encode("utf-8", "replace")
