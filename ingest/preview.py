"""A file as `clamor replay` would understand it, of its first rows alone: nothing is appended."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ingest.foreign import ForeignFile, Options
from ingest.intake import clean
from ingest.mapping import ASKED
from ingest.reading import SAMPLE_ROWS, STDIN
from stream.clock import Clock
from stream.records import DeadLetter, Post, decode

SHOWN_POSTS = 5
SHOWN_REFUSALS = 10
SHOWN_TEXT = 120
"""Characters of a text."""


class Column(NamedTuple):
    field: str
    column: str
    """Or a constant in quotes."""
    spare: tuple[str, ...]
    """What is read where a row has nothing in it."""
    rule: str


class Refusal(NamedTuple):
    line: int
    why: str


class Preview(NamedTuple):
    name: str
    form: str
    """Format, sheet, where the header stands: in words."""
    network: str
    """Of rows that name none."""
    columns: tuple[Column, ...]
    unread: tuple[str, ...]
    """Columns that nothing is read from."""
    posts: tuple[Post, ...]
    looked: int
    """Rows that were looked at, the first of the file."""
    more: bool
    """There may be further ones."""
    refused: int
    refusals: tuple[Refusal, ...]
    """The first of them."""
    notes: tuple[str, ...]


def preview(path: Path, options: Options, clock: Clock) -> Preview:
    """Raises Unreadable and Unmapped, as a replay does."""
    file = ForeignFile(path, options)
    with file.opened() as (reading, mapping):
        sample = list(islice(reading.rows(), SAMPLE_ROWS + 1))
        more, sample = len(sample) > SAMPLE_ROWS, sample[:SAMPLE_ROWS]
        form = _form(reading.format, reading.sheet.name if reading.sheet else "", reading.header_line)
        entries = [(row, file.entry(row, mapping, clock.now())) for row in sample]
    posts, refusals = [], []
    for row, entry in entries:
        if entry.due is None:
            refusals.append(Refusal(row.line, decode(DeadLetter, entry.record.value).reason))
        else:
            posts.append(decode(Post, entry.record.value))
            file.count(entry)
    used = set(mapping.fields.values()) | {one for held in mapping.spare.values() for one in held}
    seen = dict.fromkeys(key for row in sample if row.values for key in row.values)
    return Preview(
        name=file.place,
        form=form,
        network=file.network,
        columns=tuple(
            Column(field, column, mapping.spare.get(field, ()), _rule(column, mapping.rules.get(field, ASKED)))
            for field, column in mapping.fields.items()
        ),
        unread=tuple(key for key in seen if key not in used and not any(one.startswith(f"{key}.") for one in used)),
        posts=tuple(posts[:SHOWN_POSTS]),
        looked=len(sample),
        more=more,
        refused=len(refusals),
        refusals=tuple(refusals[:SHOWN_REFUSALS]),
        notes=file.report().notes,
    )


def shortened(text: str, most: int = SHOWN_TEXT) -> str:
    """In one line, without what could steer a terminal."""
    line = " ".join(clean(text[: 4 * most]).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def command(paths: Sequence[Path], options: Iterable[tuple[str, str]]) -> str:
    """The command that imports what was shown, with those options that have a value."""
    given = [word for option, value in options if value for word in (option, value)]
    names = ["-" if path == STDIN else str(path) for path in paths]
    ended = ["--"] if any(name.startswith("-") and name != "-" for name in names) else []
    return shlex.join(["clamor", "replay", *given, *ended, *names])


def _form(form: str, sheet: str, header: int) -> str:
    said = f"{form}, sheet {sheet[:60]!r}" if sheet else form
    return f"{said}, header in row {header}" if header else said


def _rule(column: str, rule: str) -> str:
    return f"constant, {rule}" if column[0] in "'\"" else rule
