"""A scenario's posts take the way of real ones: on time, cut by outages, filled in afterwards, all in the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.scenario import BadScenario, load, offset, play
from stream.clock import SimulatedClock, WallClock
from stream.embedded import EmbeddedLog

HEAD = {
    "scenario": "A day",
    "start": "2026-11-16T00:00:00Z",
    "sources": [{"id": "search", "network": "x"}, {"id": "forum", "network": "discourse", "brands": ["acme"]}],
}
START = 1_794_787_200_000
HOUR = 3_600_000


def written(path: Path, lines: list[Any]) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def test_a_scenario_with_an_outage(
    tmp_path: Path, log: EmbeddedLog, held: Any, cursors: Cursors, ledger: Ledger
) -> None:
    lines: list[Any] = [HEAD]
    for hour in range(24):
        lines += [
            {"at": f"{hour:02}:30", "source": source, "id": hour, "text": f"hour {hour}"}
            for source in ("search", "forum")
        ]
    lines += [
        {"control": "outage", "source": "search", "from": "10:00", "until": "13:00", "reason": "HTTP 503"},
        {"at": "20:00", "source": "forum", "id": 3, "kind": "edited", "text": "changed"},
        {"at": "21:00", "source": "forum", "id": 4, "kind": "deleted"},
        {"at": "22:00", "created_at": "21:55", "source": "forum", "id": 99, "text": "found late", "author": "ana"},
    ]
    scenario = load(written(tmp_path / "s.jsonl", lines))
    assert (scenario.name, scenario.start, scenario.posts) == ("A day", START, 51)
    clock = SimulatedClock(START - 60_000, WallClock().now(), 24 * 3_600 / 2)
    played = play(scenario, log, clock, cursors, ledger)
    assert [(one.source_id, one.dead) for one in played] == [("search", 0), ("forum", 0)]
    posts = held.posts()
    search = {post.id: post for post in posts if post.source_id == "search"}
    assert set(search) == {f"x:{hour}" for hour in range(24)}
    assert {"x:10", "x:11", "x:12"} <= {post.id for post in posts if post.origin == "gapfill"}
    assert all(post.event_time == START + int(post.id[2:]) * HOUR + HOUR // 2 for post in search.values())
    forum = [post for post in posts if post.source_id == "forum"]
    assert [post.kind for post in forum if post.kind != "created"] == ["edited", "deleted"]
    assert [post.event_time for post in forum if post.kind == "edited"] == [START + 20 * HOUR]
    assert {post.brands for post in forum} == {("acme",)}
    late = next(post for post in forum if post.id == "discourse:99")
    assert late.seen_at - late.event_time == 5 * 60_000
    (filled,) = [row for row in ledger.rows(["search"]) if row.state == "backfilled"]
    assert filled.since == START + 10 * HOUR
    assert filled.until >= START + 13 * HOUR
    assert filled.received >= 3
    assert ledger.gaps() == []


def test_all_faults_are_told_at_once_with_line_and_way_out(tmp_path: Path) -> None:
    lines = [
        HEAD,
        "{oops",
        {"at": "09:00", "source": "nowhere", "id": 1, "text": "x"},
        {"source": "search", "id": 1, "text": "x"},
        {"at": "25:00", "source": "search", "id": 1, "text": "x"},
        {"at": "soon", "source": "search", "id": 1, "text": "x"},
        {"at": 5, "source": "search", "text": "x"}, {"at": 5, "source": "search", "id": 1, "mood": "x"},
        {"control": "outage", "source": "search", "from": "12:00", "until": "11:00"},
        {"control": "storm", "source": "search", "from": "12:00", "until": "13:00"},
        {"at": 5, "source": "search", "id": 1},
    ]  # fmt: skip
    path = written(tmp_path / "s.jsonl", lines)
    with pytest.raises(BadScenario) as refusal:
        load(path)
    words = str(refusal.value).splitlines()
    assert [line.removeprefix(f"{path}:").split(":")[0] for line in words] == [str(n) for n in range(2, 12)]
    assert "(search, forum)" in words[1]
    assert "1d 09:30" in words[4]
    assert "`from` is earlier" in words[7]


@pytest.mark.parametrize(
    "head",
    ["", "{}", '{"scenario": "x", "sources": []}', '{"scenario": "x", "sources": [{"id": "a", "network": "x"}]}'],
)
def test_a_scenario_without_a_beginning_says_what_it_needs(tmp_path: Path, head: str) -> None:
    with pytest.raises(BadScenario, match=r"first line|scenario has"):
        load(written(tmp_path / "s.jsonl", [head, {"at": 5, "source": "a", "id": 1, "text": "x"}]))


def test_a_scenario_can_be_moved_to_another_day(tmp_path: Path) -> None:
    path = written(tmp_path / "s.jsonl", [HEAD, {"at": "1d", "source": "search", "id": 1, "text": "x"}])
    scenario = load(path, start=START + HOUR)
    assert scenario.parts[0].posts[0].time == START + 25 * HOUR


def test_offsets() -> None:
    assert offset("09:15") == 9 * HOUR + 15 * 60_000
    assert offset("2d 09:15:30") == 57 * HOUR + 15 * 60_000 + 30_000
    assert (offset("1d"), offset(90), offset(1.5)) == (24 * HOUR, 90_000, 1_500)
