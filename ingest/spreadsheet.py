"""Rows out of an Excel workbook (ECMA-376, `.xlsx`), by openpyxl in its read-only mode (extra `sheets`).

A workbook is a ZIP archive of XML, and anybody may have made it: before openpyxl sees a part, the sizes that the
archive states are added up (no more than stated is ever unpacked), and each part is looked through once for what would
fill the memory: elements without end, rows of a million cells, entities. What remains is bounded like any other file.
"""

from __future__ import annotations

import importlib.util
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any, NamedTuple

from ingest.delimited import HEADER_ROWS, Cells, NoHeader, named

MAX_PARTS = 2_000
"""Files in the archive."""
MAX_UNPACKED = 512 * 1_048_576
"""Bytes of all of them, unpacked."""
MAX_SMALL = 4 * 1_048_576
MAX_SMALL_TAGS = 100_000
"""Of a part that is neither a sheet nor the table of texts: styles, relations, the workbook itself."""
MAX_STRING_TAGS = 4_000_000
"""Tags of the table of texts (`sharedStrings.xml`), which is held in memory: four for a text, or more."""
MAX_ROWS = 1_048_576
"""What a sheet can have (ECMA-376 part 1, 18.3.1.73 and Excel's own limit)."""
MAX_COLUMNS = 16_384
MAX_ROW_TAGS = 16 * MAX_COLUMNS

SAVE_AS = "save the sheet as CSV (UTF-8) and replay that"

_ESCAPED = re.compile(r"_x00([01][0-9A-Fa-f])_")
"""A control character as a cell's text holds it (ECMA-376 part 1, 22.9.2.19): Excel ends lines by `_x000D_`."""
_CHUNK = 1_048_576
_BEGIN = 64
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"\0<")
_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA"})
"""What a formula shows that has no value (18.17.3)."""


class NoSheet(Exception):
    """The workbook cannot be read, or has no such sheet; the message says why and the way out, without the name."""


class _Looked(NamedTuple):
    tags: int
    rows: int
    widest: int
    """Tags between two rows at most."""
    odd: bool
    """It holds what no program writes into a sheet: entities, comments, another encoding."""


class Sheet:
    """One sheet of a workbook. Close it, or use it in a `with`."""

    def __init__(
        self, path: Path, chosen: str = "", *, header: Callable[[list[str]], bool] | None = None, limit: int
    ) -> None:
        """`chosen`: the sheet's name; empty: the first that is shown and holds a row. `limit`: characters of a row."""
        self._header, self._limit = header, limit
        self._open = ExitStack()
        self.header_line = 0
        try:
            _look_through(path)
            if importlib.util.find_spec("openpyxl") is None:
                raise NoSheet(
                    "it is an Excel workbook, which takes the library openpyxl: pip install 'clamor[sheets]', "
                    f"or {SAVE_AS}"
                )
            self._book = self._opened(path)
            self.sheets: tuple[str, ...] = tuple(sheet.title for sheet in self._book.worksheets)
            self.name = self._chosen(chosen)
        except BaseException:
            self._open.close()
            raise

    def close(self) -> None:
        self._open.close()

    def rows(self) -> Iterator[Cells]:
        """Every row below the header. Raises NoHeader where none of the first rows is one; a sheet that breaks off ends
        with a row that says so."""
        header: list[str] = []
        passed = 0
        line = 0
        sheet = self._book[self.name]
        sheet.reset_dimensions()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = sheet.iter_rows(values_only=True)
            while True:
                try:
                    found = next(values, None)
                except _BROKEN as fault:
                    why = f"the sheet cannot be read from here on ({type(fault).__name__}); {SAVE_AS}"
                    yield Cells(line + 1, b"", None, why, type(fault).__name__)
                    return
                if found is None:
                    break
                line += 1
                if line > MAX_ROWS:
                    yield Cells(line, b"", None, f"the sheet has more than {MAX_ROWS:,} rows", "TooManyRows")
                    return
                cells = [_plain(value) for value in found]
                if not any(cell != "" for cell in cells):
                    continue
                if header:
                    yield self._row(line, header, cells)
                    continue
                texts = [str(cell) for cell in cells]
                if self._header is None or self._header(texts):
                    header, self.header_line = named(texts), line
                    continue
                passed += 1
                if passed >= HEADER_ROWS:
                    break
        if not header and passed:
            raise NoHeader(passed)

    def _row(self, line: int, header: list[str], cells: list[object]) -> Cells:
        size = sum(len(cell) for cell in cells if isinstance(cell, str))
        if size > self._limit:
            why = f"the row has {size:,} characters, more than the {self._limit:,} that one may have"
            return Cells(line, b"", None, why, "TooLong")
        if len(cells) > len(header) and any(cell != "" for cell in cells[len(header) :]):
            why = f"the row has {len(cells)} cells and the header {len(header)}; give every column a name"
            return Cells(line, b"", None, why, "TooManyFields")
        return Cells(line, b"", dict(zip(header, cells, strict=False)))

    def _opened(self, path: Path) -> Any:
        from openpyxl import load_workbook

        stream = self._open.enter_context(path.open("rb"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        except (*_BROKEN, OSError) as fault:
            raise NoSheet(
                f"it is an Excel workbook that cannot be read ({type(fault).__name__}); open it, {SAVE_AS}"
            ) from None
        self._open.callback(book.close)
        return book

    def _chosen(self, name: str) -> str:
        known = ", ".join(repr(title[:40]) for title in self.sheets[:20]) or "none"
        if name:
            if name not in self.sheets:
                raise NoSheet(f"it has no sheet {name[:40]!r}; its sheets: {known}")
            return name
        shown = [sheet for sheet in self._book.worksheets if sheet.sheet_state == "visible"]
        if not shown:
            raise NoSheet(f"it shows no sheet; name one of them with --sheet: {known}")
        return str(next((sheet for sheet in shown if _holds_a_row(sheet)), shown[0]).title)


def is_workbook(path: Path) -> bool:
    """Whether a ZIP archive is a workbook of this kind. Other archives, broken ones included, are none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.NameToInfo and "xl/workbook.xml" in archive.NameToInfo
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, SyntaxError, ValueError, KeyError, IndexError, TypeError, AttributeError,
    OverflowError, NotImplementedError, RuntimeError,
)  # fmt: skip
"""What openpyxl raises at a workbook that is none inside; a SyntaxError is the XML parser's."""


def _holds_a_row(sheet: Any) -> bool:
    sheet.reset_dimensions()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for place, row in enumerate(sheet.iter_rows(values_only=True)):
                if any(value is not None for value in row):
                    return True
                if place >= HEADER_ROWS:
                    return False
    except _BROKEN:
        return True
    return False


def _plain(value: object) -> object:
    """A cell as a CSV file would hold it: dates as ISO 8601, truth as a word; numbers stay numbers."""
    if value is None or (isinstance(value, str) and value in _ERRORS):
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, str) and "_x00" in value:
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value).replace("\r\n", "\n")
    return value if isinstance(value, str | int | float) else str(value)


# --- before openpyxl sees it ---


def _look_through(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            _sizes(parts)
            for part in parts:
                with archive.open(part) as stream:
                    begin = stream.read(_BEGIN)
                    if _may_be_xml(begin):
                        _checked(part, _looked(begin, stream))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as fault:
        raise NoSheet(
            f"it is an Excel workbook that is broken or locked ({type(fault).__name__}); open it, {SAVE_AS}"
        ) from None


def _sizes(parts: Sequence[zipfile.ZipInfo]) -> None:
    if len(parts) > MAX_PARTS:
        raise NoSheet(f"it is an Excel workbook of {len(parts):,} parts, more than {MAX_PARTS:,}; {SAVE_AS}")
    size = sum(part.file_size for part in parts)
    if size > MAX_UNPACKED:
        raise NoSheet(
            f"it is an Excel workbook that unpacks to {size >> 20:,} MiB, more than {MAX_UNPACKED >> 20:,}; {SAVE_AS}, "
            "in parts if need be"
        )


def _checked(part: zipfile.ZipInfo, looked: _Looked) -> None:
    name = part.filename
    if looked.odd:
        raise NoSheet(f"its part {name[:60]!r} holds entities or comments, or is not in UTF-8; {SAVE_AS}")
    if name.startswith("xl/worksheets/") and name.endswith(".xml"):
        if looked.rows > MAX_ROWS + 1:
            raise NoSheet(f"its part {name[:60]!r} has {looked.rows:,} rows, more than {MAX_ROWS:,}; {SAVE_AS}")
        if looked.widest > MAX_ROW_TAGS:
            raise NoSheet(f"a row of its part {name[:60]!r} has more than {MAX_COLUMNS:,} columns; {SAVE_AS}")
    elif name.lower().endswith("sharedstrings.xml"):
        if looked.tags > MAX_STRING_TAGS:
            raise NoSheet(f"its part {name[:60]!r} holds too many texts to be kept in memory; {SAVE_AS}, in parts")
    elif part.file_size > MAX_SMALL or looked.tags > MAX_SMALL_TAGS:
        raise NoSheet(f"its part {name[:60]!r} is too large for what it is; {SAVE_AS}")


def _may_be_xml(begin: bytes) -> bool:
    """Whatever a part is called: what begins otherwise (a picture) no parser takes for XML."""
    return begin.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<" or begin.startswith(_UTF16)


def _looked(begin: bytes, stream: IO[bytes]) -> _Looked:
    """Tags are counted by `<`, which stands nowhere else in XML but in comments and CDATA, and these are refused."""
    tags = rows = widest = since = declarations = 0
    rest = begin
    odd = begin.startswith(_UTF16)
    while chunk := stream.read(_CHUNK):
        data = rest + chunk
        cut = data.rfind(b"<")
        body, rest = (data[:cut], data[cut:]) if cut >= 0 else (data, b"")
        if len(rest) > _BEGIN:
            # A tag began long ago and no other follows: what it is called stands at its beginning.
            body, rest = data, b""
        odd = odd or b"\0" in body or b"<!" in body
        declarations += body.count(b"<?")
        first, *others = body.split(b"<row")
        since += first.count(b"<")
        widest = max(widest, since)
        for other in others:
            rows += 1
            since = 1 + other.count(b"<")
            widest = max(widest, since)
        tags += body.count(b"<")
    odd = odd or b"\0" in rest or b"<!" in rest
    declarations += rest.count(b"<?")
    rows += rest.count(b"<row")
    return _Looked(tags + rest.count(b"<"), rows, widest, odd or declarations > 1)
