"""What of a brand a text speaks about: delivery, price, staff.

The lexicon is `aspects.yaml`; the configuration extends it, for all brands or for one. Each word of a phrase is looked
for by its stem in the phrase's language (`query.text`), `=word` as written; `(a|b)` is either of them. English phrases
are looked for in all texts but Spanish ones, Spanish in all but English ones. Negation does not matter: "no delivery
yet" speaks of delivery.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import yaml

from config.aspects import GAP, Aspect, forms
from config.brands import Brand
from nlp.clauses import Span, spoken_of
from nlp.normalise import humps
from nlp.phrases import Phrases
from query.text import MAX_TOKEN, TAG, Analysis, analyse, stems

SHIPPED = Path(__file__).parent / "aspects.yaml"

MOST = 4_000
"""Words of a text that are looked through."""
REACH = 4
"""Words that may stand in the gap of a phrase, at most."""
JOINED = 10
"""Letters of a phrase that is also found as one word, at least: `más caras` is not `máscaras`."""
REPEATED = 8
"""Where a text has so few of the lexicon's words, others have the same: what they say is remembered."""
REMEMBERED = 30_000
"""Words whose part in the lexicon is remembered before the memory starts afresh."""
_GAP = "\u00b7"
"""Stands for all words between that no phrase uses."""
_LANGUAGES = ("en", "es")
_WHOLE, _BEFORE, _AFTER = range(3)

Lexicons: TypeAlias = frozenset[int]
"""Numbers of the lexicons that a phrase stands in: 0 is everybody's, others are brands'."""
Entries: TypeAlias = Mapping[str, tuple[Aspect, ...]]
"""One lexicon: id → what is stated of it, together."""


_Key = TypeVar("_Key", str, int)
_Placed = TypeVar("_Placed", bound=tuple[Any, ...])


class _Use(NamedTuple):
    """What a pattern is in the lexicon; the two sides of a gap share its `gap`."""

    aspect: str
    unless: bool
    kind: int
    gap: int
    lexicons: Lexicons


class _Hit(NamedTuple):
    aspect: str
    place: int
    """Number of a word."""
    lexicons: Lexicons


class Aspects:
    """The aspects in force, ready to be found."""

    def __init__(self, stated: Sequence[Aspect] = (), brands: Sequence[Brand] = ()) -> None:
        everybody = _laid_over(shipped(), stated)
        lexicons = [everybody]
        self._lexicon_of: dict[str, int] = {}
        for brand in brands:
            if brand.aspects:
                self._lexicon_of[brand.id] = len(lexicons)
                lexicons.append(_laid_over(everybody, brand.aspects))
        self._matchers = {language: _Matcher(language, lexicons) for language in _LANGUAGES}

    def said(
        self, analysis: Analysis, lang: str, brands: Sequence[tuple[str, Sequence[Span]]]
    ) -> list[tuple[str, ...]]:
        """For each of `brands` (id, where the text names it) the aspects that are said of it, by name."""
        matchers = [self._matchers[lang]] if lang in self._matchers else list(self._matchers.values())
        words, places = _words(analysis)
        words = words[:MOST]
        hits = [hit for matcher in matchers for hit in matcher.found(words)]
        if not hits:
            return [()] * len(brands)
        if len(brands) == 1:
            return [self._names(hits, brands[0][0])]
        starts = [analysis.placed(places[hit.place] if places else hit.place)[1][0] for hit in hits]
        whose = spoken_of(analysis.text, starts, [spans for _, spans in brands])
        return [
            self._names([hit for hit, numbers in zip(hits, whose, strict=True) if number in numbers], brand)
            for number, (brand, _) in enumerate(brands)
        ]

    def _names(self, hits: Iterable[_Hit], brand: str) -> tuple[str, ...]:
        lexicon = self._lexicon_of.get(brand, 0)
        return tuple(sorted({hit.aspect for hit in hits if lexicon in hit.lexicons}))


@cache
def shipped() -> Entries:
    held = yaml.load(SHIPPED.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return {
        name: (Aspect(id=name, en=one["en"], es=one["es"], unless=one.get("unless", {})),)
        for name, one in held.items()
    }  # fmt: skip


def _laid_over(entries: Entries, stated: Iterable[Aspect]) -> Entries:
    found = dict(entries)
    for aspect in stated:
        if aspect.mode == "off":
            found.pop(aspect.id, None)
        else:
            found[aspect.id] = (*(found.get(aspect.id, ()) if aspect.mode == "extend" else ()), aspect)
    return found


class _Matcher:
    """The phrases of one language in all lexicons."""

    def __init__(self, language: str, lexicons: Sequence[Entries]) -> None:
        self._phrases: Phrases[_Use] = Phrases()
        phrases = _phrases(language, lexicons)
        written = (word for *_, sides in phrases for side in sides for part in side for word in part)
        self._keys = _Keys(language, {word[1:] for word in written if word[0] == "="})
        self._anchors: set[str] = set()
        for (aspect, unless, sides), numbers in phrases.items():
            self._learn(aspect, unless, sides, frozenset(numbers))
        self._repeated = lru_cache(maxsize=4_096)(self._phrases.find)

    def found(self, words: Sequence[str]) -> list[_Hit]:
        """The phrases that stand in `words`, but for those that mean something else there."""
        keys = list(map(self._keys.__getitem__, words))
        if self._anchors.isdisjoint(keys):
            return []
        short, places = _shortened(keys)
        matches = self._phrases.find(short) if len(short) > REPEATED else self._repeated(short)
        return _settled([(use, places[start], places[end - 1] + 1) for use, start, end in matches]) if matches else []

    def _learn(self, aspect: str, unless: bool, sides: tuple[_Side, ...], lexicons: Lexicons) -> None:
        kinds = (_BEFORE, _AFTER) if len(sides) == 2 else (_WHOLE,)
        gap = len(self._phrases)
        for kind, side in zip(kinds, sides, strict=True):
            patterns = {pattern for part in side for pattern in self._keys.patterns(part)}
            self._phrases.learn(_Use(aspect, unless, kind, gap, lexicons), patterns)
            self._keys.known.update(word for pattern in patterns for word in pattern)
            if kind != _BEFORE and not unless:
                self._anchors.update(max(pattern, key=len) for pattern in patterns)


_Part: TypeAlias = tuple[str, ...]
"""One form of a phrase's side: surfaces, those as written with `=` before them."""
_Side: TypeAlias = tuple[_Part, ...]
"""All forms of one side of a phrase; a phrase without a gap has one side."""


def _phrases(language: str, lexicons: Sequence[Entries]) -> dict[tuple[str, bool, tuple[_Side, ...]], set[int]]:
    """(aspect, whether it takes away, its sides) → numbers of the lexicons that it stands in."""
    found: dict[tuple[str, bool, tuple[_Side, ...]], set[int]] = {}
    for number, entries in enumerate(lexicons):
        for name, aspects in entries.items():
            for aspect in aspects:
                for unless, held in ((False, aspect), (True, aspect.unless)):
                    for written in getattr(held, language):
                        sides = _sides(written)
                        if all(sides):
                            found.setdefault((name, unless, sides), set()).add(number)
    return found


def _sides(written: str) -> tuple[_Side, ...]:
    """The phrase as it is looked for: also with `n` for `ñ`; without brackets also as one word, like hashtags."""
    sides = [
        [_surfaces(spelt) for form in forms(side) for spelt in dict.fromkeys((form, form.replace("ñ", "n")))]
        for side in written.split(GAP)
    ]
    if len(sides) == 1 and "(" not in written:
        joined = ["".join(word.lstrip("=") for word in part) for part in sides[0] if len(part) > 1]
        sides[0] += [(f"={one}",) for one in joined if len(one) >= JOINED]
    return tuple(tuple(filter(None, side)) for side in sides)


def _surfaces(written: str) -> _Part:
    return tuple(
        ("=" if word.startswith("=") else "") + surface
        for word in written.split()
        for surface in analyse(word).surfaces
    )  # fmt: skip


class _Keys(dict[str, str]):
    """Surface → the word of the lexicon that it is: `=surface`, or its stem; `_GAP` where no phrase uses it."""

    def __init__(self, language: str, as_written: set[str]) -> None:
        super().__init__()
        self._stem = 0 if language == "es" else -1
        self._as_written = as_written
        self._of_stem: dict[str, list[str]] = {}
        for surface in sorted(as_written):
            self._of_stem.setdefault(self._stemmed(surface), []).append(f"={surface}")
        self.known: set[str] = set()

    def __missing__(self, surface: str) -> str:
        key = f"={surface}" if surface in self._as_written else self._stemmed(surface)
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[surface] = key if key in self.known else _GAP
        return found

    def patterns(self, part: _Part) -> Iterator[tuple[str, ...]]:
        """The sequences of keys that a text has where it has `part`: a stem's words that some phrase wants as written
        have their own."""
        ways = [[word] if word[0] == "=" else self._of_word(self._stemmed(word)) for word in part]
        return product(*ways)

    def _of_word(self, stem: str) -> list[str]:
        return [stem, *self._of_stem.get(stem, ())]

    def _stemmed(self, surface: str) -> str:
        return stems(surface)[self._stem]


def _words(analysis: Analysis) -> tuple[Sequence[str], Sequence[int]]:
    """Surfaces with hashtags split, and of which token each is; no tokens where no hashtag was split."""
    if "#" not in analysis.text and "＃" not in analysis.text:
        return analysis.surfaces, ()
    words: list[str] = []
    places: list[int] = []
    for place, surface in enumerate(analysis.surfaces):
        mark, (start, end) = analysis.placed(place)
        split = _pieces if end - start <= MAX_TOKEN else _pieces.__wrapped__
        pieces = split(analysis.text[start:end], surface) if mark == TAG else (surface,)
        words += pieces
        places += [place] * len(pieces)
    return words, places


@lru_cache(maxsize=4_096)
def _pieces(written: str, surface: str) -> tuple[str, ...]:
    """Longer hashtags than MAX_TOKEN are not to be remembered: they seldom come again, and fill the memory."""
    apart = humps(written.lstrip("#＃"))
    return analyse(apart).surfaces if " " in apart.strip() else (surface,)


def _shortened(keys: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """The words that some phrase uses, one gap between those that are no neighbours, and where each stood."""
    words: list[str] = []
    places: list[int] = []
    for place, key in enumerate(keys):
        if key != _GAP:
            if places and places[-1] != place - 1:
                words.append(_GAP)
                places.append(-1)
            words.append(key)
            places.append(place)
    return tuple(words), places


def _settled(matches: Sequence[tuple[_Use, int, int]]) -> list[_Hit]:
    """What counts: not what an `unless` of its aspect covers, and a gap's left side only before its right one."""
    spans = [(use, start, end) for use, start, end in matches if use.kind == _WHOLE]
    ends = _in_order([(use.gap, (end, start)) for use, start, end in matches if use.kind == _BEFORE])
    if ends:
        spans += [
            (use, before, end)
            for use, start, end in matches if use.kind == _AFTER
            for _, before in _between(ends.get(use.gap, ()), start - REACH, start)
        ]  # fmt: skip
    taken = [span for span in spans if span[0].unless]
    if not taken:
        return [_Hit(use.aspect, start, use.lexicons) for use, start, _ in spans]
    longest = max(end - start for _, start, end in taken)
    covers = _in_order([(use.aspect, (start, end, use.lexicons)) for use, start, end in taken])
    return [
        _Hit(use.aspect, start, use.lexicons.difference(*(
            lexicons
            for _, high, lexicons in _between(covers.get(use.aspect, ()), end - longest, start) if end <= high
        )))
        for use, start, end in spans if not use.unless
    ]  # fmt: skip


_first = itemgetter(0)


def _in_order(placed: Iterable[tuple[_Key, _Placed]]) -> dict[_Key, list[_Placed]]:
    """What is placed under each key, by its place: a long text may have thousands of them."""
    found: dict[_Key, list[_Placed]] = {}
    for key, one in sorted(placed, key=lambda each: each[1][0]):
        found.setdefault(key, []).append(one)
    return found


def _between(ordered: Sequence[_Placed], low: int, high: int) -> Sequence[_Placed]:
    return ordered[bisect_left(ordered, low, key=_first) : bisect_right(ordered, high, key=_first)]
