"""How far near copies have spread: how many, by how many authors, within what time. Numbers alone, from SQL."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import rows
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Mention, Millis

MANY = 3
"""So many near copies are worth a word."""
LOOKED_AT = 10_000
"""Authors and time are those of the so many that were published last."""


class Spread(NamedTuple):
    """Of the copies that are live and were routed in the last two weeks."""

    posts: int
    authors: int
    span: Millis
    """Between the first and the last of them."""


def spread_of(connection: Connection, mention: Mention) -> Spread | None:
    """None where there are fewer than MANY."""
    if mention.cluster is None:
        return None
    counted = rows(connection, "SELECT posts FROM cluster WHERE n = ?", (mention.cluster,))
    if not counted or counted[0][0] < MANY:
        return None
    authors, first, last = rows(connection, _AUTHORS, (mention.cluster, LOOKED_AT))[0]
    return Spread(counted[0][0], authors, last - first)


def in_words(mention: Mention, spread: Spread | None) -> list[str]:
    """Sentences about a mention's near copies, none where it has none."""
    lines = []
    if mention.copies > 1:
        lines.append(f"When it came it was number {mention.copies:,} of its near copies (cluster {mention.cluster}).")
    if spread is not None:
        lines.append(f"One of {_counted(spread)}, as it stands now.")
    return lines


def _counted(spread: Spread) -> str:
    by = f"{spread.authors:,} authors" if spread.authors > 1 else "one author"
    return f"{spread.posts:,} near copies by {by} within {_time(spread.span)}"


def measured(span: Millis) -> tuple[str, int]:
    """A span as people say it: (`minutes`, `hours` or `days`, how many), rounded up."""
    if span <= 100 * MINUTE:
        return "minutes", max(1, -(-span // MINUTE))
    if span <= 3 * DAY:
        return "hours", -(-span // HOUR)
    return "days", -(-span // DAY)


def _time(span: Millis) -> str:
    unit, count = measured(span)
    return f"{count} {unit if count != 1 else unit[:-1]}"


_AUTHORS = (
    "SELECT count(DISTINCT who), min(event_time), max(event_time) FROM ("
    "SELECT coalesce(author, -post) AS who, event_time FROM cluster_post WHERE cluster = ? "
    "ORDER BY event_time DESC, n DESC LIMIT ?"
    ") AS newest"
)
