"""The load that other rules would bring is held against what was stated, and against who is at work."""

from __future__ import annotations

from collections import Counter

from clamor.backtest_report import QueueLoad, report
from config.teams import Team, Week
from routing.backtest import Side, Tally
from routing.foreseen import Foreseen

MONDAY = 496_000 - 496_000 % 24 + 2 * 24
"""Hours since 1970 of a Monday's beginning, UTC."""
NOBODY = Foreseen([], Counter())
TEAM = Team(
    id="care", name="Care", zone="UTC", members=("ana", "bea"), queues=("support",),
    hours=Week.model_validate({"mon": ["08:00-10:00"]}),
)  # fmt: skip


def load(teams: tuple[Team, ...], capacity: dict[str, float]) -> QueueLoad:
    old = Side(hours=Counter({(MONDAY + 8, "support"): 6, (MONDAY + 12, "support"): 3}), queues=Counter(support=9))
    new = Side(
        hours=Counter({(MONDAY + 8, "support"): 2, (MONDAY + 9, "support"): 10, (MONDAY + 12, "none"): 7}),
        queues=Counter(support=12, none=7),
    )
    found = report(Tally(old=old, new=new), NOBODY, NOBODY, 0, capacity, (0, 1), 1.0, teams)
    return next(one for one in found.queues if one.queue == "support")


def test_hours_above_a_stated_capacity_are_counted_on_both_sides() -> None:
    one = load((), {"support": 5})
    assert ((one.old.busiest, one.old.above), (one.new.busiest, one.new.above)) == ((6, 1), (10, 1))
    assert (one.old.mean, one.new.mean) == (9 / 5, 12 / 5), "five hours from the first to the last"
    assert one.new.busiest_at == (MONDAY + 9) * 3_600_000
    assert (one.members, one.old.outside, one.old.a_member) == (0, None, None)


def test_a_load_is_held_against_who_is_at_work() -> None:
    one = load((TEAM,), {})
    assert one.members == 2
    assert (one.old.outside, one.old.a_member, one.old.a_member_most) == (3, 6 / 4, 3.0)
    assert (one.new.outside, one.new.a_member, one.new.a_member_most) == (0, 12 / 4, 5.0)
