"""A 64-bit SimHash of a text: near copies differ in few bits (Charikar 2002; Manku, Jain and Das Sarma 2007)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nlp.features import spoken

BITS = 64
FEWEST_WORDS = 6
"""A shorter text has no fingerprint: strangers say the same five words every day."""


def fingerprints(texts: Sequence[str]) -> list[int]:
    """The fingerprint of each normalised text, as a signed integer; a pure function of the text, 0 for one of fewer
    than FEWEST_WORDS words.

    Over words of letters and pairs of them, without case and accents; a bit is set where most hashes set it. Handles,
    links, numbers and signs do not count: what a template changes is no difference, and what all posts have in common
    makes no copies.
    """
    found, starts, words = spoken(texts, 2)
    bits = np.unpackbits(found.view(np.uint8), bitorder="little").reshape(-1, BITS).astype(np.float32)
    edges = starts.tolist()
    sums = np.zeros((len(texts), BITS), np.float32)
    for row, (start, end) in enumerate(pairwise(edges)):
        sums[row] = np.ones(end - start, np.float32) @ bits[start:end]
    majority = (sums * 2 > np.diff(starts)[:, None]) & (words >= FEWEST_WORDS)[:, None]
    signed: list[int] = np.packbits(majority, axis=1, bitorder="little").view(np.int64)[:, 0].tolist()
    return signed
