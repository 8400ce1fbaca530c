"""What is measured on is never trained on; sets whose terms forbid it are in no recipe. Needs the shared data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import nlp.language
import nlp.linear
from nlp.shelf import SHIPPED
from training.corpus import Leakage, data, key, labels, there, words

TRAINING = Path(__file__).parents[2] / "training"
RECIPE = yaml.safe_load((TRAINING / "recipe.yaml").read_text("utf-8"))
OUTPUTS = yaml.safe_load((TRAINING / "outputs.yaml").read_text("utf-8"))
FORBIDDEN = ("airline_us", "twcs", "cic_es", "hateval_es", "tweeteval_hate")
"""Their terms are non-commercial."""

needs_data = pytest.mark.skipif(not there(), reason="the training data (../shared) is not part of a clone")


@pytest.fixture(scope="module")
def leakage() -> Leakage:
    return Leakage()


def forbidden(names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(FORBIDDEN)})


def taught(stated: Any) -> Iterator[str]:
    """Names of sets in a recipe, wherever a key `sets` stands."""
    for name, inner in stated.items() if isinstance(stated, dict) else ():
        if name == "sets":
            yield from inner
        yield from taught(inner)


def test_no_recipe_and_no_shipped_card_names_a_forbidden_set() -> None:
    named = list(RECIPE["sentiment"]["sets"])
    for folder in (nlp.linear.SHIPPED, nlp.language.SHIPPED):
        card = json.loads((folder / "card.json").read_text("utf-8"))
        named += list(card["rows"]) + list(card.get("sets", ()))
    assert not forbidden(named)


@pytest.mark.parametrize("tier", ["fast", "accurate"])
def test_no_encoder_was_taught_by_a_forbidden_set(tier: str) -> None:
    card = json.loads((SHIPPED / tier / "card.json").read_text("utf-8"))
    assert len(card["data"]) > 20
    found = forbidden(card["data"])
    if card["version"] < 3:  # their terms were seen later: the model card says so
        found = [name for name in found if name not in ("cic_es", "hateval_es", "tweeteval_hate")]
    assert not found


def test_no_output_of_the_encoder_is_taught_by_a_forbidden_set() -> None:
    sets = {*taught(OUTPUTS), *OUTPUTS["texts_only"]}
    assert {"xlmt_sentiment", "complaints", "tass_general_es", "posts_es"} <= sets
    assert not forbidden(sets)
    assert not sets & set(OUTPUTS["never"])
    assert all(any(name.startswith(one) for name in OUTPUTS["never"]) for one in FORBIDDEN)


@pytest.mark.parametrize("name", ["labels.jsonl", "tones.jsonl"])
def test_no_label_of_ours_is_of_a_forbidden_set(name: str) -> None:
    with (TRAINING / name).open(encoding="utf-8") as lines:
        sets = {json.loads(line)["set"] for line in lines}
    assert len(sets) > 3
    assert not forbidden(sets)


def test_a_text_is_known_by_its_letters_and_digits() -> None:
    assert words("@Ana, mira: https://a.example ¡Qué BIEN! 24h") == ["mira", "qué", "bien", "24h"]
    assert key("Hola, @ana! https://x.example/1") == key("hola")
    assert key("hola") != key("hola 2")


@needs_data
def test_validation_texts_and_near_copies_are_held_out(leakage: Leakage) -> None:
    text = max((record["text"] for record in labels("validation")), key=lambda one: len(words(one)))
    assert leakage.holds(text)
    assert leakage.holds(f"RT @somebody: {text} https://t.example/abc")
    assert leakage.holds(" ".join(words(text)[:-2]))
    assert not leakage.holds("una frase que no está en ningún conjunto de datos, escrita para esta prueba de hoy")


@needs_data
@pytest.mark.parametrize("name", ["tweeteval_sentiment", "xlmt_sentiment", "complaints", "airlines_es"])
def test_no_row_that_is_trained_on_has_the_key_of_a_validation_row(leakage: Leakage, name: str) -> None:
    held = {key(record["text"]) for record in data(name, "validation")}
    for trained in ("xlmt_sentiment", "semeval2018_valence_es"):
        assert not [
            1 for record in data(trained, "train") if key(record["text"]) in held and not leakage.holds(record["text"])
        ]
