"""Coverage as a line of text a source: one sign for each part of a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from ingest.coverage import figure
from stream.records import Coverage, Millis

ALL, LATER, PART, NONE, NOT_ASKED = "█", "▓", "▒", "·", " "
LEGEND = (
    f"{ALL} all received  {LATER} all, some of it fetched later  {PART} a part  {NONE} nothing  blank: not asked for"
)


class Line(NamedTuple):
    source: str
    signs: str
    """Oldest first."""
    share: float | None
    """Of the whole time."""


def timeline(found: Sequence[Coverage], since: Millis, until: Millis, width: int) -> list[Line]:
    """A line for each source of the ledger's rows that overlap [since, until), in `width` parts of one length."""
    by_source: dict[str, list[Coverage]] = {}
    for row in found:
        by_source.setdefault(row.source_id, []).append(row)
    edges = [since + (until - since) * part // width for part in range(width + 1)]
    lines = []
    for source, rows in sorted(by_source.items()):
        signs = "".join(
            _sign([row for row in rows if row.until > start and row.since < end], start, end)
            for start, end in pairwise(edges)
        )
        lines.append(Line(source, signs, figure(rows, since, until).share))
    return lines


def _sign(rows: Sequence[Coverage], since: Millis, until: Millis) -> str:
    share = figure(rows, since, until).share
    if share is None:
        return NOT_ASKED
    if share == 1.0:
        return LATER if any(row.state == "backfilled" for row in rows) else ALL
    return PART if share else NONE
