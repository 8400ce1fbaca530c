"""One sign a part of the time: what came at once, what later, what in part, what not."""

from __future__ import annotations

from typing import Any

from clamor.timeline import ALL, LATER, NONE, NOT_ASKED, PART, timeline
from stream.records import Coverage

HOUR = 3_600_000


def row(since: int, until: int, state: Any, **more: Any) -> Coverage:
    fields: dict[str, Any] = {"source_id": "feed", "missed": 0 if state in ("complete", "backfilled") else None}
    return Coverage(since=since * HOUR, until=until * HOUR, state=state, **{**fields, **more})


def test_each_part_has_its_sign() -> None:
    rows = [
        row(1, 3, "complete"),
        row(3, 4, "gap"),
        row(4, 5, "backfilled"),
        row(5, 6, "partial", received=9, missed=1),
        row(6, 7, "lost"),
        row(2, 4, "complete", source_id="other"),
    ]
    feed, other = timeline(rows, 0, 8 * HOUR, 8)
    assert feed.signs == NOT_ASKED + ALL + ALL + NONE + LATER + PART + NONE + NOT_ASKED
    assert (feed.source, feed.share) == ("feed", 3.9 / 6)
    assert (other.source, other.signs, other.share) == ("other", "  " + ALL + ALL + "    ", 1.0)


def test_a_part_that_came_by_half_is_a_part() -> None:
    (line,) = timeline([row(0, 1, "complete"), row(1, 2, "gap")], 0, 2 * HOUR, 1)
    assert (line.signs, line.share) == (PART, 0.5)


def test_nothing_known_is_no_line() -> None:
    assert timeline([], 0, HOUR, 4) == []
