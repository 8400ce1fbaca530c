"""From posts to what is understood of them: language, brands, fingerprint, one reading for each brand. No I/O."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from config.aspects import Aspect
from config.brands import Brand
from nlp import about, heads, priors, severity
from nlp.aspects import Aspects
from nlp.brands import BrandMatcher, Match
from nlp.classifier import HALF, SAID, Classifier, Floats, Passage, Readings, Target
from nlp.fingerprint import fingerprints
from nlp.language import Languages
from nlp.normalise import clean, normalise
from nlp.severity import Cue
from nlp.spam import Spam
from query.text import Analysis, analyse
from stream.records import (
    DETRACTOR_LEVELS,
    EMOTIONS,
    INTENTS,
    NO_YES,
    QUEUES,
    SENTIMENTS,
    Labels,
    MatchedBy,
    Post,
    Queue,
    Scores,
    Speaker,
    Term,
    Understanding,
)
from stream.timing import Timer

_BOTH = frozenset({"en", "es"})
MEASURED: Mapping[str, frozenset[str]] = {
    "sentiment": _BOTH | {"de", "fr", "it", "pt"}, "reputation": _BOTH, "intent": _BOTH, "detractor": _BOTH,
    "queue": _BOTH, "complaint": frozenset({"en"}), "emotion": _BOTH, "irony": _BOTH, "offensive": _BOTH,
}  # fmt: skip
"""Head → languages that docs/accuracy.md has a figure of it in; in the others it abstains, however sure it is."""
_HEADS = ("sentiment", "reputation", "intent", "detractor", "queue")
DECIMALS = 5


class Reading(NamedTuple):
    """What one post's text says."""

    lang: str
    lang_confidence: float
    fingerprint: int
    mentions: tuple[Understanding, ...]
    unnamed: Understanding | None


class Reader:
    """Reads batches of posts by one set of brands and aspects and one classifier."""

    def __init__(
        self,
        classifier: Classifier,
        languages: Languages,
        brands: Sequence[Brand] = (),
        aspects: Sequence[Aspect] = (),
        filters: Iterable[tuple[str, str]] = (),
        *,
        model_time: Timer | None = None,
    ) -> None:
        """`filters`: (brand's id, what was learnt of which posts mean it). `model_time` gathers what classifiers
        take."""
        self.classifier, self.languages = classifier, languages
        self._model_time = model_time or Timer()
        self._filters = about.filters(filters)
        self.matcher = BrandMatcher(brands)
        self._counted = any(map(priors.counted, brands))
        self._categories = any(map(is_category, brands))
        self.aspects = Aspects(aspects, brands)
        self._cues, self._spam = severity.Cues(), Spam()

    def read(self, posts: Sequence[Post], by: Classifier | None = None) -> list[Reading]:
        """One reading for each post with content, in order; it depends on the post alone, not on the batch. `by`:
        another classifier than the own."""
        texts = [readable(post) for post in posts]
        analyses = [analyse(text) for text in texts]
        plain = [normalise(clean(text)) for text in texts]
        langs = self.languages.identify(plain, [post.lang for post in posts])
        marks = fingerprints(plain)
        matches = [self.matcher.match(post, one) for post, one in zip(posts, analyses, strict=True)]
        passages, asked = [], []
        for number, post in enumerate(posts):
            targets = _targets(matches[number], unnamed=post.reply_to is not None)
            if targets:
                passages.append(Passage(texts[number], targets, langs[number][0]))
                asked.append(number)
        found: dict[int, list[Understanding]] = {}
        if passages:
            networks = [posts[number].network for number in asked]
            found = self._understandings(by or self.classifier, passages, asked, analyses, matches, networks)
        return [
            _reading(langs[number], marks[number], matches[number], found.get(number, []))
            for number in range(len(posts))
        ]

    def _judged(self, text: str, lang: str, network: str, match: Match | None, read: Understanding) -> Understanding:
        """With what the brand's filter says, where it has one and is asked."""
        learnt = self._filters.get(match.brand.id) if match is not None and match.spans else None
        if learnt is None or match is None or about.certain(match.brand, text, match.spans):
            return read
        scores = learnt.scores(about.features(text, match.spans, network, lang))
        review = (*read.review, "about") if about.undecided(scores) else read.review
        return replace(read, about=scores, review=review)

    def _understandings(
        self,
        classifier: Classifier,
        passages: list[Passage],
        asked: list[int],
        analyses: list[Analysis],
        matches: list[list[Match]],
        networks: list[str],
    ) -> dict[int, list[Understanding]]:
        """Post's number → one understanding for each target, in the targets' order."""
        began = time.perf_counter()
        readings = classifier.read(passages)
        self._model_time.note(time.perf_counter() - began)
        brands = _brands(passages, asked, matches) if self._counted or self._categories else []
        if self._counted:
            readings = priors.adjusted(readings, brands, classifier.priors)
        if self._categories:
            readings = unreproached(readings, brands)
        rows = Rows(readings, classifier, passages)
        said = [
            self._said(passage, analyses[number], matches[number])
            for passage, number in zip(passages, asked, strict=True)
        ]
        spam = [
            self._spam.found(analyses[number], sum(bool(match.spans) for match in matches[number])) for number in asked
        ]
        cues = [self._cues.found(analyses[number].surfaces) for number in asked]
        found: dict[int, list[Understanding]] = {}
        for target, owner in enumerate(readings.owner.tolist()):
            number = asked[owner]
            mine = found.setdefault(number, [])
            match = matches[number][len(mine)] if len(mine) < len(matches[number]) else None
            read = rows.understanding(target, match, cues[owner], said[owner][len(mine)], spam[owner])
            if self._filters:
                passage = passages[owner]
                read = self._judged(passage.text, passage.lang, networks[owner], match, read)
            mine.append(read)
        return found

    def _said(self, passage: Passage, analysis: Analysis, matches: list[Match]) -> list[tuple[str, ...]]:
        """The aspects of each target, in the targets' order."""
        ids = [match.brand.id for match in matches] + [""]
        brands = [(id, target.spans) for id, target in zip(ids, passage.targets, strict=False)]
        return self.aspects.said(analysis, passage.lang, brands)


class Rows:
    """The settled targets of one batch as plain values, head by head: one conversion for all."""

    def __init__(self, readings: Readings, classifier: Classifier, passages: Sequence[Passage]) -> None:
        settled = heads.settle(readings)
        owner = readings.owner
        sentiment = readings.sentiment.argmax(axis=1)
        self.sentiment = [
            Scores(SENTIMENTS[label], p)
            for label, p in zip(sentiment[owner].tolist(), _rounded(readings.sentiment[owner]), strict=True)
        ]
        self.reputation = _scores(SENTIMENTS, settled.reputation_label.tolist(), settled.reputation)
        self.intent = _scores(INTENTS, settled.intent_label.tolist(), settled.intent)
        self.detractor = _scores(DETRACTOR_LEVELS, settled.detractor_label.tolist(), settled.detractor)
        self.queue = _scores(QUEUES, settled.queue_label.tolist(), settled.queue)
        self.complaint = _holds("complaint", readings.complaint, readings, classifier)
        self.emotion = _several(readings, classifier)
        self.irony = _holds("irony", readings.irony, readings, classifier)
        self.offensive = _holds("offensive", readings.offensive, readings, classifier)
        self.bands = classifier.bands
        self.further = [name for name in SAID if getattr(readings, name) is not None]
        self.unmeasured = [_unmeasured(passages[number].lang) for number in owner.tolist()]

    def understanding(
        self, row: int, match: Match | None, cues: Sequence[Cue], aspects: tuple[str, ...], spam: tuple[str, ...]
    ) -> Understanding:
        """`match` is None for the brand that is not named. What the brand itself says is no spam."""
        brand, matched_by, speaker = _about(match)
        reputation = self.reputation[row]
        own = speaker == "own"
        queue: Queue = "none" if own else self.queue[row].label  # type: ignore[assignment]
        category = match is not None and is_category(match.brand)
        return Understanding(
            brand=brand,
            matched_by=matched_by,
            speaker=speaker,
            sentiment=self.sentiment[row],
            reputation=None if category else reputation,
            intent=self.intent[row],
            detractor=self.detractor[row],
            complaint=self.complaint[row],
            emotion=self.emotion[row],
            irony=self.irony[row],
            offensive=self.offensive[row],
            suggested=queue,
            terms=() if own else self.terms(row, cues, category=category),
            review=self.review(row, category=category),
            aspects=aspects,
            spam=() if own else spam,
        )

    def terms(self, row: int, cues: Sequence[Cue], *, category: bool = False) -> tuple[Term, ...]:
        """Of a category none that rests on a reputation: there is no brand to leave, and cues count by the issue."""
        if category:
            issue, _, *rest = self.intent[row].p
            return severity.terms(self.detractor[row].p, (issue, 0.0, *rest), 0.0, cues)
        return severity.terms(self.detractor[row].p, self.intent[row].p, self.reputation[row].p[0], cues)

    def review(self, row: int, *, category: bool = False) -> tuple[str, ...]:
        """Heads that abstain. A category has no reputation, and no level that could be in doubt."""
        if category:
            return tuple(head for head in self.review(row) if head not in ("reputation", "detractor"))
        abstaining = self.unmeasured[row]
        checks = (
            ("sentiment", self.sentiment[row], SENTIMENTS),
            ("reputation", self.reputation[row], SENTIMENTS),
            ("intent", self.intent[row], INTENTS),
            ("detractor", self.detractor[row], DETRACTOR_LEVELS),
            ("queue", self.queue[row], QUEUES),
        )
        found = [
            name
            for name, scores, classes in checks
            if name in abstaining or scores.p[classes.index(scores.label)] < self.bands[name]
        ]
        found += [
            name for name in self.further if name in abstaining or self._said(name, row) < self.bands.get(name, 0.0)
        ]
        return tuple(found)

    def _said(self, name: str, row: int) -> float:
        """Probability of what is said by a head of SAID; of what is least sure where it is several things."""
        if name == "emotion":
            several = self.emotion[row]
            assert several is not None
            return min([p if label in several.labels else 1 - p for label, p in zip(EMOTIONS, several.p, strict=True)])
        scores: Scores = getattr(self, name)[row]
        return scores.p[NO_YES.index(scores.label)]


@cache
def _unmeasured(lang: str) -> frozenset[str]:
    return frozenset(head for head, langs in MEASURED.items() if lang not in langs)


def readable(post: Post) -> str:
    """What of a post is read: its title, then its text."""
    return f"{post.title}\n{post.text}" if post.title else post.text


def _targets(matches: list[Match], unnamed: bool) -> tuple[Target, ...]:
    """One for each match, and one for the brand not named, beside which all others are other brands."""
    spans = [match.spans for match in matches]
    targets = [
        Target(mine, tuple(span for at, others in enumerate(spans) if at != number for span in others))
        for number, mine in enumerate(spans)
    ]
    if unnamed:
        targets.append(Target((), tuple(span for mine in spans for span in mine)))
    return tuple(targets)


def _brands(passages: Sequence[Passage], asked: Sequence[int], matches: list[list[Match]]) -> list[Brand | None]:
    """Of each target of the passages the brand; None for the one that is not named."""
    found: list[Brand | None] = []
    for passage, number in zip(passages, asked, strict=True):
        named = [match.brand for match in matches[number]]
        found += [*named, *[None] * (len(passage.targets) - len(named))]
    return found


def is_category(brand: Brand | None) -> bool:
    return brand is not None and brand.kind == "category"


def unreproached(readings: Readings, brands: Sequence[Brand | None]) -> Readings:
    """With level 0 for the targets that are categories: a level goes with a reputation, which they have not."""
    detractor = readings.detractor.copy()
    detractor[[is_category(brand) for brand in brands]] = (1.0, 0.0, 0.0, 0.0)
    return readings._replace(detractor=detractor)


def _reading(lang: tuple[str, float], mark: int, matches: list[Match], found: list[Understanding]) -> Reading:
    named = len(matches)
    return Reading(lang[0], lang[1], mark, tuple(found[:named]), found[named] if len(found) > named else None)


def _about(match: Match | None) -> tuple[str, MatchedBy, Speaker]:
    return ("", "parent", "public") if match is None else (match.brand.id, match.matched_by, match.speaker)


def _rounded(p: Floats) -> list[tuple[float, ...]]:
    return [tuple(row) for row in p.round(DECIMALS).tolist()]


def _scores(classes: Sequence[str], labels: list[int], p: Floats) -> list[Scores]:
    return [Scores(classes[label], row) for label, row in zip(labels, _rounded(p), strict=True)]


def _holds(name: str, yes: Floats | None, readings: Readings, classifier: Classifier) -> Sequence[Scores | None]:
    """Of each target what its text says, yes or no; None where the model does not say."""
    if yes is None:
        return [None] * len(readings.owner)
    threshold = classifier.thresholds.get(name, {}).get("yes", HALF)
    p = yes.round(DECIMALS)
    both = _rounded(np.stack([1 - p, p], axis=1))
    of_text = [Scores(NO_YES[one[1] >= threshold], one) for one in both]
    return [of_text[text] for text in readings.owner.tolist()]


def _several(readings: Readings, classifier: Classifier) -> Sequence[Labels | None]:
    """Of each target the emotions in its text; None where the model does not say."""
    if readings.emotion is None:
        return [None] * len(readings.owner)
    stated = classifier.thresholds.get("emotion", {})
    least = [stated.get(name, HALF) for name in EMOTIONS]
    of_text = [
        Labels(tuple([name for name, one, from_ in zip(EMOTIONS, p, least, strict=True) if one >= from_]), p)
        for p in _rounded(readings.emotion)
    ]
    return [of_text[text] for text in readings.owner.tolist()]
