"""A brand's own shares of the labels in place of those that the model was taught at.

p(label | text) is in proportion to p(text | label) p(label): what the model says of a label is multiplied by the
brand's share over the share that the model's probabilities are right at, and made to sum to 1 (Saerens et al. 2002).

Sentiment is the text's, and must not differ between its mentions. Where a text names one brand, it is one of those that
were counted, and the brand's shares are right for it. Those that name several were not counted by themselves: such a
text is as likely one of the one brand's as of the other's, and the share in both together is the mean of theirs. A
brand that states none has no part in it: its share is not known, and that the model was taught equal thirds (`prior` in
the card of the shipped encoders) says nothing of it. A text that names no brand stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from config.brands import Brand
from nlp.classifier import Floats, Readings
from stream.records import INTENTS, SENTIMENTS

CLASSES: Mapping[str, tuple[str, ...]] = {"sentiment": SENTIMENTS, "reputation": SENTIMENTS, "intent": INTENTS}
"""Heads that a brand may have shares of."""
OF_TEXT = ("sentiment",)
"""Those of them that say the same of all brands of a text."""
LEAST = 1e-3
"""A class that the model was taught with fewer counts as if with so many: it was never seen to be that rare."""


def counted(brand: Brand | None) -> bool:
    """Whether it has shares of its own."""
    return brand is not None and any(getattr(brand.prior, head) for head in CLASSES)


def silent(brands: Sequence[Brand], taught: Mapping[str, Sequence[float]]) -> list[tuple[str, str]]:
    """(brand's id, head) of the shares that have no effect, since the model does not say what it was taught at."""
    return [
        (brand.id, head) for brand in brands for head in CLASSES if getattr(brand.prior, head) and head not in taught
    ]


def adjusted(
    readings: Readings,
    brands: Sequence[Brand | None],
    taught: Mapping[str, Sequence[float]],
    texts: Sequence[Sequence[Brand]] | None = None,
) -> Readings:
    """`brands`: of each target the brand, None where it has none. Targets of brands without shares stay as they are.
    `texts`: of each passage the brands that it names, where they are more than those of its targets."""
    of_targets: list[list[Brand]] = [[] if brand is None else [brand] for brand in brands]
    of_texts = _by_owner(readings, of_targets) if texts is None else texts
    changed: dict[str, Any] = {}
    for head, classes in CLASSES.items():
        own: dict[int, Floats] = {}
        for row, some in enumerate(of_texts if head in OF_TEXT else of_targets):
            stated = [shares for brand in some if (shares := getattr(brand.prior, head))]
            if stated:
                own[row] = np.mean([[shares[name] for name in classes] for shares in stated], axis=0)
        if own and head in taught:
            changed[head] = _moved(getattr(readings, head), own, taught[head])
    return readings._replace(**changed)


def _by_owner(readings: Readings, of_targets: Sequence[Sequence[Brand]]) -> list[list[Brand]]:
    """Of each passage the brands of its targets."""
    found: list[list[Brand]] = [[] for _ in range(len(readings.sentiment))]
    for owner, some in zip(readings.owner.tolist(), of_targets, strict=True):
        found[owner] += some
    return found


def _moved(p: Floats, own: Mapping[int, Floats], taught: Sequence[float]) -> Floats:
    """`own`: shares by row."""
    moved, rows = p.copy(), list(own)
    weighed = p[rows] * np.array([own[row] for row in rows]) / np.maximum(taught, LEAST)
    moved[rows] = weighed / weighed.sum(axis=1, keepdims=True)
    return moved
