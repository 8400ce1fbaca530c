"""Of which brand a place in a text speaks, where the text names several.

The brands named in the same clause. Where the clause names none: those of the nearest clause before it in the sentence
that names one, else after it in the sentence, else before it in the text, else after it. Clauses end at punctuation
and at words such as `but`, `and`, `pero`, `y`; brands that stand side by side (`Acme and Globex`) are in one clause.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, TypeAlias

Span: TypeAlias = tuple[int, int]

_CUT = re.compile(
    r"(?P<end>(?<![.!?…])[.!?…]++(?=\s|\Z)|\n)|(?<![,;:()\[\]])[,;:()\[\]]++(?=\s|\Z)|\s[-–—]+\s"
    r"|\b(?:and|but|while|whereas|although|though|however|y|e|pero|mientras|aunque|sino|ni)\b",
    re.IGNORECASE,
)
_BESIDE = " \t\r&/+@#"
"""What may stand between two brands that are named side by side, but for the cut itself."""


class _Clauses(NamedTuple):
    ends: list[int]
    """Where each clause but the last ends."""
    sentences: list[int]
    """Number of each clause's sentence."""

    def at(self, place: int) -> int:
        return bisect_right(self.ends, place)


def spoken_of(text: str, places: Sequence[int], brands: Sequence[Sequence[Span]]) -> list[tuple[int, ...]]:
    """For each of `places` (characters of `text`) the numbers of the brands that it speaks of.

    `brands`: where the text names each. One that it names nowhere (asked for by its source, or answered to) is spoken
    of where the clause names none; alone, it is spoken of everywhere.
    """
    if len(brands) == 1:
        return [(0,)] * len(places)
    clauses = _clauses(text, sorted(span for spans in brands for span in spans))
    named: dict[int, set[int]] = {}
    for number, spans in enumerate(brands):
        for start, _ in spans:
            named.setdefault(clauses.at(start), set()).add(number)
    unnamed = {number for number, spans in enumerate(brands) if not spans}
    naming = sorted(named)
    return [tuple(sorted(_brands(clauses.at(place), clauses.sentences, named, naming, unnamed))) for place in places]


def _brands(
    clause: int, sentences: Sequence[int], named: dict[int, set[int]], naming: Sequence[int], unnamed: set[int]
) -> set[int]:
    """`naming`: the clauses that name a brand, in their order."""
    if clause in named:
        return named[clause]
    if not named:
        return unnamed
    at = bisect_left(naming, clause)
    beside = (*naming[at - 1 : at], *naming[at : at + 1])
    nearest = next((other for other in beside if sentences[other] == sentences[clause]), beside[0])
    return named[nearest] | unnamed


def _clauses(text: str, spans: Sequence[Span]) -> _Clauses:
    ends: list[int] = []
    sentences = [0]
    beside = [(one[1], other[0]) for one, other in pairwise(spans) if _side_by_side(text, one, other)]
    whole = sorted([*spans, *beside])
    starts = [start for start, _ in whole]
    farthest = list(accumulate([end for _, end in whole], max, initial=0))
    for cut in _CUT.finditer(text):
        if farthest[bisect_left(starts, cut.end())] <= cut.start():
            ends.append(cut.end())
            sentences.append(sentences[-1] + (cut["end"] is not None))
    return _Clauses(ends, sentences)


def _side_by_side(text: str, one: Span, other: Span) -> bool:
    between = text[one[1] : other[0]]
    return "\n" not in between and not _CUT.sub("", between).strip(_BESIDE)
