"""Holes that nobody has written yet: of sources that were asked, and that no process asks any more.

Whoever asks a source again writes its hole down (`ingest.gaps`). Until then a number over this time would seem to rest
on everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from config.sources import AnySource, Collected
from ingest.collector import Span
from ingest.coverage import gap_row
from ingest.standing import CollectorStanding
from stream.records import Coverage, Millis

WHY = "no process asks this source now"


class Unasked(NamedTuple):
    row: Coverage
    """A hole up to now, as it would stand in the ledger."""
    brands: tuple[str, ...]
    """Those that the source is of; none: all."""


def unasked(
    sources: Iterable[AnySource], standings: Mapping[str, CollectorStanding], now: Millis, wall: Millis
) -> list[Unasked]:
    """Of `sources`, those in force; `now` is the home's time, `wall` that by which processes say that they live."""
    found = []
    for source in sources:
        word = standings.get(source.id)
        if not isinstance(source, Collected) or word is None or word.state == "ended":
            continue
        # A process that lives writes the holes of what it asks itself; what cannot be asked has nobody who would.
        if word.fresh(wall) and word.state != "broken":
            continue
        if word.reached_at is not None and word.reached_at < now:
            found.append(Unasked(gap_row(source.id, "", Span(word.reached_at, now), WHY, now), tuple(source.brands)))
    return found
