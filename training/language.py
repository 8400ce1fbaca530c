"""Makes the language model that Clamor ships: `python -m training.language`.

Posts of the shared sets for the languages they have; our own sentences for CA, GL and EU; and for the rest of the
world texts drawn from spaCy's lists of function words. A minute on one core.
"""

from __future__ import annotations

import importlib
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nlp.features import Recipe
from nlp.language import OTHER, SHIPPED
from nlp.linear import FORMAT
from nlp.normalise import clean, normalise
from training.corpus import Leakage, Row, data
from training.linear import STEPS, calibrate, matrix, regression

LABELS = ("en", "es", "ca", "gl", "eu", "pt", "fr", "it", "de", OTHER)
LISTS = [
    "nl",
    "da",
    "sv",
    "nb",
    "fi",
    "pl",
    "cs",
    "sk",
    "sl",
    "hr",
    "ro",
    "hu",
    "tr",
    "id",
    "tl",
    "vi",
    "et",
    "lt",
    "lv",
    "sq",
    "af",
    "ga",
    "is",
    "lb",
    "sr",
    "ru",
    "uk",
    "bg",
    "mk",
    "el",
    "he",
    "fa",
    "ur",
    "hi",
    "bn",
    "ta",
    "te",
    "th",
    "ja",
    "zh",
    "ko",
    "ar",
    "ca",
    "eu",
]
_MOST = {"en": 9_000, "es": 12_000}
_SENTENCES = Path(__file__).parent / "languages.yaml"


def main() -> None:
    recipe = yaml.safe_load((Path(__file__).parent / "recipe.yaml").read_text("utf-8"))["language"]
    rows = language_rows(Leakage())
    weights, card = train(rows, recipe)
    SHIPPED.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(SHIPPED / "weights.npz", allow_pickle=False, **weights)
    (SHIPPED / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")


def train(rows: list[Row], recipe: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    shape = Recipe(recipe["features"]["bits"], tuple(recipe["features"]["chars"]), recipe["features"]["words"])
    x = matrix((normalise(clean(row.text)) for row in rows), shape)
    y = np.array([LABELS.index(row.label) for row in rows])
    weight = np.array([row.weight for row in rows])
    none = np.zeros((len(rows), 0))
    part = np.arange(len(rows)) % 4 == 0
    held = regression(x[~part], none[~part], y[~part], weight[~part], len(LABELS), recipe).logits(x[part], none[part])
    posts = np.array([row.set != "own" for row in rows])[part]
    print("held out:", (held.argmax(axis=1) == y[part])[posts].mean())
    found = calibrate(held[posts], y[part][posts], weight[part][posts])
    fitted = regression(x, none, y, weight, len(LABELS), recipe)
    scale = np.abs(fitted.words).max(axis=0) / STEPS
    weights = {
        "table": np.round(fitted.words / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
        "mix": np.eye(len(LABELS)) * found.scale,
        "bias": fitted.bias * found.scale,
    }
    card = {
        "name": "language", "version": recipe["version"], "format": FORMAT, "labels": LABELS,
        "bits": shape.bits, "chars": list(shape.chars), "words": shape.words,
        "rows": dict(Counter(row.label for row in rows)), "sets": dict(Counter(row.set for row in rows)),
    }  # fmt: skip
    return weights, card


def language_rows(leakage: Leakage) -> list[Row]:
    draw = random.Random(7)
    rows = [row for row in _posts() if not leakage.holds(row.text)]
    draw.shuffle(rows)
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[row.label] += 1
        if seen[row.label] <= _MOST.get(row.label, 10_000):
            kept.append(row)
    kept += [Row(text, label, "own", label) for label, text in _own(draw)]
    kept += [Row(text, label, "own", label, 0.5) for label, text in _listed(draw)]
    draw.shuffle(kept)
    return kept


def _posts() -> Iterator[Row]:
    for record in data("xlmt_sentiment", "train"):
        lang = record["lang"]
        yield Row(record["text"], lang if lang in LABELS else OTHER, "xlmt_sentiment", lang)
    for name in ("semeval_sentiment_en", "complaints"):
        for number, record in enumerate(data(name, "train")):
            if number % 6 == 0 or name == "complaints":
                yield Row(record["text"], "en", name, "en")
    for name in ("emoevent", "brighter_emotion"):
        for record in data(name, "train"):
            if record.get("lang") in ("en", "es"):
                yield Row(record["text"], record["lang"], name, record["lang"])
    for name in ("airlines_es", "intertass_es"):
        for record in data(name, "train"):
            yield Row(record["text"], "es", name, "es")


def _own(draw: random.Random) -> Iterator[tuple[str, str]]:
    """Our sentences, and pieces of two of them, which stand for posts of other lengths."""
    sentences: dict[str, list[str]] = yaml.safe_load(_SENTENCES.read_text("utf-8"))
    for label, texts in sentences.items():
        yield from ((label, text) for text in texts)
        for _ in range(1_200):
            words = " ".join(draw.sample(texts, 2)).split()
            start = draw.randrange(max(1, len(words) - 5))
            yield label, " ".join(words[start : start + draw.randint(4, 16)])


def _listed(draw: random.Random) -> Iterator[tuple[str, str]]:
    """Function words of a language in random order: its letters and words, if not its grammar."""
    for code in LISTS:
        listed = sorted(importlib.import_module(f"spacy.lang.{code}.stop_words").STOP_WORDS)
        label = code if code in LABELS else OTHER
        for _ in range(300 if label == OTHER else 600):
            yield label, " ".join(draw.choices(listed, k=draw.randint(4, 14)))


if __name__ == "__main__":
    main()
