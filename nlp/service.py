"""`clamor classify`: JSON Lines in, JSON Lines out, one for each line and in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from config.aspects import Aspect
from config.brands import Brand
from nlp import priors, severity
from nlp.asked import LONGEST_NAME, Asked
from nlp.aspects import Aspects
from nlp.classifier import Classifier, Passage
from nlp.language import Languages
from nlp.normalise import clean, normalise
from nlp.reading import DECIMALS, Rows, is_category, unreproached
from nlp.severity import Cue
from query.text import analyse
from stream.records import DETRACTOR_LEVELS, EMOTIONS, INTENTS, NO_YES, QUEUES, SENTIMENTS, Labels, Scores

BATCH = 256
LONGEST_LINE = 1 << 20
"""Bytes; a longer line is refused, and may come cut off."""


class Line(msgspec.Struct, frozen=True):
    """One line of input. `brand` is a name, or the id of a configured brand; `lang` the network's hint."""

    id: str | int
    text: str
    brand: str | None = None
    lang: str | None = None
    network: str | None = None


class _Identified(msgspec.Struct, frozen=True):
    id: str | int | None = None


class Service:
    """Classifies lines by one classifier and the brands and aspects configured, none needed."""

    def __init__(
        self,
        classifier: Classifier,
        languages: Languages,
        brands: Sequence[Brand] = (),
        aspects: Sequence[Aspect] = (),
    ) -> None:
        self._classifier, self._languages = classifier, languages
        self._asked = Asked(brands)
        self._brands = {brand.id: brand for brand in brands}
        self._counted = any(map(priors.counted, brands))
        self._cues = severity.Cues()
        self._aspects = Aspects(aspects, brands)

    def classify(self, lines: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
        """One answer for each line. A line that cannot be read gives `{"id", "error"}`, its id null where unknown."""
        rest = iter(lines)
        while chunk := list(islice(rest, BATCH)):
            yield from self._batch([_line(raw) for raw in chunk])

    def _batch(self, lines: Sequence[Line | dict[str, Any]]) -> list[dict[str, Any]]:
        good = [line for line in lines if isinstance(line, Line)]
        answers = iter(self._answers(good)) if good else iter(())
        return [next(answers) if isinstance(line, Line) else line for line in lines]

    def _answers(self, lines: Sequence[Line]) -> list[dict[str, Any]]:
        analyses = [analyse(line.text) for line in lines]
        langs = self._languages.identify([normalise(clean(line.text)) for line in lines], [line.lang for line in lines])
        named = [self._asked.named(line.brand, analysis) for line, analysis in zip(lines, analyses, strict=True)]
        passages = [
            Passage(line.text, (about.target,), lang)
            for line, about, (lang, _) in zip(lines, named, langs, strict=True)
        ]
        readings = self._classifier.read(passages)
        brands = [self._asked.configured(line.brand) for line in lines]
        if self._counted:
            texts = [[self._brands[id] for id, _ in about.brands if id] for about in named]
            readings = priors.adjusted(readings, brands, self._classifier.priors, texts)
        if any(map(is_category, brands)):
            readings = unreproached(readings, brands)
        rows = Rows(readings, self._classifier, passages)
        aspects = [
            self._aspects.said(analysis, lang, about.brands)[0]
            for analysis, about, (lang, _) in zip(analyses, named, langs, strict=True)
        ]
        cues = [self._cues.found(analysis.surfaces) for analysis in analyses]
        return [
            self._answer(line, langs[row], rows, row, cues[row], aspects[row], brands[row])
            for row, line in enumerate(lines)
        ]

    def _answer(
        self,
        line: Line,
        lang: tuple[str, float],
        rows: Rows,
        row: int,
        cues: Sequence[Cue],
        aspects: Sequence[str],
        brand: Brand | None,
    ) -> dict[str, Any]:
        category = is_category(brand)
        terms = rows.terms(row, cues, category=category)
        detractor = _shown(DETRACTOR_LEVELS, rows.detractor[row])
        return {
            "id": line.id,
            "lang": {"label": lang[0], "confidence": lang[1]},
            "sentiment": _shown(SENTIMENTS, rows.sentiment[row]),
            "reputation": None if category else _shown(SENTIMENTS, rows.reputation[row]),
            "intent": _shown(INTENTS, rows.intent[row]),
            "detractor": {"level": int(detractor["label"]), "probabilities": detractor["probabilities"]},
            "queue": _shown(QUEUES, rows.queue[row]),
            "complaint": _shown_if(rows.complaint[row]),
            "emotion": _shown_several(rows.emotion[row]),
            "irony": _shown_if(rows.irony[row]),
            "offensive": _shown_if(rows.offensive[row]),
            "risk": {
                "score": min(100, round(sum([term.points for term in terms]))),
                "terms": [{"name": term.name, "points": term.points, "why": term.why} for term in terms],
            },
            "aspects": list(aspects),
            "review": list(rows.review(row, category=category)),
            "model": self._classifier.model,
        }


def _line(raw: str | bytes) -> Line | dict[str, Any]:
    if len(raw) > LONGEST_LINE:
        return {"id": None, "error": f"longer than {LONGEST_LINE:,} bytes"}
    if not raw.strip():
        return {"id": None, "error": 'a blank line, not one of the form {"id": …, "text": …}'}
    try:
        line = msgspec.json.decode(raw, type=Line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return {"id": _id_of(raw), "error": f'not a line of the form {{"id": …, "text": …}}: {error}'}
    if line.brand is not None and not 0 < len(line.brand.strip()) <= LONGEST_NAME:
        return {"id": line.id, "error": f"brand: a name has 1 to {LONGEST_NAME} characters"}
    return line


def _id_of(raw: str | bytes) -> str | int | None:
    try:
        return msgspec.json.decode(raw, type=_Identified).id
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _shown(classes: Sequence[str], scores: Scores) -> dict[str, Any]:
    return {"label": scores.label, "probabilities": _by_class(classes, scores.p)}


def _shown_if(scores: Scores | None) -> dict[str, Any] | None:
    return None if scores is None else _shown(NO_YES, scores)


def _shown_several(found: Labels | None) -> dict[str, Any] | None:
    return None if found is None else {"labels": list(found.labels), "probabilities": _by_class(EMOTIONS, found.p)}


def _by_class(classes: Sequence[str], p: Sequence[float]) -> dict[str, float]:
    return {name: round(one, DECIMALS) for name, one in zip(classes, p, strict=True)}
