"""A brand's own shares of the labels move what is read of its mentions, and of nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model
from structlog.testing import capture_logs

from config.brands import Brand
from config.priors import Priors
from nlp.classifier import Passage, Readings
from nlp.encoder import TransformerClassifier
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.priors import adjusted
from nlp.reading import Reader
from nlp.service import Service
from nlp.work import UnderstandWork
from stream.ports import InForce
from stream.records import INTENTS, SENTIMENTS, Post

ANGRY = Priors(reputation={"negative": 0.8, "neutral": 0.15, "positive": 0.05})
BUYING = Priors(intent={name: 0.86 if name == "purchase_interest" else 0.02 for name in INTENTS})
TEXT = "Acme and Bolt: the bus was there, it went to town"


@pytest.fixture(scope="module")
def classifier() -> LinearClassifier:
    return LinearClassifier()


def brands(prior: Priors | None = None) -> list[Brand]:
    return [Brand(id="acme", name="Acme", prior=prior or Priors()), Brand(id="bolt", name="Bolt")]


def read(classifier: LinearClassifier, prior: Priors | None = None) -> Any:
    post = Post(id="x:1", network="x", text=TEXT, lang="en", seen_at=1, event_time=1, reply_to="x:0")
    [found] = Reader(classifier, Languages(), brands(prior)).read([post])
    return found


def test_probabilities_are_weighed_by_the_brand_s_share_over_the_model_s(classifier: LinearClassifier) -> None:
    before, after = read(classifier), read(classifier, ANGRY)
    plain = Readings(
        *(np.array([[0.2, 0.7, 0.1]]), np.array([0]), np.array([[0.2, 0.7, 0.1]]), np.full((1, 8), 1 / 8)),
        *(np.full((1, 4), 1 / 4), np.array([0.5])),
    )
    taught = {"reputation": (0.3, 0.6, 0.1)}
    moved = adjusted(plain, [Brand(id="acme", name="Acme", prior=ANGRY)], taught)
    expected = np.array([0.2 * 0.8 / 0.3, 0.7 * 0.15 / 0.6, 0.1 * 0.05 / 0.1])
    assert np.allclose(moved.reputation, expected / expected.sum())
    assert (moved.intent == plain.intent).all()
    assert (moved.sentiment == plain.sentiment).all()
    assert after.mentions[0].reputation.p[0] > before.mentions[0].reputation.p[0] + 0.1
    assert after.mentions[0].sentiment == before.mentions[0].sentiment


def test_other_brands_and_the_one_that_is_not_named_stay_as_they_are(classifier: LinearClassifier) -> None:
    before, after = read(classifier), read(classifier, ANGRY)
    assert before.mentions[1] == after.mentions[1]
    assert before.unnamed == after.unnamed
    assert read(classifier, Priors()) == before


def test_the_model_s_own_shares_change_nothing(classifier: LinearClassifier) -> None:
    own = classifier.priors
    same = Priors(
        reputation=dict(zip(SENTIMENTS, own["reputation"], strict=True)),
        intent=dict(zip(INTENTS, own["intent"], strict=True)),
    )
    before, after = read(classifier), read(classifier, same)
    assert np.allclose(after.mentions[0].intent.p, before.mentions[0].intent.p, atol=2e-3)
    assert np.allclose(after.mentions[0].reputation.p, before.mentions[0].reputation.p, atol=2e-3)


def test_shares_of_intents_reach_the_queue_and_contradict_nothing(classifier: LinearClassifier) -> None:
    line = json.dumps({"id": 1, "text": "how much is the bus, Acme?", "brand": "acme"})
    [before] = Service(classifier, Languages(), brands()).classify([line])
    [after] = Service(classifier, Languages(), brands(BUYING)).classify([line])
    [unknown] = Service(classifier, Languages(), brands(BUYING)).classify([line.replace('"acme"', '"Acne"')])
    assert before["queue"]["probabilities"]["sales"] < after["queue"]["probabilities"]["sales"]
    assert (after["intent"]["label"], after["queue"]["label"]) == ("purchase_interest", "sales")
    assert unknown["intent"]["label"] == before["intent"]["label"]


def test_the_encoder_takes_its_shares_from_the_card_and_says_where_it_has_none(tmp_path: Path) -> None:
    tiny_model.make(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text("utf-8"))
    card["heads"]["reputation"]["prior"] = [0.25, 0.5, 0.25]
    (tmp_path / "card.json").write_text(json.dumps(card), "utf-8")
    model = TransformerClassifier(tmp_path)
    assert model.priors == {"reputation": [0.25, 0.5, 0.25]}
    found = model.read([Passage("ba la mi", lang="es")])
    moved = adjusted(found, [brands(ANGRY)[0]], model.priors)
    assert np.allclose(moved.reputation.sum(axis=1), 1)
    assert moved.reputation[0, 0] > found.reputation[0, 0]
    with capture_logs() as told:
        UnderstandWork(model, Languages(), InPlace([*brands(BUYING), Brand(id="c", name="C", prior=ANGRY)]))
    assert [(one["event"], one["brand"], one["head"]) for one in told] == [("prior_has_no_effect", "acme", "intent")]
    card["heads"]["reputation"]["prior"] = [0.25, 0.75]
    (tmp_path / "card.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(ValueError, match="one share a class"):
        TransformerClassifier(tmp_path)


class InPlace:
    def __init__(self, brands: list[Brand]) -> None:
        self._now = InForce(1, tuple(brands), 1, "")

    def current(self) -> InForce:
        return self._now
