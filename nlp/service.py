"""`clamor classify`: JSON Lines in, JSON Lines out, one for each line and in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from config.aspects import Aspect
from config.brands import Brand
from nlp import priors, severity
from nlp.aspects import Aspects
from nlp.brands import BrandMatcher
from nlp.classifier import Classifier, Passage, Target
from nlp.language import Languages
from nlp.normalise import clean, normalise
from nlp.reading import DECIMALS, Rows
from query.text import Analysis, analyse
from stream.records import DETRACTOR_LEVELS, EMOTIONS, INTENTS, NO_YES, QUEUES, SENTIMENTS, Labels, Scores

BATCH = 256
LONGEST_NAME = 200
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
        self._configured = {name.casefold(): brand for brand in brands for name in (brand.name, brand.id)}
        self._known = BrandMatcher(brands)
        self._numbers = {brand.id: number for number, brand in enumerate(self._known.brands)}
        self._cues = severity.Cues()
        self._aspects = Aspects(aspects, brands)
        self._matcher = lru_cache(maxsize=512)(self._make_matcher)

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
        passages = [
            Passage(line.text, (self._target(line.brand, analysis),), lang)
            for line, analysis, (lang, _) in zip(lines, analyses, langs, strict=True)
        ]
        readings = self._classifier.read(passages)
        brands = [self._configured.get((line.brand or "").casefold()) for line in lines]
        if any(map(priors.counted, brands)):
            readings = priors.adjusted(readings, brands, self._classifier.priors)
        rows = Rows(readings, self._classifier, passages)
        return [self._answer(line, langs[row], rows, row, analyses[row]) for row, line in enumerate(lines)]

    def _said(self, line: Line, lang: str, analysis: Analysis) -> list[str]:
        """The aspects that the text speaks of, by the brand's own lexicon where it has one."""
        configured = self._configured.get((line.brand or "").casefold())
        return list(self._aspects.said(analysis, lang, [(configured.id if configured else "", ())])[0])

    def _target(self, brand: str | None, analysis: Analysis) -> Target:
        """Other brands that are configured count as other brands, as in the stream."""
        if not brand:
            return Target()
        named = self._known.find(analysis)
        configured = self._configured.get(brand.casefold())
        number = self._numbers[configured.id] if configured else -1
        mine = named.get(number, ()) if configured else self._matcher(brand).find(analysis).get(0, ())
        others = [span for at, spans in named.items() if at != number for span in spans]
        return Target(tuple(mine), tuple(others))

    def _make_matcher(self, name: str) -> BrandMatcher:
        return BrandMatcher([Brand(id="brand", name=name, aliases=("".join(name.split()),))])

    def _answer(self, line: Line, lang: tuple[str, float], rows: Rows, row: int, analysis: Analysis) -> dict[str, Any]:
        terms = rows.terms(row, self._cues.found(analysis.surfaces))
        detractor = _shown(DETRACTOR_LEVELS, rows.detractor[row])
        return {
            "id": line.id,
            "lang": {"label": lang[0], "confidence": lang[1]},
            "sentiment": _shown(SENTIMENTS, rows.sentiment[row]),
            "reputation": _shown(SENTIMENTS, rows.reputation[row]),
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
            "aspects": self._said(line, lang[0], analysis),
            "review": list(rows.review(row)),
            "model": self._classifier.model,
        }


def _line(raw: str | bytes) -> Line | dict[str, Any]:
    if len(raw) > LONGEST_LINE:
        return {"id": None, "error": f"longer than {LONGEST_LINE:,} bytes"}
    try:
        line = msgspec.json.decode(raw, type=Line)
    except (msgspec.MsgspecError, UnicodeError) as error:
        return {"id": _id_of(raw), "error": f'not a line of the form {{"id": …, "text": …}}: {error}'}
    if line.brand is not None and not 0 < len(line.brand.strip()) <= LONGEST_NAME:
        return {"id": line.id, "error": f"brand: a name has 1 to {LONGEST_NAME} characters"}
    return line


def _id_of(raw: str | bytes) -> str | int | None:
    try:
        return msgspec.json.decode(raw, type=_Identified).id
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _shown(classes: Sequence[str], scores: Scores) -> dict[str, Any]:
    return {"label": scores.label, "probabilities": _by_class(classes, scores.p)}


def _shown_if(scores: Scores | None) -> dict[str, Any] | None:
    return None if scores is None else _shown(NO_YES, scores)


def _shown_several(found: Labels | None) -> dict[str, Any] | None:
    return None if found is None else {"labels": list(found.labels), "probabilities": _by_class(EMOTIONS, found.p)}


def _by_class(classes: Sequence[str], p: Sequence[float]) -> dict[str, float]:
    return {name: round(one, DECIMALS) for name, one in zip(classes, p, strict=True)}
