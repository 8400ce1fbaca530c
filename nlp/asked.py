"""Where a text names the brand that somebody asks about, for texts that come without the stream's matching."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from config.brands import Brand
from nlp.brands import BrandMatcher, Span
from nlp.classifier import Passage, Target
from query.text import Analysis, analyse, fold

LONGEST_NAME = 200
"""Characters of a brand's name, as in `config.brands`."""


class Named(NamedTuple):
    target: Target
    brands: list[tuple[str, tuple[Span, ...]]]
    """Id of each brand that counts and where it is named; the one that is asked about is the first, named or not."""


class Asked:
    """A brand is asked about by its id, name, alias, handle or hashtag, or by any other name. Other configured brands
    count as other brands, as in the stream."""

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._known = BrandMatcher(brands)
        self._numbers: dict[str, int] = {}
        first = [(one.id, one.name) for one in self._known.brands]
        then = [(*one.aliases, *one.handles, *one.hashtags) for one in self._known.brands]
        for all_names in (first, then):
            for number, names in enumerate(all_names):
                for name in names:
                    self._numbers.setdefault(_key(name), number)
        self._by_name = lru_cache(maxsize=512)(_matcher)

    def configured(self, brand: str | None) -> Brand | None:
        number = self._numbers.get(_key(brand)) if brand else None
        return None if number is None else self._known.brands[number]

    def passage(self, text: str, brand: str, lang: str) -> Passage:
        """`brand` empty: nobody is asked about."""
        return Passage(text, (self.named(brand, analyse(text)).target,), lang)

    def named(self, brand: str | None, analysis: Analysis) -> Named:
        """Of no brand: a text that nobody is asked about in, other brands unmarked."""
        if not brand:
            return Named(Target(), [("", ())])
        found = self._known.find(analysis)
        number = self._numbers.get(_key(brand))
        mine = self._by_name(brand).find(analysis).get(0, ()) if number is None else found.get(number, ())
        others = {at: spans for at, spans in found.items() if at != number}
        id = "" if number is None else self._known.brands[number].id
        return Named(
            Target(tuple(mine), tuple(span for spans in others.values() for span in spans)),
            [(id, tuple(mine)), *((self._known.brands[at].id, tuple(spans)) for at, spans in others.items())],
        )


def _key(name: str) -> str:
    """As names are found: without regard to case, accents and the sign of a handle or hashtag."""
    return fold(name).strip().lstrip("@#")


def _matcher(name: str) -> BrandMatcher:
    return BrandMatcher([Brand(id="brand", name=name, aliases=("".join(name.split()),))])
