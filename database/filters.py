"""Filters of brands: numbered versions, the highest of each brand in force. A new one opens a new generation."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import many, rows
from database.revisions import adopt_filter
from stream.records import Millis


class Kept(NamedTuple):
    version: int
    body: str
    """Empty: no filter from this version on."""
    measured: str
    created_at: Millis
    created_by: str


def in_force(conn: Connection) -> tuple[tuple[str, str], ...]:
    """(brand's id, body) of each brand that has a filter."""
    return tuple([(brand, body) for brand, body in rows(conn, _IN_FORCE, ()) if body])


def newest(conn: Connection, brand: str) -> Kept | None:
    """The version in force of a brand; None where nothing was ever learnt."""
    found = rows(conn, _NEWEST, (brand,))
    return Kept(*found[0]) if found else None


def adopt(conn: Connection, brand: str, body: str, measured: str, by: str, now: Millis) -> int:
    """Put a filter (or, by an empty body, none) in force, in the caller's write transaction; its version."""
    last = newest(conn, brand)
    version = last.version + 1 if last else 1
    many(conn, _NEW, [(brand, version, body, measured, now, by)])
    adopt_filter(conn, f"filter {version} of brand {brand}" if body else f"no filter of brand {brand}", now)
    return version


_IN_FORCE = (
    "SELECT f.brand, f.body FROM brand_filter f WHERE f.version = "
    "(SELECT max(g.version) FROM brand_filter g WHERE g.brand = f.brand) ORDER BY f.brand"
)
_NEWEST = (
    "SELECT version, body, measured, created_at, created_by FROM brand_filter WHERE brand = ? "
    "ORDER BY version DESC LIMIT 1"
)
_NEW = "INSERT INTO brand_filter (brand, version, body, measured, created_at, created_by) VALUES (?, ?, ?, ?, ?, ?)"
