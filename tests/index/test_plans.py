"""No search walks rows that it need not: the inverted index comes first, in order of time, and rows are looked up."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import pytest

from index.embedded import EmbeddedStore
from stream.ports import EVERYTHING, AccessScope
from tests.index.made import asked, mention, opened, put

WORDS = ("flight", '"late flight"', "late NEAR/3 flight", "fli*", "brand:acme", "-lang:pt", "flight OR brand:acme")
MIXED = ("flight followers:>10", "risk:>=70 flight", "flight -likes:3", "intent:complaint has:edited")
SCOPE = AccessScope(brands=frozenset({"acme"}), queues=frozenset({"pr", "support"}))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    with opened(tmp_path_factory.mktemp("plans") / "index.db") as store:
        put(store, *[mention(n, "a late flight") for n in range(300)])
        yield store


def plans(store: EmbeddedStore, do: Callable[[], object]) -> list[list[str]]:
    """The plan of each statement that `do` runs."""
    said: list[str] = []
    with store._readers.reading("look") as connection:
        connection.set_trace_callback(said.append)
    do()
    with store._readers.reading("look") as connection:
        connection.set_trace_callback(None)
        statements = [text for text in said if "FROM hits h" in text or "FROM mention m" in text]
        return [plan(connection, text) for text in statements]


def plan(connection: sqlite3.Connection, text: str) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")]


@pytest.mark.parametrize("scope", [EVERYTHING, SCOPE], ids=["everything", "scope"])
@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_what_tokens_can_say_touches_no_row_and_sorts_nothing(
    store: EmbeddedStore, text: str, scope: AccessScope, order: str
) -> None:
    (steps,) = plans(store, lambda: store.search(asked(text), scope, order=order))
    assert len(steps) == 1
    assert steps[0].startswith("SCAN h VIRTUAL TABLE INDEX")


@pytest.mark.parametrize("text", MIXED)
def test_a_column_is_looked_up_for_hits_only_and_nothing_is_sorted(store: EmbeddedStore, text: str) -> None:
    (steps,) = plans(store, lambda: store.search(asked(text), SCOPE))
    assert steps[0].startswith("SCAN h VIRTUAL TABLE INDEX")
    assert steps[1:] == ["SEARCH m USING INTEGER PRIMARY KEY (rowid=?)"]


def test_a_part_that_tokens_cannot_say_is_gathered_once_not_asked_for_each_row(store: EmbeddedStore) -> None:
    (steps,) = plans(store, lambda: store.search(asked("(flight followers:>10) OR likes:>5"), EVERYTHING))
    assert steps[0] == "SCAN m"
    assert "LIST SUBQUERY 1" in steps
    assert not any("CORRELATED" in step for step in steps)


@pytest.mark.parametrize(
    "do",
    [
        lambda store: store.count(asked("flight followers:>1"), SCOPE),
        lambda store: store.count(asked("flight"), SCOPE, exact=False),
        lambda store: store.facets(asked("flight"), SCOPE, ["intent", "risk", "author"]),
        lambda store: store.histogram(asked("flight"), SCOPE, 60_000),
        lambda store: store.search(asked("flight"), SCOPE, order="risk"),
        lambda store: store.search(asked("flight"), SCOPE, order="relevance"),
    ],
    ids=["count", "estimate", "facets", "histogram", "risk", "relevance"],
)
def test_counting_and_ranking_start_from_the_inverted_index(
    store: EmbeddedStore, do: Callable[[EmbeddedStore], object]
) -> None:
    found = plans(store, lambda: do(store))
    assert found
    for steps in found:
        assert not any(step in ("SCAN m", "SCAN body") for step in steps)
        assert sum("VIRTUAL TABLE" in step for step in steps) == 1


def test_time_bounds_are_bounds_of_the_walk(store: EmbeddedStore) -> None:
    (words,) = plans(store, lambda: store.search(asked("flight since:-1d"), EVERYTHING))
    (none,) = plans(store, lambda: store.search(asked("since:-1d"), EVERYTHING))
    assert words == [step for step in words if "VIRTUAL TABLE" in step]
    assert none == ["SEARCH m USING INTEGER PRIMARY KEY (rowid>?)"]
