"""What a PostgreSQL server can do to a program: be slow, busy, away, killed, of the wrong kind. And what it must not
hear or tell."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from database import migrate
from database.engine import DatabaseUnusable, Server, many, open_database, read, rows, rows_in, write
from ingest.cursors import Cursors
from stream.ports import Transient
from tests.services.postgres_server import PostgresServer

pytestmark = pytest.mark.services

LEASE = "INSERT INTO lease (name, owner, fence, expires) VALUES (?, ?, 0, 0)"


def owners(engine: Engine) -> list[str]:
    with read(engine) as connection:
        return [owner for (owner,) in rows(connection, "SELECT owner FROM lease ORDER BY name")]


def add(engine: Engine, name: str, owner: str = "one") -> None:
    with write(engine) as connection:
        many(connection, LEASE, [(name, owner)])


@contextmanager
def impatient(address: str, setting: str) -> Iterator[Engine]:
    """An engine with a shorter limit than the program's own."""
    engine = open_database(address)

    def shorten(connection: object, _: object) -> None:
        connection.execute(f"SET {setting}")  # type: ignore[attr-defined]
        connection.commit()  # type: ignore[attr-defined]

    event.listen(engine, "connect", shorten)
    yield engine
    engine.dispose()


# --- what is never told --------------------------------------------------------------------------------------------


def test_a_password_stands_in_no_address_and_no_error(postgres: PostgresServer, address: str) -> None:
    wrong = open_database(postgres.address("postgres", "hunter2-and-more"))
    with pytest.raises(Transient, match="cannot be reached") as told, read(wrong):
        pass
    wrong.dispose()
    right = open_database(address)
    shown = (str(told.value), repr(told.value.__cause__), repr(wrong), str(wrong.url), repr(right), str(right.url))
    assert not any("hunter2" in text or postgres.password in text for text in shown)
    assert "clamor" in str(told.value), "it says who was not let in"


def test_a_password_that_was_changed_counts_from_the_next_connection_on(postgres: PostgresServer, address: str) -> None:
    url, known = make_url(address), ["not yet"]
    place = Server(url.host, url.database, url.username, url.port, lambda: known[0], tls=False)
    assert "not yet" not in repr(place)
    engine = open_database(place)
    with pytest.raises(Transient), read(engine):
        pass
    known[0] = postgres.password
    add(engine, "a")
    assert owners(engine) == ["one"]
    engine.dispose()


def test_an_error_repeats_no_row(engine: Engine) -> None:
    add(engine, "a private matter")
    with pytest.raises(Exception, match="duplicate key") as raw, write(engine) as connection:
        many(connection, LEASE, [("a private matter", "two")])
    with pytest.raises(Exception, match="null value") as wrapped, write(engine) as connection:
        connection.exec_driver_sql("INSERT INTO lease (name, fence, expires) VALUES ('a private matter 2', 0, 0)")
    for told in (raw, wrapped):
        assert "private" not in str(told.value).partition("[SQL:")[0]


# --- faults that pass ----------------------------------------------------------------------------------------------


def test_a_writer_that_waits_too_long_says_so(address: str, engine: Engine) -> None:
    with (
        impatient(address, "lock_timeout = '100ms'") as other,
        write(engine),
        pytest.raises(Transient, match="locked by another process"),
    ):
        add(other, "b")
    add(engine, "c")


def test_a_row_that_is_put_by_its_key_waits_for_no_writer(address: str, engine: Engine) -> None:
    with impatient(address, "lock_timeout = '100ms'") as other, write(engine):
        Cursors(other).put("x", "", "here", 1)
    assert Cursors(engine).get("x") == "here"


def test_a_statement_that_takes_too_long_is_given_up(address: str) -> None:
    with (
        impatient(address, "statement_timeout = '100ms'") as engine,
        pytest.raises(Transient, match="longer over a statement"),
        read(engine) as connection,
    ):
        rows(connection, "SELECT pg_sleep(5)")


def test_two_that_wait_for_each_other_are_told_apart(address: str, engine: Engine) -> None:
    """By row locks: those who go beside other writers."""
    add(engine, "a")
    add(engine, "b")
    both, faults = threading.Barrier(2), list[Exception]()

    def change(first: str, second: str) -> None:
        mine = open_database(address)
        try:
            with write(mine, alone=False) as connection:
                many(connection, "UPDATE lease SET fence = 1 WHERE name = ?", [(first,)])
                both.wait()
                many(connection, "UPDATE lease SET fence = 2 WHERE name = ?", [(second,)])
        except Transient as fault:
            faults.append(fault)
        mine.dispose()

    threads = [threading.Thread(target=change, args=names) for names in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(faults) == 1
    assert "each other's way" in str(faults[0])


def test_a_connection_cut_off_in_the_middle_loses_all_of_its_transaction_and_nothing_else(
    postgres: PostgresServer, engine: Engine
) -> None:
    with pytest.raises(Transient), write(engine) as connection:  # noqa: PT012
        many(connection, LEASE, [("lost", "one")])
        pid = rows(connection, "SELECT pg_backend_pid()")[0][0]
        postgres.admin(f"SELECT pg_terminate_backend({pid})")
        many(connection, LEASE, [("lost too", "one")])
    add(engine, "kept")
    with read(engine) as connection:
        assert rows(connection, "SELECT name FROM lease") == [("kept",)]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_server_that_went_away_is_a_fault_that_passes(
    postgres: PostgresServer, engine: Engine, how: signal.Signals
) -> None:
    add(engine, "before")
    postgres.stop(how)
    try:
        with pytest.raises(Transient, match=r"cannot be reached|being stopped"):
            add(engine, "meanwhile")
    finally:
        postgres.start()
    add(engine, "after")
    with read(engine) as connection:
        assert rows(connection, "SELECT name FROM lease ORDER BY name") == [("after",), ("before",)]


def test_a_commit_that_fails_for_want_of_room_is_a_fault_that_passes_and_leaves_nothing(engine: Engine) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql(_NO_ROOM)
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER no_room AFTER INSERT ON lease DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION no_room()"
        )
    with pytest.raises(Transient, match="its disk is full: free some space"):
        add(engine, "a")
    assert owners(engine) == []
    with write(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER no_room ON lease")
    add(engine, "a")
    assert owners(engine) == ["one"]


_NO_ROOM = (
    "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
)


# --- what it has to be ---------------------------------------------------------------------------------------------


def test_a_reader_sees_one_moment_and_writes_nothing(engine: Engine) -> None:
    with read(engine) as reader:
        assert rows(reader, "SELECT count(*) FROM lease") == [(0,)]
        add(engine, "a")
        assert rows(reader, "SELECT count(*) FROM lease") == [(0,)]
    with pytest.raises(Exception, match=r"read-only|takes no writes"), read(engine) as reader:
        many(reader, LEASE, [("b", "one")])


def test_a_session_is_set_up_for_clamor(engine: Engine) -> None:
    wanted = {"TimeZone": "UTC", "statement_timeout": "1min", "lock_timeout": "10s", "client_encoding": "UTF8"}
    with write(engine) as connection:
        assert {name: rows(connection, f"SHOW {name}")[0][0] for name in wanted} == wanted
        assert rows(connection, "SHOW transaction_isolation") == [("read committed",)]
        assert rows(connection, "SHOW idle_in_transaction_session_timeout") == [("20s",)]
    with read(engine) as connection:
        assert rows(connection, "SHOW transaction_isolation") == [("repeatable read",)]


def test_a_question_with_a_sign_that_text_cannot_hold_finds_nothing(engine: Engine) -> None:
    add(engine, "a")
    with read(engine) as connection:
        assert rows(connection, "SELECT owner FROM lease WHERE name = ?", ("a\0",)) == []
        assert rows_in(connection, "SELECT owner FROM lease WHERE name IN (??)", ["a", "\0"]) == [("one",)]


def test_what_was_prepared_before_a_migration_is_asked_again_after_it(address: str, engine: Engine) -> None:
    other = open_database(address)
    with write(other) as connection:
        connection.exec_driver_sql("CREATE TABLE thing (n INTEGER)")
    for _ in range(7):
        with read(engine) as connection:
            rows(connection, "SELECT n FROM thing")
    with write(other) as connection:
        connection.exec_driver_sql("ALTER TABLE thing ALTER COLUMN n TYPE BIGINT")
    other.dispose()
    with pytest.raises(Transient, match="other tables than a moment ago"), read(engine) as connection:
        rows(connection, "SELECT n FROM thing")
    with read(engine) as connection:
        assert rows(connection, "SELECT n FROM thing") == []


def test_a_database_that_lacks_characters_is_refused_in_words(postgres: PostgresServer) -> None:
    engine = open_database(postgres.create("template0", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"))
    with pytest.raises(DatabaseUnusable, match=r"holds text as LATIN1.*ENCODING 'UTF8'"):
        migrate.upgrade(engine)
    engine.dispose()


def test_a_user_without_rights_is_told_whose_they_are(postgres: PostgresServer) -> None:
    address = make_url(postgres.create())
    postgres.admin("DROP ROLE IF EXISTS guest")
    postgres.admin("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    engine = open_database(address.set(username="guest", password="guest").render_as_string(hide_password=False))
    with pytest.raises(DatabaseUnusable, match="does not let this user do that"):
        migrate.upgrade(engine)
    engine.dispose()


def test_a_driver_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *rest: object, **named: object) -> object:
        if name.partition(".")[0] == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
        return real(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DatabaseUnusable, match=r"needs psycopg.*clamor\[postgres\]"):
        open_database("postgresql+psycopg://x@127.0.0.1/x")
