"""The overload valve opens late, shuts early, and what it let through is marked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import tiny_model
from hypothesis import given
from hypothesis import strategies as st

from config.brands import Brand
from nlp.encoder import TransformerClassifier
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.valve import Limits, Valve, following
from nlp.work import UnderstandWork
from stream.ports import Append, InForce, LogRecord
from stream.records import Origin, Post, Understood, decode, encode

WAITS = st.integers(0, 100_000)
LIMITS = st.tuples(WAITS, st.integers(1, 50_000)).map(lambda drawn: Limits(drawn[0] + drawn[1], drawn[0]))


@given(st.booleans(), WAITS, LIMITS, st.booleans())
def test_it_changes_only_beyond_its_limits(is_open: bool, waited: int, limits: Limits, held_up: bool) -> None:
    after = following(is_open, waited, limits, held_up=held_up)
    if waited >= limits.opens_at:
        assert after == (is_open or not held_up)
    elif waited < limits.closes_at:
        assert not after
    else:
        assert after == is_open


@given(st.lists(WAITS, max_size=40), LIMITS)
def test_between_two_changes_the_wait_crossed_from_one_limit_to_the_other(waits: list[int], limits: Limits) -> None:
    is_open, changes = False, []
    for waited in waits:
        before, is_open = is_open, following(is_open, waited, limits)
        if is_open != before:
            changes.append((is_open, waited))
    assert [change for change, _ in changes] == [number % 2 == 0 for number in range(len(changes))]
    assert all(waited >= limits.opens_at if change else waited < limits.closes_at for change, waited in changes)


@given(st.booleans(), WAITS, WAITS, LIMITS)
def test_a_longer_wait_never_shuts_what_a_shorter_one_leaves_open(
    is_open: bool, one: int, other: int, limits: Limits
) -> None:
    short, long = sorted((one, other))
    assert following(is_open, long, limits) >= following(is_open, short, limits)


# --- in the stage's work ----------------------------------------------------------------------------------------------


class InForceHere:
    def current(self) -> InForce:
        return InForce(4, (Brand(id="acme", name="Acme"),), 1, "")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TransformerClassifier:
    return TransformerClassifier(tiny_model.make(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture
def work(tiny: TransformerClassifier) -> UnderstandWork:
    return UnderstandWork(tiny, Languages(), InForceHere(), Valve(LinearClassifier(), Limits(30_000, 5_000)))


def records(*texts: str, origin: Origin = "live", reply_to: str | None = None) -> list[LogRecord]:
    """All appended at 1,000."""
    posts = [
        Post(id=f"x:{n}", network="x", text=text, seen_at=900, event_time=900, origin=origin, reply_to=reply_to)
        for n, text in enumerate(texts)
    ]
    return [LogRecord("posts", 0, n, post.id, encode(post), 1_000) for n, post in enumerate(posts)]


def read_by(appends: Sequence[Append]) -> list[tuple[str, bool, int]]:
    found = [decode(Understood, one.value) for one in appends]
    return [(one.tier, one.provisional, one.generation) for one in found]


def test_news_that_waited_too_long_are_read_by_the_linear_model_and_marked(work: UnderstandWork) -> None:
    assert read_by(work.run(records("Acme"), (), 30_999)) == [("fast", False, 4)]
    assert not work.overloaded()
    assert read_by(work.run(records("Acme", "about nobody"), (), 31_000)) == [("linear", True, 4), ("fast", False, 4)]
    assert work.overloaded()
    assert read_by(work.run(records("Acme"), (), 6_000)) == [("linear", True, 4)]
    assert read_by(work.run(records("Acme"), (), 5_999)) == [("fast", False, 4)]
    assert not work.overloaded()


def test_what_is_read_in_haste_is_what_the_linear_model_says(work: UnderstandWork) -> None:
    texts = ("Acme lost my bag again", "I love Acme", "no brand here")
    linear = UnderstandWork(LinearClassifier(), Languages(), InForceHere()).run(records(*texts), (), 40_000)
    assert [decode(Understood, one.value).mentions for one in work.run(records(*texts), (), 40_000)] == [
        decode(Understood, one.value).mentions for one in linear
    ]


def test_a_reply_that_names_nobody_is_marked_for_its_reading_towards_the_brand_it_answers(work: UnderstandWork) -> None:
    assert read_by(work.run(records("me too", reply_to="x:9"), (), 40_000)) == [("linear", True, 4)]


def test_history_neither_opens_it_nor_is_read_in_haste(work: UnderstandWork) -> None:
    old = records("Acme is late", origin="import")
    assert read_by(work.run(old, (), 900_000)) == [("fast", False, 4)]
    assert not work.overloaded()
    assert read_by(work.run([*records("Acme"), *old], (), 900_000)) == [("linear", True, 4), ("fast", False, 4)]
    assert read_by(work.run(old, (), 900_000)) == [("fast", False, 4)]
    assert work.overloaded()


def test_what_is_read_anew_is_read_by_the_model_in_force_and_rest_shuts_it(work: UnderstandWork) -> None:
    work.run(records("Acme"), (), 900_000)
    assert read_by(work.reread(records("Acme"), 900_000)) == [("fast", False, 4)]
    assert work.overloaded()
    work.at_rest()
    assert not work.overloaded()


def test_it_does_not_open_where_the_next_stage_is_what_all_wait_for(
    tiny: TransformerClassifier,
) -> None:
    held = [True]
    valve = Valve(LinearClassifier(), Limits(30_000, 5_000), lambda: held[0])
    work = UnderstandWork(tiny, Languages(), InForceHere(), valve)
    assert read_by(work.run(records("Acme"), (), 900_000)) == [("fast", False, 4)]
    held[0] = False
    assert read_by(work.run(records("Acme"), (), 900_000)) == [("linear", True, 4)]
