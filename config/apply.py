"""From files to numbered revisions and back: what would change, put it in force, write out what is in force."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from pydantic import BaseModel
from sqlalchemy import Connection

from config import content
from config.brands import WATCHED, Brand
from config.content import KINDS, TEXTS, Kind, TextKind
from config.home import HomeError
from config.known import Paper, Standing
from config.load import Content
from database import revisions
from database.revisions import Revision
from stream.records import Millis

SHIPPED_NOTES: Mapping[TextKind, str] = {"rules": "shipped rules", "policy": "shipped policy"}
"""Note of a revision that came from the program, not from a file: a newer program may replace it."""
Shipped: TypeAlias = Mapping[TextKind, str]
"""What the program ships, as YAML."""


class Change(NamedTuple):
    """What applying would do to one kind."""

    kind: Kind
    base: int
    """Number in force when this was worked out; 0: none."""
    body: str
    added: tuple[str, ...]
    """Ids; empty for rules and policy."""
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    diff: str
    """Unified diff in the form that people write."""
    note: str = ""

    @property
    def summary(self) -> str:
        """`brands: added acme; removed oldco`; for rules and policy, how many lines."""
        parts = [
            f"{word} {', '.join(ids[:8])}{f' and {len(ids) - 8} more' if len(ids) > 8 else ''}"
            for word, ids in (("added", self.added), ("removed", self.removed), ("changed", self.changed))
            if ids
        ]
        return f"{self.kind}: {'; '.join(parts) or _lines(self.diff)}"


class Moved(Exception):
    """Somebody else put a revision in force in between: plan again."""


def plan(conn: Connection, wanted: Content, shipped: Shipped) -> list[Change]:
    """What is different in SQL from what the files state; empty when nothing is.

    A section that the files do not state is left alone. So are rules and policy, unless those in force are shipped
    ones: then the present program's take their place.
    """
    changes = []
    for kind in KINDS:
        before = revisions.current(conn, kind)
        stated = _stated(kind, wanted, before, shipped)
        if stated is not None and (before is None or before.hash != revisions.body_hash(stated[0])):
            changes.append(_change(kind, before, *stated))
    return changes


def standing(conn: Connection) -> Standing:
    """What is in force, for files that leave some of it unsaid. Shipped rules and policy are left out: those of the
    present program take their place."""
    brands, people = revisions.current(conn, "brands"), revisions.current(conn, "people")
    teams, deadlines = revisions.current(conn, "teams"), revisions.current(conn, "deadlines")
    texts = {kind: revisions.current(conn, kind) for kind in TEXTS}
    return Standing(
        tuple(brand.id for brand in content.brands(brands.body)) if brands is not None else (),
        frozenset(person.id for person in content.people(people.body)) if people is not None else None,
        {
            kind: Paper(held.body, f"revision {held.number} of {kind}")
            for kind, held in texts.items()
            if held is not None and held.note != SHIPPED_NOTES[kind]
        },
        frozenset(team.id for team in content.teams(teams.body)) if teams is not None else frozenset(),
        frozenset(one.id for one in content.deadlines(deadlines.body)) if deadlines is not None else frozenset(),
    )


def adjusted(conn: Connection, kind: Kind, items: Sequence[BaseModel], note: str = "") -> list[Change]:
    """What is to be done so that exactly these brands, aspects, sources or people are in force."""
    before, body = revisions.current(conn, kind), content.body(kind, items)
    if before is not None and before.hash == revisions.body_hash(body):
        return []
    return [_change(kind, before, body, note)]


def apply(conn: Connection, changes: Sequence[Change], by: str, now: Millis) -> list[Revision]:
    """Put planned changes in force, all in the caller's write transaction; the new revisions. Raises Moved."""
    numbers = revisions.numbers(conn)
    for change in changes:
        if numbers.get(change.kind, 0) != change.base:
            found = numbers.get(change.kind, 0)
            raise Moved(
                f"{change.kind} went from revision {change.base} to {found} in the meantime: run the command again"
            )
    return [revisions.adopt(conn, change.kind, change.body, by, now, change.note) for change in changes]


def apply_first(conn: Connection, wanted: Content, shipped: Shipped, by: str, now: Millis) -> list[Revision]:
    """Put the files in force where nothing is yet (`clamor run` on an empty home), in the caller's write transaction.

    Empty when something is in force already: then `plan` tells the drift.
    """
    if revisions.numbers(conn):
        return []
    return apply(conn, plan(conn, wanted, shipped), by, now)


def export(conn: Connection, folder: Path) -> list[Path]:
    """Write what is in force as clamor.yaml (brands, aspects, sources, people), rules.yaml and
    detractors.yaml; the paths written.

    Raises HomeError when one of them exists (nothing is written over), or nothing is in force.
    """
    found = {kind: revisions.current(conn, kind) for kind in KINDS}
    if not any(found.values()):
        raise HomeError(
            "nothing is in force in this home yet: `clamor apply` or the first `clamor run` takes its files over; "
            "`clamor init --rules` writes the shipped rules as a file"
        )
    texts = {
        folder / "clamor.yaml": "\n".join(
            content.as_yaml(kind, revision.body)
            for kind, revision in found.items()
            if revision is not None and kind not in TEXTS
        ),
        folder / "rules.yaml": found["rules"].body if found["rules"] else "",
        folder / "detractors.yaml": found["policy"].body if found["policy"] else "",
    }
    numbers = ", ".join(f"{kind} {revision.number}" for kind, revision in found.items() if revision is not None)
    heading = f"# Written by clamor export. Revisions: {numbers or 'none'}.\n\n"
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise HomeError(f"{' and '.join(there)} exists already: export into an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path, text in texts.items():
        if text or path.name == "clamor.yaml":
            path.write_text(heading + text if path.name == "clamor.yaml" else text, encoding="utf-8")
            written.append(path)
    return written


def _stated(kind: Kind, wanted: Content, before: Revision | None, shipped: Shipped) -> tuple[str, str] | None:
    """(body, note) that the files ask for; None: nothing is stated."""
    if kind not in TEXTS:
        items = getattr(wanted.stated, kind)
        if items is not None and kind == "brands" and before is not None:
            items = (*items, *_watched(items, before.body))
        return (content.body(kind, items), "") if items is not None else None
    text = wanted.text(kind)
    if text is not None:
        return text, ""
    if wanted.shipped(kind) or before is None or before.note == SHIPPED_NOTES[kind]:
        return shipped[kind], SHIPPED_NOTES[kind]
    return None


def _watched(stated: Sequence[Brand], body: str) -> list[Brand]:
    """What `clamor watch` put in force and the files do not speak of."""
    ids = {brand.id for brand in stated}
    return [brand for brand in content.brands(body) if brand.id.startswith(WATCHED) and brand.id not in ids]


def _change(kind: Kind, before: Revision | None, body: str, note: str) -> Change:
    old, new = _by_id(kind, before.body if before else None), _by_id(kind, body)
    name = f"{kind} in force (revision {before.number})" if before else f"{kind} in force (none)"
    return Change(
        kind=kind,
        base=before.number if before else 0,
        body=body,
        added=tuple(key for key in new if key not in old),
        removed=tuple(key for key in old if key not in new),
        changed=tuple(key for key in new if key in old and new[key] != old[key]),
        diff=revisions.diff_bodies(kind, before.body if before else None, body, name, f"{kind} in the files"),
        note=note,
    )


def _by_id(kind: Kind, body: str | None) -> dict[str, object]:
    if body is None or kind in TEXTS:
        return {}
    return {str(item["id"]): item for item in json.loads(body)}


def _lines(diff: str) -> str:
    lines = diff.splitlines()[2:]
    more, less = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return f"{more} lines added, {less} removed" if more or less else "order changed"
