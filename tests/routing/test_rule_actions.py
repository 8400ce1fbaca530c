"""What rules do with cases: who gets them, by when, and what is held for people to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from route_home import NOW, RouteHome, hash_of, passed, reading, said

from config.known import Known
from config.people import Person
from config.teams import Deadline, Team
from database.engine import read, rows_in
from routing import assigning
from routing.assigning import next_in, next_of
from routing.casework import Assign, Resolve, Wait, work
from routing.check import check_rules
from routing.corrections import correct
from routing.explain import in_words
from routing.sheet import Load, Sheet
from stream.records import Correction, Metrics

HOUR, DAY = 3_600_000, 86_400_000
PEOPLE = tuple(Person(id=id, name=id, email=f"{id}@example.org") for id in ("ana", "ben", "eva"))
EVERY_DAY = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
TEAM = Team.model_validate({
    "id": "madrid", "name": "Madrid", "zone": "Europe/Madrid", "members": ["ana", "ben"], "hours": EVERY_DAY,
    "capacity": 2,
})  # fmt: skip
DEADLINES = (
    Deadline.model_validate({"id": "plain", "resolution": {"normal": "24h"}}),
    Deadline.model_validate({"id": "law", "only_by_rule": True, "resolution": {"normal": "2h"}}),
)


def rule(actions: str, when: str = "*", queue: str = "support") -> str:
    return f"rules:\n  - {{name: r, when: '{when}', queue: {queue}, {actions}}}\n"


def home(folder: Path, actions: str) -> RouteHome:
    made = RouteHome(folder, rule(actions), durable=False)
    made.registry.in_force = made.registry.in_force._replace(people=PEOPLE, teams=(TEAM,), deadlines=DEADLINES)
    made.work._desk.adopt(made.registry.in_force)
    return made


def assignees(home: RouteHome) -> list[str | None]:
    return [assignee for (assignee,) in home.sql("SELECT assignee FROM cases ORDER BY id")]


def test_a_rule_gives_a_case_to_a_person_who_is_told(tmp_path: Path) -> None:
    here = home(tmp_path, "assign: eva")
    here.take(said("1", reading(), author="ann"))
    assert assignees(here) == ["eva"]
    assert here.sql("SELECT a.kind, r.person FROM alert a JOIN alert_recipient r ON r.alert = a.id") == [
        ("assigned", "eva")
    ]
    work(here.engine, here.work._desk, 1, Assign("ben"), "ana", NOW)
    here.take(said("2", reading(), author="ann", reply_to="x:1"))
    assert assignees(here) == ["ben"], "who has it keeps it"
    here.close()


def test_round_robin_goes_from_one_to_the_next_up_to_their_capacity(tmp_path: Path) -> None:
    here = home(tmp_path, "assign: {round-robin: madrid}")
    here.take(*(said(str(n), reading(), author=f"a{n}") for n in range(3)))
    here.take(*(said(str(n), reading(), author=f"a{n}") for n in range(3, 6)))
    assert assignees(here) == ["ana", "ben", "ana", "ben", None, None]
    work(here.engine, here.work._desk, 1, Wait(), "ana", NOW)
    here.take(said("9", reading(), author="a9"))
    assert assignees(here)[-1] == "ana", "who waits for a customer has room"
    here.close()


def test_nobody_is_given_a_case_while_the_team_does_not_work(tmp_path: Path) -> None:
    here = home(tmp_path, "assign: {round-robin: madrid}")
    office = TEAM.model_copy(update={"hours": TEAM.hours.model_copy(update=dict.fromkeys(EVERY_DAY, ("09:00-09:01",)))})
    here.work._desk.adopt(here.registry.in_force._replace(teams=(office,)))
    with read(here.engine) as connection:
        sheet = Sheet(connection, here.work._desk, NOW - NOW % DAY)
        assert next_in(sheet, office, ["ana", "ben"]) is None
        assert sheet.loads == {}, "nor is it asked who has room"
        assert next_in(sheet, TEAM, ["ana", "ben"]) == "ana"
    here.close()


def test_the_next_is_who_has_room_and_was_given_a_case_longest_ago() -> None:
    assert next_of(TEAM, {"ana": Load(1, 7), "ben": Load(1, 6)}, ["ana", "ben"]) == "ben"
    assert next_of(TEAM, {"ana": Load(2, 5), "ben": Load(1, 6)}, ["ana", "ben"]) == "ben"
    assert next_of(TEAM, {}, ["ben"]) == "ben", "who is no longer among the people is passed by"


def test_a_batch_asks_once_who_has_room_and_reads_no_case_that_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = home(tmp_path, "assign: {round-robin: madrid}")
    asked: list[str] = []
    monkeypatch.setattr(assigning, "rows_in", lambda c, sql, keys: (asked.append(sql), rows_in(c, sql, keys))[1])
    here.take(*(said(str(n), reading(), author=f"a{n}") for n in range(6)))
    assert assignees(here) == ["ana", "ben", "ana", "ben", None, None]
    assert asked == [assigning._HELD]
    if here.is_file:
        plan = " ".join(
            str(row) for row in here.sql(f"EXPLAIN QUERY PLAN {assigning._HELD.replace('(??)', '(?)')}", "ana")
        )
        assert "ix_cases_assigned" in plan
        ((index,),) = here.sql("SELECT sql FROM sqlite_master WHERE name = 'ix_cases_assigned'")
        assert "live = 1" in index
    here.close()


def test_the_last_agent_of_a_customer_gets_the_next_case_else_the_next_in_the_list(tmp_path: Path) -> None:
    here = home(tmp_path, "assign: [last-agent, {round-robin: madrid}]")
    here.take(said("1", reading(), author="ann"))
    work(here.engine, here.work._desk, 1, Assign("eva"), "ana", NOW)
    work(here.engine, here.work._desk, 1, Resolve(), "eva", NOW)
    here.take(said("2", reading(), author="ann"), said("3", reading(), author="bob"))
    assert assignees(here) == ["eva", "eva", "ana"]
    here.close()


def test_what_a_person_did_with_the_assignee_no_rule_takes_back(tmp_path: Path) -> None:
    here = home(tmp_path, "assign: eva")
    here.take(said("1", reading(), author="ann"))
    assert here.sql("SELECT assignee, state FROM cases") == [("eva", "open")]
    assert here.sql("SELECT change FROM case_event ORDER BY n") == [("opened",), ("assigned",)]
    work(here.engine, here.work._desk, 1, Assign(None), "ana", NOW)
    here.take(passed("1", "metrics", NOW + 1, metrics=Metrics(likes=900)), now=NOW + 1)
    here.take(said("2", reading(), author="ann", reply_to="x:1"))
    assert assignees(here) == [None]
    here.close()


def test_who_gets_a_case_of_an_import_is_not_told(tmp_path: Path) -> None:
    here = home(tmp_path, "assign: eva")
    here.take(said("1", reading(), author="ann", origin="import"))
    here.take(said("2", reading(), author="bob", at=NOW - 30 * DAY, origin="backfill"))
    assert (assignees(here), here.sql("SELECT count(*) FROM alert")) == (["eva", "eva"], [(0,)])
    here.close()


def test_a_rule_names_the_deadline_of_a_case(tmp_path: Path) -> None:
    here = home(tmp_path, "deadline: law")
    here.take(said("1", reading(), author="ann"))
    assert here.sql("SELECT deadline, due FROM case_deadline") == [("law", NOW + 2 * HOUR)]
    here.close()


def test_what_the_model_is_unsure_of_wakes_nobody_until_a_person_has_looked(tmp_path: Path) -> None:
    here = home(tmp_path, "alert: true, hold: true")
    here.take(said("1", reading(review=("intent",)), author="ann"), said("2", reading(), author="bob"))
    assert [queue for _, _, queue, _ in here.alerts()] == ["support"], "the other one alone"
    assert here.sql("SELECT case_id, tag FROM case_tag") == [(1, "review")]
    held, free = (here.mention(f"x:{n}#acme") for n in (1, 2))
    assert ["is unsure of intent" in " ".join(in_words(one)) for one in (held, free)] == [True, False]
    here.close()


@pytest.mark.parametrize("stated", [{}, {"intent": "complaint", "sentiment": "negative", "reputation": "negative"}])
def test_once_a_person_has_looked_at_what_was_held_people_are_told_once_and_the_tag_goes(
    tmp_path: Path, stated: dict[str, str]
) -> None:
    here = home(tmp_path, "alert: true, hold: true")
    unsure = reading(review=("intent",))
    here.take(said("1", unsure, author="ann"), said("2", unsure, author="ann", reply_to="x:1"))
    here.take(said("3", unsure, author="zoe", origin="import"))
    alerted = []
    for id in (1, 1, 2, 3):
        person = Correction(person="eva", at=NOW, content_hash=hash_of("where is my bag"), **stated)
        correct(here.engine, here.work._desk, f"x:{id}#acme", person, NOW)
        alerted.append((len(here.alerts()), here.sql("SELECT case_id FROM case_tag ORDER BY case_id")))
    assert alerted == [(1, [(1,), (2,)]), (1, [(1,), (2,)]), (2, [(2,)]), (2, [])], "nobody is woken by an import"
    here.close()


def test_a_surer_reading_of_what_was_held_is_told(tmp_path: Path) -> None:
    here = home(tmp_path, "alert: true, hold: true")
    here.take(said("1", reading(review=("intent",)), author="ann"))
    here.take(said("1", reading(), author="ann", generation=2, tier="fast"))
    assert (len(here.alerts()), here.sql("SELECT tag FROM case_tag")) == (1, [])
    here.close()


def test_what_is_ignored_is_nobodys_work(tmp_path: Path) -> None:
    here = RouteHome(tmp_path, "rules:\n  - {name: r, when: '*', ignore: true}\n", durable=False)
    here.take(said("1", reading(), author="ann"))
    assert (here.cases(), here.mention("x:1#acme").decision.queue) == ({}, "none")  # type: ignore[union-attr]
    here.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (rule("assign: anna"), "did you mean 'ana'"),
        (rule("assign: {round-robin: madird}"), "did you mean 'madrid'"),
        (rule("assign: {robin: madrid}"), "`assign` names nobody"),
        (rule("deadline: lwa"), "did you mean 'law'"),
        (rule("hold: perhaps"), "`hold` is yes or no"),
        (rule("assign: ana", queue="none"), "there is no case"),
        ("rules:\n  - {name: r, when: '*', ignore: true, queue: pr}\n", "what is ignored has no `queue`"),
    ],
)
def test_actions_that_name_what_is_not_there_are_found(text: str, words: str) -> None:
    known = Known(people=frozenset({"ana", "ben"}), teams=frozenset({"madrid"}), deadlines=frozenset({"law"}))
    found = [f"{one.message} {one.advice}" for one in check_rules(text, known=known)]
    assert [words in one for one in found] == [True], found


def handed(home: RouteHome) -> list[tuple[object, ...]]:
    return [tuple(row) for row in home.sql("SELECT case_id, why, state FROM alert WHERE kind = 'crm' ORDER BY id")]


def test_a_case_is_handed_to_a_program_once(tmp_path: Path) -> None:
    here = home(tmp_path, "crm: desk")
    here.take(said("1", reading(), author="ann"), said("2", reading(), author="ann", reply_to="x:1"))
    here.take(said("3", reading(), author="ann", reply_to="x:1"))
    here.take(said("3", reading(), author="ann", reply_to="x:1"))
    here.take(said("4", reading(), author="bob"))
    assert handed(here) == [(1, "desk", "pending"), (2, "desk", "pending")]
    assert here.sql("SELECT case_id, detail FROM case_event WHERE change = 'crm' ORDER BY n") == [
        (1, "desk"), (2, "desk"),
    ]  # fmt: skip
    mention = here.mention("x:1#acme")
    assert "Its case is posted to desk, once." in " ".join(in_words(mention))
    here.close()


def test_what_an_import_brings_is_handed_to_nobody(tmp_path: Path) -> None:
    here = home(tmp_path, "crm: desk")
    here.take(said("1", reading(), author="ann", origin="import"))
    assert handed(here) == []
    here.close()


def test_a_rule_that_hands_cases_to_a_channel_that_is_not_there_is_found() -> None:
    known = Known(channels=frozenset({"desk"}))
    (problem,) = check_rules(rule("crm: dekc"), known=known)
    assert (problem.line, problem.message) == (2, "no channel of kind webhook has this id")
    assert "desk" in problem.advice
    assert not check_rules(rule("crm: desk"), known=known)
