"""The risk terms that a text alone gives. Routing adds reach, speed, the author's history and the customer's value.

Points add up to at most MOST of the scale's 100: half of a severe risk lies in the text, the rest in who hears it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from stream.guidelines import ISSUE, LEAST, LEAVING, SEVERITY
from stream.records import Term

SHIPPED = Path(__file__).parent / "cues.yaml"

MOST = 60.0

_LEVEL_POINTS = (0.0, 8.0, 22.0, 36.0)
_LEVEL_WORDS = (
    "no reproach",
    "mild annoyance",
    "open anger, or a warning to others",
    "a call to act against the brand",
)
_ISSUE = "concerns the public, not one customer alone"
_LEAVING = "says that they leave or have left"
_LANGUAGES = ("en", "es")
_ISSUE_POINTS = 12.0
_CHURN_POINTS = 8.0


class Cue(NamedTuple):
    name: str
    points: float
    why: str


class _Phrase(NamedTuple):
    words: tuple[str, ...]
    cue: Cue
    unless: tuple[tuple[int, tuple[str, ...]], ...] = ()
    """(its place in it, a longer phrase): there it means something else."""
    beside: str = ""
    """Name of the cue that has to stand within so many tokens; empty: it counts alone."""
    within: int = 0

    @property
    def rarest(self) -> int:
        """Place of its longest word: by that one it is looked for, since short words stand in every text."""
        return max(range(len(self.words)), key=lambda place: len(self.words[place]))

    def stands(self, surfaces: Sequence[str], at: int) -> bool:
        """Whether it begins at token `at`, and means what it says."""
        if at < 0 or tuple(surfaces[at : at + len(self.words)]) != self.words:
            return False
        return not any(
            at >= place and tuple(surfaces[at - place : at - place + len(longer)]) == longer
            for place, longer in self.unless
        )


class Cues:
    """The lexicon, by the longest token of each phrase: `cues.yaml` or a file of its form."""

    def __init__(self, path: Path = SHIPPED) -> None:
        self._phrases: dict[str, list[tuple[int, _Phrase]]] = {}
        beginnings: dict[str, Cue] = {}
        for name, held in yaml.safe_load(path.read_text("utf-8")).items():
            cue = Cue(name, float(held["points"]), held["why"])
            beginnings |= {written[:-1]: cue for written in _listed(held) if written.endswith("*")}
            for phrase in _phrases_of(cue, held):
                rarest = phrase.rarest
                self._phrases.setdefault(phrase.words[rarest], []).append((rarest, phrase))
        self._rarest = frozenset(self._phrases)
        self._beginnings = tuple(beginnings.items())
        self._starts = tuple(beginnings)

    def found(self, surfaces: Sequence[str]) -> tuple[Cue, ...]:
        """The cues that stand in the folded tokens of a text, each once, by name."""
        begun = [surface for surface in surfaces if surface.startswith(self._starts)]
        if not begun and self._rarest.isdisjoint(surfaces):
            return ()
        standing = [
            (at - rarest, phrase)
            for at, surface in enumerate(surfaces)
            for rarest, phrase in self._phrases.get(surface, ())
            if phrase.stands(surfaces, at - rarest)
        ]
        found = {cue for surface in begun for start, cue in self._beginnings if surface.startswith(start)}
        places = _places(standing)
        found.update(phrase.cue for at, phrase in standing if not phrase.beside or _has_beside(at, phrase, places))
        return tuple(sorted(found))


def _listed(held: Mapping[str, Any]) -> set[str]:
    return {written for language in _LANGUAGES for written in held.get(language, ())}


def _phrases_of(cue: Cue, held: Mapping[str, Any]) -> Iterator[_Phrase]:
    exceptions = [tuple(written.split()) for written in held.get("unless", ())]
    beside = held.get("beside", {})
    alone = {written for written in _listed(held) if not written.endswith("*")}
    for written in alone:
        words = tuple(written.split())
        unless = [
            (at, longer) for longer in exceptions for at in range(len(longer)) if longer[at:][: len(words)] == words
        ]
        yield _Phrase(words, cue, tuple(unless))
    for written in _listed(beside):
        yield _Phrase(tuple(written.split()), cue, (), beside["cue"], beside["within"])


def _places(standing: Sequence[tuple[int, _Phrase]]) -> Mapping[str, Sequence[int]]:
    """Name of a cue → where its phrases begin, in order: a long text may have tens of thousands of them."""
    found: dict[str, list[int]] = {}
    for at, phrase in standing:
        found.setdefault(phrase.cue.name, []).append(at)
    return {name: sorted(places) for name, places in found.items()}


def _has_beside(at: int, phrase: _Phrase, places: Mapping[str, Sequence[int]]) -> bool:
    near = places.get(phrase.beside, ())
    first = bisect_left(near, at - phrase.within)
    return first < len(near) and near[first] <= at + phrase.within


def terms(
    detractor: Sequence[float], intent: Sequence[float], negative: float, cues: Sequence[Cue] = ()
) -> tuple[Term, ...]:
    """Named terms, largest first, of MOST points together.

    `detractor` and `intent` are the probabilities of the classes, `negative` that of a negative reputation. A cue
    counts by the probability that the text is negative or raises a public issue: praise with such words is no risk.
    """
    issue, churn = intent[0], intent[1]
    severity = sum(share * points for share, points in zip(detractor, _LEVEL_POINTS, strict=True))
    weight = max(negative, issue)
    found = [(severity, SEVERITY, SEVERITY), (issue * _ISSUE_POINTS, ISSUE, _ISSUE)]
    found.append((churn * _CHURN_POINTS, LEAVING, _LEAVING))
    found.extend([(cue.points * weight, cue.name, cue.why) for cue in cues])
    found = [one for one in found if one[0] >= LEAST]
    if not found:
        return ()
    shrink = min(1.0, MOST / sum([points for points, _, _ in found]))
    found.sort(reverse=True)
    return tuple([Term(name, round(points * shrink, 1), _why(why, detractor, intent)) for points, name, why in found])


def _why(why: str, detractor: Sequence[float], intent: Sequence[float]) -> str:
    if why == SEVERITY:
        level = max((1, 2, 3), key=lambda one: detractor[one] * _LEVEL_POINTS[one])
        return f"{_LEVEL_WORDS[level]} (level {level}: {detractor[level]:.0%} likely)"
    if why == _ISSUE:
        return f"{why} ({intent[0]:.0%} likely)"
    if why == _LEAVING:
        return f"{why} ({intent[1]:.0%} likely)"
    return why
