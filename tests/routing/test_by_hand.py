"""Cases that people open: with states, deadlines and history as all others, though no post stands behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route_home import NOW, RouteHome, reading, said

from config.people import Person
from database.engine import read, rows, write
from routing import by_hand, erasure
from routing.by_hand import ByHand, open_case
from routing.casework import Assign, Change, Merge, Note, Reopen, Resolve, Undo, Wait, Worked, work
from routing.deadline_clock import tick
from routing.incidents import book
from routing.incidents.book import Evidence, NoSuchIncident
from routing.incidents.levels import Standing
from routing.kpi.asked import Asked, figures
from routing.merging import CaseRefused
from stream.clock import DAY, HOUR, MINUTE

PEOPLE = tuple(Person(id=id, name=id.title(), email=f"{id}@example.org") for id in ("ana", "ben"))
CALL = ByHand(
    kind="press", about="did you know of it?", outlet="El Norte", contact="M. Sol", due=NOW + 3 * HOUR,
    spokesperson="ana",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path, durable=False)
    home.registry.in_force = home.registry.in_force._replace(people=PEOPLE)
    home.work._desk.adopt(home.registry.in_force)
    home.take(said("1", reading(), author="ann"))
    yield home
    home.close()


def call(home: RouteHome, asked: ByHand = CALL, brand: str = "acme", queue: str = "pr") -> int:
    return open_case(home.engine, home.work._desk, brand, queue, "high", asked, "ben", NOW)[0]


def do(home: RouteHome, change: Change, case: int, now: int = NOW) -> Worked:
    return work(home.engine, home.work._desk, case, change, "ana", now)


def ask(home: RouteHome, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with read(home.engine) as connection:
        return [tuple(row) for row in rows(connection, sql, values)]


def changes(home: RouteHome, case: int) -> list[tuple[str, str]]:
    sql = "SELECT change, person FROM case_event WHERE case_id = ? ORDER BY n"
    return [(change, person) for change, person in ask(home, sql, case)]


def test_who_speaks_has_it_and_is_told(home: RouteHome) -> None:
    id = call(home)
    assert ask(home, "SELECT queue, state, priority, assignee, mentions FROM cases WHERE id = ?", id) == [
        ("pr", "open", "high", "ana", 0)
    ]
    assert changes(home, id) == [("opened", "ben"), ("assigned", "ben")]
    sql = "SELECT a.kind, r.person FROM alert a JOIN alert_recipient r ON r.alert = a.id WHERE a.case_id = ?"
    assert ask(home, sql, id) == [("assigned", "ana")]


def test_several_calls_about_one_brand_are_cases_of_their_own_and_take_no_posts(home: RouteHome) -> None:
    first, second = call(home), call(home)
    home.take(said("2", reading(), author="zoe"))
    assert first != second
    assert ask(home, "SELECT count(*) FROM mention WHERE case_id IN (?, ?)", first, second) == [(0,)]


def test_the_promised_time_is_its_deadline_warned_ahead_and_told_when_missed(home: RouteHome) -> None:
    id = call(home)
    sql = "SELECT what, due, missed_at FROM case_deadline WHERE case_id = ?"
    assert ask(home, sql, id) == [("first_response", NOW + 3 * HOUR, None)]
    desk = home.work._desk
    tick(home.engine, desk, NOW + HOUR)
    assert ("deadline_near", "") not in changes(home, id)
    tick(home.engine, desk, NOW + 2 * HOUR + MINUTE)
    tick(home.engine, desk, NOW + 3 * HOUR + MINUTE)
    assert changes(home, id)[-2:] == [("deadline_near", ""), ("deadline_missed", "")]
    do(home, Assign("ben"), id, NOW + 4 * HOUR)
    assert ask(home, sql, id)[0][2] is not None


def test_an_answer_in_time_keeps_it(home: RouteHome) -> None:
    id = call(home)
    do(home, Wait(), id, NOW + HOUR)
    assert ask(home, "SELECT done_at, next_at FROM case_deadline WHERE case_id = ?", id) == [(NOW + HOUR, None)]


def test_it_is_resolved_and_reopened_like_others(home: RouteHome) -> None:
    id = call(home)
    do(home, Resolve("answered on the phone"), id)
    do(home, Reopen("they called again"), id, NOW + HOUR)
    assert ask(home, "SELECT state, live FROM cases WHERE id = ?", id) == [("reopened", 1)]


def test_it_counts_in_the_key_figures_like_others(home: RouteHome) -> None:
    id = call(home)
    do(home, Wait(), id, NOW + HOUR)
    do(home, Resolve("printed"), id, NOW + 2 * HOUR)
    with read(home.engine) as connection:
        asked = Asked(NOW - DAY, NOW + DAY, ("queue", "network"), queues=frozenset({"pr"}))
        (found,) = figures(connection, asked, {"acme": "own"})
    assert (found.network, found.cases, found.answered, found.resolved) == ("", 1, 1, 1)
    assert (found.deadlines, found.deadlines_kept) == (1, 1.0)


def test_posts_and_calls_are_not_put_together(home: RouteHome) -> None:
    id = call(home)
    for change, case in ((Merge(1), id), (Merge(id), 1)):
        with pytest.raises(CaseRefused, match="opened by hand"):
            do(home, change, case)
    with pytest.raises(CaseRefused, match="opened by hand"):
        do(home, Undo(), id)


@pytest.mark.parametrize(
    ("changed", "brand", "why"),
    [
        ({}, "acne", "is no brand here: did you mean 'acme'"),
        ({"spokesperson": "anna"}, "acme", "is no person here: did you mean 'ana'"),
        ({"about": " "}, "acme", "1 to 1,000 characters"),
        ({"about": "\x1b\u202e"}, "acme", "1 to 1,000 characters"),
        ({"outlet": "x" * 201}, "acme", "at most 200"),
        ({"due": NOW - 1}, "acme", "is past, or more than a year ahead"),
    ],
)
def test_what_cannot_be_is_told_with_the_way_out(
    home: RouteHome, changed: dict[str, Any], brand: str, why: str
) -> None:
    values = {name: getattr(CALL, name) for name in CALL.__struct_fields__} | changed
    with pytest.raises(CaseRefused, match=why):
        call(home, ByHand(**values), brand)
    assert ask(home, "SELECT count(*) FROM case_by_hand") == [(0,)]


def test_it_may_belong_to_an_incident_which_knows_it(home: RouteHome) -> None:
    linked = ByHand(kind="press", about="the storm", incident=1)
    with pytest.raises(NoSuchIncident):
        call(home, linked)
    with write(home.engine) as connection:
        book.open_incident(connection, "acme", Standing("crisis", NOW, NOW, NOW), Evidence(), NOW)
    with pytest.raises(CaseRefused, match="incident 1 is about acme, and the case about brisa"):
        call(home, linked, "brisa")
    id = call(home, linked)
    with read(home.engine) as connection:
        assert [(case, state) for case, state, _ in by_hand.of_incident(connection, 1)] == [(id, "new")]
        assert (book.events(connection, 1)[-1].change, book.events(connection, 1)[-1].detail) == ("case", f"case {id}")


def test_its_words_stay_while_it_is_worked_on_and_go_some_time_after(home: RouteHome) -> None:
    id = call(home)
    do(home, Note("called back, they print at nine"), id)
    by_hand.let_go(home.engine, NOW + 500 * HOUR)
    erasure.let_go_of_notes(home.engine)
    assert ask(home, "SELECT text FROM case_note WHERE case_id = ?", id) == [("called back, they print at nine",)]
    do(home, Resolve("printed"), id, NOW + HOUR)
    by_hand.let_go(home.engine, NOW + 2 * HOUR)
    erasure.let_go_of_notes(home.engine)
    assert ask(home, "SELECT about, outlet, contact FROM case_by_hand WHERE case_id = ?", id) == [("", "", "")]
    assert ask(home, "SELECT text FROM case_note WHERE case_id = ?", id) == [("",)]
