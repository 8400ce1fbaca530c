"""From a row of somebody's file to a draft: which column is which field, and how its values are read."""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TypeAlias, get_args

from ingest import fields
from ingest.collector import Draft
from ingest.dates import NoDate, Order, day_order, millis_reader
from ingest.intake import Unacceptable, clean
from ingest.markup import words_of
from ingest.ready import Ready
from ingest.stars import rated
from stream.records import MAJOR, MOST_STARS, Author, Metrics, Millis, PostKind

Values: TypeAlias = dict[str, object]
Reader: TypeAlias = Callable[[object], object]

ASKED = "--map, or the source's map"

_DEEPEST = 4
_MOST_COLUMNS = 2_000
_COUNT_MARKS = re.compile(r"[\s,._']")
_NOTHING = frozenset({"", "null", "none", "nan", "n/a", "na", "-"})
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+\Z")
_WHOLE_FLOAT = re.compile(r"(\d+)\.0\Z")
_KINDS: dict[str, str] = {
    **{kind: kind for kind in get_args(PostKind)},
    "create": "created", "post": "created", "new": "created", "edit": "edited", "update": "edited", "updated": "edited",
    "delete": "deleted", "removed": "deleted", "restore": "restored",
}  # fmt: skip


class Unmapped(Exception):
    """A file, or a `--map`, of which no posts can be made; the message names the columns and the way out."""


def parse_map(text: str | Iterable[str]) -> dict[str, str]:
    """`text=body,created_at=date,network='x'` as field → column (or quoted constant). Raises Unmapped.

    A comma inside quotes belongs to the value.
    """
    parts = re.findall(r"(?:[^,'\"]|'[^']*'|\"[^\"]*\")+", text) if isinstance(text, str) else list(text)
    found: dict[str, str] = {}
    for part in parts:
        target, sign, column = part.partition("=")
        target, column = target.strip(), column.strip()
        if not sign or not column:
            raise Unmapped(f"--map {part.strip()!r}: write FIELD=COLUMN, for instance text=body, or FIELD='constant'")
        if target not in fields.TARGETS:
            near = get_close_matches(target, fields.TARGETS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise Unmapped(
                f"--map {part.strip()!r}: a post has no field {target!r}{hint} Fields: {', '.join(fields.TARGETS)}"
            )
        found[target] = column
    return found


class RowMapping:
    """Makes drafts of rows. `fields` says which column each field is read from (constants in quotes), `rules` by which
    rule each of them was found."""

    def __init__(
        self,
        chosen: Mapping[str, str],
        *,
        own: bool = False,
        zone: tzinfo = UTC,
        order: Order = "dmy",
        order_settled: bool = True,
        rules: Mapping[str, str] | None = None,
        ready: Ready | None = None,
        spare: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`spare`: for a field the columns that are read where the row has nothing in the chosen one, in order."""
        self.fields, self.rules = dict(chosen), dict(rules or {})
        self.spare = {target: tuple(columns) for target, columns in (spare or {}).items()}
        self.own, self.order, self.order_settled = own, order, order_settled
        when = millis_reader(zone, order)
        self._constants: dict[str, object] = {}
        self._flat: list[tuple[str, str, Reader]] = []
        self._dotted: list[tuple[str, str, tuple[str, ...], Reader]] = []
        for target, column in chosen.items():
            read = _reader(target, when)
            if column[0] in "'\"":
                self._constants[target] = _constant(target, column, read)
                continue
            if ready is not None and target in ready.fields and self.rules.get(target) != ASKED:
                read = _translated(read, ready.values.get(target, {}), markup=target in ready.markup)
            # The last that says something holds, so that the chosen column comes behind those that stand in for it.
            for one in (*reversed(self.spare.get(target, ())), column):
                if one[0] in "'\"":
                    self._constants[target] = _constant(target, one, read)
                elif "." in one:
                    self._dotted.append((target, one, tuple(one.split(".")), read))
                else:
                    self._flat.append((target, one, read))

    def draft(self, row: Values) -> Draft:
        """The post of a row. Raises Unacceptable, in words without its text."""
        found = dict(self._constants)
        column = ""
        try:
            for target, column, read in self._flat:
                value = row.get(column)
                if value is not None and value != "" and (value := read(value)) is not None:
                    found[target] = value
            for target, column, path, read in self._dotted:
                value = row.get(column) or _at(row, path)
                if value is not None and value != "" and (value := read(value)) is not None:
                    found[target] = value
        except (NoDate, Unacceptable) as refusal:
            raise Unacceptable(f"{column}: {refusal}") from None
        if self.own and row.get("v", MAJOR) != MAJOR:
            raise Unacceptable(
                f"it is a post of schema version {str(row['v'])[:20]}, this program reads version {MAJOR}"
            )
        return _assembled(found)


def mapping_for(
    rows: Sequence[Values],
    chosen: Mapping[str, str],
    *,
    where: str,
    zone: tzinfo = UTC,
    order: Order | None = None,
    ready: Ready | None = None,
) -> RowMapping:
    """The mapping for a file whose first rows are `rows`: `chosen` first, then the ready mapping; without one, what is
    known by name.

    Raises Unmapped where text or time of creation cannot be found, or a chosen column does not exist.
    """
    columns = _columns(rows)
    for target, column in chosen.items():
        if column[0] not in "'\"" and column not in columns and rows:
            raise Unmapped(f"{where} has no column {column!r} for {target}. {_listed(columns)}")
    present = set(columns)
    by_name = fields.recognised(columns, chosen) if ready is None else {}
    offered = ready.offered(present) if ready is not None else {}
    found = {**by_name, **{target: held[0] for target, held in offered.items()}, **chosen}
    rules = {
        **dict.fromkeys(by_name, "known by name"),
        **(dict.fromkeys(offered, f"--as {ready.name}") if ready is not None else {}),
        **dict.fromkeys(chosen, ASKED),
    }
    spare = {target: held[1:] for target, held in offered.items() if target not in chosen}
    events = "kind" in found
    missing = [target for target in fields.REQUIRED if target not in found and not (events and "id" in found)]
    if missing:
        if ready is not None:
            wanted = "; ".join(f"{target}: {' or '.join(ready.fields.get(target, ()))}" for target in missing)
            raise Unmapped(
                f"{where}: it is no such export as --as {ready.name} reads, which has {wanted}. {_listed(columns)}\n"
                "Leave --as out, or say with --map which column is which"
            )
        guess = ",".join(f"{target}={column}" for target, column in fields.suggested(missing, columns).items())
        raise Unmapped(
            f"{where}: no column is known as {' or '.join(missing)}. {_listed(columns)}\n"
            f"Say which is which, for instance: clamor replay {shlex.quote(where)} --map {shlex.quote(guess)}"
        )
    date = found.get("created_at", "")
    dates = [row.get(date) or _at(row, date.split(".")) for row in rows]
    guessed, settled = day_order(dates)
    return RowMapping(
        found,
        own=fields.is_own(columns),
        zone=zone,
        order=order or guessed,
        order_settled=settled or order is not None,
        rules=rules,
        ready=ready,
        spare=spare,
    )


def _columns(rows: Sequence[Values]) -> list[str]:
    """Names of the rows' values, nested ones with dots, in order of appearance."""
    seen: dict[str, None] = {}

    def walk(values: Values, before: str, depth: int) -> None:
        for key, value in values.items():
            if len(seen) >= _MOST_COLUMNS:
                return
            if isinstance(value, dict) and depth < _DEEPEST:
                walk(value, f"{before}{key}.", depth + 1)
            else:
                seen.setdefault(f"{before}{key}")

    for row in rows:
        walk(row, "", 1)
    return list(seen)


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(clean(column)[:60] for column in columns[:60])
    more = f" and {len(columns) - 60} more" if len(columns) > 60 else ""
    return f"Its columns: {shown}{more}." if columns else "It has no columns."


def _at(row: Values, path: Sequence[str]) -> object:
    value: object = row
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _assembled(found: dict[str, object]) -> Draft:
    take = found.pop
    kind = found.get("kind", "created")
    claimed: Millis | None = take("created_at", None)  # type: ignore[assignment]
    seen: Millis | None = found.get("seen_at")  # type: ignore[assignment]
    if kind == "created":
        if claimed is None:
            raise Unacceptable("it has no time of creation")
        found["seen_at"] = claimed if seen is None else seen
    elif seen is None:
        found["seen_at"] = found.get("edited_at") or claimed
    native = take("id", None)
    handle, name = take("author", None), take("author_name", None)
    author_id = take("author_id", None) or handle or name
    followers, verified = take("followers", None), take("verified", None)
    counts = [take(one, None) for one in ("likes", "reposts", "replies", "views")]
    if author_id is not None:
        found["author"] = Author(
            id=author_id, handle=handle, name=name, followers=followers, verified=verified  # type: ignore[arg-type]
        )  # fmt: skip
    if counts != [None, None, None, None]:
        found["metrics"] = Metrics(likes=counts[0], reposts=counts[1], replies=counts[2], views=counts[3])  # type: ignore[arg-type]
    if native is None:
        if kind != "created":
            raise Unacceptable(f"it is of kind {kind} and has no id: which post is meant cannot be known")
        native = _derived(found, author_id, claimed)
    return Draft(native_id=native, claimed_at=claimed, **found)  # type: ignore[arg-type]


def _derived(found: Mapping[str, object], author: object, claimed: Millis | None) -> str:
    """The same post gives the same id, in this file or another."""
    text = f"{author}\0{claimed}\0{found.get('link')}\0{found.get('title')}\0{found.get('text')}"
    return "h" + hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=10).hexdigest()


# --- values ---


def _reader(target: str, when: Reader) -> Reader:
    return _date(when) if target in ("created_at", "seen_at", "edited_at") else _READERS.get(target, _string)


def _translated(read: Reader, words: Mapping[str, str], *, markup: bool) -> Reader:
    """`read` behind a ready mapping's own steps: HTML as it is seen, and its words as ours (`*` stands for any)."""
    if not words and not markup:
        return read

    def translate(value: object) -> object:
        if markup and isinstance(value, str):
            value = words_of(value)
        if words:
            said = str(value).strip().lower()
            value = words.get(said) or next((to for form, to in words.items() if fnmatchcase(said, form)), value)
        return read(value)

    return translate


def _date(when: Reader) -> Reader:
    def read(value: object) -> object:
        if type(value) is str and value.strip().lower() in _NOTHING:
            return None
        return None if type(value) is float and math.isnan(value) else when(value)

    return read


def _constant(target: str, quoted: str, read: Reader) -> object:
    value = quoted[1:-1]
    if len(quoted) < 2 or quoted[-1] != quoted[0] or not value:
        raise Unmapped(
            f"--map {target}={quoted}: a constant stands in quotes and is not empty, for instance network='x'"
        )
    try:
        return read(value)
    except (NoDate, Unacceptable) as refusal:
        raise Unmapped(f"--map {target}={quoted}: {refusal}") from None


def _string(value: object) -> str | None:
    if type(value) is str:
        return value
    if isinstance(value, bool | dict | list):
        raise Unacceptable(f"a text is wanted, and there is a {_kind_of(value)}")
    return None if isinstance(value, float) and math.isnan(value) else str(value)


def _id(value: object) -> str | None:
    if type(value) is str:
        if len(value) > 12 or not value.isalnum():
            if value.strip().lower() in _NOTHING:
                return None
            if _ROUNDED.match(value):
                raise Unacceptable(
                    "the id was rounded by a spreadsheet (it reads like 9.42E+17); export again with the column as text"
                )
            whole = _WHOLE_FLOAT.match(value)
            return whole[1] if whole else value.strip()
        return None if value.lower() in _NOTHING else value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if not value.is_integer() or abs(value) > 2**53:
            raise Unacceptable("the id is a number that lost digits; export again with the column as text")
        return str(int(value))
    if type(value) is int:
        if value.bit_length() > 900:
            raise Unacceptable("the id is a number of more than 270 digits")
        return str(value)
    raise Unacceptable(f"an id is wanted, and there is a {_kind_of(value)}")


def _reference(value: object) -> str | None:
    """Of an id that the post refers to: an object or list says nothing that is known."""
    return None if isinstance(value, dict | list | bool) else _id(value)


def _handle(value: object) -> str | None:
    return None if isinstance(value, dict | list | bool) else (_string(value) or "").strip().removeprefix("@") or None


def _name(value: object) -> str | None:
    return None if isinstance(value, dict | list | bool) else _string(value)


def _count(value: object) -> int | None:
    """A number of people or clicks; None for what is none (a list of replies, a word)."""
    if type(value) is int:
        return value if 0 <= value < 2**63 else None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and 0 <= value < 2**63 else None
    if type(value) is str and len(value) < 30:
        whole = _WHOLE_FLOAT.match(value)
        digits = whole[1] if whole else _COUNT_MARKS.sub("", value)
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
    return None


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return (
        True if word in ("true", "1", "yes", "t", "sí", "si") else False if word in ("false", "0", "no", "f") else None
    )


def _country(value: object) -> str | None:
    return value.upper() if isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha() else None


def _network(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    slug = re.sub(r"[^a-z0-9_-]+", "-", value.strip().lower()).strip("-")
    return "x" if slug == "twitter" else slug or None


def _kind(value: object) -> str:
    kind: str | None = _KINDS.get(str(value).strip().lower())
    if kind is None:
        raise Unacceptable(f"kind {str(value)[:40]!r} is none of {', '.join(get_args(PostKind))}")
    return kind


def _whole(value: object) -> int:
    if type(value) is int:
        return value
    try:
        return int(str(value)[:20])
    except ValueError:
        raise Unacceptable(f"a whole number is wanted, and there is {str(value)[:40]!r}") from None


def _stars(value: object) -> int | None:
    """Nothing else says by how many stars it counts."""
    text = str(value).strip().lower()
    if value is None or text in _NOTHING or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        found = None if isinstance(value, bool) else rated(float(text[:20]))
    except ValueError:
        found = None
    if found is None:
        raise Unacceptable(f"a whole number of stars from 0 to {MOST_STARS} is wanted, and there is {text[:40]!r}")
    return found


def _strings(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part for part in re.split(r"[\s,;|]+", value) if part)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _kind_of(value: object) -> str:
    return "truth value" if isinstance(value, bool) else "list" if isinstance(value, list) else "nested object"


_READERS: dict[str, Reader] = {
    "id": _id,
    "author_id": _reference,
    "author": _handle,
    "author_name": _name,
    "title": _name,
    "link": _name,
    "followers": _count,
    "verified": _flag,
    "lang": _name,
    "country": _country,
    "network": _network,
    "kind": _kind,
    "reply_to": _reference,
    "conversation": _reference,
    "quote_of": _reference,
    "repost_of": _reference,
    "media": _strings,
    "likes": _count,
    "reposts": _count,
    "replies": _count,
    "views": _count,
    "revision": _whole,
    "rating": _stars,
    "brands": _strings,
    "query_ids": _strings,
}
