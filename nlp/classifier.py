"""The port of a classifier: passages in, calibrated probabilities out. `nlp.linear` and `nlp.encoder` keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from stream.records import Tier

Span: TypeAlias = tuple[int, int]
Floats: TypeAlias = npt.NDArray[np.float64]

SAID = ("complaint", "emotion", "irony", "offensive")
"""Heads of the text that not every model has: each class of theirs holds from a threshold on, HALF or the model's."""
HALF = 0.5


class Target(NamedTuple):
    """One brand in a text. No spans: the text does not name it."""

    spans: tuple[Span, ...] = ()
    others: tuple[Span, ...] = ()
    """Where other known brands are named."""


class Passage(NamedTuple):
    """One text, as written, with the brands that it is to be read towards (at least one)."""

    text: str
    targets: tuple[Target, ...] = (Target(),)
    lang: str = ""


class Readings(NamedTuple):
    """Probabilities of a batch; each row of exclusive classes sums to 1. T is the number of targets of all passages, in
    order."""

    sentiment: Floats
    """[passages, 3], of the text: the same for all its targets."""
    owner: npt.NDArray[np.int64]
    """[T] number of the passage that a target belongs to."""
    reputation: Floats
    """[T, 3], towards the brand."""
    intent: Floats
    """[T, 8]"""
    detractor: Floats
    """[T, 4], given that the reputation is negative."""
    act: Floats
    """[T], that an agent can act, given a complaint."""
    complaint: Floats | None = None
    """[passages], that it tells of an expectation that was not met. None, here and below: the model does not say."""
    emotion: Floats | None = None
    """[passages, 6], of each of EMOTIONS by itself: several may be there at once, a row does not sum to 1."""
    irony: Floats | None = None
    """[passages]"""
    offensive: Floats | None = None
    """[passages]"""


class Classifier(Protocol):
    """A row of the result depends on its passage alone, not on the batch (no probability by more than 1e-5)."""

    @property
    def model(self) -> str:
        """Name and version of the weights."""

    @property
    def tier(self) -> Tier: ...

    @property
    def bands(self) -> Mapping[str, float]:
        """By head: a label of lower probability is in doubt. Sentiment, reputation, intent, detractor and queue are
        there; the others never abstain where they are not."""

    @property
    def priors(self) -> Mapping[str, Sequence[float]]:
        """By head: the share of each class that its probabilities are right at. A head that is not named here cannot be
        set to a brand's own shares."""

    @property
    def thresholds(self) -> Mapping[str, Mapping[str, float]]:
        """By head (complaint, emotion, irony, offensive) and class: the probability from which on it is said to hold.
        HALF for those that are not named; of a head that says yes or no, that of `yes` counts."""

    def read(self, passages: Sequence[Passage]) -> Readings: ...


def softmax(logits: Floats) -> Floats:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    out: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return out


def mean_by_owner(rows: Floats, owner: npt.NDArray[np.int64], owners: int) -> Floats:
    """Mean of the rows of each owner; one reading of a text must not differ between its brands."""
    if len(rows) == owners:
        return rows
    sums = np.stack([np.bincount(owner, rows[:, column], owners) for column in range(rows.shape[1])], axis=1)
    out: Floats = sums / np.bincount(owner, minlength=owners)[:, None]
    return out
