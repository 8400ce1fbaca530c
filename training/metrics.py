"""Figures of a head on labelled rows, with their uncertainty. Pure: labels and probabilities in, figures out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nlp.own import f1
from nlp.own.f1 import ROUNDS, Array, Share, macro_f1, mean_of_present, resampled, share
from training.calibrate import error, expected_error


class Figures(NamedTuple):
    rows: int
    f1: Share
    """Macro-F1 over the classes that the rows have."""
    recall: Share
    """Macro recall, likewise."""
    accuracy: Share
    kappa: Share | None
    """Quadratic weighted kappa, of ordinal classes."""
    confusion: Array
    """[classes, classes], rows are the truth."""
    error: float | None = None
    """Expected calibration error of the label's probability, in 15 equal-width bins. It has no interval: samples of the
    rows are further from their probabilities than the rows are, so that one would lie too high."""
    perfect: float | None = None
    """The same of a perfectly calibrated head on so many rows, by simulation: what of it is noise."""
    outside: float | None = None
    """Share of the rows outside the abstain band."""
    right: float | None = None
    """Accuracy there."""
    sure: tuple[Array, Array] | None = None
    """Of each row: the label's probability, and whether it is right."""


def of_classes(
    y: Array, label: Array, classes: int, p: Array | None = None, band: float | None = None, ordinal: bool = False
) -> Figures:
    """`p`: [rows, classes], whose value at the label is how sure it is. Without: no figures of calibration."""
    confusion = f1.confusion(y, label, classes)
    samples = resampled(confusion)
    calibration: dict[str, Any] = {}
    if p is not None:
        sure = p[np.arange(len(label)), label]
        outside = sure >= (band if band is not None else 0.0)
        calibration = {
            "error": error(sure, y == label),
            "perfect": expected_error(sure),
            "sure": (sure, y == label),
            "outside": float(outside.mean()),
            "right": float((y == label)[outside].mean()) if outside.any() else None,
        }
    return Figures(
        len(y), share(macro_f1, confusion, samples), share(macro_recall, confusion, samples),
        share(accuracy, confusion, samples), share(kappa, confusion, samples) if ordinal else None, confusion,
        **calibration,
    )  # fmt: skip


def of_several(y: Array, said: Array, known: Array) -> tuple[int, Share, list[float]]:
    """(rows, mean F1 of the classes, F1 of each) of classes that may be there together; all [rows, classes]."""
    classes = [one for one in range(y.shape[1]) if known[:, one].any() and (y[:, one] & known[:, one]).any()]
    draw = np.random.default_rng(1)
    each = [_f1(y[:, one], said[:, one], known[:, one]) for one in classes]
    samples = []
    for _ in range(ROUNDS // 4):
        at = draw.integers(len(y), size=len(y))
        samples.append(np.mean([_f1(y[at, one], said[at, one], known[at, one]) for one in classes]))
    low, high = np.percentile(samples, (2.5, 97.5))
    return len(y), Share(float(np.mean(each)), float(low), float(high)), each


def of_questions(y: Array, said: Array, p: Array, known: Array, band: float | None = None) -> Figures:
    """Of classes that may be there together, each a question of yes or no; all [rows, classes], `p` that it is yes.

    F1 and recall are means over the classes that some row has, accuracy and calibration are of all questions together;
    a row is drawn with all of its own. It is outside the band where none of its answers is less sure."""
    count, mean_f1, _ = of_several(y, said, known)
    right, sure = said == y, np.where(said, p, 1 - p)
    there = (y & known).any(axis=0)
    hits, wanted = (said & y & known)[:, there], (y & known)[:, there]
    at = np.random.default_rng(1).integers(count, size=(ROUNDS // 4, count))
    recalls = (hits[at].sum(axis=1) / np.maximum(wanted[at].sum(axis=1), 1)).mean(axis=1)
    asked, answered = known.sum(axis=1), (right & known).sum(axis=1)
    accuracies = answered[at].sum(axis=1) / np.maximum(asked[at].sum(axis=1), 1)
    outside: dict[str, Any] = {}
    if band is not None:
        clear = sure.min(axis=1) >= band
        outside = {
            "outside": float(clear.mean()),
            "right": float(right[clear][known[clear]].mean()) if known[clear].any() else None,
        }
    return Figures(
        count, mean_f1, _between((hits.sum(axis=0) / wanted.sum(axis=0)).mean(), recalls),
        _between(answered.sum() / asked.sum(), accuracies), None, np.zeros((0, 0), np.int64),
        error=error(sure[known], right[known]), perfect=expected_error(sure[known]), **outside,
    )  # fmt: skip


def _between(value: float, samples: Array) -> Share:
    low, high = np.percentile(samples, (2.5, 97.5))
    return Share(float(value), float(low), float(high))


def macro_recall(confusion: Array) -> Array:
    rows = confusion.sum(axis=-1)
    return mean_of_present(np.diagonal(confusion, axis1=-2, axis2=-1) / np.maximum(rows, 1), rows)


def accuracy(confusion: Array) -> Array:
    hits: Array = np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1) / confusion.sum(axis=(-1, -2))
    return hits


def kappa(confusion: Array) -> Array:
    """Cohen's, with quadratic weights."""
    classes = confusion.shape[-1]
    apart = (np.subtract.outer(np.arange(classes), np.arange(classes)) / max(1, classes - 1)) ** 2
    total = confusion.sum(axis=(-1, -2))
    by_chance = confusion.sum(axis=-1)[..., :, None] * confusion.sum(axis=-2)[..., None, :] / total[..., None, None]
    seen, expected = (confusion * apart).sum(axis=(-1, -2)), (by_chance * apart).sum(axis=(-1, -2))
    out: Array = 1 - seen / np.where(expected == 0, 1, expected)
    return out


def _f1(y: Array, said: Array, known: Array) -> float:
    both = (y & known).sum() + (said & known).sum()
    return float(2 * (y & said & known).sum() / both) if both else 0.0
