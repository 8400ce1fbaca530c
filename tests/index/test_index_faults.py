"""A locked, full, damaged or foreign index says what is wrong and what to do; nothing is lost, nothing half done."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from index import files, schema
from index.files import IndexUnusable
from stream.ports import EVERYTHING, Commit, Transient
from stream.records import Decided
from tests.index.made import NOW, asked, ids, mention, opened, put


def test_a_locked_index_is_tried_again_and_nothing_of_the_batch_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUSY_MS", 20)
    path = tmp_path / "index.db"
    with opened(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        put(store, mention(1, "flight"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Transient, match=r"index\.db.*tried again"):
            put(store, mention(2, "flight"))
        assert ids(store, "flight") == ["x:1"]
        other.execute("ROLLBACK")
        put(store, mention(2, "flight"))
        assert ids(store, "flight") == ["x:2", "x:1"]


def test_a_full_disk_is_tried_again_and_nothing_of_the_batch_stays(tmp_path: Path) -> None:
    with opened(tmp_path / "index.db") as store:
        put(store, mention(1, "flight"))
        connection, _ = store._writer._opened()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        many = [Decided(mention=mention(n, f"flight {n} " + "word " * 200)) for n in range(2, 400)]
        with pytest.raises(Transient, match="disk is full: free space"):
            store.apply(many, [Commit("decided", 0, 0, 400)], "log", NOW)
        assert store.count(asked("flight"), EVERYTHING).value == 1
        assert store.offsets("decided", frozenset({0}), "log") == {}
        connection.execute("PRAGMA max_page_count = 1000000")
        store.apply(many, [Commit("decided", 0, 0, 400)], "log", NOW)
        assert store.count(asked("flight"), EVERYTHING).value == 399
        assert store.histogram(asked("brand:acme"), EVERYTHING, 86_400_000).buckets[0].count == 399


def test_a_file_that_is_no_index_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(b"this is no database" * 1_000)
    with opened(path) as store:
        with pytest.raises(IndexUnusable, match=r"index\.db.*clamor reindex"):
            ids(store, "flight")
        with pytest.raises(IndexUnusable, match=r"index\.db.*clamor reindex"):
            put(store, mention(1, "flight"))


def test_a_damaged_index_is_named_and_a_rebuild_heals_it(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store:
        put(store, *[mention(n, f"flight {n}") for n in range(500)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(8_192)
        file.write(b"\xff" * (size - 8_192))
    with opened(path) as store:
        with pytest.raises(IndexUnusable, match=r"index\.db.*clamor reindex"):
            ids(store, "flight")
        with pytest.raises(IndexUnusable, match=r"index\.db.*clamor reindex"):
            put(store, mention(1_000, "flight"))
        assert store.rebuild((Decided(mention=mention(n, f"flight {n}")) for n in range(500)), "log") == 500
        assert store.count(asked("flight"), EVERYTHING).value == 500


def test_an_index_that_read_texts_in_another_way_asks_to_be_rebuilt(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    with opened(path) as store:
        put(store, mention(1, "flight"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = 'of yore' WHERE name = 'reading'")
    with opened(path) as store, pytest.raises(IndexUnusable, match=r"another version.*clamor reindex"):
        ids(store, "flight")


def test_a_process_that_dies_while_writing_leaves_whole_batches(tmp_path: Path) -> None:
    """kill -9 between any two instants: what is found is what the stored offset says."""
    import os
    import signal
    import subprocess
    import sys
    import time

    path = tmp_path / "index.db"
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from stream.ports import Commit\n"
        "from stream.records import Decided\n"
        "from tests.index.made import NOW, mention, opened\n"
        "with opened(Path(sys.argv[1])) as store:\n"
        "    at = store.offsets('decided', frozenset({0}), 'log').get(0, 0)\n"
        "    while True:\n"
        "        batch = [Decided(mention=mention(n, 'flight')) for n in range(at, at + 50)]\n"
        "        store.apply(batch, [Commit('decided', 0, at, at + 50)], 'log', NOW)\n"
        "        at += 50\n"
    )
    for round in range(3):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=Path(__file__).parents[2])
        deadline = time.monotonic() + 30
        with opened(path) as store:
            before = store.offsets("decided", frozenset({0}), "log").get(0, 0)
            while time.monotonic() < deadline:
                if store.offsets("decided", frozenset({0}), "log").get(0, 0) > before + 100 * (round + 1):
                    break
                time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with opened(path) as store:
            at = store.offsets("decided", frozenset({0}), "log")[0]
            assert at > before
            assert store.count(asked("flight"), EVERYTHING).value == at
            assert store.count(asked("brand:acme"), EVERYTHING).value == at
    with closing(sqlite3.connect(path)) as connection:
        assert schema.meta(connection, "layout") == schema.LAYOUT
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO hits (hits) VALUES ('integrity-check')")
