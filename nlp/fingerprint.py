"""A 64-bit SimHash of a text: near copies differ in few bits (Charikar 2002; Manku, Jain and Das Sarma 2007)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nlp.features import hashes

BITS = 64


def fingerprints(texts: Sequence[str]) -> list[int]:
    """The fingerprint of each normalised text, as a signed integer; a pure function of the text, 0 for an empty one.

    Over words and pairs of words, without case, accents and digits' values; a bit is set where most hashes set it.
    """
    found, starts = hashes(texts, (), 2)
    bits = np.unpackbits(found.view(np.uint8), bitorder="little").reshape(-1, BITS).astype(np.float32)
    edges = starts.tolist()
    sums = np.zeros((len(texts), BITS), np.float32)
    for row, (start, end) in enumerate(pairwise(edges)):
        sums[row] = np.ones(end - start, np.float32) @ bits[start:end]
    majority = sums * 2 > np.diff(starts)[:, None]
    signed: list[int] = np.packbits(majority, axis=1, bitorder="little").view(np.int64)[:, 0].tolist()
    return signed
