"""The rows of one database in another: equal in the end, whatever they hold, and cut short anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from database import copying
from database.base import metadata
from database.closing import close_off, open_again
from database.copying import CHUNK, NotEqual, clear_references, equalise, forms
from database.engine import DatabaseUnusable, many, open_database, read, rows, write
from database.migrate import UNFINISHED, NotWhole, current, head, make_aside, put_in_use, upgrade
from database.sequences import go_on_behind, last_given
from tests.places import new_database

MARK = f"{UNFINISHED}0123456789ab"


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Engine]:
    """Always a file: what a home grows out of."""
    engine = open_database(tmp_path / "source.db")
    with write(engine) as connection:
        metadata.create_all(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def target(kept_in: str, tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "target").mkdir()
    engine = open_database(new_database(tmp_path / "target"))
    yield engine
    engine.dispose()


def quiet(table: str, done: int, total: int) -> None: ...


def copied(source: Engine, target: Engine, *, still: bool = True) -> int:
    """Rows that were written or removed."""
    clear_references(target)
    return sum(equalise(source, target, form, still=still, show=quiet).changed for form in forms(still=still))


def held(engine: Engine, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    with read(engine) as connection:
        return sorted(tuple(row) for row in rows(connection, f"SELECT {columns} FROM {table}"))


def fill(source: Engine) -> None:
    with write(source) as connection:
        words = [("brand", f"Ünï\0 {n}") for n in range(3 * CHUNK // 2)]
        many(connection, "INSERT INTO dictionary (kind, value) VALUES (?, ?)", words)
        told = [(-n, person, 1, "pr", 2, 2**40) for n in range(CHUNK) for person in ("ana", "Ben", "ñandú")]
        many(
            connection, "INSERT INTO told (subject, person, level, queue, mentions, at) VALUES (?, ?, ?, ?, ?, ?)", told
        )
        mails = [(f"<{n}@x>", "ana", "alert", "sent", 1, 1, bool(n % 2)) for n in range(4)]
        asked = "message_id, person, kind, state, created_at, latest_at, repeated"
        many(connection, f"INSERT INTO mail ({asked}) VALUES (?, ?, ?, ?, ?, ?, ?)", mails)
        many(connection, "INSERT INTO mail_item (mail, alert) VALUES (?, ?)", [(1, 1), (1, 2), (3, 9)])
        heat = [(1, 0.1 + 0.2, 5), (2, 1e-300, 6)]
        many(connection, "INSERT INTO conversation (n, heat, heat_at) VALUES (?, ?, ?)", heat)
        waiting = [(2**60, 1, bytes(range(256)))]
        many(connection, "INSERT INTO waiting (post, kept_at, body) VALUES (?, ?, ?)", waiting)
        many(connection, "INSERT INTO lease (name, owner, fence, expires) VALUES (?, ?, ?, ?)", [("relay", "a", 7, 99)])


def test_every_row_is_copied_as_it_is(kept_in: str, source: Engine, target: Engine) -> None:
    fill(source)
    assert copied(source, target) > 0
    for table, columns in (("told", "*"), ("mail_item", "*"), ("conversation", "n, heat"), ("waiting", "*")):
        assert held(target, table, columns) == held(source, table, columns)
    words = [(n, value.replace("\0", "\ufffd")) for n, value in held(source, "dictionary", "n, value")]
    assert held(target, "dictionary", "n, value") == words
    assert [bool(each[0]) for each in held(target, "mail", "repeated")] == [False, False, True, True]
    clear = copied(source, target)
    assert clear == len(held(source, "mail_item")), "only what points at other rows is put back each time"


def test_a_lease_is_free_in_the_copy_and_its_fence_goes_on(kept_in: str, source: Engine, target: Engine) -> None:
    fill(source)
    copied(source, target)
    assert held(target, "lease") == [("relay", "a", 7, 0)]


def test_what_changed_and_went_since_is_found(kept_in: str, source: Engine, target: Engine) -> None:
    fill(source)
    copied(source, target, still=False)
    copied(source, target)
    with write(source) as connection:
        many(connection, "DELETE FROM told WHERE subject < ?", [(-400,)])
        many(connection, "UPDATE mail SET state = ? WHERE id = ?", [("failed", 1)])
        many(connection, "DELETE FROM mail_item WHERE mail = ?", [(3,)])
        many(connection, "DELETE FROM mail WHERE id = ?", [(3,)])
        many(connection, "UPDATE dictionary SET value = ? WHERE n = ?", [("new", 700)])
    copied(source, target)
    for table in ("told", "mail_item"):
        assert held(target, table) == held(source, table)
    assert held(target, "mail", "id, state") == held(source, "mail", "id, state")
    assert held(target, "dictionary", "n, value")[699] == (700, "new")


def test_rows_that_take_turns_in_what_is_unique_are_copied(kept_in: str, source: Engine, target: Engine) -> None:
    with write(source) as connection:
        many(connection, "INSERT INTO dictionary (n, kind, value) VALUES (?, 'brand', ?)", [(1, "a"), (2, "b")])
    copied(source, target)
    with write(source) as connection:
        for n, value in ((1, "c"), (2, "a"), (1, "b")):
            many(connection, "UPDATE dictionary SET value = ? WHERE n = ?", [(value, n)])
    copied(source, target)
    assert held(target, "dictionary", "n, value") == [(1, "b"), (2, "a")]


def test_while_the_source_goes_on_rows_that_exclude_one_another_wait_for_a_later_pass(
    kept_in: str, source: Engine, target: Engine
) -> None:
    with write(source) as connection:
        many(connection, "INSERT INTO dictionary (n, kind, value) VALUES (?, 'brand', ?)", [(1, "a"), (2, "b")])
    mixed = [(1, "brand", "a"), (2, "brand", "a")]
    form = next(form for form in forms(still=True) if form.name == "dictionary")
    copying._insert(target, form, mixed, still=False)
    with pytest.raises(NotEqual):
        copying._insert(target, form, [(3, "brand", "a")], still=True)
    copied(source, target)
    assert held(target, "dictionary", "n, value") == [(1, "a"), (2, "b")]


def test_a_copy_that_does_not_hold_what_was_written_is_noticed(
    kept_in: str, source: Engine, target: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(source)
    original = copying.many

    def lossy(connection: Any, sql: str, values: Any) -> int:
        return original(connection, sql, values[:-1])

    monkeypatch.setattr(copying, "many", lossy)
    with pytest.raises(NotEqual):
        copied(source, target)


def test_numbers_go_on_behind_the_highest_that_was_given(kept_in: str, source: Engine, target: Engine) -> None:
    fill(source)
    with write(source) as connection:
        many(connection, "INSERT INTO outbox (kind, mention, revision, at) VALUES ('decided', ?, 1, 1)", [(1,), (2,)])
        many(connection, "DELETE FROM outbox WHERE n > ?", [(0,)])
    copied(source, target)
    given = last_given(source)
    assert given["outbox"] == 2
    go_on_behind(target, given)
    with write(target) as connection:
        many(connection, "INSERT INTO outbox (kind, mention, revision, at) VALUES ('decided', ?, 1, 1)", [(3,)])
        many(connection, "INSERT INTO dictionary (kind, value) VALUES (?, ?)", [("brand", "last")])
        assert rows(connection, "SELECT n FROM outbox") == [(3,)]
        assert rows(connection, "SELECT max(n) FROM dictionary") == [(given["dictionary"] + 1,)]
    assert last_given(target)["outbox"] == 3


def test_a_database_that_is_filled_is_used_by_nobody_before_it_is_whole(kept_in: str, tmp_path: Path) -> None:
    engine = open_database(new_database(tmp_path, filled=False))
    try:
        make_aside(engine, MARK)
        assert current(engine) == MARK
        with pytest.raises(NotWhole, match="clamor move"):
            upgrade(engine)
        put_in_use(engine, MARK)
        assert current(engine) == head()
        assert not upgrade(engine)
    finally:
        engine.dispose()


def test_a_closed_file_takes_no_write_of_anybody_and_goes_on_to_be_read(source: Engine) -> None:
    fill(source)
    other = open_database(str(source.url.database))
    close_off(source, "it's elsewhere now")
    for statement, values in (("DELETE FROM told", ()), ("UPDATE mail SET state = 'x'", ())):
        with pytest.raises(DatabaseUnusable, match="it's elsewhere now"), write(other) as connection:
            many(connection, statement, [values])
    assert len(held(other, "mail", "id")) == 4
    open_again(source)
    with write(other) as connection:
        assert many(connection, "DELETE FROM told", [()]) == 3 * CHUNK
    other.dispose()
