"""The ledger knows what is missing, replaces what is fetched again, and says how far a number can be trusted."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.coverage import Ledger, figure
from ingest.cursors import Cursors
from stream.records import Coverage

HOUR = 3_600_000


def row(since: int, until: int, state: Any = "complete", **more: Any) -> Coverage:
    missed = more.pop("missed", 0 if state in ("complete", "backfilled") else None)
    source = more.pop("source_id", "feed")
    return Coverage(source_id=source, since=since * HOUR, until=until * HOUR, state=state, missed=missed, **more)


def test_a_span_fetched_again_replaces_its_row(ledger: Ledger) -> None:
    ledger.record(row(0, 1, received=10))
    ledger.record(row(0, 1, received=12))
    ledger.record(row(5, 6, received=3), part="page-2")
    ledger.record(row(5, 7, received=4), part="page-2")
    assert [(one.since, one.until, one.received) for one in ledger.rows()] == [
        (0, HOUR, 12),
        (5 * HOUR, 7 * HOUR, 4),
    ]


def test_filling_a_part_of_a_gap_leaves_the_rest(ledger: Ledger) -> None:
    ledger.record(row(0, 10, "gap", reason="outage"))
    ledger.fill(row(4, 6, missed=0, received=7))
    assert [(one.since // HOUR, one.until // HOUR, one.state) for one in ledger.rows()] == [
        (0, 4, "gap"),
        (4, 6, "backfilled"),
        (6, 10, "gap"),
    ]
    assert {gap.reason for gap in ledger.gaps()} == {"outage"}
    ledger.fill(row(0, 4, missed=2, received=5))
    ledger.lose(row(6, 10, reason="no history"))
    assert [one.state for one in ledger.rows()] == ["partial", "backfilled", "lost"]
    assert [gap.state for gap in ledger.gaps()] == ["partial", "lost"]
    assert ledger.gaps(fillable=True) == []


def test_gaps_are_found_by_source_brand_and_time(ledger: Ledger) -> None:
    ledger.record(row(0, 1, "gap"), brands=("acme",))
    ledger.record(row(2, 3, "gap", source_id="forum"), brands=("zeta_100%",))
    ledger.record(row(4, 5, "gap", source_id="all"))
    assert [gap.source_id for gap in ledger.gaps(brand="acme")] == ["feed", "all"]
    assert [gap.source_id for gap in ledger.gaps(brand="zeta_100%")] == ["forum", "all"]
    assert [gap.source_id for gap in ledger.gaps(["forum", "feed"])] == ["feed", "forum"]
    assert [gap.source_id for gap in ledger.gaps(since=2 * HOUR, until=4 * HOUR)] == ["forum"]
    assert ledger.gaps([]) == []
    assert ledger.latest("all") == 5 * HOUR
    assert ledger.latest("nobody") is None


def test_the_figure_of_a_time_range() -> None:
    rows = [
        row(0, 6, received=60),
        row(6, 8, "gap"),
        row(8, 9, "partial", received=30, missed=10),
        row(9, 10, "backfilled", received=5),
    ]
    found = figure(rows, 0, 10 * HOUR)
    assert found.share == pytest.approx((6 + 0 + 0.75 + 1) / 10)
    assert (found.received, found.known_missed, found.unknown_gaps) == (95, 10, 1)
    assert [gap.state for gap in found.gaps] == ["gap", "partial"]
    assert not found.complete
    assert figure(rows[:1], 0, 6 * HOUR).complete
    assert figure([row(0, 20)], 5 * HOUR, 6 * HOUR).share == 1.0


def test_refused_rows_are_known_and_not_missed(ledger: Ledger) -> None:
    ledger.record(row(0, 1, received=10, refused=4))
    found = ledger.figure(0, HOUR)
    assert (found.share, found.refused, found.known_missed, found.complete) == (1.0, 4, 0, True)


def test_nothing_asked_is_not_everything_covered() -> None:
    assert figure([], 0, HOUR).share is None
    assert not figure([], 0, HOUR).complete


def test_where_rows_overlap_the_worst_counts() -> None:
    assert figure([row(0, 10), row(2, 4, "gap")], 0, 10 * HOUR).share == pytest.approx(0.8)
    assert figure([row(0, 10), row(0, 10, source_id="b"), row(2, 4, "lost")], 0, 10 * HOUR).share == pytest.approx(0.9)
    lanes = [row(0, 10, query="a"), row(0, 10, query="b"), row(5, 10, "gap")]
    assert figure(lanes, 0, 10 * HOUR).share == pytest.approx(12.5 / 25)


def test_a_year_of_rows_is_no_burden() -> None:
    rows = [row(n, n + 1) for n in range(24 * 365)]
    assert figure(rows, 0, 24 * 365 * HOUR).share == 1.0


def test_cursors_are_kept_by_source_and_name(cursors: Cursors) -> None:
    assert cursors.get("feed") is None
    cursors.put("feed", "", "1", 5)
    cursors.put("feed", "", "2", 6)
    cursors.put("feed", "gap", "9", 6)
    assert (cursors.get("feed"), cursors.get("feed", "gap"), cursors.get("other")) == ("2", "9", None)
    cursors.drop("feed", "gap")
    assert cursors.get("feed", "gap") is None
