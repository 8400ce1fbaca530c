"""What of a list was told of is known by whoever goes on, and times that cannot be right hide nothing."""

from __future__ import annotations

import pytest

from ingest.collector import Draft
from ingest.setting import Unshared
from ingest.told import REPLY, Told, reached, unseen
from stream.clock import DAY, HOUR, ManualClock
from tests.ingest.conftest import NOW


def review(text: str = "It crashes.", id: str = "1") -> Draft:
    return Draft(native_id=id, text=text)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def told(clock: ManualClock) -> Told:
    return Told(Unshared(), clock)


def kinds(told: Told, *shown: Draft, since: int | None = NOW) -> list[tuple[str, str]]:
    """What is told of a list that shows these, all of them written now."""
    drafts, states = told.judge({one.native_id: one for one in shown}, {"1": NOW}, since)
    told.note(states)
    return [(draft.kind, draft.native_id) for draft in drafts]


def test_each_is_told_of_once_and_each_change(told: Told) -> None:
    assert kinds(told, review()) == [("created", "1")]
    assert kinds(told, review()) == []
    assert kinds(told, review("It works.")) == [("edited", "1")]
    assert kinds(told, review("It works."), review("Good!", f"1{REPLY}")) == [("created", f"1{REPLY}")]
    assert kinds(told, review("It works.")) == [("deleted", f"1{REPLY}")]


def test_what_is_only_looked_at_or_old_is_not_told_of(told: Told) -> None:
    assert kinds(told, review(), since=NOW + 1) == []
    assert kinds(told, review(), since=None) == []
    assert kinds(told, review("It works.")) == [("edited", "1")]


def test_what_is_gone_comes_back_after_an_hour_and_a_filling_does_not_hide_it(told: Told, clock: ManualClock) -> None:
    kinds(told, review())
    told.note(told.gone(told.standing(["1"])))
    told.note_found([review()])
    assert told.standing(["1"]) == []
    assert kinds(told, review()) == []
    clock.advance(HOUR)
    assert kinds(told, review()) == [("restored", "1")]


def test_a_list_is_read_up_to_the_last_review_that_does_not_lie_ahead() -> None:
    assert reached(None, [NOW - DAY, NOW - HOUR, NOW + DAY], NOW) == NOW - HOUR
    assert reached(None, [NOW + DAY], NOW) == NOW
    assert reached(NOW, [NOW - DAY], NOW - DAY) == NOW, "a clock that is set back brings no history"
    assert reached(NOW - HOUR, [], NOW) == NOW - HOUR
    assert reached(None, [], NOW) == unseen(NOW)
