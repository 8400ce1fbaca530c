"""The shipped linear model says the same alone and in a batch, and what is no model is refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from nlp.classifier import Passage, Readings, Target
from nlp.linear import SHIPPED, LinearClassifier, Weights
from stream.records import INTENTS, SENTIMENTS

POSTS = [
    "Acme lost my suitcase and nobody answers the phone",
    "me encanta el pan de Acme, gracias por todo",
    "How much is the family plan at Acme?",
    "Boicot a Acme! Han discriminado a una pasajera, difundid",
    "",
    "😀😀😀",
    "just landed",
    "Acme " * 200,
]


@pytest.fixture(scope="module")
def classifier() -> LinearClassifier:
    return LinearClassifier()


def passage(text: str) -> Passage:
    start = text.find("Acme")
    return Passage(text, (Target(((start, start + 4),) if start >= 0 else ()), Target()))


def rows(found: Readings) -> np.ndarray:
    return np.hstack(
        [found.sentiment[found.owner], found.reputation, found.intent, found.detractor, found.act[:, None]]
    )


def test_a_post_is_read_the_same_alone_and_in_any_batch(classifier: LinearClassifier) -> None:
    draw = random.Random(5)
    alone = {text: rows(classifier.read([passage(text)])) for text in POSTS}
    for _ in range(12):
        batch = draw.choices(POSTS, k=draw.choice([1, 2, 7, 33, 300]))
        together = rows(classifier.read([passage(text) for text in batch])).reshape(len(batch), 2, -1)
        for text, found in zip(batch, together, strict=True):
            assert np.abs(found - alone[text]).max() <= 1e-5


def test_every_row_is_a_distribution(classifier: LinearClassifier) -> None:
    found = classifier.read([passage(text) for text in POSTS])
    assert found.sentiment.shape == (len(POSTS), 3)
    assert found.intent.shape == (2 * len(POSTS), len(INTENTS))
    for p in (found.sentiment, found.reputation, found.intent, found.detractor):
        assert np.allclose(p.sum(axis=1), 1)
    assert ((found.act >= 0) & (found.act <= 1)).all()


def test_sentiment_is_one_for_all_brands_of_a_text_and_reputation_is_not(classifier: LinearClassifier) -> None:
    text = "Leaving Bolt for Acme, best decision of the year"
    both = classifier.read([Passage(text, (Target(((8, 12),), ((17, 21),)), Target(((17, 21),), ((8, 12),))))])
    assert both.sentiment.shape == (1, 3)
    assert not np.allclose(both.reputation[0], both.reputation[1])


def test_a_long_text_is_read_where_it_names_the_brand(classifier: LinearClassifier) -> None:
    filler = "Photo of the harbour in the morning, taken on Sunday. " * 60
    said = "Acme is the worst company ever, I hate it, boycott them"
    alone, late = (classifier.read([passage(text)]) for text in (said, filler + said))
    nowhere = classifier.read([passage(filler)])
    assert alone.reputation[0].argmax() == late.reputation[0].argmax() == SENTIMENTS.index("negative")
    assert nowhere.reputation[0].argmax() != SENTIMENTS.index("negative")


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("I love this so much, thank you!", "positive"),
        ("worst service ever, I hate it", "negative"),
        ("qué asco, nunca más", "negative"),
        ("muchas gracias, excelente atención", "positive"),
        ("The meeting starts at 10 in room 4", "neutral"),
    ],
)
def test_plain_cases(classifier: LinearClassifier, text: str, sentiment: str) -> None:
    assert SENTIMENTS[classifier.read([Passage(text)]).sentiment[0].argmax()] == sentiment


def test_the_card_names_sets_version_and_what_the_labels_are(classifier: LinearClassifier) -> None:
    card = json.loads((SHIPPED / "card.json").read_text("utf-8"))
    assert classifier.model == f"{card['name']}-{card['version']}"
    assert not [name for name in card["rows"] if name == "airline_us" or name.startswith("twcs")]
    assert "language models" in card["labels"]
    assert set(card["bands"]) == {"sentiment", "reputation", "intent", "detractor", "queue"}
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 4 * 2**20


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Weights(tmp_path)


def test_a_model_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.npz").write_bytes((SHIPPED / "weights.npz").read_bytes())
    card = json.loads((SHIPPED / "card.json").read_text("utf-8"))
    (tmp_path / "card.json").write_text(json.dumps(card | {"format": 99}), "utf-8")
    with pytest.raises(ValueError, match="format 99"):
        Weights(tmp_path)
    (tmp_path / "card.json").write_text(json.dumps(card | {"bits": 3}), "utf-8")
    with pytest.raises(ValueError, match="shape"):
        Weights(tmp_path)
