"""What the log's retention takes from stages that stand still: told before it happens, in the ledger once it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ingest.coverage import Ledger
from stream.losses import LEVELS, Laggard, Loss, level_of
from stream.ports import Log
from stream.records import Coverage, Millis

if TYPE_CHECKING:
    from clamor.offsets import Place


def record(ledger: Ledger, loss: Loss, now: Millis) -> None:
    """One row for what a stage loses from the same record on, however often it is told and however it grows."""
    row = Coverage(
        source_id=f"log:{loss.topic}",
        query=loss.group,
        since=loss.since,
        until=loss.until + 1,
        state="lost",
        missed=loss.records,
        reason=f"stage {loss.group} stood still until retention removed its records",
        recorded_at=now,
    )
    ledger.record(row, part=f"{loss.partition}:{loss.first}")


def laggards(log: Log, places: Iterable[Place], retention: Millis, now: Millis) -> list[Laggard]:
    """As `stream.retention.laggards`, by age alone, for a log whose brokers remove its records. The worst first.

    A stage that never began stands at the oldest record.
    """
    horizon = now - retention * min(LEVELS) // 100
    found = []
    for place in places:
        following = max(place.low, place.next or 0)
        if not place.ours or following >= place.end:
            continue
        if following >= log.offset_at(place.topic, place.partition, horizon):
            continue
        for pending in log.read(place.topic, place.partition, following, 1):
            percent = 100 * (now - pending.time) // retention
            level = level_of(percent)
            if level is not None:
                found.append(
                    Laggard(
                        group=place.group,
                        topic=place.topic,
                        partition=place.partition,
                        percent=percent,
                        level=level,
                        behind=place.end - following,
                        since=pending.time,
                    )
                )
    return sorted(found, key=lambda laggard: -laggard.percent)
