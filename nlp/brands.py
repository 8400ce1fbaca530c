"""Which brands a post is about: names, aliases, handles and hashtags, less what means something else.

A name counts as written, as a hashtag and as a handle of the same spelling (`Acme`, `#acme`, `@acme`); with `require`
only where one of those phrases stands within REQUIRE_REACH tokens, and not where an `exclude` phrase covers it or
stands within EXCLUDE_REACH tokens. Handles and hashtags that a brand lists count always. A name that is an address
with a path counts, always, where the text links to that very address (`query.address`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from config.brands import Brand
from nlp.phrases import Phrases
from query import address
from query.text import Analysis, spellings
from stream.records import MatchedBy, Post, Speaker

Span: TypeAlias = tuple[int, int]

EXCLUDE_REACH = 10
REQUIRE_REACH = 40
REPEATED = 8
"""Where a text has so few of the brands' words, others have the same: what stands in them is remembered."""

_NAME, _HANDLE, _HASHTAG, _REQUIRE, _EXCLUDE = range(5)
_GAP = "\u00b7"
"""Stands for all tokens between that no brand uses: the vocabulary holds brands' words only and never grows."""


class Match(NamedTuple):
    brand: Brand
    spans: tuple[Span, ...]
    """Where the text names it, in characters of the text that was matched; empty when only the source asked for it."""
    matched_by: MatchedBy
    speaker: Speaker


class BrandMatcher:
    """The brands in force, ready to be found."""

    def __init__(self, brands: Sequence[Brand]) -> None:
        self.brands = tuple(brands)
        self._by_id = {brand.id: number for number, brand in enumerate(self.brands)}
        self._phrases: Phrases[tuple[int, int]] = Phrases()
        """(number of the brand, kind)"""
        self._triggers: set[str] = set()
        self._links: dict[str, list[int]] = {}
        """Normal form of an address → numbers of the brands that are called so."""
        self._hosts: set[str] = set()
        self._known: set[str] = set()
        for number, brand in enumerate(self.brands):
            self._learn(number, brand)
        self._authors = _authors(self.brands)
        self._repeated = lru_cache(maxsize=4_096)(self._phrases.find)

    def match(self, post: Post, analysis: Analysis) -> list[Match]:
        """The brands of `post`, whose readable text was analysed; in the order of the configuration."""
        named = self.find(analysis)
        speakers = self._speakers(post)
        numbers = set(named)
        numbers.update(self._by_id[brand] for brand in post.brands if brand in self._by_id)
        numbers.update(number for number, speaker in speakers.items() if speaker == "own")
        return [
            Match(
                self.brands[number],
                tuple(named.get(number, ())),
                "text" if number in named else "source",
                speakers.get(number, "public"),
            )
            for number in sorted(numbers)
        ]

    def find(self, analysis: Analysis) -> dict[int, list[Span]]:
        """Number of each brand that the text names, or links to → where, in order, without overlaps."""
        found = self._named(analysis)
        if not self._hosts.isdisjoint(analysis.surfaces):
            linked: dict[int, set[Span]] = {}
            for form, span in address.linked(analysis):
                for number in self._links.get(form, ()):
                    linked.setdefault(number, set()).add(span)
            for number, spans in linked.items():
                found[number] = sorted(spans.union(found.get(number, ())))
        return found

    def _named(self, analysis: Analysis) -> dict[int, list[Span]]:
        surfaces = analysis.surfaces
        if self._triggers.isdisjoint(surfaces):
            return {}
        words, places = self._shortened(surfaces)
        phrases = self._phrases.find(words) if len(words) > REPEATED else self._repeated(words)
        hits: dict[int, list[list[Span]]] = {}
        for (number, kind), start, end in phrases:
            hits.setdefault(number, [[], [], [], [], []])[kind].append((places[start], places[end - 1] + 1))
        found = {}
        for number in sorted(hits):
            tokens = _counting(hits[number], analysis, bool(self.brands[number].require))
            if tokens:
                found[number] = _characters(tokens, analysis)
        return found

    def _shortened(self, surfaces: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
        """The tokens that some brand uses, a gap between those that are no neighbours, and where each stood."""
        known = self._known
        words: list[str] = []
        places: list[int] = []
        for place, surface in enumerate(surfaces):
            if surface in known:
                if places and places[-1] != place - 1:
                    words.append(_GAP)
                    places.append(-1)
                words.append(surface)
                places.append(place)
        return tuple(words), places

    def _learn(self, number: int, brand: Brand) -> None:
        phrases: tuple[tuple[int, Iterable[str]], ...] = (
            (_NAME, (brand.name, *brand.aliases)),
            (_HANDLE, brand.handles),
            (_HASHTAG, brand.hashtags),
            (_REQUIRE, brand.require),
            (_EXCLUDE, brand.exclude),
        )
        for kind, texts in phrases:
            texts = self._without_links(number, texts) if kind == _NAME else texts
            patterns = {pattern for text in texts for pattern in spellings(text) if pattern}
            if not patterns:
                continue
            self._phrases.learn((number, kind), patterns)
            self._known.update(word for pattern in patterns for word in pattern)
            if kind in (_NAME, _HANDLE, _HASHTAG):
                self._triggers.update(pattern[0] for pattern in patterns)

    def _without_links(self, number: int, names: Iterable[str]) -> list[str]:
        """The names that are no whole addresses; the others are learnt as links."""
        for name in names:
            if form := address.whole(name):
                self._links.setdefault(form, []).append(number)
                self._hosts |= address.hosts(form)
        return [name for name in names if not address.whole(name)]

    def _speakers(self, post: Post) -> dict[int, Speaker]:
        if not self._authors or post.author is None:
            return {}
        found: dict[int, Speaker] = {}
        for name in (post.author.handle, post.author.id):
            if name:
                handle = name.lstrip("@").casefold()
                for key in (handle, f"{post.network}:{handle}"):
                    found = {**self._authors.get(key, {}), **found}
        return found


def _counting(hits: list[list[Span]], analysis: Analysis, required: bool) -> list[Span]:
    """Token spans of one brand's `hits` (by kind) that count."""
    names, handles, hashtags, beside, excluded = hits
    counting: list[Span] = []
    for mark, spans in (("@", handles), ("#", hashtags)):
        counting.extend([span for span in spans if analysis.placed(span[0])[0] == mark])
    near, spoilt = _Near(beside), _Near(excluded)
    for name in names:
        if required and not near.within(name, REQUIRE_REACH):
            continue
        if spoilt.within(name, EXCLUDE_REACH):
            continue
        counting.append(name)
    return _longest(counting)


class _Near:
    """Spans that are asked for their neighbours: a long text may have tens of thousands of them."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._ends = list(accumulate((end for _, end in ordered), max))
        """By place: the furthest end of a span up to there."""

    def within(self, span: Span, reach: int) -> bool:
        """Whether one of them overlaps `span` or has fewer than `reach` tokens between."""
        before = bisect_left(self._starts, span[1] + reach)
        return before > 0 and span[0] - self._ends[before - 1] < reach


def _longest(spans: list[Span]) -> list[Span]:
    """Without overlaps: the earlier start wins, of equal starts the longer."""
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda one: (one[0], -one[1])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _characters(tokens: list[Span], analysis: Analysis) -> list[Span]:
    return [(analysis.placed(start)[1][0], analysis.placed(end - 1)[1][1]) for start, end in tokens]


def _authors(brands: Sequence[Brand]) -> dict[str, dict[int, Speaker]]:
    """Account (`handle`, or `network:handle`) → brand's number → as whom it speaks.

    Own before competitor before press.
    """
    found: dict[str, dict[int, Speaker]] = {}
    for number, brand in enumerate(brands):
        kinds: tuple[tuple[Speaker, tuple[str, ...]], ...] = (
            ("own", brand.accounts), ("competitor", brand.rivals), ("press", brand.press)
        )  # fmt: skip
        for speaker, accounts in kinds:
            for account in accounts:
                network, _, handle = account.rpartition(":")
                handle = handle.lstrip("@").casefold()
                key = f"{network.casefold()}:{handle}" if network else handle
                found.setdefault(key, {}).setdefault(number, speaker)
    return found
