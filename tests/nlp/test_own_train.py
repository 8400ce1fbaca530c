"""A model learnt from corrections is kept where it gains for certain and nothing is lost, and only there."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import tiny_model

from nlp.classifier import SAID, Passage, Target
from nlp.encoder import NEEDED, TransformerClassifier
from nlp.own import train as training
from nlp.own.graph import export
from nlp.own.labelled import Kept, Labelled, key, marks
from nlp.own.measure import Figure, Gain, Same, read_labels
from nlp.own.train import Weighed, percent, shares, train, weigh
from nlp.pieces import reserved
from stream.records import SENTIMENTS

TOLD = {"name": "own", "version": 1}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def learn() -> Any:
    torch = pytest.importorskip("torch", reason="torch is not installed: see docs/models.md")
    torch.set_num_threads(1)
    return pytest.importorskip("nlp.own.learn")


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(tiny_model.SYLLABLES, k=draw.randint(4, 12)))


def kept(count: int, by_word: bool = True, seed: int = 3) -> Kept:
    """Corrections by one word of the text, or by chance; and posts that nobody corrected."""
    draw = random.Random(seed)
    corrections = []
    while len(corrections) < count:
        text = sentence(draw)
        label = draw.choice(SENTIMENTS)
        if by_word:
            text = f"{'ba' if label == 'negative' else 'co' if label == 'neutral' else 'du'} {text}"
        corrections.append(Labelled(Passage(text, (Target(),)), {"reputation": label}, key(text)))
    return Kept(corrections, [Passage(sentence(draw), (Target(),)) for _ in range(80)])


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_what_people_correct_is_learnt_and_the_old_one_stays(learn: Any, tmp_path: Path) -> None:
    """Of a model without the heads that nobody can correct: in one so small they would change as well."""
    base = tiny_model.make(tmp_path / "base", NEEDED)
    before, draft = files(base), tmp_path / "draft"
    found = train(base, draft, kept(160), [], TOLD, learn.Plan(rate=5e-3, hold=0.1, epochs=15))
    assert found.reasons == []
    (figure,) = found.corrections
    assert figure.f1 > (figure.other or 0) + 0.2
    assert files(base) == before
    new = TransformerClassifier(draft)
    assert new.model == "own-1"
    card, old = (json.loads((one / "card.json").read_text("utf-8")) for one in (draft, base))
    assert list(card["heads"]) == list(old["heads"])
    assert card["bands"] == old["bands"]
    assert card["heads"]["reputation"]["temperature"] > 0


def test_what_the_old_one_says_already_is_no_reason_to_replace_it(learn: Any, base: Path, tmp_path: Path) -> None:
    some = kept(100, by_word=False)
    said = read_labels(TransformerClassifier(base), [row.passage for row in some.corrections])["reputation"]
    same = [
        row._replace(labels={"reputation": SENTIMENTS[label]})
        for row, label in zip(some.corrections, said.tolist(), strict=True)
    ]
    found = train(base, tmp_path / "draft", some._replace(corrections=same), [], TOLD, learn.Plan(rate=1e-3, epochs=2))
    assert "is not certain" in found.reasons[0]
    assert found.corrections[0].other == 1.0


def test_held_to_the_old_one_it_says_the_same_of_other_posts(learn: Any, base: Path, tmp_path: Path) -> None:
    some = kept(100, by_word=False)
    old = TransformerClassifier(base).read(some.posts).sentiment
    apart = []
    for hold in (0.0, 5.0):
        train(base, tmp_path / "draft", some, [], TOLD, learn.Plan(rate=2e-3, hold=hold, epochs=4))
        apart.append(abs(TransformerClassifier(tmp_path / "draft").read(some.posts).sentiment - old).mean())
    assert apart[1] < apart[0] / 2


def test_a_head_that_nobody_corrects_and_that_is_lost_is_named(learn: Any, base: Path, tmp_path: Path) -> None:
    plan = learn.Plan(rate=5e-3, hold=0.0, epochs=15)
    found = train(base, tmp_path / "draft", kept(160), [], TOLD, plan)
    assert {one.head for one in found.same} == set(SAID)
    assert any(reason.startswith("head emotion says what it said of ") for reason in found.reasons)


@pytest.mark.parametrize("head", SAID)
def test_heads_that_nobody_can_correct_say_what_they_said(base: Path, tmp_path: Path, head: str) -> None:
    arrays = tiny_model.arrays()
    for name in ("weight", "bias"):
        arrays[f"head.{head}.{name}"] *= -1
    export(arrays, tiny_model.card(), reserved(tiny_model.tokenizer()), tmp_path / "lost")
    old, lost = TransformerClassifier(base), TransformerClassifier(tmp_path / "lost")
    some, posts = kept(40), tiny_model.passages(120)
    found = weigh(old, lost, some.corrections, [], posts)
    assert {one.head: one.posts for one in found.same} == dict.fromkeys(SAID, 120)
    assert {one.head for one in found.same if one.share < 1} == {head}
    (reason,) = [one for one in found.reasons if "kept aside" in one]
    (same,) = [one for one in found.same if one.head == head]
    assert reason.startswith(f"head {head} says what it said of {percent(same.share)} only of 120 posts")
    assert "99% are asked for" in reason
    assert not [one for one in weigh(old, old, some.corrections, [], posts).reasons if "kept aside" in one]


def test_a_home_with_few_other_posts_is_compared_on_written_ones_too(base: Path) -> None:
    old, written = TransformerClassifier(base), kept(30).corrections
    assert weigh(old, old, written, written, tiny_model.passages(10)).same[0].posts == 40
    assert weigh(old, old, written, [], []).same == []
    assert weigh(old, old, written, written, tiny_model.passages(100)).same[0].posts == 100


def test_a_loss_that_is_no_number_ends_it_in_words(learn: Any, base: Path, tmp_path: Path) -> None:
    before = files(base)
    with pytest.raises(ValueError, match=r"learning went astray.*nothing was kept"):
        train(base, tmp_path / "draft", kept(120), [], TOLD, learn.Plan(rate=float("inf")))
    assert files(base) == before
    assert not (tmp_path / "draft").exists()


def test_too_few_corrections_are_counted(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"99 corrections are too few.*at least 100"):
        train(base, tmp_path / "draft", kept(99), [], TOLD)


def test_corrections_of_the_same_words_stand_in_one_share() -> None:
    rows = [row for _ in range(3) for row in kept(300).corrections]
    found = shares(rows)
    assert sum(map(len, found)) == len(rows)
    keys = [{row.key for row in share} for share in found]
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]
    assert not keys[1] & keys[2]
    assert 0.2 < len(found.held) / len(rows) < 0.45
    assert 0.08 < len(found.fitted) / len(rows) < 0.27


@pytest.mark.parametrize(
    ("weighed", "told"),
    [
        (Weighed(Gain(0.05, 0.01, 0.09), [], []), []),
        (Weighed(Gain(0.05, 0.0, 0.09), [], []), ["the gain on corrections that were held out is not certain"]),
        (
            Weighed(Gain(0.05, 0.01, 0.09), [Figure("intent", 40, 0.70, 0.6, 0.8, 0.72)], []),
            ["head intent loses 2.0 points on corrections"],
        ),
        (
            Weighed(Gain(0.05, 0.01, 0.09), [Figure("intent", 40, 0.70, 0.6, 0.8, 0.709)], []),
            [],
        ),
        (
            Weighed(Gain(0.05, 0.01, 0.09), [], [Figure("queue", 40, 0.5, 0.4, 0.6, 0.6)]),
            ["head queue loses 10.0 points on written posts"],
        ),
        (Weighed(Gain(0.05, 0.01, 0.09), [], [], [Same("irony", 1_000, 990)]), []),
        (
            Weighed(Gain(0.05, 0.01, 0.09), [], [], [Same("irony", 1_000, 989), Same("emotion", 96, 95)]),
            ["head irony says what it said of 98.9 % only of 1,000", "head emotion says what it said of 98.9 %"],
        ),
    ],
)
def test_it_is_kept_only_with_a_certain_gain_and_no_loss(weighed: Weighed, told: list[str]) -> None:
    assert len(weighed.reasons) == len(told)
    for reason, words in zip(weighed.reasons, told, strict=True):
        assert reason.startswith(words)


def test_the_level_is_asked_of_the_negative_and_the_queue_of_complaints() -> None:
    def said(labels: dict[str, str], known: dict[str, str]) -> dict[str, int]:
        return marks(Labelled(Passage("x"), labels, "", known))

    assert said({"detractor": "0"}, {"reputation": "positive"}) == {}
    assert said({"detractor": "0"}, {"reputation": "negative"}) == {"detractor": 0}
    assert said({"detractor": "2"}, {}) == {"detractor": 2}
    assert said({"queue": "support"}, {"intent": "complaint"}) == {"act": 1}
    assert said({"queue": "none"}, {"intent": "complaint", "detractor": "3"}) == {}
    assert said({"queue": "none", "intent": "other"}, {"intent": "complaint"}) == {"intent": 7}
    assert training.ENOUGH == 100
