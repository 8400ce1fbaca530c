"""A hold keeps canned replies back in the cases of an incident and in no other; PR lifts it; all stands in history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_home import START, MailHome
from sqlalchemy import Connection

from config.people import Person
from config.teams import Team
from database.engine import many, read, rows, write
from routing.incidents import book, hold, matters
from routing.incidents.book import Evidence
from routing.incidents.hold import Hold, Line
from routing.incidents.levels import Standing
from stream.clock import HOUR, MINUTE

LINES = (Line("{brand} answers at noon.", "{brand} contesta al mediodía."),)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[MailHome]:
    made = MailHome(tmp_path)
    yield made
    made.close()


def storm(home: MailHome) -> tuple[int, int, int]:
    """(incident, case of one of its copies, case of another matter)."""
    for n in range(10):
        home.mention(f"palm oil burns the forest, says reader {n}", cluster=4)
    inside, outside = home.case(501), home.case(502)
    home.mention("palm oil burns the forest, says a reader", cluster=4, case_id=inside)
    home.mention("my bag is in Lisbon", case_id=outside)
    with write(home.engine) as connection:
        id = book.open_incident(connection, "acme", Standing("crisis", START - HOUR, START, START), Evidence(), START)
    return id, inside, outside


def put(home: MailHome, id: int, person: str = "ana", lines: tuple[Line, ...] = LINES) -> Hold:
    with write(home.engine) as connection:
        return hold.put(connection, id, lines, person, "one voice", START)


def lift(home: MailHome, id: int, person: str, *owners: str) -> Hold:
    with write(home.engine) as connection:
        return hold.lift(connection, id, person, "the answer is out", owners, START + HOUR)


def held(home: MailHome, case: int) -> list[Hold]:
    with read(home.engine) as connection:
        return hold.of_case(connection, case)


def history(home: MailHome, case: int) -> list[tuple[str, str, str, str]]:
    sql = "SELECT change, detail, person, reason FROM case_event WHERE case_id = ? ORDER BY n"
    with read(home.engine) as connection:
        return [tuple(row) for row in rows(connection, sql, (case,))]


def test_a_case_of_the_incident_is_held_and_another_matter_of_the_same_hour_is_not(home: MailHome) -> None:
    id, inside, outside = storm(home)
    assert held(home, inside) == []
    put(home, id)
    assert [one.incident for one in held(home, inside)] == [id]
    assert held(home, outside) == []


def test_history_of_affected_cases_says_who_and_why_when_it_begins_and_ends(home: MailHome) -> None:
    id, inside, outside = storm(home)
    put(home, id)
    assert [hold.find_cases(home.engine, START + MINUTE) for _ in range(2)] == [1, 0]
    lift(home, id, "ben")
    assert history(home, inside) == [
        ("held", f"incident {id}", "ana", "one voice"),
        ("released", f"incident {id}", "ben", "the answer is out"),
    ]
    assert history(home, outside) == []
    assert held(home, inside) == []
    with read(home.engine) as connection:
        told = [(one.change, one.person, one.detail) for one in book.events(connection, id)][1:]
    assert told == [("hold", "ana", "one voice"), ("lifted", "ben", "the answer is out")]


def test_a_call_that_was_opened_for_the_incident_has_it_in_its_history(home: MailHome) -> None:
    id, _, _ = storm(home)
    calls = [home.case(number, mentions=0) for number in (701, 702)]
    with write(home.engine) as connection:
        sql = (
            "INSERT INTO case_by_hand (case_id, kind, about, outlet, contact, spokesperson, incident, opened_by)"
            " VALUES (?, 'press', 'they ask', '', '', '', ?, 'ben')"
        )
        many(connection, sql, [(calls[0], id), (calls[1], None)])
    put(home, id)
    assert [hold.find_cases(home.engine, START) for _ in range(2)] == [2, 0]
    lift(home, id, "ben")
    assert [change for change, *_ in history(home, calls[0])] == ["held", "released"]
    assert history(home, calls[1]) == []


def test_what_people_wrote_of_it_goes_with_the_posts_of_its_time(home: MailHome) -> None:
    id, _, _ = storm(home)
    put(home, id)
    lift(home, id, "ben")
    with write(home.engine) as connection:
        for room in (book, hold):
            room.let_go(connection, START + 2 * HOUR)
        told = [(one.change, one.person, one.detail) for one in book.events(connection, id)][1:]
        assert told == [("hold", "ana", ""), ("lifted", "ben", "")]
        assert [(one.reason, one.ended_why) for one in hold.all_of(connection, id)] == [("", "")]


def test_two_who_look_at_once_write_it_into_the_history_once(home: MailHome, monkeypatch: pytest.MonkeyPatch) -> None:
    id, inside, _ = storm(home)
    put(home, id)
    found = hold._affected

    def meanwhile(connection: Connection, one: Hold) -> list[int]:
        cases = found(connection, one)
        monkeypatch.setattr(hold, "_affected", found)
        hold.find_cases(home.engine, START)
        return cases

    monkeypatch.setattr(hold, "_affected", meanwhile)
    hold.find_cases(home.engine, START)
    assert [change for change, *_ in history(home, inside)] == ["held"]


def test_a_case_that_was_found_stays_held_when_the_storm_turns_to_other_words(home: MailHome) -> None:
    id, inside, _ = storm(home)
    put(home, id)
    hold.find_cases(home.engine, START)
    for n in range(300):
        home.mention(f"boycott now, all of you {n}", cluster=9)
    assert [one.incident for one in held(home, inside)] == [id]


def test_pr_lifts_it_and_nobody_else(home: MailHome) -> None:
    id, _, _ = storm(home)
    put(home, id)
    with pytest.raises(ValueError, match="sue may not lift it: PR owns the matter, so ask ana, ben"):
        lift(home, id, "sue", "ana", "ben")
    assert lift(home, id, "ben", "ana", "ben").incident == id
    with pytest.raises(ValueError, match="nothing is held back"):
        lift(home, id, "ben", "ana", "ben")


def test_it_ends_with_the_incident(home: MailHome) -> None:
    id, inside, _ = storm(home)
    put(home, id, person="")
    hold.find_cases(home.engine, START)
    with write(home.engine) as connection:
        assert hold.end_with_incidents(connection, START) == 0
        book.move(connection, book.find(connection, id), Standing("over"), Evidence(), START + HOUR)
        assert hold.end_with_incidents(connection, START + HOUR) == 1
    assert held(home, inside) == []
    assert history(home, inside)[-1] == ("released", f"incident {id}", "", "the incident is over")


@pytest.mark.parametrize(
    ("lines", "why"),
    [((), "1 to 5 approved lines"), ((Line(),), "1 to 5 approved lines"), ((Line("a" * 1_001),), "at most 1,000")],
)
def test_a_hold_needs_words_that_may_be_said(home: MailHome, lines: tuple[Line, ...], why: str) -> None:
    id, _, _ = storm(home)
    with pytest.raises(ValueError, match=why):
        put(home, id, lines=lines)


def test_of_a_matter_of_several_brands_there_is_one_hold_for_the_cases_of_all(home: MailHome) -> None:
    first, _, _ = storm(home)
    for n in range(10):
        home.mention(f"they bake with palm oil, says reader {n}", cluster=7, brand="bakery")
    other = home.case(601, brand="bakery")
    home.mention("they bake with palm oil, says a reader", cluster=7, brand="bakery", case_id=other)
    with write(home.engine) as connection:
        second = book.open_incident(
            connection, "bakery", Standing("crisis", START - HOUR, START, START), Evidence(), START
        )
        many(connection, "UPDATE incident SET part_of = ? WHERE id = ?", [(first, second)])
    put(home, second)
    assert [(one.incident, one.brand) for one in held(home, other)] == [(first, "bakery")]
    with pytest.raises(ValueError, match="held back already"):
        put(home, first)
    assert hold.find_cases(home.engine, START) == 2
    assert lift(home, second, "ana").incident == first


def test_what_is_joined_later_is_under_the_hold_that_stands(home: MailHome) -> None:
    storm(home)
    made = []
    with write(home.engine) as connection:
        for brand in ("bakery", "mill"):
            standing = Standing("crisis", START - HOUR, START, START)
            made.append(book.open_incident(connection, brand, standing, Evidence(), START))
    bakery, mill = made
    put(home, bakery)
    with write(home.engine) as connection:
        matters.join(connection, bakery, mill, START)
        matters.join(connection, 1, mill, START)
        found = [hold.standing(connection, id) for id in (1, bakery, mill)]
    assert [(one.incident, one.reason) for one in found if one is not None] == [(1, "one voice")] * 3


def test_it_stands_while_its_matter_goes_on_at_another_brand(home: MailHome) -> None:
    first, _, _ = storm(home)
    with write(home.engine) as connection:
        standing = Standing("crisis", START - HOUR, START, START)
        second = book.open_incident(connection, "bakery", standing, Evidence(), START)
        many(connection, "UPDATE incident SET part_of = ? WHERE id = ?", [(first, second)])
        book.move(connection, book.find(connection, first), Standing("over"), Evidence(), START + MINUTE)
    put(home, second)
    with write(home.engine) as connection:
        assert hold.end_with_incidents(connection, START + MINUTE) == 0
        book.move(connection, book.find(connection, second), Standing("over"), Evidence(), START + HOUR)
        assert hold.end_with_incidents(connection, START + HOUR) == 1


def test_there_is_one_hold_at_a_time(home: MailHome) -> None:
    id, _, _ = storm(home)
    put(home, id)
    with pytest.raises(ValueError, match="held back already"):
        put(home, id)


def test_who_may_lift_it_are_the_teams_of_pr_else_who_hears_of_pr() -> None:
    people = [
        Person(id="ana", name="Ana", email="ana@example.org"),
        Person(id="sue", name="Sue", email="sue@example.org", queues=("support",)),
    ]
    team = {"name": "Press", "zone": "UTC", "members": ["ben"], "hours": {"mon": ["09:00-18:00"]}}
    press = Team.model_validate({"id": "press", "queues": ["pr"], **team})
    everything = Team.model_validate({"id": "all", **team})
    assert hold.owners(people, [press, everything], "acme") == ("ben",)
    assert hold.owners(people, [everything], "acme") == ("ana",)


def test_what_is_told_of_it_is_in_the_readers_language(home: MailHome) -> None:
    id, _, _ = storm(home)
    found = put(home, id)
    english = hold.in_words(found, ("ana",), "en", "Acme Air")
    assert english[0].startswith("Canned replies are held back since 2026-09-21 14:13 UTC (incident 1, ana): one voice")
    assert english[1:] == [
        "Say only: “Acme Air answers at noon.”",
        "PR owns this matter, support follows. ana may lift it.",
    ]
    spanish = hold.in_words(found, (), "es", "Acme Air")
    assert spanish[1] == "Diga solo: «Acme Air contesta al mediodía.»"
