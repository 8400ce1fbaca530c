"""Files put into a folder are read once each, and on from their end when they grow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.files import Options
from ingest.folder import Folder
from stream.clock import ManualClock
from stream.embedded import EmbeddedLog


def lines(*numbers: int) -> str:
    return "".join(json.dumps({"id": n, "text": f"post {n}", "created_at": "2017-10-31"}) + "\n" for n in numbers)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def folder(inbox: Path, log: EmbeddedLog, clock: ManualClock, cursors: Cursors, ledger: Ledger) -> Folder:
    return Folder(inbox / "*.jsonl", log, clock, cursors, ledger, Options(source_id="inbox"))


def test_a_file_is_read_once_and_on_when_it_grows(folder: Folder, inbox: Path, held: Any, ledger: Ledger) -> None:
    path = inbox / "a.jsonl"
    path.write_text(lines(1, 2))
    assert [report.appended for report in folder.look()] == [2]
    assert folder.look() == []
    with path.open("a") as stream:
        stream.write(lines(3) + lines(4)[:20])
    assert [report.appended for report in folder.look()] == [1]
    with path.open("a") as stream:
        stream.write(lines(4)[20:])
    (inbox / "b.jsonl").write_text(lines(5))
    assert [report.appended for report in folder.look()] == [1, 1]
    assert [post.id for post in held.posts()] == ["a:1", "a:2", "a:3", "a:4", "b:5"]
    assert held.dead() == []
    assert sum(row.received for row in ledger.rows(["inbox"])) == 5


def test_another_process_goes_on_where_the_last_one_was(
    folder: Folder, inbox: Path, held: Any, log: EmbeddedLog, clock: ManualClock, cursors: Cursors, ledger: Ledger
) -> None:
    (inbox / "a.jsonl").write_text(lines(1, 2))
    folder.look()
    again = Folder(inbox / "*.jsonl", log, clock, cursors, ledger, Options(source_id="inbox"))
    assert [report.appended for report in again.look()] == [0]
    assert len(held.posts()) == 2


def test_a_file_that_cannot_be_read_does_not_stop_the_rest(folder: Folder, inbox: Path, held: Any) -> None:
    (inbox / "a.jsonl").write_text('{"number": 1}\n')
    (inbox / "b.jsonl").write_text(lines(1))
    (inbox / "c.jsonl").mkdir()
    folder.look()
    assert [post.id for post in held.posts()] == ["b:1"]
    assert "Its columns: number" in folder.troubles[str(inbox / "a.jsonl")]
    (inbox / "a.jsonl").write_text(lines(7, 8))
    folder.look()
    assert folder.troubles == {}
    assert len(held.posts()) == 3
