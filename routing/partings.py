"""A merge of two cases, taken back by a person: the way of every other change, in one transaction."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Engine

from database.engine import rows, write
from routing.apply import apply
from routing.desk import Desk
from stream.records import Millis


class Parted(NamedTuple):
    changed: bool
    """False: it had been parted already, nothing was done."""
    mentions: int
    """Live ones that the case has now."""


class NoSuchCase(LookupError):
    pass


def part(engine: Engine, desk: Desk, case: int, person: str, now: Millis) -> Parted:
    """Give a merged case its mentions back; `person` stands in the histories of both. Durable on return.

    Asked again, it does nothing. Raises NoSuchCase, and routing.cases.CannotPart with the reason.
    """
    try:
        with write(engine) as connection:
            merged = _merged(connection, case)
            if merged is None and _was_parted(connection, case):
                return Parted(False, _mentions(connection, case))
            apply(connection, desk, (), now, part=[(case, person)])
            return Parted(True, _mentions(connection, case))
    except BaseException:
        desk.forget()
        raise


def _merged(connection: Connection, case: int) -> int | None:
    """The case that took it over."""
    found = rows(connection, "SELECT merged_into FROM cases WHERE id = ?", (case,))
    if not found:
        raise NoSuchCase(f"there is no case {case}")
    into: int | None = found[0][0]
    return into


def _was_parted(connection: Connection, case: int) -> bool:
    sql = "SELECT 1 FROM case_event WHERE case_id = ? AND change = 'parted' AND detail LIKE 'from %' LIMIT 1"
    return bool(rows(connection, sql, (case,)))


def _mentions(connection: Connection, case: int) -> int:
    held: int = rows(connection, "SELECT mentions FROM cases WHERE id = ?", (case,))[0][0]
    return held
