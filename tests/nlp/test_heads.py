"""No reading contradicts the guidelines, whatever the heads say; probabilities are marginals of one distribution."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nlp.classifier import Readings
from nlp.heads import STATES, settle
from stream.guidelines import allowed, queue_of
from stream.records import INTENTS, QUEUES, SENTIMENTS

SHARES = st.integers(1, 200).flatmap(
    lambda n: st.tuples(*(arrays(np.float64, (n % 7 + 1, k), elements=st.floats(0, 1)) for k in (3, 8, 4, 2)))
)


def readings(*heads: np.ndarray) -> Readings:
    reputation, intent, detractor, act = [(one + 1e-9) / (one + 1e-9).sum(axis=1, keepdims=True) for one in heads]
    rows = len(reputation)
    return Readings(np.full((rows, 3), 1 / 3), np.arange(rows), reputation, intent, detractor, act[:, 1])


@given(SHARES)
def test_labels_never_contradict_the_guidelines(shares: tuple[np.ndarray, ...]) -> None:
    settled = settle(readings(*shares))
    for row in range(len(shares[0])):
        reputation = SENTIMENTS[settled.reputation_label[row]]
        intent = INTENTS[settled.intent_label[row]]
        level = int(settled.detractor_label[row])
        queue = QUEUES[settled.queue_label[row]]
        assert allowed(reputation, intent, level)
        assert level == 0 or reputation == "negative"
        assert (queue == "sales") == (intent == "purchase_interest")
        assert (queue == "pr") == (intent == "public_issue" or level == 3)
        assert queue != "support" or intent in ("help_request", "complaint", "churn_threat")
        assert queue == "none" or intent not in ("praise", "suggestion", "other")


@given(SHARES)
def test_no_allowed_reputation_intent_and_queue_are_expected_to_be_wrong_less_often(
    shares: tuple[np.ndarray, ...],
) -> None:
    settled = settle(readings(*shares))
    for row in range(len(shares[0])):
        p = [settled.reputation[row], settled.intent[row], settled.queue[row]]

        def wrong(numbers: tuple[int, int, int], p: list[np.ndarray] = p) -> float:
            return float(sum(1 - of[number] for of, number in zip(p, numbers, strict=True)))

        said = settled.reputation_label[row], settled.intent_label[row], settled.queue_label[row]
        best = min(wrong((one.reputation, one.intent, QUEUES.index(one.queue))) for one in STATES)
        assert wrong(said) <= best + 1e-6


def test_a_queue_that_several_intents_share_is_said_though_another_intent_is_the_likeliest() -> None:
    intent = np.zeros((1, 8))
    shares = {"other": 0.34, "help_request": 0.33, "churn_threat": 0.33}
    for name, share in shares.items():
        intent[0, INTENTS.index(name)] = share
    settled = settle(readings(np.array([[0.5, 0.5, 0.0]]), intent, np.array([[1.0, 0, 0, 0]]), np.array([[0.0, 1.0]])))
    assert INTENTS[settled.intent_label[0]] in ("help_request", "churn_threat")
    assert QUEUES[settled.queue_label[0]] == "support"


@given(SHARES)
def test_probabilities_are_marginals_and_agree_with_one_another(shares: tuple[np.ndarray, ...]) -> None:
    settled = settle(readings(*shares))
    for p in (settled.reputation, settled.intent, settled.detractor, settled.queue):
        assert np.allclose(p.sum(axis=1), 1, atol=1e-9)
        assert (p >= 0).all()
    assert np.allclose(settled.queue[:, 0], settled.intent[:, INTENTS.index("purchase_interest")], atol=1e-9)
    assert (settled.detractor[:, 0] >= 1 - settled.reputation[:, 0] - 1e-9).all()
    assert (settled.intent[:, INTENTS.index("complaint")] <= settled.reputation[:, 0] + 1e-9).all()
    assert (settled.queue[:, QUEUES.index("pr")] >= settled.intent[:, 0] - 1e-9).all()


@given(SHARES)
def test_a_row_does_not_depend_on_the_others(shares: tuple[np.ndarray, ...]) -> None:
    together = settle(readings(*shares))
    alone = settle(readings(*(one[:1] for one in shares)))
    assert np.allclose(together.queue[:1], alone.queue, atol=1e-9)
    assert together.intent_label[0] == alone.intent_label[0]


def test_the_queues_of_the_guidelines() -> None:
    assert queue_of("purchase_interest", 0, act=False) == "sales"
    assert queue_of("help_request", 1, act=False) == "support"
    assert queue_of("churn_threat", 2, act=False) == "support"
    assert queue_of("complaint", 1, act=True) == "support"
    assert queue_of("complaint", 1, act=False) == "none"
    assert queue_of("complaint", 3, act=True) == "pr"
    assert queue_of("public_issue", 0, act=False) == "pr"
    assert queue_of("praise", 0, act=True) == "none"


def test_every_intent_and_level_can_be_reached() -> None:
    assert {INTENTS[state.intent] for state in STATES} == set(INTENTS)
    assert {state.level for state in STATES} == {0, 1, 2, 3}


@given(SHARES)
def test_no_level_that_goes_with_the_rest_is_expected_to_lie_nearer(shares: tuple[np.ndarray, ...]) -> None:
    given = readings(*shares)
    settled = settle(given)
    for row in range(len(shares[0])):
        said = settled.reputation_label[row], settled.intent_label[row], QUEUES[settled.queue_label[row]]
        share: dict[int, float] = {}
        for one in STATES:
            if (one.reputation, one.intent, one.queue) == said:
                act = given.act[row] if one.act else 1 - given.act[row]
                own = given.detractor[row, one.level] if one.reputation == 0 else 1.0
                rest = given.reputation[row, one.reputation] * given.intent[row, one.intent]
                share[one.level] = share.get(one.level, 0.0) + rest * own * act + 1e-12
        whole = sum(share.values())
        far = {level: sum(p / whole * abs(level - other) for other, p in share.items()) for level in share}
        assert far[int(settled.detractor_label[row])] <= min(far.values()) + 1e-5


def test_level_is_the_median_not_the_mode() -> None:
    sure = np.array([[1.0, 0, 0]])
    complaint = np.eye(8)[[INTENTS.index("complaint")]]
    levels = np.array([[0.4, 0.25, 0.3, 0.05]])
    settled = settle(readings(sure, complaint, levels, np.array([[0.0, 1.0]])))
    assert settled.detractor_label[0] == 1
