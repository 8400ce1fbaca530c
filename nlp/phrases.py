"""Phrases found in words by spaCy's PhraseMatcher.

It is imported with the first vocabulary: that takes as long as all else, and most commands look for no phrase.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic, TypeVar

Meaning = TypeVar("Meaning")


class Phrases(Generic[Meaning]):
    """What each phrase means, and where it stands. The vocabulary holds the phrases' words and never grows by reading,
    as long as the words that are read are phrases' own."""

    def __init__(self) -> None:
        from spacy.matcher import PhraseMatcher
        from spacy.tokens import Doc
        from spacy.vocab import Vocab

        self._vocab = Vocab()
        self._matcher = PhraseMatcher(self._vocab, attr="ORTH")
        self._doc = Doc
        self._meanings: dict[int, Meaning] = {}

    def learn(self, meaning: Meaning, patterns: Collection[tuple[str, ...]]) -> None:
        """A pattern is its words. A meaning is learnt once."""
        label = str(len(self._meanings))
        self._matcher.add(label, [self._doc(self._vocab, words=list(pattern)) for pattern in sorted(patterns)])
        self._meanings[self._vocab.strings[label]] = meaning

    def __len__(self) -> int:
        """Meanings."""
        return len(self._meanings)

    def find(self, words: Sequence[str]) -> list[tuple[Meaning, int, int]]:
        """(meaning, start, end) of each phrase in `words`; phrases may overlap."""
        found = self._matcher(self._doc(self._vocab, words=list(words)))
        return [(self._meanings[label], start, end) for label, start, end in found]
