"""What a batch of routing does to the key figures: of cases that it changed, of detractors who spoke in it."""

from __future__ import annotations

from collections.abc import Sequence

from database.engine import many, rows_in
from routing.kpi.kept import measure
from routing.kpi.measures import WITHIN
from routing.rows import MentionRow
from routing.sheet import Sheet


def keep(sheet: Sheet, moved: Sequence[MentionRow]) -> None:
    """Of the cases that this batch changed in what is measured, and of those whose detractors spoke in it."""
    changed = {case.id for case in sheet.cases.values() if case.dirty and case.measured != case.was_measured}
    changed |= sheet.reckoned | _praised(sheet, moved)
    networks: dict[int, str] = {}
    for m in moved:
        if m.case_id in changed:
            networks.setdefault(m.case_id, m.post.id.partition(":")[0])
    measure(sheet.connection, changed, sheet.now, networks)


def _praised(sheet: Sheet, moved: Sequence[MentionRow]) -> set[int]:
    """Cases of whose detractors one spoke well of the brand in this batch, or does no longer; noted as such."""
    well = {m.n: m for m in moved if _well(m)}
    # Whose text expired said it all the same.
    other = [m.n for m in moved if m.n not in well and not m.new and m.state != "expired"]
    connection = sheet.connection
    withdrawn = rows_in(connection, "SELECT case_id, mention FROM kpi_praise WHERE mention IN (??)", other)
    many(connection, "DELETE FROM kpi_praise WHERE case_id = ? AND mention = ?", [tuple(row) for row in withdrawn])
    authors = sorted({m.post.author for m in well.values() if m.post.author is not None})
    resolved = rows_in(connection, _OF_AUTHORS, authors) if authors else []
    came = [
        (case, m.n, author)
        for author, case, brand, at in resolved
        for m in well.values()
        if (m.post.author, m.brand_n) == (author, brand) and at < m.post.event_time <= at + WITHIN
    ]
    many(connection, _PRAISE, came)
    return {case for case, _ in withdrawn} | {case for case, *_ in came}


def _well(m: MentionRow) -> bool:
    return m.state == "live" and m.contribution is not None and m.contribution.positive > 0


_OF_AUTHORS = "SELECT author, case_id, brand, resolved_at FROM kpi_detractor WHERE author IN (??)"
_PRAISE = "INSERT INTO kpi_praise (case_id, mention, author) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
