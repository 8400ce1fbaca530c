"""Members at work by the hour, of all teams that serve a queue, over as long a history as there is."""

from __future__ import annotations

from datetime import UTC, datetime

from config.teams import Team, Week
from routing.staffing import at_work, serving


def hour(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) // 3_600  # type: ignore[misc]


def team(id: str, *members: str, zone: str = "UTC", queues: tuple[str, ...] = ("support",), **days: list[str]) -> Team:
    return Team(id=id, name=id, zone=zone, members=members, queues=queues, hours=Week.model_validate(days))


EARLY = team("early", "ana", "bea", mon=["08:00-12:00"])
LATE = team("late", "cai", mon=["11:30-14:00"], zone="UTC")
PR = team("pr", "dan", queues=("pr",), mon=["00:00-24:00"])


def test_teams_of_a_queue_are_added_up_hour_by_hour() -> None:
    assert serving([EARLY, LATE, PR], "support") == [EARLY, LATE]
    monday = hour(2026, 11, 2)
    found = at_work([EARLY, LATE], monday, monday + 23)
    assert {at - monday: members for at, members in sorted(found.items())} == {
        8: 2, 9: 2, 10: 2, 11: 3, 12: 1, 13: 1,
    }  # fmt: skip


def test_a_long_history_is_looked_through_to_its_end() -> None:
    first = hour(2023, 1, 1)
    found = at_work([EARLY], first, hour(2026, 1, 1) - 1)
    assert found.total() == 157 * 4 * 2, "so many Mondays of four hours"
    assert hour(2025, 12, 29, 9) in found
    assert hour(2025, 12, 30, 9) not in found


def test_an_empty_stretch_has_nobody_at_work() -> None:
    assert not at_work([EARLY], 10, 9)
