"""The header of a delimited file is foreign as well."""

from __future__ import annotations

from pathlib import Path

from ingest.reading import Reading


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("id,text,text,text_2,text\n1,a,b,c,d\n")
    with Reading(path) as reading:
        (row,) = reading.rows()
    assert row.values == {"id": "1", "text": "a", "text_2": "b", "text_2_2": "c", "text_3": "d"}


def test_a_header_of_half_a_million_equal_columns_is_read_in_one_pass(tmp_path: Path) -> None:
    """Compared with one another they would take hours, and names that grow with each would fill the memory."""
    path = tmp_path / "posts.csv"
    path.write_text("id,text" + ",t" * 500_000 + "\n1,a\n")
    with Reading(path) as reading:
        (row,) = reading.rows()
    assert row.values is not None
    assert row.values["text"] == "a"
