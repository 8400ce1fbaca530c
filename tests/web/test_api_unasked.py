"""A number over a time in which no process asked a source says so, before anybody has written the hole down."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from click.testing import Result
from typer.testing import CliRunner
from web_home import WebHome, opened_home

from clamor.cli import program
from ingest.standing import CollectorStanding, Standings
from ingest.unasked import WHY
from stream.clock import HOUR
from stream.records import Coverage

SOURCES = (
    "  - {id: news, kind: feeds, urls: ['https://news.example/feed'], brands: [acme]}\n"
    "  - {id: inner, kind: feeds, urls: ['https://inner.example/feed'], access: board}\n"
    "  - {id: fresh, kind: feeds, urls: ['https://fresh.example/feed']}\n"
)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebHome]:
    """All came until an hour ago; then the process that asked two of three sources was killed."""
    with opened_home(tmp_path_factory.mktemp("left"), SOURCES) as home:
        now, wall = home.opened.clock.now(), time.time_ns() // 1_000_000
        for id, looked_at in (("news", wall - HOUR), ("inner", wall - HOUR), ("fresh", wall), ("gone", wall - HOUR)):
            row = Coverage(source_id=id, since=now - 2 * HOUR, until=now - HOUR, state="complete", missed=0, asked=1)
            home.opened.ledger.record(row, brands=("acme",) if id == "news" else ())
            word = CollectorStanding(
                source_id=id, process="dead", state="listening", reached_at=now - HOUR, looked_at=looked_at
            )
            Standings(home.opened.engine).add([word])
        yield home


def test_every_count_of_that_time_says_what_it_rests_on(left: WebHome) -> None:
    def counted(q: str, token: str | None = None) -> tuple[float | None, list[tuple[str, str]]]:
        found = left.ok("/api/count", token, q=f"since:-2h {q}")
        share = found["complete"]
        return None if share is None else round(share, 1), [(row["source"], row["reason"]) for row in found["gaps"]]

    assert counted("source:news") == (0.5, [("news", WHY)])
    assert counted("source:fresh") == (1.0, []), "a process that lives writes its holes itself"
    assert counted("source:gone") == (1.0, []), "it is not in force: nobody means to ask it"
    assert counted("source:news brand:brisa")[1] == []
    assert counted("source:inner", left.limited())[1] == [], "who may not see a source learns nothing of it"
    assert counted("source:inner", left.limited(access=["public", "board"]))[1] == [("inner", WHY)]
    before = left.ok("/api/count", q="since:-2h until:-61m source:news")
    assert (round(before["complete"], 1), before["gaps"]) == (1.0, [])


def test_coverage_and_status_show_the_hole(left: WebHome) -> None:
    found = left.ok("/api/coverage", source="news")
    assert [(row["state"], row["reason"]) for row in found["rows"]] == [("gap", WHY), ("complete", "")]
    assert (round(found["share"], 1), found["unknown_gaps"]) == (0.5, 1)
    gaps = {row["source_id"] for row in left.ok("/api/status")["coverage"]["gaps"]}
    assert gaps == {"news", "inner"}


def test_the_commands_show_it(left: WebHome) -> None:
    def typed(*words: str) -> Result:
        return CliRunner().invoke(program(words[0]), ["--home", str(left.opened.home.root), *words])

    shown = typed("coverage", "--gaps", "--json")
    assert {(row["source_id"], row["reason"]) for row in map(json.loads, shown.stdout.splitlines())} == {
        ("news", WHY), ("inner", WHY),
    }  # fmt: skip
    assert "of the time asked for was received" in typed("search", "--count", "since:-2h source:news").stderr
