"""From people's words on mentions to a filter in force, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from clamor.brand_filters import examples, forget, learn, words
from database import filters
from database.engine import read
from database.registry import SqlRegistry
from nlp.about import FEWEST, features
from nlp.about import filters as as_filters
from nlp.shares import Share
from routing.corrections import correct
from routing.desk import Desk
from stream.records import Correction, Scores
from tests.routing.route_home import BRANDS, NOW, RouteHome, passed, reading, said

ACME = BRANDS[0]
FLIGHTS = ("lost my bag", "cancelled our flight", "boarding took an hour", "crew was lovely", "seat was broken")
TOOLS = ("compressor for sale", "hose and nozzle", "pump for tyres", "filter for the workshop", "tank of 50 litres")
ENDS = ("today", "in Leeds", "again", "as ever", "this week")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def say(home: RouteHome, id: str, about: bool, at: int = NOW + 1) -> None:
    held = home.mention(id)
    word = replace(held.correction or Correction(person="", at=0, content_hash=""), person="eva", at=at, about=about)
    correct(home.engine, Desk(home.registry.current()), id, replace(word, content_hash=held.content_hash), at)


def told(home: RouteHome, count: int) -> None:
    """So many mentions of each kind, and a person's word on each."""
    for kind, starts in ((1, FLIGHTS), (0, TOOLS)):
        texts = [f"Acme Air {start} {end}" for start in starts for end in ENDS][:count]
        home.take(*[said(f"{kind}{n}", reading(intent="other"), text=text, at=NOW + n) for n, text in enumerate(texts)])
        for n in range(len(texts)):
            say(home, f"x:{kind}{n}#acme", bool(kind))


def test_a_filter_comes_into_force_with_a_new_generation_and_goes_again(home: RouteHome) -> None:
    told(home, 25)
    registry = SqlRegistry(home.engine, "linear-1", monotonic=iter(range(0, 1000, 10)).__next__)
    before = registry.current()
    assert before.filters == ()
    done = learn(home.engine, ACME, "eva", NOW + 9)
    assert (done.about, done.other, done.version) == (25, 25, 1)
    assert done.measured is not None
    assert done.measured.worth_it
    after = registry.current()
    assert after.generation > before.generation
    learnt = as_filters(after.filters)["acme"]
    assert learnt.scores(features("Acme Air hose for the tyres", [(0, 8)], "x", "en")).label == "no"
    assert learnt.scores(features("Acme Air flight cancelled", [(0, 8)], "x", "en")).label == "yes"
    assert forget(home.engine, "acme", "eva", NOW + 10) == 2
    assert forget(home.engine, "acme", "eva", NOW + 10) is None
    assert registry.current().filters == ()
    assert registry.current().generation > after.generation


def test_too_few_words_and_a_dry_run_bring_nothing_into_force(home: RouteHome) -> None:
    told(home, FEWEST - 1)
    few = learn(home.engine, ACME, "eva", NOW + 9)
    assert (few.measured, few.version) == (None, None)
    told(home, 25)
    assert learn(home.engine, ACME, "eva", NOW + 9, adopt=False).version is None
    with read(home.engine) as connection:
        assert filters.newest(connection, "acme") is None


def test_a_deleted_text_is_learnt_from_no_more(home: RouteHome) -> None:
    told(home, FEWEST)
    home.take(passed("10", "deleted", NOW + 50))
    with read(home.engine) as connection:
        given = examples(connection, ACME)
    assert len(given) == 2 * FEWEST - 1
    assert not any(one.text == "Acme Air lost my bag today" for one in given)
    assert learn(home.engine, ACME, "eva", NOW + 60).measured is None


def test_precision_and_recall_count_what_stood_when_somebody_looked_and_the_last_word(home: RouteHome) -> None:
    left_out = replace(reading(intent="other"), about=Scores("no", (0.9, 0.1)))
    kept = reading(intent="other")
    home.take(said("1", kept), said("2", kept), said("3", left_out), said("4", kept))
    for id, about in (("1", True), ("2", False), ("3", True), ("4", False), ("4", True), ("4", True)):
        say(home, f"x:{id}#acme", about)
    with read(home.engine) as connection:
        found = words(connection, "acme")
        assert words(connection, "acme", 7) == (0, 0, 0, 0)
    assert (found.precision, found.recall) == (Share(2, 3), Share(2, 3))
    assert home.sql("SELECT count(*) FROM about_word") == [(5,)], "what was said twice is one word"
