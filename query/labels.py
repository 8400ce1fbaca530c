"""The labels of a mention as they stand: the model's, or what a person stated and what follows from it.

What a person states of reputation, intent and level stands. What nobody stated yields to it: of the states that the
guidelines allow beside it, the one that leaves most of the model's labels, then praise of a positive and complaint of a
negative reputation, then the one that the model holds for the likeliest. The queue that the labels suggest is that of
the labels as they stand.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from stream.guidelines import allowed, queue_of
from stream.records import INTENTS, SENTIMENTS, Correction, Mention, Queue, Understanding

SETTLED = ("reputation", "intent", "detractor")
"""Heads that hang on one another: what is stated of one may move the others."""


class Labels(NamedTuple):
    """None: nobody says."""

    reputation: str | None
    intent: str | None
    detractor: str | None
    suggested: Queue | None


_State: TypeAlias = tuple[str | None, str, int]
_STATES: tuple[_State, ...] = tuple(
    (reputation, intent, level)
    for reputation in (*SENTIMENTS, None)
    for intent in INTENTS
    for level in range(4)
    if allowed(reputation, intent, level)
)


def labels(mention: Mention) -> Labels:
    word, read = mention.correction, mention.understanding
    if word is None or not overruled(mention):
        return read_labels(read)
    if read is None:
        return Labels(word.reputation, word.intent, word.detractor, None)
    return _settled(word, read)


def read_labels(read: Understanding | None) -> Labels:
    """The model's own."""
    if read is None:
        return Labels(None, None, None, None)
    reputation = read.reputation.label if read.reputation is not None else None
    return Labels(reputation, read.intent.label, read.detractor.label, read.suggested)


def overruled(mention: Mention) -> bool:
    """Whether a person stated any of the labels that hang on one another."""
    word = mention.correction
    return word is not None and (word.reputation or word.intent or word.detractor) is not None


def possible(word: Correction) -> bool:
    """Whether the guidelines allow all that a person stated side by side."""
    return any(_says(state, word) for state in _STATES)


def _settled(word: Correction, read: Understanding) -> Labels:
    mine = read_labels(read)
    unstated = read.reputation is None and word.reputation is None
    fitting = [state for state in _STATES if _says(state, word) and (state[0] is None) == unstated]
    if fitting:
        reputation, intent, level = min(fitting, key=lambda state: _distance(state, read))
    else:
        reputation, intent = word.reputation or mine.reputation, word.intent or read.intent.label
        level = int(word.detractor or read.detractor.label)
    queue = queue_of(intent, level, _can_act(word, read))
    return Labels(reputation, intent, str(level), "none" if read.speaker == "own" else queue)


def _says(state: _State, word: Correction) -> bool:
    """Whether it holds all that the person stated."""
    reputation, intent, level = state
    return (
        word.reputation in (None, reputation)
        and word.intent in (None, intent)
        and word.detractor in (None, str(level))
    )  # fmt: skip


_OF_MOOD = {"positive": "praise", "negative": "complaint"}
"""What somebody does who feels so and of whom no more is known: the model's shares of intents are those of its mood."""


def _distance(state: _State, read: Understanding) -> tuple[int, bool, float, int, int]:
    """Smallest for what stays nearest to the model's reading; of what is as near, the quieter intent."""
    reputation, intent, level = state
    said = int(read.detractor.label)
    mood = read.reputation
    moved = (mood is not None and reputation != mood.label) + (intent != read.intent.label) + (level != said)
    likely = dict(zip(INTENTS, read.intent.p, strict=False)).get(intent, 0.0)
    if mood is not None:
        likely *= dict(zip(SENTIMENTS, mood.p, strict=False)).get(reputation or "", 0.0)
    strange = intent not in (read.intent.label, _OF_MOOD.get(reputation or ""))
    return moved, strange, -likely, abs(level - said), -INTENTS.index(intent)


def _can_act(word: Correction, read: Understanding) -> bool:
    """Whether an agent can act on it, if it is a complaint: by the queue that the person stated, else always where the
    complaint is not the model's own."""
    if word.queue is not None:
        return word.queue != "none"
    return word.intent == "complaint" or read.intent.label != "complaint" or read.suggested != "none"
