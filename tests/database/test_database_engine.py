"""The way into SQL: durable, exclusive while writing, and faults that pass are told from those that do not."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from database.engine import DatabaseUnusable, delete_numbered, many, open_database, read, rows, rows_in, write
from stream.ports import Transient
from tests.places import new_database, only_sqlite


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(new_database(tmp_path, filled=False))
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE thing (n INTEGER PRIMARY KEY, word TEXT)")
    yield engine
    engine.dispose()


@only_sqlite
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


@only_sqlite
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


@only_sqlite
def test_a_full_disk_is_a_fault_that_passes_and_says_what_to_do(engine: Engine) -> None:
    plain = engine.raw_connection()
    plain.cursor().execute("PRAGMA max_page_count = 4")
    plain.close()
    with pytest.raises(Transient, match="the disk is full: free some space"), write(engine) as connection:
        many(connection, "INSERT INTO thing VALUES (?, ?)", [(n, "x" * 5_000) for n in range(50)])


def test_a_mistake_in_a_statement_is_not_a_fault_that_passes(engine: Engine) -> None:
    with pytest.raises(engine.dialect.loaded_dbapi.Error, match="SELEC"), read(engine) as connection:
        rows(connection, "SELEC n FROM thing")


@pytest.mark.parametrize(
    "statement", ["SELECT gone FROM thing", "UPDATE thing SET gone = 1", "INSERT INTO thing (n, gone) VALUES (1, 1)"]
)
def test_an_older_release_on_an_upgraded_database_is_told_so_and_blames_no_record(
    engine: Engine, statement: str
) -> None:
    with pytest.raises(DatabaseUnusable, match="other columns than this release"), write(engine) as connection:
        many(connection, statement, [()])


def test_a_database_without_tables_names_who_makes_them(engine: Engine) -> None:
    with pytest.raises(DatabaseUnusable, match=r"has no tables yet.*`clamor run`") as told, read(engine) as connection:
        rows(connection, "SELECT * FROM nowhere")
    assert str(engine.url.database) in str(told.value)


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
        assert [n for (n,) in rows(connection, "SELECT n FROM thing ORDER BY n")] == [0, 4, 6, 8, 9]


def test_an_error_never_repeats_the_values(engine: Engine) -> None:
    """They may be a post's text, and errors stand in logs."""
    sql = text("INSERT INTO thing (n, word) VALUES (:n, :word)")
    with write(engine) as connection:
        connection.execute(sql, {"n": 1, "word": "a private matter"})
    with pytest.raises(IntegrityError) as caught, write(engine) as connection:
        connection.execute(sql, {"n": 1, "word": "a private matter"})
    assert "a private matter" not in str(caught.value)


def test_signs_that_mean_something_to_a_driver_mean_themselves(engine: Engine) -> None:
    with write(engine) as connection:
        many(connection, "INSERT INTO thing VALUES (?, ?)", [(1, "100 %"), (2, "100 of %s")])
        assert rows(connection, "SELECT n FROM thing WHERE word LIKE '100 %' AND n % 2 = ?", (0,)) == [(2,)]
        assert rows_in(connection, "SELECT n FROM thing WHERE word IN (??)", ["100 %", "?"]) == [(1,)]


def test_numbers_have_64_bits_and_bytes_stay_bytes(engine: Engine) -> None:
    large, raw = (2**63 - 1, -(2**63), 7), b"\x00\xff{}"
    with write(engine) as connection:
        kind = "BLOB" if engine.dialect.name == "sqlite" else "BYTEA"
        connection.exec_driver_sql(f"CREATE TABLE large (n BIGINT, body {kind})")
        many(connection, "INSERT INTO large VALUES (?, ?)", [(n, raw) for n in large])
        found = rows(connection, "SELECT n, body FROM large ORDER BY n")
        assert [tuple(row) for row in found] == [(n, raw) for n in sorted(large)]
        assert len(rows_in(connection, "SELECT n FROM large WHERE n IN (??)", list(large))) == 3


def test_what_changed_is_counted_over_all_tuples(engine: Engine) -> None:
    with write(engine) as connection:
        assert many(connection, "INSERT INTO thing VALUES (?, ?)", [(n, "") for n in range(5)]) == 5
        assert many(connection, "UPDATE thing SET word = 'x' WHERE n = ?", [(1,), (3,), (9,)]) == 2
        assert many(connection, "INSERT INTO thing VALUES (?, '') ON CONFLICT DO NOTHING", [(1,), (7,)]) == 1
        assert many(connection, "DELETE FROM thing WHERE n < ?", [(3,)]) == 3


def test_writers_follow_one_another_and_each_sees_what_the_one_before_wrote(engine: Engine) -> None:
    """Decided from what was read: eight times one more is eight."""
    with write(engine) as connection:
        many(connection, "INSERT INTO thing VALUES (?, ?)", [(1, "0")])

    def one_more() -> None:
        with write(engine) as connection:
            held = int(rows(connection, "SELECT word FROM thing WHERE n = 1")[0][0])
            time.sleep(0.02)
            many(connection, "UPDATE thing SET word = ? WHERE n = 1", [(str(held + 1),)])

    threads = [threading.Thread(target=one_more) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read(engine) as connection:
        assert rows(connection, "SELECT word FROM thing WHERE n = 1") == [("8",)]


def test_many_rows_at_once_are_what_they_are_one_by_one(engine: Engine) -> None:
    """PostgreSQL takes them by COPY, which has signs of its own."""
    words = [None, "", "\\N", "tab\there", "two\nlines\r", "\\", '"quoted"', "ñandú 🦤", "NULL", "{}", "%s ?"]
    values = [(n, words[n % len(words)], bytes([n, 0, 92, 10]), n * 2**50, n / 3) for n in range(3 * len(words))]
    kind = "BLOB" if engine.dialect.name == "sqlite" else "BYTEA"
    with write(engine) as connection:
        connection.exec_driver_sql(f"CREATE TABLE mixed (n BIGINT, word TEXT, body {kind}, far BIGINT, part FLOAT)")
        sql = "INSERT INTO mixed (n, word, body, far, part) VALUES (?, ?, ?, ?, ?)"
        assert many(connection, sql, values) == len(values)
        assert many(connection, sql, values[:1]) == 1
        found = rows(connection, "SELECT n, word, body, far, part FROM mixed ORDER BY n")
        assert [tuple(row) for row in found] == [values[0], *values]


def test_numbers_are_given_in_the_order_of_the_rows(engine: Engine) -> None:
    with write(engine) as connection:
        number = "INTEGER PRIMARY KEY" if engine.dialect.name == "sqlite" else "BIGSERIAL"
        connection.exec_driver_sql(f"CREATE TABLE line (n {number}, word TEXT)")
        many(connection, "INSERT INTO line (word) VALUES (?)", [(str(n),) for n in range(40)])
        assert [word for (word,) in rows(connection, "SELECT word FROM line ORDER BY n")] == [str(n) for n in range(40)]
