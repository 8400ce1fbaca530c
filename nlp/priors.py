"""A brand's own shares of the labels in place of those that the model was taught at.

p(label | text) is in proportion to p(text | label) p(label): what the model says of a label is multiplied by the
brand's share over the share that the model's probabilities are right at, and made to sum to 1 (Saerens et al. 2002).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from config.brands import Brand
from nlp.classifier import Floats, Readings
from stream.records import INTENTS, SENTIMENTS

CLASSES: Mapping[str, tuple[str, ...]] = {"reputation": SENTIMENTS, "intent": INTENTS}
"""Heads that a brand may have shares of."""
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


def adjusted(readings: Readings, brands: Sequence[Brand | None], taught: Mapping[str, Sequence[float]]) -> Readings:
    """`brands`: of each target the brand, None where it has none. Targets of brands without shares stay as they are."""
    changed: dict[str, Any] = {}
    for head, classes in CLASSES.items():
        shares = [(row, getattr(brand.prior, head)) for row, brand in enumerate(brands) if brand is not None]
        own = {row: [of[name] for name in classes] for row, of in shares if of}
        if own and head in taught:
            changed[head] = _moved(getattr(readings, head), own, taught[head])
    return readings._replace(**changed)


def _moved(p: Floats, own: Mapping[int, Sequence[float]], taught: Sequence[float]) -> Floats:
    """`own`: shares by row."""
    moved, rows = p.copy(), list(own)
    weighed = p[rows] * np.array([own[row] for row in rows]) / np.maximum(taught, LEAST)
    moved[rows] = weighed / weighed.sum(axis=1, keepdims=True)
    return moved
