"""What only the transformer says (complaint, emotion, irony, offence) goes all the way, from the reader to a query."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model

from config.brands import Brand
from nlp.classifier import Passage
from nlp.encoder import TransformerClassifier
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.reading import MEASURED, Reader, Rows
from nlp.service import Service
from stream.merge import content_hash
from stream.records import EMOTIONS, Decided, Post, Scores, Understanding, Understood
from tests.index.made import ids, opened
from tests.routing.route_home import NOW, RouteHome

BRANDS = (Brand(id="acme", name="Bala"), Brand(id="brisa", name="Mino"))
SAID = ("complaint", "irony", "offensive")


def model(
    folder: Path, change: Callable[[dict[str, Any]], object] = lambda card: None, **how: Any
) -> TransformerClassifier:
    tiny_model.make(folder, **how)
    card = json.loads((folder / "card.json").read_text("utf-8"))
    change(card)
    (folder / "card.json").write_text(json.dumps(card), "utf-8")
    return TransformerClassifier(folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> TransformerClassifier:
    """Whose thresholds are such that some texts are said to be so and some are not."""
    mentions = [record.mentions or () for record in understood(model(tmp_path_factory.mktemp("models") / "plain"))]
    first = [each[0] for each in mentions]

    def thresholds(card: dict[str, Any]) -> None:
        for head in SAID:
            card["heads"][head]["thresholds"] = [0.5, np.median([getattr(each, head).p[1] for each in first])]
        felt = np.median([each.emotion.p for each in first if each.emotion], axis=0)
        card["heads"]["emotion"]["thresholds"] = felt.tolist()

    return model(tmp_path_factory.mktemp("models") / "tiny", thresholds)


def posts(count: int = 40) -> list[Post]:
    """About both brands or one of them."""
    draw = random.Random(3)
    texts = [
        " ".join([*draw.sample(["Bala", "Mino"], draw.choice([1, 2])), *draw.choices(tiny_model.SYLLABLES, k=9)])
        for _ in range(count)
    ]
    return [
        Post(id=f"x:{number}", network="x", text=text, lang="es", seen_at=NOW, event_time=NOW, claimed_at=NOW)
        for number, text in enumerate(texts)
    ]


def understood(classifier: TransformerClassifier) -> list[Understood]:
    found = posts()
    readings = Reader(classifier, Languages(), BRANDS).read(found)
    return [
        Understood(
            post=post, appended_at=NOW, understood_at=NOW, content_hash=content_hash(post), lang=reading.lang,
            fingerprint=reading.fingerprint, generation=1, tier=classifier.tier, model=classifier.model,
            mentions=reading.mentions,
        )
        for post, reading in zip(found, readings, strict=True)
    ]  # fmt: skip


def test_what_the_model_says_is_found_by_queries(classifier: TransformerClassifier, tmp_path: Path) -> None:
    records = understood(classifier)
    home = RouteHome(tmp_path, durable=False)
    home.take(*records)
    routed = home.mentions()
    with opened(tmp_path / "index.db") as store:
        store.apply([Decided(mention=each) for each in routed.values()], (), "log", NOW)
        for head in SAID:
            yes = {record.post.id for record in records if label(record, head) == "yes"}
            assert 0 < len(yes) < len(records), head
            assert set(ids(store, f"{head}:yes", limit=200)) == yes
            assert set(ids(store, f"{head}:no", limit=200)) == {record.post.id for record in records} - yes
        for emotion in EMOTIONS:
            felt = {record.post.id for record in records if emotion in emotions(record)}
            assert 0 < len(felt) < len(records), emotion
            assert set(ids(store, f"emotion:{emotion}", limit=200)) == felt
        both = {record.post.id for record in records if {"anger", "fear"} <= set(emotions(record))}
        assert both
        assert set(ids(store, "emotion:(anger fear)", limit=200)) == both
    home.close()


def label(record: Understood, head: str) -> str:
    """Of a post: its mentions say the same."""
    assert record.mentions
    (found,) = {getattr(each, head).label for each in record.mentions}
    assert isinstance(found, str)
    return found


def emotions(record: Understood) -> tuple[str, ...]:
    assert record.mentions
    (found,) = {each.emotion.labels for each in record.mentions if each.emotion}
    return found


def test_the_mentions_of_a_post_say_the_same_of_its_text_and_not_of_its_brands(
    classifier: TransformerClassifier,
) -> None:
    pairs = [record.mentions for record in understood(classifier) if record.mentions and len(record.mentions) == 2]
    assert len(pairs) > 10
    for one, other in pairs:
        assert of_text(one) == of_text(other)
    assert any(one.intent != other.intent for one, other in pairs)


def of_text(found: Understanding) -> tuple[object, ...]:
    return found.sentiment, found.complaint, found.emotion, found.irony, found.offensive


def test_labels_are_what_the_probabilities_and_the_cards_thresholds_say(tmp_path: Path) -> None:
    def thresholds(card: dict[str, Any]) -> None:
        card["heads"]["complaint"]["thresholds"] = [0.5, 0.0001]
        card["heads"]["irony"]["thresholds"] = [0.5, 0.9999]
        card["heads"]["emotion"]["thresholds"] = [0.5, 0.5, 0.0001, 0.9999, 0.5, 0.5]

    found = rows_of(model(tmp_path / "tiny", thresholds), posts())
    for complaint, emotion, irony, offensive in zip(
        found.complaint, found.emotion, found.irony, found.offensive, strict=True
    ):
        assert complaint is not None
        assert emotion is not None
        assert irony is not None
        assert offensive is not None
        assert (complaint.label, irony.label) == ("yes", "no")
        assert offensive.label == ("yes" if offensive.p[1] >= 0.5 else "no")
        assert "fear" in emotion.labels
        assert "joy" not in emotion.labels
        for name, p in zip(EMOTIONS, emotion.p, strict=True):
            assert name in ("fear", "joy") or (name in emotion.labels) == (p >= 0.5)
        assert all(abs(sum(scores.p) - 1) < 2e-5 for scores in (complaint, irony, offensive))


def rows_of(classifier: TransformerClassifier | LinearClassifier, texts: list[Post], lang: str = "es") -> Rows:
    passages = [Passage(post.text, lang=lang) for post in texts]
    return Rows(classifier.read(passages), classifier, passages)


def test_a_head_abstains_by_its_band_where_the_card_states_one(tmp_path: Path) -> None:
    def banded(card: dict[str, Any]) -> None:
        card["bands"].update(complaint=1.0, emotion=0.55)

    found = rows_of(model(tmp_path / "tiny", banded), posts(), "en")
    doubts = [found.review(row) for row in range(len(found.complaint))]
    assert all("complaint" in heads and "irony" not in heads and "offensive" not in heads for heads in doubts)
    sure = [min(max(p, 1 - p) for p in emotion.p) for emotion in found.emotion if emotion is not None]
    assert ["emotion" in heads for heads in doubts] == [least < 0.55 for least in sure]
    assert len({"emotion" in heads for heads in doubts}) == 2


def test_in_a_language_that_a_head_is_not_measured_in_it_abstains(tmp_path: Path) -> None:
    def sure(card: dict[str, Any]) -> None:
        card["bands"] = dict.fromkeys(card["bands"], 0.0)

    five, more = (
        ("sentiment", "reputation", "intent", "detractor", "queue"),
        ("complaint", "emotion", "irony", "offensive"),
    )
    classifier = model(tmp_path / "tiny", sure)
    assert rows_of(classifier, posts(), "ca").review(0) == (*five, *more)
    assert rows_of(classifier, posts(), "fr").review(0) == (*five[1:], *more)
    assert rows_of(classifier, posts(), "es").review(0) == ("complaint",)
    assert rows_of(classifier, posts(), "en").review(0) == ()
    assert rows_of(LinearClassifier(), posts(), "ca").review(0) == five, "what it does not say it cannot doubt"


def test_what_counts_as_measured_has_a_figure_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "accuracy.md").read_text("utf-8")
    figures = page.partition("### Heads: macro-F1")[2].partition("###")[0]
    rows = re.findall(r"^\| (\w+) \| \w+ \| ([a-z, ]+) \|", figures, re.M)
    found = {(head, lang) for head, langs in rows for lang in langs.split(", ")}
    assert {(head, lang) for head, langs in MEASURED.items() for lang in langs} <= found


def test_a_line_of_classify_says_them_and_null_where_the_model_does_not(classifier: TransformerClassifier) -> None:
    line = json.dumps({"id": 1, "text": posts()[0].text, "brand": "Bala", "lang": "es"})
    [told] = Service(classifier, Languages()).classify([line])
    for head in SAID:
        assert told[head]["label"] in ("no", "yes")
        assert list(told[head]["probabilities"]) == ["no", "yes"]
        assert sum(told[head]["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert list(told["emotion"]["probabilities"]) == list(EMOTIONS)
    assert set(told["emotion"]["labels"]) <= set(EMOTIONS)
    assert json.loads(json.dumps(told)) == told
    [silent] = Service(LinearClassifier(), Languages()).classify([line])
    assert [silent[head] for head in (*SAID, "emotion")] == [None] * 4
    assert list(silent) == list(told)


def test_a_model_without_one_of_the_heads_says_nothing_of_it(tmp_path: Path) -> None:
    five = ("sentiment", "reputation", "intent", "detractor", "act", "irony")
    found = rows_of(model(tmp_path / "tiny", heads=five), posts())
    assert isinstance(found.irony[0], Scores)
    assert (found.complaint[0], found.emotion[0], found.offensive[0]) == (None, None, None)
