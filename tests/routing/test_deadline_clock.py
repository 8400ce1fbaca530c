"""Deadlines of cases: told ahead, when they are missed and up the chain; once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route_home import NOW, RouteHome, reading, said

from clamor.commands.case_audit import Line, lines
from config.people import Person
from config.teams import Deadline, Team
from routing.casework import Assign, Change, Merge, Reopen, Resolve, Snooze, Split, Undo, Wait, work
from routing.deadline_clock import tick

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
PEOPLE = tuple(Person(id=id, name=id, email=f"{id}@example.org") for id in ("ana", "ben", "eva", "zoe"))
TEAM = Team.model_validate({
    "id": "madrid", "name": "Madrid", "zone": "Europe/Madrid", "members": ["ana", "ben"],
    "hours": {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
})  # fmt: skip
DEADLINE = {
    "id": "standard", "first_response": {"normal": "4h business", "high": "1h"}, "resolution": {"normal": "24h"},
    "warn_before": "30m", "escalate": ["eva", "zoe"], "escalate_every": "2h",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path, durable=False)
    adopt(home, DEADLINE)
    yield home
    home.close()


def adopt(home: RouteHome, *deadlines: dict[str, Any], revision: int = 1) -> None:
    kept = tuple(Deadline.model_validate(one) for one in deadlines)
    home.registry.in_force = home.registry.in_force._replace(
        people=PEOPLE, teams=(TEAM,), deadlines=kept, deadlines_revision=(1, revision)
    )
    home.work._desk.adopt(home.registry.in_force)


def do(home: RouteHome, change: Change, now: int = NOW, by: str = "ana", case: int = 1) -> int:
    return work(home.engine, home.work._desk, case, change, by, now).case


def owed(home: RouteHome) -> dict[int, tuple[int, int | None, str, str]]:
    found = home.sql("SELECT id, opened_at, first_response_at, deadline, priority FROM cases")
    return {id: tuple(rest) for id, *rest in found}


def run(home: RouteHome, now: int) -> None:
    while tick(home.engine, home.work._desk, now):
        pass


def due(home: RouteHome) -> dict[str, int | None]:
    return dict(home.sql("SELECT what, due FROM case_deadline WHERE case_id = 1"))


def audit(home: RouteHome, now: int) -> dict[str, Line]:
    with home.engine.connect() as connection:
        return {line.what: line for line in lines(connection, 0, now, "", now) if line.case == 1}


def told(home: RouteHome) -> list[tuple[str, str]]:
    sql = (
        "SELECT a.kind, r.person FROM alert a JOIN alert_recipient r ON r.alert = a.id "
        "WHERE a.kind LIKE 'deadline%' ORDER BY a.id, r.person"
    )
    return [(kind.removeprefix("deadline_"), person) for kind, person in home.sql(sql)]


def test_a_case_has_its_deadlines_from_when_it_was_opened(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann", at=NOW - 30 * DAY, origin="backfill"))
    assert due(home) == {"first_response": NOW + 4 * HOUR, "resolution": NOW + 24 * HOUR}


def test_people_are_warned_then_told_then_others_up_the_chain_and_nobody_twice(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    do(home, Assign("ben"), by="ben")
    run(home, NOW + 3 * HOUR)
    assert told(home) == []
    for now in (3 * HOUR + 30 * MINUTE, 3 * HOUR + 31 * MINUTE, 4 * HOUR - 1):
        run(home, NOW + now)
    assert told(home) == [("near", "ben")]
    for now in (4 * HOUR, 5 * HOUR, 6 * HOUR - 1):
        run(home, NOW + now)
    assert told(home)[1:] == [("missed", "ben"), ("escalated", "eva")]
    for now in (6 * HOUR, 9 * HOUR, 23 * HOUR):
        run(home, NOW + now)
    assert told(home)[3:] == [("escalated", "zoe")]
    assert home.sql("SELECT told, next_at FROM case_deadline WHERE what = 'first_response'") == [(2, None)]


def test_after_a_day_of_standing_still_what_was_missed_is_told_once(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    run(home, NOW + 20 * HOUR)
    assert told(home) == [("missed", "ana"), ("missed", "ben"), ("escalated", "eva"), ("escalated", "zoe")], (
        "nobody has it: its team is told; no warning of what is over"
    )


def test_an_answer_stops_the_clock_and_a_wait_puts_the_rest_off(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    home.take(said("2", reading(speaker="own"), author="acme", reply_to="x:1", at=NOW + HOUR), now=NOW + HOUR)
    do(home, Wait(), NOW + 2 * HOUR)
    assert due(home) == {"first_response": NOW + 4 * HOUR, "resolution": None}
    run(home, NOW + 90 * HOUR)
    assert told(home) == []
    home.take(said("3", reading(), author="ann", reply_to="x:1", at=NOW + 12 * HOUR), now=NOW + 12 * HOUR)
    assert due(home)["resolution"] == NOW + 34 * HOUR, "ten hours of waiting later"
    do(home, Resolve(), NOW + 13 * HOUR)
    do(home, Reopen(), NOW + 20 * HOUR)
    assert due(home)["resolution"] == NOW + 41 * HOUR


def test_a_snoozed_case_is_owed_as_before(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    do(home, Snooze(NOW + 30 * DAY))
    assert due(home) == {"first_response": NOW + 4 * HOUR, "resolution": NOW + 24 * HOUR}


def test_another_priority_is_another_deadline_and_what_was_told_of_the_old_one_is_told_anew(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    run(home, NOW + 3 * HOUR + 40 * MINUTE)
    home.take(said("2", reading(intent="churn_threat"), author="ann", reply_to="x:1", at=NOW + 1), now=NOW + 1)
    assert due(home) == {"first_response": NOW + HOUR}, "a leaving customer is of priority high"
    run(home, NOW + 3 * HOUR + 41 * MINUTE)
    assert [kind for kind, _ in told(home)] == ["near", "near", "missed", "missed", "escalated", "escalated"]


def test_a_new_revision_reckons_the_cases_in_work_anew(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("5", reading(), author="bob"))
    adopt(home, DEADLINE | {"resolution": {"normal": "2 working days"}}, revision=2)
    run(home, NOW)
    found = home.sql("SELECT due FROM case_deadline WHERE what = 'resolution'")
    assert len({due for (due,) in found}) == 1
    assert found[0][0] > NOW + 24 * HOUR
    adopt(home, revision=3)
    run(home, NOW)
    assert home.sql("SELECT count(*) FROM case_deadline") == [(0,)]


def test_what_was_opened_before_there_were_deadlines_gets_them(home: RouteHome) -> None:
    adopt(home, revision=0)
    home.take(said("1", reading(), author="ann"))
    assert due(home) == {}
    adopt(home, DEADLINE)
    run(home, NOW + 1)
    assert due(home) == {"first_response": NOW + 4 * HOUR, "resolution": NOW + 24 * HOUR}


def test_a_merged_case_owes_nothing_of_its_own(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("2", reading(), author="bob", reply_to="x:1"))
    home.take(said("3", reading(intent="public_issue"), author="bob", reply_to="x:1"))
    run(home, NOW + 40 * HOUR)
    assert home.sql("SELECT c.state FROM case_deadline d JOIN cases c ON c.id = d.case_id WHERE d.missed_at > 0") != []
    merged = home.sql("SELECT d.next_at FROM case_deadline d JOIN cases c ON c.id = d.case_id WHERE c.state = 'merged'")
    assert {next for (next,) in merged} <= {None}


def test_what_is_resolved_while_it_waits_was_kept_and_its_pauses_end_there(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    do(home, Wait(), NOW + 2 * HOUR)
    assert audit(home, NOW + 9 * HOUR)["resolution"].outcome == "paused"
    do(home, Resolve(), NOW + 30 * HOUR)
    found = audit(home, NOW + 90 * DAY)
    assert {what: line.outcome for what, line in found.items()} == {"first_response": "kept", "resolution": "kept"}
    assert due(home)["resolution"] == NOW + 52 * HOUR
    assert [line.paused_seconds for line in found.values()] == [0, 28 * 3_600]


def test_what_was_missed_stays_missed_when_the_case_is_over(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    run(home, NOW + 5 * HOUR)
    do(home, Resolve(), NOW + 6 * HOUR)
    first = audit(home, NOW + DAY)["first_response"]
    assert (due(home)["first_response"], first.outcome, first.missed_told != "") == (NOW + 4 * HOUR, "missed", True)


def test_what_was_not_due_when_the_case_was_over_is_neither_kept_nor_missed(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    do(home, Resolve(), NOW + HOUR)
    assert audit(home, NOW + DAY)["first_response"].outcome == "over"
    do(home, Reopen(), NOW + 2 * HOUR)
    assert audit(home, NOW + 5 * HOUR)["first_response"].outcome == "missed"


def test_an_earlier_answer_that_is_found_later_is_when_it_was_done(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    for id, at in (("2", NOW + 5 * HOUR), ("3", NOW + HOUR)):
        home.take(said(id, reading(speaker="own"), author="acme", reply_to="x:1", at=at), now=NOW + 6 * HOUR)
    assert home.sql("SELECT done_at FROM case_deadline WHERE what = 'first_response'") == [(NOW + HOUR,)]
    assert audit(home, NOW + DAY)["first_response"].outcome == "kept"


def test_what_was_answered_stays_so_when_it_is_split_off_or_merged_and_given_back(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("2", reading(), author="ann", reply_to="x:1"))
    home.take(said("3", reading(speaker="own"), author="acme", reply_to="x:1", at=NOW + HOUR), now=NOW + HOUR)
    with home.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE cases SET deadline = 'standard' WHERE id = 1")
    made = do(home, Split(("x:2#acme",)), NOW + 2 * HOUR)
    assert owed(home)[made] == owed(home)[1] == (NOW, NOW + HOUR, "standard", "normal")
    run(home, NOW + 5 * HOUR)
    assert told(home) == []
    home.take(said("9", reading(), author="bob", at=NOW + 5 * HOUR), now=NOW + 5 * HOUR)
    (late,) = set(owed(home)) - {1, made}
    before = owed(home)[late]
    do(home, Merge(late), NOW + 5 * HOUR, case=1)
    assert owed(home)[late] == (NOW, NOW + HOUR, "standard", "normal"), "the older one says since when, and is answered"
    run(home, NOW + 10 * HOUR)
    assert told(home) == []
    do(home, Undo(), NOW + 5 * HOUR + 1, case=1)
    assert owed(home)[late] == before


def test_a_merge_that_is_taken_back_leaves_the_other_its_priority(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("5", reading(intent="churn_threat"), author="bob"))
    before = owed(home)[1]
    do(home, Merge(1), case=2)
    assert owed(home)[1][3] == "high"
    do(home, Undo(), case=2)
    assert owed(home)[1] == before
    home.take(said("6", reading(intent="churn_threat"), author="ann", reply_to="x:1"))
    do(home, Merge(1), case=2)
    do(home, Undo(), case=2)
    assert owed(home)[1][3] == "high", "its own mention asks for it"


def test_where_who_has_the_case_is_nobody_any_more_its_teams_are_told(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    do(home, Assign("zoe"))
    home.work._desk.adopt(home.registry.in_force._replace(people=PEOPLE[:3]))
    run(home, NOW + 4 * HOUR)
    assert told(home)[:2] == [("missed", "ana"), ("missed", "ben")]


def test_what_is_put_aside_twice_within_a_millisecond_stands_still(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    for change in (Wait(), Reopen(), Wait()):
        do(home, change)
    assert (due(home)["resolution"], home.sql("SELECT until FROM case_pause")) == (None, [(None,)])
