"""Cases and incidents that are one matter, as people type it; what the API shows of them, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from living import NOW, Living, post, settled_home
from msgspec.structs import replace
from typer.testing import CliRunner

from clamor import exits
from clamor.chores import KEEPER
from clamor.cli import program
from clamor.matters import Matters
from database.engine import write
from database.tenure import Tenure
from routing.incidents import book
from routing.incidents.book import Evidence
from routing.incidents.levels import Standing
from stream.clock import HOUR
from stream.ports import EVERYTHING, AccessScope
from stream.records import Author, Post
from web import casebook, incidentbook

WORDS = "Acme Air lost my bag and twelve others between Vigo and Lisbon, I want my money back at once"


def written(id: str, who: str) -> Post:
    network = id.partition(":")[0]
    return replace(post(1, WORDS), id=id, network=network, author=Author(id=f"{network}-{who}", handle=who))


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home")) as living:
        tenure = Tenure(living.opened.engine, KEEPER, living.opened.clock)
        assert tenure.hold()
        matters = Matters(living.opened, tenure)
        matters.step()
        living.live(written("x:1", "ann_one"), written("reddit:1", "bob_two"), written("bluesky:1", "eva_six"))
        while matters.step():
            pass
        tenure.leave()
        yield living


def typed(living: Living, *words: str) -> Result:
    return CliRunner().invoke(program(words[0]), ["--home", str(living.home.root), *words])


def test_what_may_be_one_matter_is_shown_joined_kept_apart_and_taken_back(living: Living) -> None:
    told = typed(living, "case", "proposals")
    assert told.exit_code == exits.OK, told.output
    assert "1 and 2: 99.4% (near copies); clamor case join 1 2" in told.stdout
    assert "may be one matter with case 2 (99.4%: near copies)" in " ".join(
        typed(living, "case", "show", "1").stdout.split()
    )
    apart = typed(living, "case", "keep-apart", "1", "3", "--why", "two customers", "--by", "ana")
    assert "case 1 and case 3 stay apart" in apart.stdout
    assert "part of case 1 now" in typed(living, "case", "join", "1", "2", "--by", "ana").stdout
    shown = typed(living, "case", "show", "1").stdout
    assert "kept apart from case 3" in shown
    assert "kept_apart from case 3: two customers by ana" in " ".join(shown.split())
    assert typed(living, "case", "undo", "2", "--by", "ana").exit_code == exits.OK
    assert "1 and" not in typed(living, "case", "proposals").stdout
    assert typed(living, "case", "join", "1", "1").exit_code == exits.FAILED


def test_a_token_sees_the_matters_of_what_it_may_see(living: Living) -> None:
    engine = living.opened.engine
    assert {one.case for one in casebook.matters(engine, 1, EVERYTHING)} == {2, 3}
    assert len(casebook.proposals(engine, EVERYTHING, 10)) == 3
    elsewhere = AccessScope(brands=frozenset({"other"}))
    assert casebook.matters(engine, 1, elsewhere) == []
    assert casebook.proposals(engine, elsewhere, 10) == []


def test_incidents_of_two_brands_are_joined_and_split_by_hand(living: Living) -> None:
    engine = living.opened.engine
    with write(engine) as connection:
        for brand in ("acme", "bakery"):
            book.open_incident(connection, brand, Standing("crisis", NOW - HOUR, NOW, NOW), Evidence(), NOW)
    assert "one matter now" in typed(living, "incident", "join", "1", "2", "--by", "ana").stdout
    assert "Same matter at bakery: incident 2, crisis" in typed(living, "incident", "show", "1").stdout
    assert typed(living, "incident", "join", "1", "2").exit_code == exits.FAILED
    seen = incidentbook.one(engine, 1, EVERYTHING, NOW)
    assert seen is not None
    assert seen.matter == [2]
    limited = incidentbook.one(engine, 1, AccessScope(brands=frozenset({"acme"})), NOW)
    assert limited is not None
    assert limited.matter == []
    assert [one.detail for one in limited.history if one.change == "joined"] == [""]
    split = typed(living, "incident", "split", "2", "--why", "another cause", "--by", "ana")
    assert "a matter of its own now" in split.stdout
    assert "Kept apart from incident 2" in typed(living, "incident", "show", "1").stdout
    assert "split: ana another cause" in typed(living, "incident", "show", "2").stdout
