"""Ready mappings: how the exports of other programs and networks are read, as data in `ingest/mappings/`.

A mapping has no code of its own. docs/imports.md says of each where its columns' names are from.
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from importlib.resources import files

import msgspec
import yaml

from ingest import fields

_FOLDER = files("ingest") / "mappings"


class UnknownMapping(Exception):
    """There is no ready mapping of this name; the message lists those there are."""


class Ready(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ready mapping, as its file states it."""

    name: str
    of: str
    """What it reads, for people."""
    header: tuple[str, ...] = ()
    """Columns that its header surely has; a row that has them all is the header, wherever it stands."""
    fields: dict[str, tuple[str, ...]]
    """Field of a post → columns, the best first: where a row has nothing in one, the next is read. A constant stands in
    quotes."""
    values: dict[str, dict[str, str]] = {}
    """For a field: what the export says (in small letters, `*` for anything) → what a post says."""
    markup: tuple[str, ...] = ()
    """Fields that hold HTML."""
    rows: str = ""
    """In JSON the name of the list that holds the posts, where they are not the rows themselves."""

    def is_header(self, cells: list[str]) -> bool:
        return {name.lower() for name in self.header} <= {cell.strip().lstrip("\ufeff").lower() for cell in cells}

    def offered(self, columns: Collection[str]) -> dict[str, tuple[str, ...]]:
        """For each field the columns among `columns` that it is read from, named as the file names them."""
        folded = {column.strip().lower(): column for column in reversed(list(columns))}
        found: dict[str, tuple[str, ...]] = {}
        for target, names in self.fields.items():
            held = tuple(
                name if name[0] in "'\"" else folded[name.lower()]
                for name in names
                if name[0] in "'\"" or name.lower() in folded
            )
            if held:
                found[target] = held
        return found


def ready_names() -> tuple[str, ...]:
    return tuple(sorted(one.name.removesuffix(".yaml") for one in _FOLDER.iterdir() if one.name.endswith(".yaml")))


def ready(name: str) -> Ready:
    """Raises UnknownMapping."""
    if name not in ready_names():
        near = get_close_matches(name, ready_names(), 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownMapping(f"there is no ready mapping {name[:40]!r}{hint} There are: {', '.join(ready_names())}")
    found = msgspec.convert(yaml.safe_load((_FOLDER / f"{name}.yaml").read_text("utf-8")), Ready)
    unknown = [target for target in (*found.fields, *found.values, *found.markup) if target not in fields.TARGETS]
    if unknown:
        raise ValueError(f"ready mapping {name}: a post has no field {unknown[0]!r}")
    return found
