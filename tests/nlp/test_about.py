"""A filter of a brand: learnt from a few dozen words of people, the same each time, and refused where it is no use."""

from __future__ import annotations

import random

import msgspec
import pytest

from config.brands import Brand
from nlp.about import FEWEST, LEFT_OUT, Example, Filter, certain, features, filters, learn, measure, undecided
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.reading import Reader
from stream.records import Post, Scores

FRUIT = (
    "baked an {} pie with cinnamon",
    "peeled an {} for the crumble",
    "an {} a day, says grandma",
    "sour {} juice and cake",
)
MAKER = (
    "my {} phone will not charge",
    "the new {} update drains the battery",
    "{} store refused my repair",
    "{} laptop screen broke",
)
PLACES = (
    "today",
    "in Leeds",
    "again",
    "this morning",
    "with Ana",
    "for once",
    "at noon",
    "on Sunday",
    "twice",
    "at home",
)


def example(text: str, about: bool) -> Example:
    start = text.lower().index("apple")
    return Example(text, [(start, start + 5)], "x", "en", about)


def told(number: int, seed: int = 1) -> list[Example]:
    draw = random.Random(seed)
    made = []
    for about, sentences in ((True, MAKER), (False, FRUIT)):
        ends = draw.sample([(s, a, b) for s in sentences for a in PLACES for b in PLACES], number)
        made += [example(f"{s.format('Apple' if about else 'apple')} {a} {b}", about) for s, a, b in ends]
    return made


def test_it_tells_the_maker_from_the_fruit_in_sentences_it_has_not_seen() -> None:
    learnt = learn(told(24), 1)
    for text, about in (("Apple phone screen repair, still waiting", True), ("a pie with apple and cinnamon", False)):
        one = example(text, about)
        scores = learnt.scores(features(one.text, one.spans, one.network, one.lang))
        assert scores.label == ("yes" if about else "no")
        assert sum(scores.p) == pytest.approx(1)
        assert (scores.p[0] >= LEFT_OUT) == (scores.label == "no")


def test_cross_validation_finds_it_worth_it_and_chance_not() -> None:
    found = measure(told(24))
    assert found.worth_it
    assert (found.about, found.other, found.recall.value) == (24, 24, 1.0)
    assert found.precision.value > found.before.value == 0.5
    draw = random.Random(3)
    shuffled = [one._replace(about=draw.random() < 0.5) for one in told(24)]
    assert not measure(shuffled).worth_it


def test_the_same_words_give_the_same_filter() -> None:
    assert learn(told(FEWEST), 1) == learn(told(FEWEST), 1)


def test_copies_do_not_vouch_for_one_another() -> None:
    """Each sentence stands twice under a label drawn by chance: only who has seen its twin could know."""
    draw = random.Random(5)
    drawn = [one._replace(about=draw.random() < 0.5, group=str(at)) for at, one in enumerate(told(24))]
    assert not measure(drawn * 2).worth_it


def test_one_kind_alone_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="both kinds"):
        learn([one for one in told(FEWEST) if one.about], 1)


def test_what_is_stored_holds_no_word_and_reads_the_same() -> None:
    made = learn(told(FEWEST), 3)
    body = msgspec.json.encode(made).decode()
    assert not any(word in body for word in ("cinnamon", "battery", "apple", "repair"))
    held = filters([("apple", body)])["apple"]
    assert isinstance(held, Filter)
    one = told(1)[0]
    asked = features(one.text, one.spans, one.network, one.lang)
    assert held.scores(asked) == made.scores(asked)


def test_a_listed_handle_or_hashtag_is_certain() -> None:
    brand = Brand(id="apple", name="Apple", handles=("@AppleSupport",), hashtags=("#apple",))
    assert certain(brand, "hi @applesupport", [(3, 16)])
    assert certain(brand, "see #Apple", [(4, 10)])
    assert not certain(brand, "an apple", [(3, 8)])


@pytest.fixture(scope="module")
def classifier() -> LinearClassifier:
    return LinearClassifier()


def test_the_reader_asks_the_filter_for_names_and_marks_what_is_undecided(classifier: LinearClassifier) -> None:
    brand = Brand(id="apple", name="Apple", handles=("@AppleSupport",))
    body = msgspec.json.encode(learn(told(24), 1)).decode()
    reader = Reader(classifier, Languages(), (brand,), (), [("apple", body)])
    texts = (
        "a pie with apple and cinnamon",
        "Apple phone screen repair",
        "@AppleSupport apple pie and cinnamon",
        "apple",
    )
    posts = [Post(id=f"x:{n}", network="x", text=text, seen_at=1, event_time=1) for n, text in enumerate(texts)]
    pie, phone, addressed, bare = (one.mentions[0] for one in reader.read(posts))
    assert pie.about is not None
    assert phone.about is not None
    assert (pie.about.label, phone.about.label, addressed.about) == ("no", "yes", None)
    assert bare.about is not None
    assert ("about" in bare.review) == undecided(bare.about)
    assert Reader(classifier, Languages(), (brand,)).read(posts)[0].mentions[0].about is None
    assert undecided(Scores("yes", (0.6, 0.4)))
    assert not undecided(Scores("no", (0.8, 0.2)))
