"""How well a model reads labelled posts: macro-F1 of each head with its interval, and what one gains over another.

Intervals are percentiles of bootstrap samples of the posts (Efron and Tibshirani 1993); two models are compared on the
same samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp import heads
from nlp.classifier import HALF, Classifier, Passage, Readings
from nlp.own.labelled import CLASSES, Labelled

BATCH = 256
SAMPLES = 1_000
NONE = -1

Labels: TypeAlias = npt.NDArray[np.int64]
"""A class's number for each post; NONE where there is none."""


class Figure(NamedTuple):
    head: str
    rows: int
    f1: float
    low: float
    high: float
    """f1 in 95 of 100 samples lies between low and high."""
    other: float | None = None
    """Of the model that it is compared with."""
    gain_low: float = 0.0
    gain_high: float = 0.0


class Gain(NamedTuple):
    """Of the mean over heads, each weighted by its labels."""

    mean: float
    low: float
    high: float


def read_labels(classifier: Classifier, passages: Sequence[Passage]) -> dict[str, Labels]:
    """By head what the model says of passages with one target each; heads that it does not have are left out."""
    batches = (passages[at : at + BATCH] for at in range(0, len(passages), BATCH))
    parts = [_settled(classifier.read(batch), classifier.thresholds) for batch in batches]
    return {head: np.concatenate([part[head] for part in parts]) for head in (parts[0] if parts else ())}


def _settled(found: Readings, thresholds: Mapping[str, Mapping[str, float]]) -> dict[str, Labels]:
    settled = heads.settle(found)
    said = {
        "sentiment": found.sentiment.argmax(axis=1),
        "reputation": settled.reputation_label,
        "intent": settled.intent_label,
        "detractor": settled.detractor_label,
        "queue": settled.queue_label,
    }
    for head in ("complaint", "irony", "offensive"):
        p = getattr(found, head)
        if p is not None:
            said[head] = (p >= thresholds.get(head, {}).get("yes", HALF)).astype(np.int64)
    return said


def truth(rows: Sequence[Labelled]) -> dict[str, Labels]:
    return {
        head: np.array([classes.index(row.labels[head]) if head in row.labels else NONE for row in rows], np.int64)
        for head, classes in CLASSES.items()
    }


def figures(
    rows: Sequence[Labelled], said: Mapping[str, Labels], other: Mapping[str, Labels] | None = None
) -> list[Figure]:
    """One for each head that has labels and that the model has."""
    return [_figure(head, y, said[head], (other or {}).get(head)) for head, y in _labelled(rows, said)]


def gain(rows: Sequence[Labelled], said: Mapping[str, Labels], other: Mapping[str, Labels]) -> Gain:
    """Of `said` over `other`; the same samples of posts for all heads."""
    held = [(head, y) for head, y in _labelled(rows, said) if head in other]
    total = sum(int((y != NONE).sum()) for _, y in held)
    if not total:
        return Gain(0.0, 0.0, 0.0)
    samples = _samples(len(rows))
    apart = np.zeros(SAMPLES + 1)
    for head, y in held:
        share = (y != NONE).sum() / total
        mine, theirs = (_f1s(y, one[head], len(CLASSES[head]), samples) for one in (said, other))
        apart += share * (mine - theirs)
    low, high = np.percentile(apart[1:], [2.5, 97.5])
    return Gain(float(apart[0]), float(low), float(high))


def macro_f1(y: Labels, label: Labels, classes: int) -> float:
    """Mean over the classes that stand in either; 0 where nothing does. Posts without label do not count."""
    return float(_f1s(y, label, classes, np.zeros((0, len(y)), np.int64))[0])


def _labelled(rows: Sequence[Labelled], said: Mapping[str, Labels]) -> Iterator[tuple[str, Labels]]:
    for head, y in truth(rows).items():
        if head in said and (y != NONE).any():
            yield head, y


def _figure(head: str, y: Labels, label: Labels, other: Labels | None) -> Figure:
    has = y != NONE
    y, label = y[has], label[has]
    samples, classes = _samples(len(y)), len(CLASSES[head])
    mine = _f1s(y, label, classes, samples)
    low, high = np.percentile(mine[1:], [2.5, 97.5])
    figure = Figure(head, len(y), float(mine[0]), float(low), float(high))
    if other is None:
        return figure
    theirs = _f1s(y, other[has], classes, samples)
    low, high = np.percentile((mine - theirs)[1:], [2.5, 97.5])
    return figure._replace(other=float(theirs[0]), gain_low=float(low), gain_high=float(high))


def _samples(rows: int) -> Labels:
    """[SAMPLES, rows] numbers of posts."""
    return np.random.default_rng(1).integers(0, rows, (SAMPLES, rows))


def _f1s(y: Labels, label: Labels, classes: int, samples: Labels) -> npt.NDArray[np.float64]:
    """[1 + samples] macro-F1: of all posts first, then of each sample."""
    pairs = np.where(y == NONE, classes * classes, y * classes + label)
    out = []
    for at in (np.arange(len(y)), *samples):
        counts = np.bincount(pairs[at], minlength=classes * classes + 1)[:-1].reshape(classes, classes)
        hit, either = np.diag(counts), counts.sum(axis=0) + counts.sum(axis=1)
        there = either > 0
        out.append((2 * hit[there] / either[there]).mean() if there.any() else 0.0)
    return np.array(out)
