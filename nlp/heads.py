"""From what a classifier says, head by head, to one reading that does not contradict the guidelines.

A reading is a state: reputation, intent, detractor level, and whether an agent can act. Only the states that the
guidelines allow have probability: the product of the heads' probabilities, made to sum to 1. Every head's probabilities
are the marginals of that one distribution, and the queue is a function of the state. What is said is an allowed state
too, the one of least expected loss: not each head's likeliest label, which may contradict one another, nor the queue
of the likeliest intent, which may be `none` where three intents of one queue share most of the probability.

What the guidelines allow stands in `stream.guidelines`.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp.classifier import Floats, Readings
from stream.guidelines import allowed, queue_of
from stream.records import INTENTS, QUEUES, SENTIMENTS, Queue

Labels: TypeAlias = npt.NDArray[np.int64]

NEGATIVE, NEUTRAL, POSITIVE = range(3)
_DIGITS = 9
"""Ties are decided on so many, so that the order of a sum, which may depend on the batch, never decides."""


class State(NamedTuple):
    reputation: int
    intent: int
    level: int
    act: bool

    @property
    def queue(self) -> Queue:
        return queue_of(INTENTS[self.intent], self.level, self.act)


class Settled(NamedTuple):
    """For each target: probabilities of each head's classes, and the label that it settles on (its number)."""

    reputation: Floats
    reputation_label: Labels
    intent: Floats
    intent_label: Labels
    detractor: Floats
    detractor_label: Labels
    queue: Floats
    queue_label: Labels


def settle(readings: Readings) -> Settled:
    """Reputation, intent and queue are the allowed triple of which the fewest are expected to be wrong, one counting
    like another; the level is the one of least expected distance given that triple (the median, for it is an ordinal
    scale)."""
    p = _states(readings)
    triple = (p @ _WRONG).round(_DIGITS).argmin(axis=1)
    given = p * _TRIPLE[:, triple].T
    below = np.cumsum(given @ _LEVEL, axis=1)
    level = ((below / below[:, -1:]).round(_DIGITS) < 0.5).sum(axis=1)
    reputation, intent, queue = _TRIPLES[triple].T
    return Settled(
        p @ _REPUTATION, reputation, p @ _INTENT, intent, p @ _LEVEL, level, p @ _QUEUE, queue
    )  # fmt: skip


def _states(readings: Readings) -> Floats:
    """[T, states] probability of each allowed state."""
    act = np.stack([1 - readings.act, readings.act], axis=1)
    p = (
        readings.reputation[:, _S_REPUTATION]
        * readings.intent[:, _S_INTENT]
        * np.where(_S_NEGATIVE, readings.detractor[:, _S_LEVEL], 1.0)
        * act[:, _S_ACT]
    )
    p += 1e-12
    out: Floats = p / p.sum(axis=1, keepdims=True)
    return out


def _all_states() -> list[State]:
    return [
        State(reputation, intent, level, act)
        for reputation, reputation_name in enumerate(SENTIMENTS)
        for intent, intent_name in enumerate(INTENTS)
        for level in range(4)
        for act in (False, True)
        if allowed(reputation_name, intent_name, level)
    ]


def _indicator(numbers: npt.NDArray[np.int64], classes: int) -> Floats:
    out: Floats = (numbers[:, None] == np.arange(classes)).astype(np.float64)
    return out


STATES = tuple(_all_states())
_S_REPUTATION = np.array([state.reputation for state in STATES])
_S_INTENT = np.array([state.intent for state in STATES])
_S_LEVEL = np.array([state.level for state in STATES])
_S_ACT = np.array([int(state.act) for state in STATES])
_S_NEGATIVE = _S_REPUTATION == NEGATIVE
_REPUTATION = _indicator(_S_REPUTATION, len(SENTIMENTS))
_INTENT = _indicator(_S_INTENT, len(INTENTS))
_LEVEL = _indicator(_S_LEVEL, 4)
_S_QUEUE = np.array([QUEUES.index(state.queue) for state in STATES])
_QUEUE = _indicator(_S_QUEUE, len(QUEUES))
_S_TRIPLE = np.stack([_S_REPUTATION, _S_INTENT, _S_QUEUE], axis=1)
_TRIPLES, _triple_of = np.unique(_S_TRIPLE, axis=0, return_inverse=True)
_TRIPLE = _indicator(_triple_of.ravel(), len(_TRIPLES))
_WRONG = (_S_TRIPLE[:, None] != _TRIPLES).sum(axis=2).astype(np.float64)
"""[states, triples] how many of a triple are wrong in a state."""
