"""The configuration in force: numbered revisions of brands, aspects, sources, people, rules and policy; the generation.

A revision is written once and never changed; the highest number of a kind is in force, and going back adds a new
revision with the old body. The generation grows whenever a change of brands, of aspects or of the model takes effect,
so that of two readings of a post the later one can be told.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, insert, literal, select

from config.content import KINDS, Kind, as_yaml
from database.tables.revisions import generation, revision
from stream.records import Millis


class Revision(NamedTuple):
    kind: str
    number: int
    """From 1, in each kind."""
    body: str
    hash: str
    created_at: Millis
    created_by: str
    note: str


class Generation(NamedTuple):
    number: int
    brands: int
    """Number of the brands' revision; 0 before the first."""
    model: str
    created_at: Millis
    why: str


class NoSuchRevision(LookupError):
    """A number that the kind does not have."""


def body_hash(body: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


def current(conn: Connection, kind: Kind) -> Revision | None:
    """The revision in force; None before the first."""
    return _revision(conn, kind, None)


def numbers(conn: Connection) -> dict[str, int]:
    """Number in force of each kind that has one."""
    return dict(conn.execute(_NUMBERS).all())


class Standing(NamedTuple):
    """What tells whether anything in force has changed."""

    numbers: dict[str, int]
    generation: int
    """The highest that a process with the model asked for may stamp."""
    newest: int
    """The highest of any model: a change of a filter has no other number."""


def standing(conn: Connection, model: str | None) -> Standing:
    """`numbers` and `generation_of` in one statement, small enough for every second."""
    newest = select(literal(_NEWEST), func.max(generation.c.number))
    found = dict(conn.execute(_NUMBERS.union_all(_generation_query(model), newest)).all())
    own, last = found.pop(_OWN, None), found.pop(_NEWEST, None)
    return Standing(found, own or 0, last or 0)


def get(conn: Connection, kind: Kind, number: int) -> Revision:
    """One revision. Raises NoSuchRevision, naming those that there are."""
    found = _revision(conn, kind, number)
    if found is None:
        last = numbers(conn).get(kind, 0)
        there = f"there are 1 to {last}" if last else "there is none yet"
        raise NoSuchRevision(f"no revision {number} of {kind}: {there}")
    return found


def history(conn: Connection, kind: Kind, limit: int = 50) -> list[Revision]:
    """The newest `limit` revisions, newest first."""
    query = select(revision).where(revision.c.kind == kind).order_by(revision.c.number.desc()).limit(limit)
    return [Revision(*row) for row in conn.execute(query)]


def adopt(conn: Connection, kind: Kind, body: str, by: str, now: Millis, note: str = "") -> Revision:
    """Put `body` in force, in the caller's write transaction; what is in force already when it is the same.

    Brands and aspects also open a new generation. The caller has validated the body.
    """
    if kind not in KINDS:
        raise ValueError(f"no such kind of configuration: {kind!r}; there are {', '.join(KINDS)}")
    before = current(conn, kind)
    digest = body_hash(body)
    if before is not None and before.hash == digest:
        return before
    made = Revision(kind, before.number + 1 if before else 1, body, digest, now, by, note)
    conn.execute(insert(revision).values(made._asdict()))
    if kind in ("brands", "aspects"):
        last = last_generation(conn)
        brands = made.number if kind == "brands" else last.brands if last else 0
        _open_generation(conn, brands, last.model if last else "", now, f"{kind} revision {made.number}")
    return made


def go_back(conn: Connection, kind: Kind, number: int, by: str, now: Millis) -> Revision:
    """Put an earlier revision's body in force again, as a new revision. Raises NoSuchRevision."""
    old = get(conn, kind, number)
    return adopt(conn, kind, old.body, by, now, note=f"back to revision {number}")


def diff(conn: Connection, kind: Kind, old: int, new: int) -> str:
    """Unified diff of two revisions in the form that people write; empty when they are equal. Raises NoSuchRevision."""
    left, right = get(conn, kind, old), get(conn, kind, new)
    return diff_bodies(kind, left.body, right.body, f"{kind} revision {old}", f"{kind} revision {new}")


def diff_bodies(kind: Kind, old: str | None, new: str, old_name: str, new_name: str) -> str:
    """Unified diff of two bodies (None: nothing yet) in the form that people write."""
    before = as_yaml(kind, old).splitlines() if old is not None else []
    lines = difflib.unified_diff(before, as_yaml(kind, new).splitlines(), old_name, new_name, lineterm="")
    return "\n".join(lines)


# --- generations --------------------------------------------------------------------------------------------------


def last_generation(conn: Connection) -> Generation | None:
    rows = conn.execute(select(generation).order_by(generation.c.number.desc()).limit(1)).all()
    return Generation(*rows[0]) if rows else None


def generation_of(conn: Connection, model: str | None) -> int:
    """The highest generation that a process with this model may stamp; 0 before the first.

    A process that still runs an older model keeps to the last generation of that model, so that what it reads never
    displaces the newer model's reading. None: whatever the model, the highest.
    """
    return conn.execute(_generation_query(model)).all()[0][1] or 0


def adopt_model(conn: Connection, model: str, now: Millis) -> int:
    """Note, in the caller's write transaction, that `model` understands posts from now on; the generation in force.

    A new generation, unless the last one is this model's.
    """
    last = last_generation(conn)
    if last is not None and last.model == model:
        return last.number
    return _open_generation(conn, numbers(conn).get("brands", 0), model, now, f"model {model}")


def adopt_filter(conn: Connection, why: str, now: Millis) -> int:
    """Note, in the caller's write transaction, that a brand's filter has changed; the new generation."""
    last = last_generation(conn)
    return _open_generation(conn, numbers(conn).get("brands", 0), last.model if last else "", now, why)


def generations(conn: Connection, limit: int = 50) -> Sequence[Generation]:
    """The newest `limit` generations, newest first."""
    query = select(generation).order_by(generation.c.number.desc()).limit(limit)
    return [Generation(*row) for row in conn.execute(query)]


_OWN, _NEWEST = "", "newest"
"""Beside the kinds of configuration, in one column."""
_NUMBERS = select(revision.c.kind, func.max(revision.c.number)).group_by(revision.c.kind)


def _generation_query(model: str | None) -> Select[str, Any]:
    query = select(literal(_OWN), func.max(generation.c.number))
    return query if model is None else query.where(generation.c.model == model)


def _open_generation(conn: Connection, brands: int, model: str, now: Millis, why: str) -> int:
    last = conn.execute(select(func.max(generation.c.number))).scalar() or 0
    made = Generation(last + 1, brands, model, now, why)
    conn.execute(insert(generation).values(made._asdict()))
    return made.number


def _revision(conn: Connection, kind: Kind, number: int | None) -> Revision | None:
    query = select(revision).where(revision.c.kind == kind)
    if number is None:
        query = query.order_by(revision.c.number.desc()).limit(1)
    else:
        query = query.where(revision.c.number == number)
    rows = conn.execute(query).all()
    return Revision(*rows[0]) if rows else None
