"""The rows of one database made equal to those of another, table by table, on SQLite and on PostgreSQL alike.

Rows are found by their primary key and compared whole, a chunk at a time, each in a transaction of its own. So it may
be cut short anywhere and begun again, and what has changed meanwhile is found by going over it once more. While the
source goes on, the copy is of no one moment; once it stands still, a last pass makes it equal, or says where it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Boolean, Connection, Engine, Table

import database.tables  # noqa: F401
from database.base import metadata
from database.engine import many, read, rows, rows_in, write

CHUNK = 500
"""Rows compared at a time: a lookup of so many keys of four columns stays below both databases' limits."""

LEFT_OUT = frozenset({"stored_offset"})
"""Offsets belong to a log: who moves them knows to which."""
ONLY_AT_THE_END = frozenset({"lease", "outbox"})
"""Rows that come and go all the time while the source is at work."""
FIXED: Mapping[str, Mapping[str, Any]] = {"lease": {"expires": 0}}
"""What a column holds in the copy, whatever the source says: nobody holds a lease there yet, and its fence goes on."""

Row: TypeAlias = tuple[Any, ...]
Key: TypeAlias = tuple[Any, ...]
Show = Callable[[str, int, int], None]
"""Called with (table, rows compared, rows in all)."""


class NotEqual(Exception):
    """The copy of a table is not what the source holds, though it was written a moment ago."""


class Form(NamedTuple):
    """How the rows of a table are read and written."""

    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...]
    """Places of the primary key's columns."""
    flags: frozenset[int]
    """Places of truth values: SQLite keeps numbers."""
    refers: bool
    """Its rows point at those of another table, which must be there before."""
    fixed: tuple[tuple[int, Any], ...]

    def key_of(self, row: Row) -> Key:
        return tuple(row[place] for place in self.key)

    @property
    def keys(self) -> str:
        return ", ".join(self.columns[place] for place in self.key)

    @property
    def select(self) -> str:
        return f"SELECT {', '.join(self.columns)} FROM {self.name}"

    def marks(self, count: int) -> str:
        return ", ".join("?" * count)


class Compared(NamedTuple):
    """What a pass over one table found."""

    rows: int
    """In the source."""
    changed: int
    """Rows that were written or removed in the copy."""


def forms(*, still: bool) -> list[Form]:
    """Of the tables to copy, those that others point at first; all of them where the source stands `still`."""
    found = [_form(table) for table in metadata.sorted_tables if table.name not in LEFT_OUT]
    return found if still else [form for form in found if not form.refers and form.name not in ONLY_AT_THE_END]


def clear_references(target: Engine) -> None:
    """Before a pass: rows that would keep those that they point at from being replaced. The last one puts them back."""
    with write(target) as connection:
        for form in forms(still=True):
            if form.refers:
                many(connection, f"DELETE FROM {form.name}", [()])


def equalise(source: Engine, target: Engine, form: Form, *, still: bool, show: Show) -> Compared:
    """Make the rows of a table in `target` those of `source`.

    Rows that differ go before any is written, so that what is unique among the rows of one moment stays so. `still`:
    nobody writes to the source, and each row that was written is read back. Raises NotEqual (only then), Transient,
    DatabaseUnusable.
    """
    total, before = _count(source, form), _count(target, form)
    done = same = changed = 0
    lacking: list[Key | None] = []
    for after, chunk in _chunks(source, form):
        found = _found(target, form, chunk) if before else {}
        wrong = [key for row in chunk if (key := form.key_of(row)) in found and found[key] != row]
        _delete(target, form, wrong)
        same += len(found) - len(wrong)
        if len(found) - len(wrong) < len(chunk):
            lacking.append(after)
        done += len(chunk)
        changed += len(wrong)
        show(form.name, done, max(done, total))
    if before > same + changed:
        changed += _remove_others(source, target, form)
    for after in lacking:
        changed += _add(source, target, form, after, still=still)
    if still and (there := _count(target, form)) != done:
        raise NotEqual(f"table {form.name} has {done:,} rows, its copy {there:,}")
    return Compared(done, changed)


def _form(table: Table) -> Form:
    names = [column.name for column in table.columns]
    return Form(
        name=table.name,
        columns=tuple(names),
        key=tuple(names.index(column.name) for column in table.primary_key.columns),
        flags=frozenset(place for place, column in enumerate(table.columns) if isinstance(column.type, Boolean)),
        refers=bool(table.foreign_keys),
        fixed=tuple((names.index(name), value) for name, value in FIXED.get(table.name, {}).items()),
    )


def _chunks(engine: Engine, form: Form) -> Iterator[tuple[Key | None, list[Row]]]:
    """(key behind which it begins, the rows), in the order of the key."""
    after: Key | None = None
    while chunk := _chunk(engine, form, after):
        yield after, chunk
        if len(chunk) < CHUNK:
            return
        after = form.key_of(chunk[-1])


def _chunk(engine: Engine, form: Form, after: Key | None) -> list[Row]:
    with read(engine) as connection:
        found = _behind(connection, form, form.select, after)
    return [_settled(form, row) for row in found]


def _behind(connection: Connection, form: Form, select: str, after: Key | None) -> list[Row]:
    behind = "" if after is None else f" WHERE ({form.keys}) > ({form.marks(len(after))})"
    found: list[Row] = rows(connection, f"{select}{behind} ORDER BY {form.keys} LIMIT ?", (*(after or ()), CHUNK))
    return found


def _settled(form: Form, row: Row) -> Row:
    """The row as either database holds it: PostgreSQL's text has no U+0000 (see `database.server`)."""
    values = [value.replace("\0", "\ufffd") if type(value) is str and "\0" in value else value for value in row]
    for place in form.flags:
        values[place] = None if values[place] is None else bool(values[place])
    for place, value in form.fixed:
        values[place] = value
    return tuple(values)


def _found(engine: Engine, form: Form, chunk: Sequence[Row]) -> dict[Key, Row]:
    """Rows with the keys of these, by their key."""
    keys = [form.key_of(row) for row in chunk]
    with read(engine) as connection:
        found = _with_keys(connection, form, form.select, keys)
    return {form.key_of(row): row for row in map(tuple, found)}


def _with_keys(connection: Connection, form: Form, select: str, keys: Sequence[Key]) -> list[Row]:
    if len(form.key) == 1:
        # The last key may be asked for more than once (see `rows_in`): it is found once all the same.
        return rows_in(connection, f"{select} WHERE {form.keys} IN (??)", [key[0] for key in keys])
    each = f"({form.marks(len(form.key))})"
    asked = f"{select} WHERE ({form.keys}) IN (VALUES {', '.join([each] * len(keys))})"
    return rows(connection, asked, [value for key in keys for value in key])


def _delete(engine: Engine, form: Form, keys: Sequence[Key]) -> None:
    if keys:
        where = " AND ".join(f"{form.columns[place]} = ?" for place in form.key)
        with write(engine) as connection:
            many(connection, f"DELETE FROM {form.name} WHERE {where}", list(keys))


def _remove_others(source: Engine, target: Engine, form: Form) -> int:
    """Rows of the copy that the source has no more; how many."""
    select, after, removed = f"SELECT {form.keys} FROM {form.name}", None, 0
    while True:
        with read(target) as connection:
            keys = [tuple(key) for key in _behind(connection, form, select, after)]
        if not keys:
            return removed
        with read(source) as connection:
            kept = {_text_as_kept(key) for key in _with_keys(connection, form, select, keys)}
        others = [key for key in keys if key not in kept]
        _delete(target, form, others)
        removed, after = removed + len(others), keys[-1]


def _text_as_kept(key: Key) -> Key:
    return tuple(value.replace("\0", "\ufffd") if type(value) is str else value for value in key)


def _add(source: Engine, target: Engine, form: Form, after: Key | None, *, still: bool) -> int:
    """Rows of a chunk that the copy lacks; how many."""
    chunk = _chunk(source, form, after)
    there = _found(target, form, chunk)
    news = [row for row in chunk if form.key_of(row) not in there]
    if news:
        _insert(target, form, news, still=still)
    if still and _found(target, form, chunk) != {form.key_of(row): row for row in chunk}:
        raise NotEqual(f"table {form.name} gives other rows back than were written to it")
    return len(news)


def _insert(engine: Engine, form: Form, news: Sequence[Row], *, still: bool) -> None:
    sql = f"INSERT INTO {form.name} ({', '.join(form.columns)}) VALUES ({form.marks(len(form.columns))})"
    try:
        with write(engine) as connection:
            many(connection, sql, news)
    except engine.dialect.loaded_dbapi.IntegrityError as error:
        if still:
            raise NotEqual(f"table {form.name} does not take rows that the source holds side by side") from error
        # Of two rows that take turns the copy has one as it was and one as it is: a later pass sees both as they are.
        with write(engine) as connection:
            many(connection, f"{sql} ON CONFLICT DO NOTHING", news)


def _count(engine: Engine, form: Form) -> int:
    with read(engine) as connection:
        counted: int = rows(connection, f"SELECT count(*) FROM {form.name}")[0][0]
    return counted
