"""Old complete rows of the ledger become one a day; what they say stays, and what is missing stays row by row."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import Engine

from ingest.coverage import Ledger, figure
from ingest.thinning import forget, next_day, thin
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Coverage


def row(since: int, until: int, state: Any = "complete", **more: Any) -> Coverage:
    missed = more.pop("missed", 0 if state == "complete" else None)
    fields: dict[str, Any] = {"source_id": "feed", "asked": 1, "received": 10, "recorded_at": until}
    return Coverage(since=since, until=until, state=state, missed=missed, **(fields | more))


def five_minutes(ledger: Ledger, since: int, until: int, **more: Any) -> None:
    for at in range(since, until, 5 * MINUTE):
        ledger.record(row(at, at + 5 * MINUTE, **more), brands=("acme",))


def thinned(engine: Engine, days: int) -> int:
    return sum(thin(engine, day * DAY) for day in range(days))


def test_a_day_of_five_minutes_is_one_row_with_the_same_totals(ledger: Ledger, engine: Engine) -> None:
    five_minutes(ledger, 0, 3 * DAY, refused=1, kept=8, filtered=1, duplicates=2, late=3)
    before = ledger.figure(0, 2 * DAY)
    assert thinned(engine, 2) == 2 * 287
    rows = ledger.rows(until=2 * DAY, brand="acme")
    assert [(one.since, one.until) for one in rows] == [(0, DAY), (DAY, 2 * DAY)]
    assert [(one.asked, one.received, one.refused, one.missed) for one in rows] == [(288, 2880, 288, 0)] * 2
    assert [(one.kept, one.filtered, one.duplicates, one.late) for one in rows] == [(2304, 288, 576, 864)] * 2
    assert ledger.figure(0, 2 * DAY) == before
    assert thinned(engine, 2) == 0, "once more changes nothing"
    assert ledger.rows(brand="other") == []


def test_whatever_is_missing_and_whatever_may_come_again_stays(ledger: Ledger, engine: Engine) -> None:
    five_minutes(ledger, 0, 6 * HOUR)
    ledger.record(row(6 * HOUR, 7 * HOUR, "gap", received=0, reason="outage"), part=f"gap:{6 * HOUR}")
    five_minutes(ledger, 7 * HOUR, 12 * HOUR)
    ledger.record(row(3 * HOUR, 4 * HOUR), part="posts.jsonl")
    ledger.record(row(12 * HOUR, 13 * HOUR, "partial", missed=3))
    ledger.record(row(3 * DAY, 3 * DAY + 1))
    thinned(engine, 1)
    assert [(one.since // HOUR, one.until // HOUR, one.state) for one in ledger.rows(until=DAY)] == [
        (0, 6, "complete"),
        (3, 4, "complete"),
        (6, 7, "gap"),
        (7, 12, "complete"),
        (12, 13, "partial"),
    ]
    ledger.record(row(3 * HOUR, 4 * HOUR, received=11), part="posts.jsonl")
    assert sum(one.received == 11 for one in ledger.rows()) == 1, "a file that is read again replaces its row"
    ledger.fill(row(6 * HOUR, 7 * HOUR, received=4, missed=0))
    assert ledger.gaps(until=7 * HOUR) == []


def test_the_end_of_a_source_that_stood_still_may_be_fetched_again(ledger: Ledger, engine: Engine) -> None:
    five_minutes(ledger, 0, 12 * HOUR)
    thinned(engine, 1)
    rows = ledger.rows()
    assert (rows[0].since, rows[0].until) == (0, 11 * HOUR)
    assert len(rows) == 13
    again = row(12 * HOUR - 5 * MINUTE, 12 * HOUR, received=12)
    ledger.record(again)
    assert ledger.figure(0, DAY).received == 143 * 10 + 12


def test_sources_queries_and_brands_stay_apart(ledger: Ledger, engine: Engine) -> None:
    for source in ("a", "b"):
        for query in ("", "acme OR zeta"):
            five_minutes(ledger, 0, 2 * HOUR, source_id=source, query=query)
            ledger.record(row(5 * DAY, 5 * DAY + 1, source_id=source, query=query))
    ledger.record(row(2 * HOUR, 3 * HOUR, source_id="a"), brands=("zeta",))
    thinned(engine, 1)
    assert {(one.source_id, one.query, one.since, one.until) for one in ledger.rows(until=DAY)} == {
        *((source, query, 0, 2 * HOUR) for source in ("a", "b") for query in ("", "acme OR zeta")),
        ("a", "", 2 * HOUR, 3 * HOUR),
    }
    assert len(ledger.rows(until=DAY)) == 5


def test_the_share_of_any_time_is_as_before(ledger: Ledger, engine: Engine) -> None:
    rng = random.Random(7)
    at = 0
    while at < 4 * DAY:
        until = at + rng.randrange(1, 90) * MINUTE
        if rng.random() < 0.9:
            state = rng.choice(["complete"] * 8 + ["gap", "partial"])
            missed = {"complete": 0, "gap": None, "partial": 5}[state]
            ledger.record(row(at, until, state, missed=missed), brands=rng.choice([("acme",), ()]))
        at = until
    before = ledger.rows()
    assert thinned(engine, 3) > 10
    after = ledger.rows()
    for _ in range(200):
        since = rng.randrange(4 * DAY)
        until = since + rng.randrange(1, DAY)
        one, other = figure(before, since, until), figure(after, since, until)
        assert (one.share, one.known_missed, one.unknown_gaps) == (other.share, other.known_missed, other.unknown_gaps)
    assert figure(before, 0, 5 * DAY).received == figure(after, 0, 5 * DAY).received


def test_very_old_rows_go_in_portions_and_the_walk_skips_empty_days(ledger: Ledger, engine: Engine) -> None:
    five_minutes(ledger, 0, 5 * DAY)
    ledger.record(row(90 * DAY, 90 * DAY + HOUR, "gap"))
    assert (next_day(engine, 0), next_day(engine, 5 * DAY)) == (0, 90 * DAY)
    assert next_day(engine, 91 * DAY) is None
    assert [forget(engine, 6 * DAY) for _ in range(3)] == [1000, 440, 0]
    assert [one.state for one in ledger.rows()] == ["gap"]
