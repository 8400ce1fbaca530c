"""How well a model reads labelled posts: macro-F1 of each head with its interval, and what one gains over another.

The definitions are those of `nlp.own.f1`, by which the shipped models are measured too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp import heads
from nlp.classifier import HALF, SAID, Classifier, Passage, Readings
from nlp.own.f1 import Array, confusion, macro_f1, paired, resampled, share
from nlp.own.labelled import CLASSES, Labelled
from stream.records import EMOTIONS

BATCH = 256
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


class Same(NamedTuple):
    """How often two models say the same of posts that nobody labelled."""

    head: str
    posts: int
    same: int

    @property
    def share(self) -> float:
        return self.same / self.posts


def alike(posts: Sequence[Passage], first: Classifier, second: Classifier) -> list[Same]:
    """One for each head of SAID that both have; emotions are the same where all of them are."""
    mine, theirs = _held(first, posts), _held(second, posts)
    return [
        Same(head, len(posts), int((mine[head] == theirs[head]).all(axis=1).sum()))
        for head in SAID
        if head in mine and head in theirs
    ]


def _held(classifier: Classifier, posts: Sequence[Passage]) -> dict[str, Array]:
    """By head of SAID that it has: [posts, classes], whether each holds."""
    parts = [classifier.read(posts[at : at + BATCH]) for at in range(0, len(posts), BATCH)]
    found: dict[str, Array] = {}
    for head in SAID:
        stated = classifier.thresholds.get(head, {})
        least = [stated.get(name, HALF) for name in (EMOTIONS if head == "emotion" else ("yes",))]
        of = [getattr(part, head) for part in parts]
        if of and of[0] is not None:
            found[head] = np.concatenate(of).reshape(len(posts), -1) >= np.array(least)
    return found


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
    if not held:
        return Gain(0.0, 0.0, 0.0)
    columns = np.stack([of for head, y in held for of in (y, said[head], other[head])], axis=1)
    alike, counts = np.unique(columns, axis=0, return_counts=True)
    total = sum(int((y != NONE).sum()) for _, y in held)

    def apart(counts: Array) -> Array:
        out = np.zeros(counts.shape[:-1])
        for place, (head, y) in enumerate(held):
            truth, mine, theirs = alike[:, 3 * place : 3 * place + 3].T
            classes = len(CLASSES[head])
            f1, other_f1 = (macro_f1(_confusions(counts, truth, label, classes)) for label in (mine, theirs))
            out += (y != NONE).sum() / total * (f1 - other_f1)
        return out

    found = share(apart, counts, resampled(counts))
    return Gain(found.value, found.low, found.high)


def _confusions(counts: Array, y: Labels, label: Labels, classes: int) -> Array:
    """[…, rows] how often each row counts → […, classes, classes]"""
    has = y != NONE
    cells = np.eye(classes**2)[y[has] * classes + label[has]]
    out: Array = (counts[..., has] @ cells).reshape(*counts.shape[:-1], classes, classes)
    return out


def _labelled(rows: Sequence[Labelled], said: Mapping[str, Labels]) -> Iterator[tuple[str, Labels]]:
    for head, y in truth(rows).items():
        if head in said and (y != NONE).any():
            yield head, y


def _figure(head: str, y: Labels, label: Labels, other: Labels | None) -> Figure:
    has, classes = y != NONE, len(CLASSES[head])
    y, label = y[has], label[has]
    cells = confusion(y, label, classes)
    figure = Figure(head, len(y), *share(macro_f1, cells, resampled(cells)))
    if other is None:
        return figure
    gained = paired(y, other[has], label, classes)
    theirs = float(macro_f1(confusion(y, other[has], classes)))
    return figure._replace(other=theirs, gain_low=gained.low, gain_high=gained.high)
