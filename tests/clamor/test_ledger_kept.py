"""The coverage ledger of a home is kept short beside its stages, by the home's own time."""

from __future__ import annotations

from pathlib import Path

from living import NOW, Living, settled_home

from clamor.chores import LedgerKeeper
from stream.clock import DAY, MINUTE
from stream.records import Coverage


def test_days_that_are_over_become_one_row_each_and_very_old_ones_go(tmp_path: Path) -> None:
    with Living(settled_home(tmp_path / "home")) as living:
        ledger = living.opened.ledger
        today = NOW // DAY * DAY
        old = Coverage(source_id="feed", since=0, until=DAY, state="gap", recorded_at=0)
        ledger.record(old)
        for at in range(today - 4 * DAY, NOW, 30 * MINUTE):
            until = at + 30 * MINUTE
            ledger.record(Coverage(source_id="feed", since=at, until=until, state="complete", received=2, missed=0))
        keeper = LedgerKeeper(living.opened)

        def round_of_keeping() -> dict[int, int]:
            while keeper.step():
                pass
            found: dict[int, int] = {}
            for row in ledger.rows():
                day = (row.until - 1) // DAY * DAY - today
                found[day // DAY] = found.get(day // DAY, 0) + 1
            return found

        first = round_of_keeping()
        assert {day: first[day] for day in (-4, -3, -2, -1)} == {-4: 1, -3: 1, -2: 1, -1: 48}
        living.clock.advance(DAY)
        assert round_of_keeping()[-1] == 1
        assert sum(row.received for row in ledger.rows()) == 2 * len(range(today - 4 * DAY, NOW, 30 * MINUTE))
        living.clock.advance(405 * DAY)
        assert round_of_keeping() == {}
