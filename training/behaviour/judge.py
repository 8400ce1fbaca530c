"""Has a model read the suite's texts as the pipeline reads posts, and holds each case against what it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from config.brands import Brand
from nlp.classifier import Classifier
from nlp.language import Languages
from nlp.reading import Reader, Reading
from stream.records import Post, Understanding
from training.behaviour.suite import CLASSES, Case, Text, load, texts

Answer: TypeAlias = Mapping[str, str]
"""Head → label; heads that the model does not have are missing."""


class Verdict(NamedTuple):
    case: Case
    wrong: tuple[str, ...] | None
    """What was said in place of what was expected; empty: passed. None: the model has none of the heads asked for."""
    lacking: tuple[str, ...] = ()
    """Heads asked for that the model does not have: they are left out."""


def judged(classifier: Classifier, languages: Languages, cases: Sequence[Case] | None = None) -> list[Verdict]:
    """A verdict on each case."""
    asked = load() if cases is None else cases
    said = answers(classifier, languages, texts(asked))
    return [verdict(case, said) for case in asked]


def answers(classifier: Classifier, languages: Languages, asked: Sequence[Text]) -> dict[Text, Answer]:
    """What `nlp.reading.Reader` says of each text, with all of the suite's brands known.

    Each text is a reply, so that it is read towards its brand also where it does not name it.
    """
    names = sorted({one.brand for one in asked})
    ids = {name: f"brand{number}" for number, name in enumerate(names)}
    reader = Reader(
        classifier, languages, [Brand(id=ids[name], name=name, aliases=("".join(name.split()),)) for name in names]
    )
    posts = [
        Post(id=f"suite:{number}", network="suite", text=one.text, seen_at=0, event_time=0, reply_to="suite:parent")
        for number, one in enumerate(asked)
    ]
    return {one: _answer(reading, ids[one.brand]) for one, reading in zip(asked, reader.read(posts), strict=True)}


def verdict(case: Case, said: Mapping[Text, Answer]) -> Verdict:
    after = said[case.text]
    before = after if case.before is None else said[case.before]
    asked = (*case.expect, *case.same, *case.moves)
    wrong = []
    for head in asked:
        if head not in after or head not in before:
            continue
        if case.kind == "minimum":
            if after[head] not in case.expect[head]:
                wrong.append(f"{head} {after[head]}, not {' or '.join(case.expect[head])}")
        elif not moved(head, before[head], after[head], case.moves.get(head, "same")):
            wrong.append(f"{head} {before[head]}, after the change {after[head]}")
    lacking = tuple(head for head in asked if head not in after or head not in before)
    return Verdict(case, None if len(lacking) == len(asked) else tuple(wrong), lacking)


def moved(head: str, before: str, after: str, move: str) -> bool:
    """Whether the label went from `before` to `after` as `move` (one of suite.MOVES, or `same`) demands."""
    step = CLASSES[head].index(after) - CLASSES[head].index(before)
    return {
        "same": step == 0,
        "higher": step > 0,
        "lower": step < 0,
        "not higher": step <= 0,
        "not lower": step >= 0,
    }[move]


def _answer(reading: Reading, brand: str) -> Answer:
    named = [one for one in reading.mentions if one.brand == brand]
    found = named[0] if named else reading.unnamed
    assert found is not None, "every text is a reply"
    return _labels(found)


def _labels(found: Understanding) -> Answer:
    labels = {"sentiment": found.sentiment.label, "intent": found.intent.label}
    labels |= {"level": found.detractor.label, "queue": found.suggested}
    for head, scores in (
        ("reputation", found.reputation), ("complaint", found.complaint), ("irony", found.irony)
    ):  # fmt: skip
        if scores is not None:
            labels[head] = scores.label
    return labels
