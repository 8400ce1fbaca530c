"""The way into SQL: durable, exclusive while writing, and faults that pass are told from those that do not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from database.engine import DatabaseUnusable, delete_numbered, many, open_database, read, rows, rows_in, write
from stream.ports import Transient


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "app.db")
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE thing (n INTEGER PRIMARY KEY, word TEXT)")
    yield engine
    engine.dispose()


def test_what_a_transaction_wrote_is_durable_and_wiped_when_deleted(engine: Engine) -> None:
    with read(engine) as connection:
        values = {
            name: rows(connection, f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "secure_delete")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1}


def test_an_error_rolls_back_all_of_a_transaction(engine: Engine) -> None:
    with pytest.raises(RuntimeError), write(engine) as connection:  # noqa: PT012
        many(connection, "INSERT INTO thing VALUES (?, ?)", [(1, "a"), (2, "b")])
        raise RuntimeError
    with read(engine) as connection:
        assert rows(connection, "SELECT * FROM thing") == []


def test_a_writer_holds_the_lock_from_its_first_moment(engine: Engine, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "app.db", timeout=0, isolation_level=None)
    with write(engine), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_reader_sees_one_moment_and_does_not_keep_a_writer_waiting(engine: Engine) -> None:
    with read(engine) as reader:
        assert rows(reader, "SELECT count(*) FROM thing") == [(0,)]
        with write(engine) as writer:
            many(writer, "INSERT INTO thing VALUES (?, ?)", [(1, "a")])
        assert rows(reader, "SELECT count(*) FROM thing") == [(0,)]
    with read(engine) as reader:
        assert rows(reader, "SELECT count(*) FROM thing") == [(1,)]


def test_a_full_disk_is_a_fault_that_passes_and_says_what_to_do(engine: Engine) -> None:
    plain = engine.raw_connection()
    plain.cursor().execute("PRAGMA max_page_count = 4")
    plain.close()
    with pytest.raises(Transient, match="the disk is full: free some space"), write(engine) as connection:
        many(connection, "INSERT INTO thing VALUES (?, ?)", [(n, "x" * 5_000) for n in range(50)])


def test_a_mistake_in_a_statement_is_not_a_fault_that_passes(engine: Engine) -> None:
    with pytest.raises((sqlite3.OperationalError, DBAPIError), match="no such column"), read(engine) as connection:
        rows(connection, "SELECT missing FROM thing")


def test_a_database_without_tables_names_who_makes_them(engine: Engine) -> None:
    with pytest.raises(DatabaseUnusable, match=r"app\.db has no tables yet.*`clamor run`"), read(engine) as connection:
        rows(connection, "SELECT * FROM nowhere")


def test_a_file_that_is_no_database_is_no_fault_of_a_statement(tmp_path: Path) -> None:
    (tmp_path / "app.db").write_bytes(b"noise" * 4_000)
    engine = open_database(tmp_path / "app.db")
    with pytest.raises(DatabaseUnusable, match=r"app\.db is not a database.*`clamor restore`"), read(engine):
        pass
    engine.dispose()


def test_lists_of_any_length_are_looked_up(engine: Engine) -> None:
    with write(engine) as connection:
        many(connection, "INSERT INTO thing VALUES (?, ?)", [(n, str(n)) for n in range(1_300)])
    with read(engine) as connection:
        for size in (0, 1, 8, 9, 64, 65, 512, 513, 1_300):
            found = rows_in(connection, "SELECT n FROM thing WHERE n >= ? AND n IN (??)", list(range(size)), (0,))
            assert sorted(n for (n,) in found) == list(range(size))


def test_only_the_numbered_rows_are_deleted(engine: Engine) -> None:
    with write(engine) as connection:
        many(connection, "INSERT INTO thing VALUES (?, ?)", [(n, "") for n in range(10)])
        delete_numbered(connection, "thing", [1, 2, 3])
        delete_numbered(connection, "thing", [5, 7])
        assert [n for (n,) in rows(connection, "SELECT n FROM thing")] == [0, 4, 6, 8, 9]


def test_an_error_never_repeats_the_values(engine: Engine) -> None:
    """They may be a post's text, and errors stand in logs."""
    sql = text("INSERT INTO thing (n, other) VALUES (:n, :word)")
    with pytest.raises(DBAPIError) as caught, write(engine) as connection:
        connection.execute(sql, {"n": 1, "word": "a private matter"})
    assert "a private matter" not in str(caught.value)
