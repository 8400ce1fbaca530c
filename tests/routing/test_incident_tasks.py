"""Tasks of a playbook: they appear with what an incident comes to, once, and keep who did them when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from config.playbook import InBoth, Step, shipped
from database.engine import open_database, read, write
from routing.incidents import book, clock, matters, tasks
from routing.incidents.book import Evidence
from routing.incidents.levels import Signal, Standing
from routing.incidents.tasks import NoSuchTask, Task, Word
from stream.clock import DAY, HOUR, MINUTE
from tests.places import new_database

START = 1_792_400_000_000
LOUD = Evidence(START, (Signal("negative@reddit", 60, 412, 3.25, 9.0, 4.2, 0.998),))
SEVERE = Evidence(START, (Signal("severe", 60, 12, 0.1, 1.0, 5.2, 0.999),))


def step(id: str, when: str, **values: object) -> Step:
    told = InBoth(en=f"do {id}", es=f"haga {id}")
    return Step.model_validate({"id": id, "when": when, "do": told, "within": "30m", **values})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(new_database(tmp_path))
    yield made
    made.dispose()


def incident(engine: Engine, state: str = "crisis", evidence: Evidence = LOUD) -> int:
    with write(engine) as connection:
        return book.open_incident(connection, "acme", Standing(state, START, START, START), evidence, START)


def becomes(engine: Engine, id: int, state: str, at: int, evidence: Evidence = LOUD) -> None:
    with write(engine) as connection:
        book.move(connection, book.find(connection, id), Standing(state, START, at, at), evidence, at)


def follow(engine: Engine, *steps: Step, at: int = START) -> int:
    with write(engine) as connection:
        return len(tasks.follow(connection, steps, at))


def held(engine: Engine, id: int) -> list[Task]:
    with read(engine) as connection:
        return tasks.tasks(connection, id)


def end(engine: Engine, id: int, k: int, word: Word, why: str = "", at: int = START) -> Task:
    with write(engine) as connection:
        return tasks.end(connection, id, k, word, "ana", at, why)


def test_they_appear_when_it_comes_so_far_and_each_once(engine: Engine) -> None:
    steps = (step("look", "warning"), step("speak", "crisis", who=["ana", "madrid"]), step("learn", "over"))
    id = incident(engine, "watch")
    assert follow(engine, *steps) == 0
    becomes(engine, id, "warning", START + MINUTE)
    assert follow(engine, *steps, at=START + MINUTE) == 1
    becomes(engine, id, "crisis", START + 5 * MINUTE)
    assert [follow(engine, *steps, at=START + 5 * MINUTE) for _ in range(2)] == [1, 0]
    becomes(engine, id, "over", START + HOUR)
    assert follow(engine, *steps, at=START + HOUR) == 1
    found = held(engine, id)
    assert [(one.k, one.step, one.due_at - START) for one in found] == [
        (1, "look", 31 * MINUTE), (2, "speak", 35 * MINUTE), (3, "learn", 90 * MINUTE),
    ]  # fmt: skip
    assert found[1].who == ("ana", "madrid")
    assert found[1].within("es") == "haga speak"


def test_what_was_never_a_warning_teaches_nothing_and_what_ended_long_ago_gets_no_tasks(engine: Engine) -> None:
    learn = step("learn", "over")
    murmur = incident(engine, "watch")
    becomes(engine, murmur, "over", START + HOUR)
    storm = incident(engine, "crisis")
    becomes(engine, storm, "over", START + HOUR)
    assert follow(engine, learn, at=START + 3 * DAY) == 0
    assert follow(engine, learn, at=START + HOUR) == 1
    assert [one.step for one in held(engine, storm)] == ["learn"]


def test_steps_are_for_brands_and_kinds_of_surges(engine: Engine) -> None:
    steps = (
        step("harm", "warning", made_of=["severe"]),
        step("anger", "warning", made_of=["negative"]),
        step("bakery", "warning", brands=["bakery"]),
    )
    id = incident(engine)
    follow(engine, *steps)
    assert [one.step for one in held(engine, id)] == ["anger"]
    becomes(engine, id, "crisis", START + MINUTE, SEVERE)
    follow(engine, *steps, at=START + MINUTE)
    assert [one.step for one in held(engine, id)] == ["anger", "harm"]


def test_what_surged_in_a_minute_that_was_not_the_loudest_has_its_task(engine: Engine) -> None:
    harm, id = step("harm", "warning", made_of=["severe"]), incident(engine)
    quieter = Evidence(START + MINUTE, (Signal("severe@x", 5, 4, 0.1, 1.0, 2.1, 0.99),))
    becomes(engine, id, "crisis", START + MINUTE, quieter)
    becomes(engine, id, "crisis", START + 2 * MINUTE, LOUD)
    assert follow(engine, harm, at=START + 2 * MINUTE) == 1
    with read(engine) as connection:
        kept = book.find(connection, id).evidence
    assert [one.series for one in kept.signals] == ["negative@reddit", "severe@x"]
    signals = [Signal(f"negative@n{n}", 60, 40, 3, 9, 4.2, 0.99) for n in range(12)] + list(quieter.signals)
    assert [one.kind for one in clock._surprising(signals)].count("severe") == 1


def test_a_playbook_that_is_worded_anew_changes_no_task_that_is_there(engine: Engine) -> None:
    id = incident(engine)
    follow(engine, step("look", "warning"))
    follow(engine, step("look", "warning", within="2h", do={"en": "sleep", "es": "duerma"}))
    assert [(one.en, one.due_at) for one in held(engine, id)] == [("do look", START + 30 * MINUTE)]


def test_who_did_it_and_when_is_kept_and_can_be_taken_back(engine: Engine) -> None:
    id = incident(engine)
    follow(engine, step("look", "warning"), step("pause", "warning"))
    assert not end(engine, id, 1, "done", at=START + 10 * MINUTE).late(START + DAY)
    assert end(engine, id, 2, "done", at=START + HOUR).late(START + DAY)
    again = end(engine, id, 2, "open", at=START + 2 * HOUR)
    assert (again.state, again.ended_by, again.late(START + 2 * HOUR)) == ("open", None, True)
    with pytest.raises(ValueError, match="say why"):
        end(engine, id, 2, "needless")
    gone = end(engine, id, 2, "needless", "no advertisements are running", at=START + 3 * HOUR)
    assert not gone.late(START + DAY)
    with read(engine) as connection:
        told = [(one.person, one.detail) for one in book.events(connection, id) if one.change == "task"]
    assert told == [
        ("ana", "1 look done"), ("ana", "2 pause done"), ("ana", "2 pause open"),
        ("ana", "2 pause needless: no advertisements are running"),
    ]  # fmt: skip


def test_a_task_that_is_not_there_is_told_with_those_that_are(engine: Engine) -> None:
    id = incident(engine)
    follow(engine, step("look", "warning"), step("pause", "warning"))
    with pytest.raises(NoSuchTask, match="incident 1 has no task 7: it has 1, 2"):
        end(engine, id, 7, "done")


def test_the_shipped_playbook_asks_for_a_word_in_public_within_the_hour_and_takes_nothing_down(engine: Engine) -> None:
    id = incident(engine)
    follow(engine, *shipped())
    found = {one.step: one for one in held(engine, id)}
    assert found["statement"].due_at == START + HOUR
    assert "Have no lawful criticism deleted" in found["statement"].en
    assert found["customers"].who == ("support",)
    assert list(found)[:2] == ["look", "facts"]
    assert "people-in-danger" not in found


def test_a_matter_of_several_brands_has_one_set_of_tasks_as_grave_as_it_is_at_any_of_them(engine: Engine) -> None:
    first = incident(engine, "warning")
    standing = Standing("warning", START, START, START)
    with write(engine) as connection:
        second = book.open_incident(connection, "bakery", standing, LOUD, START)
        matters.join(connection, first, second, START, "ana")
    steps = (step("look", "warning"), step("speak", "crisis"), step("ovens", "crisis", brands=["bakery"]))
    assert follow(engine, *steps) == 1
    becomes(engine, first, "over", START + MINUTE)
    becomes(engine, second, "crisis", START + 2 * MINUTE)
    # Long after the first brand is calm.
    assert follow(engine, *steps, at=START + 3 * DAY) == 2
    assert [task.step for task in held(engine, first)] == ["look", "speak"]
    assert [task.step for task in held(engine, second)] == ["ovens"]
    assert follow(engine, *steps, at=START + 3 * DAY) == 0
