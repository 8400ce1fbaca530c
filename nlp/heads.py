"""From what a classifier says, head by head, to one reading that does not contradict the guidelines.

A reading is a state: reputation, intent, detractor level, and whether an agent can act. Only the states that the
guidelines allow have probability: the product of the heads' probabilities, made to sum to 1. Every head's probabilities
are the marginals of that one distribution, and the queue is a function of the state.

What the guidelines allow: a complaint is negative and praise is positive, who threatens to leave is not pleased, a
level above 0 goes with a negative reputation, and level 3 with an issue, a complaint, a request or a threat to leave.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp.classifier import Floats, Readings
from stream.records import INTENTS, QUEUES, SENTIMENTS, Queue

Labels: TypeAlias = npt.NDArray[np.int64]

NEGATIVE, NEUTRAL, POSITIVE = range(3)
_SEVERE = 3
_DIGITS = 9
"""Ties are decided on so many, so that the order of a sum, which may depend on the batch, never decides."""
_MAY_BE_SEVERE = frozenset({"public_issue", "churn_threat", "help_request", "complaint"})


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


def queue_of(intent: str, level: int, act: bool) -> Queue:
    """The queue that the guidelines give. `act`: an agent can act on it (it matters for a complaint only)."""
    if intent == "public_issue" or level == _SEVERE:
        return "pr"
    if intent == "purchase_interest":
        return "sales"
    if intent in ("help_request", "churn_threat") or (intent == "complaint" and act):
        return "support"
    return "none"


def allowed(reputation: str, intent: str, level: int) -> bool:
    if level and reputation != "negative":
        return False
    if level == _SEVERE and intent not in _MAY_BE_SEVERE:
        return False
    if intent == "complaint":
        return reputation == "negative"
    if intent == "praise":
        return reputation == "positive"
    return intent != "churn_threat" or reputation != "positive"


def settle(readings: Readings) -> Settled:
    """Reputation and intent are the likeliest pair; the level is the one of least expected distance given that pair
    (the median, for it is an ordinal scale); `act` the likelier; the queue follows from them."""
    p = _states(readings)
    pair = (p @ _PAIR).round(_DIGITS).argmax(axis=1)
    reputation, intent = _PAIR_REPUTATION[pair], _PAIR_INTENT[pair]
    given = p * _PAIR[:, pair].T
    below = np.cumsum(given @ _LEVEL, axis=1)
    level = (below.round(_DIGITS) < (below[:, -1:] / 2).round(_DIGITS)).sum(axis=1)
    act = readings.act >= 0.5
    return Settled(
        p @ _REPUTATION, reputation, p @ _INTENT, intent, p @ _LEVEL, level,
        p @ _QUEUE, _QUEUE_OF[intent, level, act.astype(np.int64)],
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
_QUEUE = _indicator(np.array([QUEUES.index(state.queue) for state in STATES]), len(QUEUES))
_PAIRS = sorted({(state.reputation, state.intent) for state in STATES})
_PAIR_REPUTATION = np.array([reputation for reputation, _ in _PAIRS])
_PAIR_INTENT = np.array([intent for _, intent in _PAIRS])
_PAIR = _indicator(np.array([_PAIRS.index((state.reputation, state.intent)) for state in STATES]), len(_PAIRS))
_QUEUE_OF = np.array(
    [
        [[QUEUES.index(queue_of(intent, level, act)) for act in (False, True)] for level in range(4)]
        for intent in INTENTS
    ]
)
