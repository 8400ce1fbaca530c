"""Whether a text that has a brand's name means the brand: a small filter, learnt from a few dozen words of people.

Logistic regression on hashed words around the name, how the name is written, network and language. Of a text only
hashed places with a weight remain. Learning is exact and has no chance in it: the same words give the same filter.
"""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from config.brands import Brand
from nlp.shares import Share
from query.text import analyse, fold
from stream.records import Scores

Floats = npt.NDArray[np.float64]
Span = tuple[int, int]

PLACES = 1 << 14
REACH, AROUND = 12, 160
"""Words, and characters that are looked through for them, on each side of the name."""
STIFFNESS = 0.05
"""How much a weight has to be worth."""
LEFT_OUT, UNDECIDED = 0.7, 0.5
"""From this probability on that it means something else it is left out; from that on a person should look."""
FEWEST = 12
"""Words of people of each kind. With fewer, five parts hold two of a kind at most, and one that is lost is a tenth."""
MOST_LOST = 0.05
"""Share of what means the brand that a filter may leave out."""
PARTS = 5
_ROUNDS, _STEPS = 1_000, 25


class Example(NamedTuple):
    text: str
    spans: Sequence[Span]
    network: str
    lang: str
    about: bool
    group: str = ""
    """Texts of one group are never both learnt from and measured on; empty: those of the same words are."""


class Filter(msgspec.Struct, frozen=True):
    """What was learnt: a weight at each hashed place, and one for all."""

    version: int
    places: tuple[int, ...]
    weights: tuple[float, ...]
    bias: float

    def scores(self, features: Collection[int]) -> Scores:
        """Classes NO_YES; `no` from LEFT_OUT on."""
        total = sum(map(self._weight, sorted(features))) / max(1.0, len(features) ** 0.5) + self.bias
        yes = float(_sigmoid(np.array([total]))[0])
        return Scores("no" if 1 - yes >= LEFT_OUT else "yes", (round(1 - yes, 5), round(yes, 5)))

    def _weight(self, place: int) -> float:
        at = bisect_left(self.places, place)
        return self.weights[at] if at < len(self.places) and self.places[at] == place else 0.0


class Measured(NamedTuple):
    """Counted on texts that a filter was not learnt from."""

    about: int
    other: int
    """Texts that people say mean the brand, and something else."""
    kept: int
    """Of those that mean it, not left out."""
    stayed: int
    """Of the others, not left out."""
    rise: float
    """The least that precision rises by at 95 % (paired bootstrap)."""

    @property
    def before(self) -> Share:
        """Precision of the names alone."""
        return Share(self.about, self.about + self.other)

    @property
    def precision(self) -> Share:
        return Share(self.kept, self.kept + self.stayed)

    @property
    def recall(self) -> Share:
        return Share(self.kept, self.about)

    @property
    def worth_it(self) -> bool:
        return self.rise > 0 and self.about - self.kept <= MOST_LOST * self.about


def filters(stored: Iterable[tuple[str, str]]) -> dict[str, Filter]:
    """By brand's id."""
    return {brand: msgspec.json.decode(body, type=Filter) for brand, body in stored}


def undecided(scores: Scores) -> bool:
    """Whether a person should look: it is not left out, and may well be something else."""
    return UNDECIDED <= scores.p[0] < LEFT_OUT


def certain(brand: Brand, text: str, spans: Sequence[Span]) -> bool:
    """Whether it names a handle or hashtag that the brand lists: these count always."""
    listed = {fold(name) for name in (*brand.handles, *brand.hashtags)}
    return any(fold(text[start:end]) in listed or fold(text[max(0, start - 1) : end]) in listed for start, end in spans)


def features(text: str, spans: Sequence[Span], network: str, lang: str) -> frozenset[int]:
    """Hashed places of what is told of each name in the text."""
    found = {f"n {network}", f"g {lang}"}
    for start, end in spans:
        left = analyse(text[max(0, start - AROUND) : start]).surfaces[-REACH:]
        right = analyse(text[end : end + AROUND]).surfaces[:REACH]
        before, after = left[-1:] or ("",), right[:1] or ("",)
        found.update(f"w {word}" for word in (*left, *right))
        found |= {f"l {before[0]}", f"r {after[0]}", f"b {before[0]} {after[0]}", f"f {_form(text, start, end)}"}
        found.update(f"p {one} {other}" for side in (left, right) for one, other in pairwise(side))
    return frozenset(zlib.crc32(one.encode()) % PLACES for one in found)


def learn(examples: Sequence[Example], version: int) -> Filter:
    """The filter of these examples, both kinds weighing the same. Raises ValueError where a kind is missing."""
    told = np.array([one.about for one in examples], float)
    if not 0 < told.sum() < len(told):
        raise ValueError("examples of both kinds are needed: of what means the brand, and of what does not")
    rows = [features(one.text, one.spans, one.network, one.lang) for one in examples]
    places = sorted(set().union(*rows))
    column = {place: at for at, place in enumerate(places)}
    given = np.zeros((len(rows), len(places)))
    for at, row in enumerate(rows):
        given[at, [column[place] for place in row]] = 1 / max(1.0, len(row) ** 0.5)
    amounts = _solved(given @ given.T + 1.0, told)
    weights = given.T @ amounts
    return Filter(version, tuple(places), tuple(np.round(weights, 6).tolist()), round(float(amounts.sum()), 6))


def measure(examples: Sequence[Example]) -> Measured:
    """By cross-validation in PARTS parts; texts of the same words are in one part."""
    part = _parts(examples)
    kept = np.zeros(len(examples), bool)
    for number in range(PARTS):
        rest = [one for one, its in zip(examples, part, strict=True) if its != number]
        learnt = learn(rest, 0)
        for at, one in enumerate(examples):
            if part[at] == number:
                scores = learnt.scores(features(one.text, one.spans, one.network, one.lang))
                kept[at] = scores.label == "yes"
    about = np.array([one.about for one in examples])
    return Measured(
        int(about.sum()), int((~about).sum()), int((kept & about).sum()), int((kept & ~about).sum()), _rise(about, kept)
    )


def _form(text: str, start: int, end: int) -> str:
    """How the name is written: with a sign, in capitals, with one, in small letters."""
    name = text[start:end]
    sign = name[:1] if name[:1] in "@#" else text[start - 1 : start] if text[start - 1 : start] in ("@", "#") else ""
    plain = name.lstrip("@#")
    return sign + ("upper" if plain.isupper() else "title" if plain[:1].isupper() else "lower")


def _solved(likeness: Floats, told: Floats) -> Floats:
    """Amount of each example: kernel logistic regression by iteratively reweighted least squares."""
    size = len(told)
    share = np.where(told == 1, size / (2 * told.sum()), size / (2 * (size - told.sum())))
    amounts: Floats = np.zeros(size)
    for _ in range(_STEPS):
        score = likeness @ amounts
        chance = _sigmoid(score)
        spread = np.maximum(chance * (1 - chance), 1e-6)
        target = score + (told - chance) / spread
        amounts = np.asarray(np.linalg.solve(likeness + np.diag(STIFFNESS / (share * spread)), target), np.float64)
    return amounts


def _sigmoid(score: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -30, 30))))


def _parts(examples: Sequence[Example]) -> list[int]:
    """Number of each example's part: groups of both kinds are dealt out in turn, in an order that chance chose once."""
    groups: dict[str, int] = {}
    names = [one.group or " ".join(analyse(one.text).surfaces) for one in examples]
    of_kind = {True: 0, False: 0}
    order = sorted(range(len(examples)), key=lambda at: hashlib.blake2b(names[at].encode(), digest_size=8).digest())
    for at in order:
        if names[at] not in groups:
            groups[names[at]] = of_kind[examples[at].about] % PARTS
            of_kind[examples[at].about] += 1
    return [groups[name] for name in names]


def _rise(about: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_]) -> float:
    """2.5 % quantile of how much precision rises when the examples are drawn anew."""
    drawn = np.random.default_rng(1).integers(0, len(about), (_ROUNDS, len(about)))
    its, stays = about[drawn], kept[drawn]
    with_it = (its & stays).sum(axis=1) / np.maximum(1, stays.sum(axis=1))
    return float(np.quantile(with_it - its.mean(axis=1), 0.025))
