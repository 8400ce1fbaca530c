"""From logits to probabilities that can be believed: temperature and bias of each head, thresholds, abstain bands.

Guo et al. 2017 (temperature), with a bias a class that is drawn towards 0, since some classes have few rows. What is
said of a calibration is cross-fit: each row's probability is by a calibration that has not seen it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.optimize import minimize

Array: TypeAlias = np.ndarray[Any, Any]

FOLDS = 5
BINS = 15
PENALTY = 20.0
"""How much a bias is drawn towards 0, as so many rows would: with 2, cross-fit macro-F1 fell by 1 to 5 points on the
heads of 80 to 420 rows; the priors are in the training already."""


class Calibration(NamedTuple):
    temperature: float
    bias: Array
    prior: Array
    """Share of each class that the probabilities are right at."""

    def probabilities(self, logits: Array) -> Array:
        return softmax(logits / self.temperature + self.bias)


class Slopes(NamedTuple):
    """Of a head whose classes are there by themselves: one temperature, a bias a class."""

    temperature: float
    bias: Array
    prior: Array

    def probabilities(self, logits: Array) -> Array:
        out: Array = 1 / (1 + np.exp(-(logits / self.temperature + self.bias)))
        return out


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    out: Array = powers / powers.sum(axis=-1, keepdims=True)
    return out


def exclusive(logits: Array, y: Array, weight: Array, balance: float = 0.0) -> Calibration:
    """Least cross-entropy of the rows as if each class's share were to the power 1 - `balance` (1: all alike)."""
    classes = logits.shape[1]
    share = np.bincount(y, weight, minlength=classes) + 0.5
    share = share / share.sum()
    wanted = share ** (1 - balance) / (share ** (1 - balance)).sum()
    rows = weight * (wanted / share)[y]
    rows = rows * (weight.sum() / rows.sum())
    target = np.arange(len(y)), y

    def loss(given: Array) -> float:
        p = softmax(logits * np.exp(given[0]) + given[1:])
        return float(-(rows * np.log(p[target] + 1e-12)).sum() + PENALTY * (given[1:] ** 2).sum())

    best = minimize(loss, np.zeros(classes + 1), method="L-BFGS-B").x
    return Calibration(float(np.exp(-best[0])), best[1:] - best[1:].mean(), wanted)


def several(logits: Array, y: Array, known: Array, weight: Array) -> Slopes:
    """Of classes that may be there together; `known` [rows, classes]: whether a row speaks of a class."""
    counts = (known * weight[:, None]).sum(axis=0)
    prior = (y * known * weight[:, None]).sum(axis=0) / np.maximum(counts, 1)

    def loss(given: Array) -> float:
        z = logits * np.exp(given[0]) + given[1:]
        gaps = np.logaddexp(0, z) - y * z
        return float((gaps * known * weight[:, None]).sum() + PENALTY * (given[1:] ** 2).sum())

    best = minimize(loss, np.zeros(logits.shape[1] + 1), method="L-BFGS-B").x
    return Slopes(float(np.exp(-best[0])), best[1:], prior)


def folds(groups: Array) -> Array:
    """[rows] number of the part that a row's group (a text) falls in."""
    found: Array = np.asarray(groups) % FOLDS
    return found


def band(p: Array, label: Array, y: Array, precision: float) -> float:
    """The least probability above which labels are right at least so often; 1 where no such exists."""
    sure = p[np.arange(len(label)), label]
    order = np.argsort(-sure, kind="stable")
    right = np.cumsum((y == label)[order]) / np.arange(1, len(y) + 1)
    enough = np.flatnonzero(right >= precision)
    return float(sure[order][enough[-1]]) if len(enough) else 1.0


def threshold(p: Array, y: Array) -> float:
    """The probability from which saying yes gives the best F1, shrunk half-way to one half."""
    tried = np.arange(0.2, 0.71, 0.02)
    f1 = [2 * ((p >= one) & (y == 1)).sum() / max(1, (p >= one).sum() + (y == 1).sum()) for one in tried]
    return round(float((tried[int(np.argmax(f1))] + 0.5) / 2), 3)


def error(sure: Array, right: Array, bins: int = BINS) -> float:
    """Expected calibration error in bins of equal width (Guo et al. 2017)."""
    place = np.minimum((sure * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    gaps = np.abs(np.bincount(place, right, minlength=bins) - np.bincount(place, sure, minlength=bins))
    return float(gaps[counts > 0].sum() / max(1, len(sure)))


def expected_error(sure: Array, rounds: int = 200, seed: int = 1) -> float:
    """The error that a perfectly calibrated head would show on as many rows, by simulation: few rows look wrong."""
    draw = np.random.default_rng(seed)
    return float(np.mean([error(sure, draw.random(len(sure)) < sure) for _ in range(rounds)]))
