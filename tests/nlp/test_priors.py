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


SAD = Priors(sentiment={"negative": 0.8, "neutral": 0.15, "positive": 0.05})
GLAD = Priors(sentiment={"negative": 0.1, "neutral": 0.1, "positive": 0.8})


def test_sentiment_is_weighed_by_the_mean_of_the_shares_of_all_brands_of_a_text() -> None:
    p = np.array([0.2, 0.7, 0.1])
    plain = Readings(
        *(np.tile(p, (4, 1)), np.array([0, 1, 1, 1, 2, 3]), np.tile(p, (6, 1)), np.full((6, 8), 1 / 8)),
        *(np.full((6, 4), 1 / 4), np.full(6, 0.5)),
    )
    sad, glad = (Brand(id=id, name=id, prior=prior) for id, prior in (("sad", SAD), ("glad", GLAD)))
    silent = Brand(id="silent", name="silent")
    moved = adjusted(plain, [sad, sad, glad, silent, silent, None], {"sentiment": [1 / 3] * 3})
    one, both = p * (0.8, 0.15, 0.05), p * (0.45, 0.125, 0.425)
    assert np.allclose(moved.sentiment, [one / one.sum(), both / both.sum(), p, p])
    assert (moved.reputation == plain.reputation).all()
    assert (adjusted(plain, [sad] * 6, {"reputation": [1 / 3] * 3}).sentiment == plain.sentiment).all()


def test_a_text_has_one_sentiment_in_the_stream_and_by_classify_the_same_shares(classifier: LinearClassifier) -> None:
    stated = [Brand(id="acme", name="Acme", prior=SAD), Brand(id="bolt", name="Bolt", prior=GLAD)]
    both = np.array([0.45, 0.125, 0.425]) / classifier.priors["sentiment"]

    def weighed(p: Any) -> Any:
        return np.array(tuple(p)) * both / (np.array(tuple(p)) * both).sum()

    post = Post(id="x:1", network="x", text=TEXT, lang="en", seen_at=1, event_time=1, reply_to="x:0")
    before = read(classifier)
    [found] = Reader(classifier, Languages(), stated).read([post])
    [alone] = Reader(classifier, Languages(), [stated[0], brands()[1]]).read([post])
    assert found.unnamed is not None
    assert found.mentions[0].sentiment == found.mentions[1].sentiment == found.unnamed.sentiment
    assert np.allclose(found.mentions[0].sentiment.p, weighed(before.mentions[0].sentiment.p), atol=1e-3)
    assert alone.mentions[1].sentiment.p[0] > found.mentions[1].sentiment.p[0]
    assert [one.reputation for one in found.mentions] == [one.reputation for one in before.mentions]
    for brand in ("acme", "bolt", "Acne", None):
        line = json.dumps({"id": 1, "text": TEXT, "lang": "en", "brand": brand})
        plain, moved = (
            next(Service(classifier, Languages(), some).classify([line]))["sentiment"]["probabilities"].values()
            for some in (brands(), stated)
        )
        assert np.allclose(tuple(moved), weighed(plain) if brand else tuple(plain), atol=1e-3)


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
