"""What in a text looks like spam: ids of `stream.spam.REASONS`, by a lexicon and by how the text is built.

A mark of spam changes no label. An offer alone is none, and neither are many emoji, tags or handles: with each of them
goes an offer, and something that it points to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from query.text import ADDRESS, HANDLE, SYMBOL, TAG, Analysis

SHIPPED = Path(__file__).parent / "spam.yaml"

TAGS, HANDLES, EMOJI, BRANDS = 8, 6, 10, 5
"""So many of them beside a link and an offer are a reason."""
GAP = 4
"""Tokens that `...` of the lexicon may stand for."""
MOSTLY = 0.5
"""Share of a text's tokens that tags or emoji have to be."""
_LANGUAGES = ("en", "es")
_OFFER, _SHORTENER = "offer", "shortener"


class _Phrase(NamedTuple):
    words: tuple[str, ...]
    reason: str
    pointed: bool
    then: tuple[str, ...] = ()
    """What has to follow within GAP tokens; empty: nothing."""

    @property
    def rarest(self) -> int:
        """Place of its longest word: by that one it is looked for."""
        return max(range(len(self.words)), key=lambda place: len(self.words[place]))

    def stands(self, surfaces: tuple[str, ...], at: int) -> bool:
        """Whether it begins at token `at`."""
        end = at + len(self.words)
        if at < 0 or surfaces[at:end] != self.words:
            return False
        size = len(self.then)
        return not size or any(surfaces[place : place + size] == self.then for place in range(end, end + GAP + 1))


class Spam:
    """The lexicon, by the longest token of each phrase: `spam.yaml` or a file of its form."""

    def __init__(self, path: Path = SHIPPED) -> None:
        held = yaml.safe_load(path.read_text("utf-8"))
        self._shorteners = frozenset(held.pop("shorteners"))
        self._phrases: dict[str, list[tuple[int, _Phrase]]] = {}
        for reason, lists in held.items():
            for phrase in _phrases(reason, lists):
                self._phrases.setdefault(phrase.words[phrase.rarest], []).append((phrase.rarest, phrase))
        self._rarest = frozenset(self._phrases)

    def found(self, analysis: Analysis, brands: int = 0) -> tuple[str, ...]:
        """The reasons, by name; `brands`: how many of the brands that are listened for the text names."""
        text, surfaces = analysis.text, analysis.surfaces
        phrases = () if self._rarest.isdisjoint(surfaces) else tuple(self._standing(surfaces))
        if not phrases:
            return ()
        linked = "http" in text or "www." in text or "HTTP" in text
        reasons = {phrase.reason for phrase in phrases if not phrase.pointed}
        promised = {phrase.reason for phrase in phrases if phrase.pointed}
        if promised:
            reasons.update(self._pointed(analysis, promised, linked, brands))
        if linked and reasons | promised != {_SHORTENER}:
            reasons.update(_built(analysis))
        return tuple(sorted(reasons))

    def _pointed(self, analysis: Analysis, promised: set[str], linked: bool, brands: int) -> Iterator[str]:
        text = analysis.text
        number = _NUMBER.search(text) is not None
        linked = linked or _DOMAIN.search(text) is not None
        if linked or number or _MESSAGES.search(text):
            yield from promised - {_OFFER, _SHORTENER}
        if _SHORTENER in promised and self._shortened(analysis):
            yield _SHORTENER
        if _OFFER in promised and number and _CALLS.search(text):
            yield "contact"
        if _OFFER in promised and linked and brands >= BRANDS:
            yield "brands"

    def _standing(self, surfaces: tuple[str, ...]) -> Iterator[_Phrase]:
        for at, surface in enumerate(surfaces):
            if surface in self._rarest:
                for rarest, phrase in self._phrases[surface]:
                    if phrase.stands(surfaces, at - rarest):
                        yield phrase

    def _shortened(self, analysis: Analysis) -> bool:
        domains = {surface for mark, surface in analysis.marked if mark == ADDRESS}
        domains.update(found.lower() for found in _DOMAIN.findall(analysis.text))
        return not self._shorteners.isdisjoint(domains)


_DOMAIN = re.compile(
    r"(?<![@\w.-])[\w-]+(?:\.[\w-]+)?\.(?:com|net|org|info|biz|ly|gl|gd|me|io|co|xyz|club|site|online|shop|top|live|link|ru)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w/.])\+?\d(?:[ ().-]{0,2}\d){8,13}(?![\w/])|__phone__")
_CALLS = re.compile(r"whats ?app|wasap|telegram|call|text|phone|contact|tel[.:éf]|ll[aá]ma|📞|📲|☎", re.IGNORECASE)
_MESSAGES = re.compile(
    r"whats ?app|wasap|telegram|\b(?:dm|inbox|text|message) me\b|link in (?:my )?bio|enlace en (?:mi )?(?:bio|perfil)"
    r"|__email__|\bescr[ií]beme\b|\bm[aá]nda(?:me)? (?:dm|md|privado)\b|\(?@ ?gmail",
    re.IGNORECASE,
)


def _phrases(reason: str, lists: Mapping[str, Any]) -> Iterator[_Phrase]:
    for pointed in (False, True):
        held = lists.get("pointed" if pointed else "alone", {})
        for written in sorted({str(written) for language in _LANGUAGES for written in held.get(language, ())}):
            first, _, then = written.partition(" ... ")
            yield _Phrase(tuple(first.split()), reason, pointed, tuple(then.split()))


def _built(analysis: Analysis) -> Iterator[str]:
    """Reasons that lie in how an offer with a link is built."""
    text, tokens = analysis.text, len(analysis.surfaces)
    if text.count("#") >= TAGS and analysis.marks.count(TAG) >= max(TAGS, MOSTLY * tokens):
        yield "tags"
    if text.count("@") >= HANDLES and _addressed_within(analysis.marks) >= HANDLES:
        yield "handles"
    if not text.isascii() and analysis.marks.count(SYMBOL) >= max(EMOJI, MOSTLY * tokens):
        yield "emoji"


def _addressed_within(marks: tuple[str, ...]) -> int:
    """Handles behind the first other token: those before it are whom a network's reply goes to."""
    first = next((at for at, mark in enumerate(marks) if mark != HANDLE), len(marks))
    return marks[first:].count(HANDLE)
