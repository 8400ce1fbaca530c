"""The linear model: hashed words and characters, integer weights, exact sums.

A weight is an 8-bit integer. The weights of a text's features are summed exactly (integers in float32, below 2^24), so
a result does not depend on the batch. Then, in float64: divided by the root of the number of features, scaled, mixed by
a small dense layer that also holds each head's calibration, and turned into probabilities by softmax.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from nlp.classifier import Floats, Passage, Readings, mean_by_owner, softmax
from nlp.features import Features, Recipe, features
from nlp.normalise import marked
from stream.records import Tier

SHIPPED = Path(__file__).parent / "models" / "linear"

FORMAT = 1

_DIGITS = 9
"""Logits are rounded to so many, since the last bit of a matrix product may depend on the batch."""


class Weights:
    """A table of integer weights with what turns its sums into logits: `weights.npz` and `card.json` of a folder."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError or ValueError, both naming the folder."""
        try:
            self.card: dict[str, Any] = json.loads((folder / "card.json").read_text("utf-8"))
            with (folder / "weights.npz").open("rb") as file, np.load(file, allow_pickle=False) as held:
                table, scale = held["table"], held["scale"].astype(np.float64)
                mix, bias = held["mix"].astype(np.float64), held["bias"].astype(np.float64)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"no model in {folder}: a model is a folder with weights.npz and card.json"
            ) from None
        except ValueError as error:  # numpy's own words advise to allow pickles
            raise ValueError(f"card and weights in {folder} cannot be read: fetch the model anew") from error
        if self.card.get("format") != FORMAT:
            raise ValueError(
                f"the model in {folder} has format {self.card.get('format')}, this program reads {FORMAT}: "
                "fetch the model of this version, or train it anew"
            )
        self.recipe = Recipe(self.card["bits"], tuple(self.card["chars"]), self.card["words"])
        if table.shape[0] != 1 << self.recipe.bits or scale.shape[0] != table.shape[1]:
            raise ValueError(f"the weights in {folder} do not have the shape that its card says: fetch the model anew")
        self.table = table
        self.scale, self.mix, self.bias = scale, mix, bias
        self._ones = np.ones(1 << 16, np.float32)

    def logits(self, texts: Sequence[str]) -> Floats:
        """[texts, outputs] of normalised texts."""
        found = features(texts, self.recipe)
        sums = self._sums(found)
        counts = np.maximum(np.diff(found.starts), 1)
        out: Floats = (sums * self.scale / np.sqrt(counts)[:, None]) @ self.mix + self.bias
        return out.round(_DIGITS)

    def _sums(self, found: Features) -> Floats:
        sums = np.empty((len(found.starts) - 1, self.table.shape[1]), np.float64)
        edges = found.starts.tolist()
        for row, (start, end) in enumerate(pairwise(edges)):
            weights = self.table.take(found.buckets[start:end], axis=0)
            sums[row] = self._ones[: end - start] @ weights.astype(np.float32)
        return sums


class LinearClassifier:
    """The port's implementation that needs nothing but numpy: default, and the valve under overload."""

    tier: Tier = "linear"

    def __init__(self, folder: Path = SHIPPED) -> None:
        self._weights = Weights(folder)
        card = self._weights.card
        self.model = f"{card['name']}-{card['version']}"
        self.bands: Mapping[str, float] = dict(card["bands"])
        self.priors: Mapping[str, Sequence[float]] = dict(card.get("prior", {}))
        self.thresholds: Mapping[str, Mapping[str, float]] = {}
        self._heads = {name: slice(*edges) for name, edges in card["heads"].items()}

    def read(self, passages: Sequence[Passage]) -> Readings:
        texts = [marked(one.text, target.spans, target.others) for one in passages for target in one.targets]
        owner = np.repeat(np.arange(len(passages)), [len(one.targets) for one in passages])
        logits = self._weights.logits(texts)
        heads = self._heads
        sentiment = mean_by_owner(logits[:, heads["sentiment"]], owner, len(passages))
        return Readings(
            sentiment=softmax(sentiment),
            owner=owner,
            reputation=softmax(logits[:, heads["reputation"]]),
            intent=softmax(logits[:, heads["intent"]]),
            detractor=softmax(logits[:, heads["detractor"]]),
            act=1 / (1 + np.exp(-logits[:, heads["act"]][:, 0])),
        )
