"""A workbook is read like the table that it shows, whoever made it."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest import spreadsheet
from ingest.files import Options, Unreadable, replay
from ingest.reading import Reading, Row
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog

openpyxl = pytest.importorskip("openpyxl")

HEADER = ["id", "text", "created_at"]
MOMENT = datetime(2026, 3, 1, 10, 30)  # noqa: DTZ001 - a cell holds no zone


def workbook(path: Path, *sheets: tuple[str, list[list[Any]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def altered(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """The workbook with one of its parts changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = change(parts.get(part, b"<sst></sst>"))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in parts.items():
            archive.writestr(name, held)
    return path


def rows_of(path: Path, **more: Any) -> list[Row]:
    with Reading(path, **more) as reading:
        return list(reading.rows())


def test_a_sheet_becomes_posts_like_a_csv_file(tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock) -> None:
    path = workbook(
        tmp_path / "survey.xlsx",
        (
            "answers",
            [HEADER, [7, "the crew was kind", MOMENT], ["b-2", "late again", date(2026, 3, 2)], [], [3, "", MOMENT]],
        ),
    )
    report = replay([path], log, clock, Options(zone="Europe/Madrid"))
    assert (report.read, report.appended, report.dead) == (3, 2, 1)
    first, second = held.posts()
    assert (first.id, first.text) == ("survey:7", "the crew was kind")
    assert first.claimed_at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC).timestamp() * 1000
    assert second.claimed_at == datetime(2026, 3, 1, 23, 0, tzinfo=UTC).timestamp() * 1000
    assert held.dead()[0].key.endswith("survey.xlsx:5")


def test_dates_are_cells_or_serial_numbers_of_the_wall_they_were_written_at(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "cell", MOMENT], [2, "serial", 46082.4375]]))
    replay([path], log, clock, Options(zone="Europe/Madrid"))
    assert {post.claimed_at for post in held.posts()} == {datetime(2026, 3, 1, 9, 30, tzinfo=UTC).timestamp() * 1000}


def test_of_a_formula_the_value_counts_that_the_program_last_saw(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "=UPPER(A1)", MOMENT], [True, "#N/A", MOMENT]]))
    altered(
        path,
        "xl/worksheets/sheet1.xml",
        lambda raw: raw.replace(b"<v></v>", b"<v>42</v>").replace(b"<v />", b"<v>42</v>"),
    )
    first, second = rows_of(path)
    assert first.values is not None
    assert first.values["text"] == 42
    assert second.values is not None
    assert (second.values["id"], second.values["text"]) == ("TRUE", "")


def test_a_line_break_in_a_cell_is_a_line_break(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "one_x000D_\ntwo", MOMENT]]))
    (row,) = rows_of(path)
    assert row.values is not None
    assert row.values["text"] == "one\ntwo"


def test_the_first_sheet_with_a_row_is_read_and_another_by_its_name(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        ("cover", []),
        ("one", [HEADER, [1, "first", MOMENT]]),
        ("two", [HEADER, [2, "second", MOMENT]]),
    )
    report = replay([path], log, clock)
    assert "sheet 'one' was read, not 'cover', 'two'" in report.files[0].notes[0]
    replay([path], log, clock, Options(sheet="two"))
    assert [post.text for post in held.posts()] == ["first", "second"]
    with pytest.raises(Unreadable, match="no sheet 'three'; its sheets: 'cover', 'one', 'two'"):
        replay([path], log, clock, Options(sheet="three"))


def test_a_sheet_is_asked_only_of_a_workbook(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("id,text\n1,a\n")
    with pytest.raises(Unreadable, match="no Excel workbook, so that it has no sheet"):
        Reading(table, sheet="one")
    with pytest.raises(Unreadable, match="is no Excel workbook"):
        Reading(table, "xlsx")


def test_another_archive_is_refused_as_before(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "hello")
    with pytest.raises(
        Unreadable, match="a ZIP archive, or an Excel workbook that is packed, piped or broken; save it as CSV"
    ):
        Reading(path)


def test_without_the_library_the_way_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "a", MOMENT]]))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Unreadable, match=r"pip install 'clamor\[sheets\]', or save the sheet as CSV"):
        Reading(path)


SHEET, STRINGS, STYLES, BOOK = (
    f"xl/{name}.xml" for name in ("worksheets/sheet1", "sharedStrings", "styles", "workbook")
)


def before(mark: bytes, more: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: raw.replace(mark, more + mark)


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        (SHEET, before(b"</sheetData>", b"<row>" + b"<c/>" * 300_000 + b"</row>"), "more than 16,384 columns"),
        (SHEET, before(b"</sheetData>", b"<row/>" * 1_048_600), "rows, more than 1,048,576"),
        (SHEET, before(b"</sheetData>", b"<!--<row-->"), "comments"),
        (SHEET, lambda raw: raw.decode().encode("utf-16"), "UTF-8"),
        (STRINGS, before(b"</sst>", b"<si/>" * 4_000_000), "too many texts"),
        (STYLES, before(b"</styleSheet>", b"<xf/>" * 200_000), "too large"),
        (BOOK, lambda raw: b'<!DOCTYPE x [<!ENTITY a "b">]>' + raw, "entities"),
        (BOOK, lambda raw: raw[: len(raw) // 2], "cannot be read"),
    ],
)
def test_what_would_fill_the_memory_is_refused_before_it_is_parsed(
    tmp_path: Path, part: str, change: Callable[[bytes], bytes], words: str
) -> None:
    path = altered(workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "a", MOMENT]])), part, change)
    with pytest.raises(Unreadable, match=words):
        Reading(path)


def test_sizes_are_added_up_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "a", MOMENT]]))
    monkeypatch.setattr(spreadsheet, "MAX_UNPACKED", 2_000_000)
    altered(path, "xl/worksheets/sheet1.xml", lambda raw: raw + b" " * 3_000_000)
    assert path.stat().st_size < 50_000
    with pytest.raises(Unreadable, match="unpacks to 2 MiB, more than 1"):
        Reading(path)


def test_a_row_far_below_and_a_column_far_right_cost_nothing(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "a", MOMENT]]))
    altered(
        path,
        "xl/worksheets/sheet1.xml",
        lambda raw: raw.replace(b'<dimension ref="A1:C2"', b'<dimension ref="A1:ZZZ1048576"').replace(
            b"</sheetData>", b'<row r="900000000"><c r="A900000000"><v>1</v></c></row></sheetData>'
        ),
    )
    *_, last = rows_of(path)
    assert last.problem == "the sheet has more than 1,048,576 rows"


def test_a_sheet_that_breaks_off_gives_what_stands_before(
    tmp_path: Path, log: EmbeddedLog, held: Any, clock: ManualClock
) -> None:
    path = workbook(tmp_path / "a.xlsx", ("s", [HEADER, [1, "a", MOMENT], [2, "b", MOMENT]]))
    altered(path, "xl/worksheets/sheet1.xml", lambda raw: raw[: raw.index(b"</sheetData>")])
    report = replay([path], log, clock)
    assert (report.appended, report.dead) == (2, 1)
    assert "cannot be read from here on" in held.dead()[0].reason


def test_a_cell_beyond_the_header_and_a_row_too_long_are_refused_alone(tmp_path: Path) -> None:
    long = ["x" * 32_000] * 40
    path = workbook(
        tmp_path / "a.xlsx",
        ("s", [HEADER, [1, "a", MOMENT, "more"], [2, "b", MOMENT], long]),
    )
    first, second, third = rows_of(path)
    assert "4 cells and the header 3" in first.problem
    assert second.values is not None
    assert "more than the 1,048,576" in third.problem
