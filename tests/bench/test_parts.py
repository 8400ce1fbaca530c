"""The benchmark of stage `nlp` lists every part of its work: what its steps make is what the stage appends."""

from __future__ import annotations

from itertools import accumulate

import pytest

from bench import nlp
from bench.clock import Clock
from nlp.language import Languages
from nlp.shelf import SHIPPED, open_classifier
from nlp.work import UnderstandWork
from stream.ports import LogRecord
from stream.records import TIERS, Post, Understood, decode, encode


def records_of(posts: list[Post]) -> list[LogRecord]:
    return [LogRecord("posts", 0, number, post.id, encode(post), 0) for number, post in enumerate(posts)]


@pytest.fixture(params=TIERS)
def work(request: pytest.FixtureRequest) -> UnderstandWork:
    if not (SHIPPED / request.param).is_dir():
        pytest.skip(f"the model {request.param} is not part of this installation")
    return UnderstandWork(open_classifier(request.param), Languages(), nlp._Fixed())


def test_step_by_step_makes_what_the_stage_makes(work: UnderstandWork) -> None:
    texts = [*nlp.made(12, 3), "Nobody is named here, and it went well", "Ryanair y Vueling, tarde las dos", "ok"]
    posts = [nlp._post(number, text, answers=number % 3 == 0) for number, text in enumerate(texts)]
    records, clock = records_of(posts), Clock()
    with nlp.clocked(work, clock):
        values = nlp.step_by_step(work, clock, records)
    assert values == [one.value for one in work.run(records, (), 1)]
    assert {len(decode(Understood, value).mentions) for value in values} == {0, 1, 2}
    assert {nlp.MODEL, nlp.MARKED, nlp.READ} < clock.taken().keys()
    assert clock.taken() == {}


def test_every_made_post_that_is_measured_is_about_one_brand() -> None:
    work = UnderstandWork(open_classifier("linear"), Languages(), nlp._Fixed())
    posts = [nlp._post(*one) for one in enumerate(nlp.made(200, 1, nlp._NAMING, nlp._NAMED))]
    found = [decode(Understood, one.value) for one in work.run(records_of(posts), (), 1)]
    assert {(len(one.mentions), one.unnamed is None) for one in found} == {(1, True)}


def test_a_part_within_another_counts_once() -> None:
    ticks = accumulate([0, 1, 10, 100, 1_000, 10_000])
    clock = Clock(lambda: next(ticks))

    class Model:
        def read(self, text: str) -> str:
            return text.upper()

    model = Model()
    with clock.around("model", model, "read"):
        assert clock("outer", lambda: model.read("late")) == "LATE"
    assert clock.taken() == {"model": 10, "outer": 101}
    assert clock("alone", lambda: model.read("late")) == "LATE"
    assert clock.taken() == {"alone": 10_000}
