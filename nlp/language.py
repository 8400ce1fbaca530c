"""The language of a post: a linear model on hashed characters and words, with the network's hint as a prior."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nlp.classifier import softmax
from nlp.linear import Weights

SHIPPED = Path(__file__).parent / "models" / "language"

OTHER = "other"
HINT = 2.0
"""Logits that the network's hint adds to its language: it doubts only what is short or mixed."""
_SURE = 0.5
"""Below this the text has no language that could be named."""
_letters = re.compile(r"(?:[^\W\d_].*?){3}")
"""Three letters: less is no text."""


class Languages:
    """Tells the languages of its card apart; everything else is `other`."""

    def __init__(self, folder: Path = SHIPPED) -> None:
        """Raises FileNotFoundError or ValueError, both naming the folder."""
        self._weights = Weights(folder)
        self.labels: tuple[str, ...] = tuple(self._weights.card["labels"])
        self._place = {label: number for number, label in enumerate(self.labels)}

    def identify(self, texts: Sequence[str], hints: Sequence[str | None]) -> list[tuple[str, float]]:
        """(language, confidence 0..1) of each normalised text. `hints` are the networks' codes, `es-MX` is `es`.

        A text without letters has the hint's language at confidence 0, else `other`.
        """
        if not texts:
            return []
        logits = self._weights.logits(texts)
        for row, hint in enumerate(hints):
            if hint and (place := self._place.get(hint[:2].lower())) is not None:
                logits[row, place] += HINT
        p = softmax(logits)
        best = p.argmax(axis=1)
        found = []
        for text, hint, place, sure in zip(
            texts, hints, best.tolist(), p[np.arange(len(best)), best].tolist(), strict=True
        ):
            if not _letters.search(text):
                hinted = (hint or "")[:2].lower()
                found.append((hinted if hinted in self._place else OTHER, 0.0))
            else:
                found.append((self.labels[place] if sure >= _SURE else OTHER, round(sure, 4)))
        return found
