"""What was said in public about an incident: kept with its time, and gone with the posts of that time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from database.engine import open_database, read, write
from routing.incidents import book, said
from routing.incidents.book import Evidence, NoSuchIncident
from routing.incidents.levels import Standing
from routing.incidents.said import Statement
from stream.clock import HOUR, MINUTE
from tests.places import new_database

START = 1_792_400_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(new_database(tmp_path))
    yield made
    made.dispose()


def incident(engine: Engine) -> int:
    with write(engine) as connection:
        return book.open_incident(connection, "acme", Standing("crisis", START, START, START), Evidence(), START)


def say(engine: Engine, id: int, text: str, at: int = START, place: str = "x") -> Statement:
    with write(engine) as connection:
        return said.say(connection, id, text, place, at, "ana", START + HOUR)


def test_statements_stand_in_the_order_in_which_people_could_read_them(engine: Engine) -> None:
    id = incident(engine)
    say(engine, id, "we answer at noon", START + 30 * MINUTE)
    say(engine, id, "  we have seen it\n", START + 5 * MINUTE, "our  site")
    with read(engine) as connection:
        found, happened = said.statements(connection, id), book.events(connection, id)
    assert [(one.text, one.place) for one in found] == [("we have seen it", "our site"), ("we answer at noon", "x")]
    assert [(one.change, one.person) for one in happened[-2:]] == [("said", "ana"), ("said", "ana")]


@pytest.mark.parametrize(
    ("text", "place", "at", "why"),
    [
        (" ", "x", START, "1 to 10,000 characters"),
        ("a" * 10_001, "x", START, "1 to 10,000 characters"),
        ("words", " ", START, "where it was said"),
        ("words", "x\x1b[2J", START, "where it was said"),
        ("words", "x", START + 3 * HOUR, "it lies ahead"),
    ],
)
def test_what_was_not_said_is_not_kept(engine: Engine, text: str, place: str, at: int, why: str) -> None:
    id = incident(engine)
    with pytest.raises(ValueError, match=why):
        say(engine, id, text, at, place)
    with read(engine) as connection:
        assert said.statements(connection, id) == []


def test_of_an_incident_that_is_not_there_nothing_was_said(engine: Engine) -> None:
    with pytest.raises(NoSuchIncident, match="incident list --all"):
        say(engine, 7, "words")


def test_the_words_go_with_the_posts_of_their_time_and_the_place_stays(engine: Engine) -> None:
    id = incident(engine)
    say(engine, id, "we have seen it", START)
    say(engine, id, "we answer at noon", START + 30 * MINUTE)
    with write(engine) as connection:
        said.let_go(connection, START + MINUTE)
        found = said.statements(connection, id)
    assert [(one.text, one.place) for one in found] == [("", "x"), ("we answer at noon", "x")]
