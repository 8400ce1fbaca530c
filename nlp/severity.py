"""The risk terms that a text alone gives. Routing adds reach, speed, the author's history and the customer's value.

Points add up to at most MOST of the scale's 100: half of a severe risk lies in the text, the rest in who hears it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from stream.records import Term

SHIPPED = Path(__file__).parent / "cues.yaml"

MOST = 60.0
LEAST = 1.0
"""Terms of fewer points are left out."""

_LEVEL_POINTS = (0.0, 8.0, 22.0, 36.0)
_LEVEL_WORDS = (
    "no reproach",
    "mild annoyance",
    "open anger, or a warning to others",
    "a call to act against the brand",
)
_SEVERITY = "severity"
_ISSUE = "concerns the public, not one customer alone"
_LEAVING = "says that they leave or have left"
_LANGUAGES = ("en", "es")
_ISSUE_POINTS = 12.0
_CHURN_POINTS = 8.0


class Cue(NamedTuple):
    name: str
    points: float
    why: str


class Cues:
    """The lexicon, by first token of each phrase: `cues.yaml` or a file of its form."""

    def __init__(self, path: Path = SHIPPED) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], Cue]]] = {}
        beginnings: dict[str, Cue] = {}
        for name, held in yaml.safe_load(path.read_text("utf-8")).items():
            cue = Cue(name, float(held["points"]), held["why"])
            for phrase in {phrase for lang in _LANGUAGES for phrase in held.get(lang, ())}:
                if phrase.endswith("*"):
                    beginnings[phrase[:-1]] = cue
                    continue
                words = tuple(phrase.split())
                self._phrases.setdefault(words[0], []).append((words, cue))
        self._first = frozenset(self._phrases)
        self._beginnings = tuple(beginnings.items())
        self._starts = tuple(beginnings)

    def found(self, surfaces: Sequence[str]) -> tuple[Cue, ...]:
        """The cues that stand in the folded tokens of a text, each once, by name."""
        begun = [surface for surface in surfaces if surface.startswith(self._starts)]
        if not begun and self._first.isdisjoint(surfaces):
            return ()
        found = {cue for surface in begun for start, cue in self._beginnings if surface.startswith(start)}
        for at, surface in enumerate(surfaces):
            for words, cue in self._phrases.get(surface, ()):
                if len(words) == 1 or tuple(surfaces[at : at + len(words)]) == words:
                    found.add(cue)
        return tuple(sorted(found))


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
    found = [(severity, "severity", _SEVERITY), (issue * _ISSUE_POINTS, "public issue", _ISSUE)]
    found.append((churn * _CHURN_POINTS, "leaving", _LEAVING))
    found.extend([(cue.points * weight, cue.name, cue.why) for cue in cues])
    found = [one for one in found if one[0] >= LEAST]
    if not found:
        return ()
    shrink = min(1.0, MOST / sum([points for points, _, _ in found]))
    found.sort(reverse=True)
    return tuple([Term(name, round(points * shrink, 1), _why(why, detractor, intent)) for points, name, why in found])


def _why(why: str, detractor: Sequence[float], intent: Sequence[float]) -> str:
    if why == _SEVERITY:
        level = max((1, 2, 3), key=lambda one: detractor[one] * _LEVEL_POINTS[one])
        return f"{_LEVEL_WORDS[level]} (level {level}: {detractor[level]:.0%} likely)"
    if why == _ISSUE:
        return f"{why} ({intent[0]:.0%} likely)"
    if why == _LEAVING:
        return f"{why} ({intent[1]:.0%} likely)"
    return why
