"""At the end of a team's day its open cases go on with the team that works, with a note; once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from route_home import RouteHome, reading, said

from config.people import Person
from config.teams import Deadline, Team
from routing import handover
from routing.casework import Assign, Note, Wait, work
from routing.handover import changes, hand_over, last_end

WEEK = ("mon", "tue", "wed", "thu", "fri")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


MADRID, BOGOTA = (
    Team.model_validate({"id": id, "name": name, "zone": zone, "members": members, "queues": ["support"],
                         "hours": {day: ["09:00-18:00"] for day in WEEK}, **more})
    for id, name, zone, members, more in (
        ("madrid", "Madrid", "Europe/Madrid", ["ana", "ben"], {"hands_over_to": "bogota"}),
        ("bogota", "Bogotá", "America/Bogota", ["eva"], {"capacity": 1}),
    )
)  # fmt: skip
NOON, EVENING, NIGHT = at("2026-11-26T12:00+01:00"), at("2026-11-26T18:01+01:00"), at("2026-11-27T03:00+01:00")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path, durable=False)
    home.registry.in_force = home.registry.in_force._replace(
        people=tuple(Person(id=id, name=id, email=f"{id}@example.org") for id in ("ana", "ben", "eva")),
        teams=(MADRID, BOGOTA),
        deadlines=(Deadline.model_validate({"id": "d", "resolution": {"normal": "24h"}}),),
    )
    home.work._desk.adopt(home.registry.in_force)
    home.take(*(said(str(n), reading(), author=f"a{n}", at=NOON) for n in range(3)), now=NOON)
    for case, person in ((1, "ana"), (2, "ben"), (3, "ana")):
        work(home.engine, home.work._desk, case, Assign(person), person, NOON)
    yield home
    home.close()


def assignees(home: RouteHome) -> list[str | None]:
    return [assignee for (assignee,) in home.sql("SELECT assignee FROM cases ORDER BY id")]


def test_cases_go_on_with_the_team_that_works_and_say_how_they_stand(home: RouteHome) -> None:
    work(home.engine, home.work._desk, 1, Note("the bag is in Lisbon"), "ana", NOON)
    work(home.engine, home.work._desk, 3, Wait(), "ana", NOON)
    assert hand_over(home.engine, home.work._desk, at("2026-11-26T17:59+01:00")) == 0
    assert [hand_over(home.engine, home.work._desk, EVENING + n) for n in range(2)] == [2, 0]
    assert assignees(home) == ["eva", None, "ana"], "eva has room for one; what waits stays"
    (text,) = home.sql("SELECT text FROM case_note WHERE case_id = 1 AND person = 'clamor'")[0]
    assert text.splitlines() == [
        "Handed over from ana (Madrid) to eva (Bogotá).",
        "Not answered yet.",
        "Resolution due 2026-11-27 11:00 UTC.",
        "Last note, by ana: the bag is in Lisbon",
    ]
    told = home.sql(
        "SELECT DISTINCT r.person FROM alert a JOIN alert_recipient r ON r.alert = a.id WHERE a.case_id = 2"
    )
    assert told == [("eva",)], "what nobody has room for is offered to all of the team"


def test_who_takes_a_case_in_the_evening_keeps_it(home: RouteHome) -> None:
    hand_over(home.engine, home.work._desk, EVENING)
    work(home.engine, home.work._desk, 2, Assign("ben"), "ben", EVENING + 60_000)
    assert hand_over(home.engine, home.work._desk, EVENING + 120_000) == 0
    assert assignees(home)[1] == "ben"


def test_nothing_goes_over_while_nobody_works(home: RouteHome) -> None:
    assert (changes((MADRID, BOGOTA), NIGHT), hand_over(home.engine, home.work._desk, NIGHT)) == ([], 0)
    assert assignees(home) == ["ana", "ben", "ana"]


def test_the_last_day_of_work_may_lie_before_a_weekend() -> None:
    assert last_end(MADRID, at("2026-11-29T12:00+01:00")) == at("2026-11-27T18:00+01:00")
    away = MADRID.model_copy(update={"days_off": tuple(datetime(2026, 11, day).date() for day in range(1, 30))})  # noqa: DTZ001
    assert last_end(away, at("2026-11-29T12:00+01:00")) == at("2026-10-30T18:00+01:00")


def test_a_break_is_not_the_end_of_a_day() -> None:
    split = ("09:00-14:00", "15:00-18:00")
    team = MADRID.model_copy(update={"hours": MADRID.hours.model_copy(update=dict.fromkeys(WEEK, split))})
    heir = BOGOTA.model_copy(update={"hours": BOGOTA.hours.model_copy(update=dict.fromkeys(WEEK, ("07:00-17:00",)))})
    found = [changes((team, heir), at(f"2026-11-26T{hour}+01:00")) for hour in ("14:30", "18:30", "20:00")]
    assert [[change.ended_at for change in each] for each in found] == [[], *[[at("2026-11-26T18:00+01:00")]] * 2]
    night = MADRID.model_copy(update={"hours": MADRID.hours.model_copy(update=dict.fromkeys(WEEK, ("22:00-06:00",)))})
    assert last_end(night, at("2026-11-26T08:00+01:00")) == at("2026-11-26T06:00+01:00"), "its next day begins at 22:00"


def test_cases_that_the_other_team_does_not_serve_stand_in_nobodys_way(
    home: RouteHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "AT_ONCE", 1)
    with home.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE cases SET queue = 'sales' WHERE id = 1")
    assert [hand_over(home.engine, home.work._desk, EVENING + n) for n in range(3)] == [1, 1, 0]
    assert assignees(home)[0] == "ana"
    monkeypatch.setattr(type(home.work._desk), "transaction", None)
    assert hand_over(home.engine, home.work._desk, EVENING + 9) == 0, "there is nothing to write"
