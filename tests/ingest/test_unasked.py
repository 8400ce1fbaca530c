"""Holes that nobody writes: of what no process asks, and of what cannot be asked."""

from __future__ import annotations

import pytest

from config.sources import FeedsSource
from ingest.standing import CollectorStanding, State
from ingest.unasked import unasked
from stream.clock import HOUR

NOW, WALL = 1_790_000_000_000, 1_800_000_000_000


@pytest.mark.parametrize(
    ("state", "age", "hole"),
    [
        ("listening", 0, False), ("listening", HOUR, True), ("cut", 0, False), ("refused", 0, False),
        ("broken", 0, True), ("ended", HOUR, False),
    ],
)  # fmt: skip
def test_a_source_that_nobody_asks_or_that_cannot_be_asked_has_a_hole(state: State, age: int, hole: bool) -> None:
    source = FeedsSource.model_validate({"id": "news", "kind": "feeds", "urls": ["https://news.example/feed"]})
    word = CollectorStanding(source_id="news", process="p", state=state, reached_at=NOW - HOUR, looked_at=WALL - age)
    found = [(one.row.since, one.row.until) for one in unasked([source], {"news": word}, NOW, WALL)]
    assert found == ([(NOW - HOUR, NOW)] if hole else [])
