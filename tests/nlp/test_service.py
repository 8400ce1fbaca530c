"""`clamor classify`: the contract of its lines."""

from __future__ import annotations

import json

import pytest

from config.brands import Brand
from nlp.asked import Asked
from nlp.classifier import Passage, Target
from nlp.heads import settle
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.service import LONGEST_LINE, Service
from query.text import analyse
from stream.records import INTENTS, QUEUES, SENTIMENTS


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(LinearClassifier(), Languages(), [Brand(id="acme", name="Acme Telecom", aliases=("AcmeTel",))])


def test_every_field_of_the_contract(service: Service) -> None:
    [found] = service.classify(['{"id": "a1", "text": "Acme has lost my order, where is it?", "brand": "Acme"}'])
    assert json.loads(json.dumps(found)) == found
    assert list(found) == [
        "id", "lang", "sentiment", "reputation", "intent", "detractor", "queue", "complaint", "emotion", "irony",
        "offensive", "risk", "aspects", "review", "model",
    ]  # fmt: skip
    assert found["id"] == "a1"
    assert found["lang"]["label"] == "en"
    for head, classes in (
        ("sentiment", SENTIMENTS),
        ("reputation", SENTIMENTS),
        ("intent", INTENTS),
        ("queue", QUEUES),
    ):
        assert found[head]["label"] in classes
        assert list(found[head]["probabilities"]) == list(classes)
        assert sum(found[head]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    assert found["detractor"]["level"] in (0, 1, 2, 3)
    assert "delivery" in found["aspects"]
    assert found["intent"]["label"] == "help_request"
    assert found["queue"]["label"] == "support"
    assert 0 <= found["risk"]["score"] <= 100
    assert all(set(term) == {"name", "points", "why"} for term in found["risk"]["terms"])


def test_one_answer_for_each_line_in_order_and_bad_ones_named(service: Service) -> None:
    lines: list[str | bytes] = [
        '{"id": 1, "text": "hola"}',
        '{"id": 2}',
        "not json",
        b"\xff\xfe",
        "",
        '{"id": 3, "text": 7}',
        '{"id": 4, "text": "hi", "brand": "  "}',
        '{"id": "5", "text": ""}',
    ]
    found = list(service.classify(lines * 100))
    assert [one["id"] for one in found[:8]] == [1, 2, None, None, None, 3, 4, "5"]
    assert ["error" in one for one in found[:8]] == [False, True, True, True, True, True, True, False]
    assert found[:8] * 100 == found


def test_the_brand_counts_though_the_text_does_not_name_it(service: Service) -> None:
    named, unnamed, other = service.classify(
        [
            '{"id": 1, "text": "AcmeTel never again, I switched to Bolt", "brand": "acme"}',
            '{"id": 2, "text": "never again, I switched", "brand": "Acme Telecom"}',
            '{"id": 3, "text": "never again, I switched"}',
        ]
    )
    assert unnamed["reputation"] == other["reputation"]
    assert named["reputation"]["label"] == "negative"


def test_other_configured_brands_are_other_brands_as_in_the_stream() -> None:
    classifier = LinearClassifier()
    rivals = [Brand(id="acme", name="Acme Telecom"), Brand(id="bolt", name="Bolt Mobile")]
    text = "Acme Telecom is great, Bolt Mobile is the worst"
    mine, other = (0, 12), (23, 34)
    assert (text[slice(*mine)], text[slice(*other)]) == ("Acme Telecom", "Bolt Mobile")
    lines = [json.dumps({"id": name, "text": text, "brand": name}) for name in ("acme", "Bolt Mobile", "Great")]
    found = list(Service(classifier, Languages(), rivals).classify(lines))
    targets = (Target((mine,), (other,)), Target((other,), (mine,)), Target(((16, 21),), (mine, other)))
    expected = settle(classifier.read([Passage(text, targets, "en")])).reputation
    alone = settle(classifier.read([Passage(text, (Target((mine,)),), "en")])).reputation
    assert abs(expected[0] - alone[0]).max() > 0.001
    for row, answer in zip(expected.tolist(), found, strict=True):
        assert list(answer["reputation"]["probabilities"].values()) == pytest.approx(row, abs=1e-4)


_NAMES = ("acme", "ACME AIR", " Ácme Air ", "aa air", "@acmeair", "acmeair", "#FlyAcme")


def test_a_brand_is_asked_about_by_any_of_its_names() -> None:
    brand = Brand(id="acme", name="Acme Air", aliases=("AA Air",), handles=("@acmeair",), hashtags=("#flyacme",))
    text = "Acme Air lost my bag and @acmeair is silent #flyacme"
    lines = [json.dumps({"id": 1, "text": text, "brand": name}) for name in _NAMES]
    found = list(Service(LinearClassifier(), Languages(), [brand]).classify(lines))
    assert found == found[:1] * len(_NAMES)
    target = Asked([brand]).named("@acmeair", analyse(text)).target
    assert [text[slice(*span)] for span in target.spans] == ["Acme Air", "@acmeair", "#flyacme"]
    assert target.others == ()


def test_aspects_and_reputation_are_those_of_the_stream() -> None:
    """Of the clauses that speak of the brand; a category has no reputation."""
    brands = [
        Brand(id="acme", name="Acme"),
        Brand(id="globex", name="Globex"),
        Brand(id="r", name="route", kind="category"),
    ]
    text = "Acme is fine, but Globex has awful delivery."
    lines = [json.dumps({"id": 1, "text": text, "brand": name}) for name in ("acme", "globex", "route")]
    acme, globex, route = Service(LinearClassifier(), Languages(), brands).classify(lines)
    assert (acme["aspects"], globex["aspects"]) == ([], ["delivery"])
    assert acme["reputation"] is not None
    assert route["reputation"] is None
    assert route["detractor"]["level"] == 0
    assert not {term["name"] for term in route["risk"]["terms"]} & {"severity", "leaving"}
    assert not {"reputation", "detractor"} & set(route["review"])


@pytest.mark.parametrize("extra", ["[" * 5_000 + "]" * 5_000, '{"a":' * 5_000 + "1" + "}" * 5_000])
def test_a_line_that_is_nested_too_deep_is_answered_as_a_bad_one(service: Service, extra: str) -> None:
    bad, good = service.classify([f'{{"id": 1, "text": "a", "x": {extra}}}', '{"id": 2, "text": "b"}'])
    assert "error" in bad
    assert good["id"] == 2


def test_the_text_never_stands_in_an_answer(service: Service) -> None:
    [found] = service.classify(['{"id": 1, "text": "zanahoria lawsuit fraud worst ever boycott", "brand": "Acme"}'])
    assert "zanahoria" not in json.dumps(found)
    assert found["risk"]["terms"]


def test_a_line_that_is_too_long_is_refused_by_its_length(service: Service) -> None:
    [found] = service.classify([b'{"id": 1, "text": "' + b"x" * LONGEST_LINE])
    assert found == {"id": None, "error": "longer than 1,048,576 bytes"}
