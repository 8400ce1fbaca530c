"""The migrated schema is the one in the code, and data survives the way up and down."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

import database.tables  # noqa: F401
from database import migrate
from database.base import metadata
from database.engine import many, open_database, read, rows, write
from tests.places import new_database, only_postgres, only_sqlite


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(new_database(tmp_path, filled=False))
    yield engine
    engine.dispose()


def test_the_migrated_schema_is_the_metadata(engine: Engine) -> None:
    assert migrate.upgrade(engine)
    with read(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert [one for one in compare_metadata(context, metadata) if not _of_words(one)] == []


@only_sqlite
def test_migrations_and_metadata_make_the_same_statements(engine: Engine, tmp_path: Path) -> None:
    """Autogenerate is blind to conditions of partial indexes and to WITHOUT ROWID: SQLite's own words are not."""
    migrate.upgrade(engine)
    made = open_database(tmp_path / "made.db")
    with write(made) as connection:
        metadata.create_all(connection)
    assert _statements(engine) == _statements(made)
    made.dispose()


def test_an_upgrade_twice_does_nothing_the_second_time(engine: Engine) -> None:
    assert migrate.current(engine) is None
    assert migrate.upgrade(engine)
    assert not migrate.upgrade(engine)
    assert migrate.current(engine) == migrate.head()


def test_a_database_of_a_later_release_is_refused_in_words(engine: Engine) -> None:
    migrate.upgrade(engine)
    with write(engine) as connection:
        many(connection, "UPDATE alembic_version SET version_num = ?", [("9999",)])
    with pytest.raises(migrate.TooNew, match=r"9999.*restore a backup"):
        migrate.upgrade(engine)


def test_up_and_down_and_up_again_with_data_in_it(engine: Engine) -> None:
    migrate.upgrade(engine)
    _fill(engine)
    migrate.downgrade(engine, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    assert migrate.upgrade(engine)
    _fill(engine)


def test_what_files_refused_is_no_longer_missed(engine: Engine) -> None:
    """0005, with rows of a database that was there before it, and back."""
    migrate.upgrade(engine)
    migrate.downgrade(engine, "0004")
    with write(engine) as connection:
        many(
            connection,
            "INSERT INTO coverage (source_id, query, part, since, until, state, asked, received, missed, reason,"
            " brands, recorded_at) VALUES ('file', '', ?, 0, 1, 'partial', 0, 5, ?, ?, '', 0)",
            [("a.csv", 3, "3 rows of the file were refused"), ("page", 4, "page cap"), ("gap", None, "")],
        )
    before = _ledger(engine, "0")
    migrate.upgrade(engine)
    assert _ledger(engine, "refused") == [
        ("a.csv", "complete", 0, 3), ("gap", "partial", None, 0), ("page", "partial", 4, 0),
    ]  # fmt: skip
    migrate.downgrade(engine, "0004")
    assert _ledger(engine, "0") == before


def test_a_failed_upgrade_leaves_the_database_as_it_was(engine: Engine) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE post (foreign_to_us TEXT)")
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(engine)
    assert inspect(engine).get_table_names() == ["post"]
    assert migrate.current(engine) is None


@only_postgres
def test_migrations_and_metadata_make_the_same_indexes_and_columns(engine: Engine, tmp_path: Path) -> None:
    """Autogenerate is blind to conditions of partial indexes and to sequences: PostgreSQL's own words are not."""
    migrate.upgrade(engine)
    made = open_database(new_database(tmp_path))
    assert _described(engine) == _described(made)
    made.dispose()


@only_postgres
def test_numbers_that_every_mention_takes_do_not_end_at_31_bits(engine: Engine) -> None:
    migrate.upgrade(engine)
    with write(engine) as connection:
        rows(connection, "SELECT setval('count_delta_n_seq', ?)", (2**40,))
        zeros = "brand, minute, network, intent, queue, mentions, negative, positive, detractors, severe, risk, own"
        many(connection, f"INSERT INTO count_delta ({zeros}) VALUES (0, 0, 0, 0, '', 0, 0, 0, 0, 0, 0, ?)", [(0,)])
        assert rows(connection, "SELECT n FROM count_delta") == [(2**40 + 1,)]


def test_an_upgrade_that_two_begin_at_once_is_done_once(engine: Engine) -> None:
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(migrate.upgrade(engine))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, True]


def _of_words(difference: object) -> bool:
    """Only a comment differs: PostgreSQL keeps them, and a migration does not write them anew."""
    found = difference[0] if isinstance(difference, list) else difference
    return isinstance(found, tuple) and str(found[0]).endswith("_comment")


def _described(engine: Engine) -> tuple[list[object], ...]:
    with read(engine) as connection:
        columns = rows(
            connection,
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2",
        )
        indexes = rows(connection, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
        sequences = rows(connection, "SELECT sequencename, data_type::text FROM pg_sequences ORDER BY 1")
    return columns, [one for one in indexes if "alembic_version" not in one[0]], sequences


def _fill(engine: Engine) -> None:
    with write(engine) as connection:
        many(connection, "INSERT INTO dictionary (kind, value) VALUES (?, ?)", [("brand", "acme"), ("network", "x")])
        many(
            connection, "INSERT INTO lease (name, owner, fence, expires) VALUES (?, ?, ?, ?)", [("relay", "one", 1, 5)]
        )


def _ledger(engine: Engine, refused: str) -> list[tuple[object, ...]]:
    with read(engine) as connection:
        found = rows(connection, f"SELECT part, state, missed, {refused} FROM coverage ORDER BY part")
    return [tuple(row) for row in found]


def _statements(engine: Engine) -> dict[str, list[str]]:
    with read(engine) as connection:
        found = rows(
            connection, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"
        )
    return {name: sorted(_plain(sql).split(",")) for name, sql in found if name != "sqlite_sequence"}


def _plain(sql: str) -> str:
    """The statement without what says nothing: white space, quotes around names, brackets around conditions."""
    for mark in ("\n", "\t", " ", '"', "(", ")"):
        sql = sql.replace(mark, "")
    return sql.lower()


def test_posts_of_before_arrivals_were_noted_arrived_when_their_mentions_did(engine: Engine) -> None:
    migrate.upgrade(engine)
    migrate.downgrade(engine, "0007")
    columns = "n, id, conversation, state, seen_at, event_time, generation, tier, parts"
    with write(engine) as connection:
        many(
            connection,
            f"INSERT INTO post ({columns}) VALUES (?, ?, ?, ?, 5, 5, 0, 0, '[]')",
            [(1, "x:1", 1, "live"), (2, "x:2", 2, "live"), (3, "x:3", 3, "awaited")],
        )
        many(
            connection,
            "INSERT INTO mention (n, post, brand, revision, state, queue, risk, event_time, indexed_month, body) "
            "VALUES (?, 1, ?, 1, 'live', 'none', 0, 5, 197001, ?)",
            [(1, 1, b'{"appended_at": 900}'), (2, 2, b"{}"), (3, 3, b'{"appended_at": 800}')],
        )
    migrate.upgrade(engine)
    with read(engine) as connection:
        assert rows(connection, "SELECT id, arrived_at FROM post ORDER BY n") == [("x:1", 800), ("x:2", 5), ("x:3", 0)]


def test_cases_that_were_over_before_there_were_deadlines_have_stood_still_since_then(engine: Engine) -> None:
    migrate.upgrade(engine)
    migrate.downgrade(engine, "0025")
    columns = "id, brand, conversation, author, queue, priority, risk, mentions, opened_at, updated_at, state, live, "
    with write(engine) as connection:
        many(
            connection,
            f"INSERT INTO cases ({columns} closed_at, set_aside_at) VALUES (?, 1, ?, 0, 'pr', 'low', 0, 1, 1, 1, "
            "?, ?, ?, ?)",
            [
                (1, 1, "closed", 0, 50, None),
                (2, 2, "waiting", 1, None, 60),
                (3, 3, "open", 1, None, None),
                (4, 4, "resolved", 0, 70, None),
            ],
        )
        many(connection, "INSERT INTO case_pause (case_id, since) VALUES (?, ?)", [(4, 65)])
    migrate.upgrade(engine)
    with read(engine) as connection:
        found = rows(connection, "SELECT case_id, since, until FROM case_pause ORDER BY case_id")
        assert found == [(1, 50, None), (2, 60, None), (4, 65, None)]
