"""Figures agree with scikit-learn's, and intervals hold what they should."""

from __future__ import annotations

import numpy as np
import pytest

from nlp.own.f1 import paired
from training import metrics
from training.calibrate import error, exclusive, expected_error, softmax

sklearn = pytest.importorskip("sklearn.metrics")


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    y = draw.choice(4, 700, p=[0.6, 0.2, 0.15, 0.05])
    return y, np.where(draw.random(700) < 0.7, y, draw.integers(4, size=700))


def test_figures_are_those_of_scikit_learn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    y, label = rows
    found = metrics.of_classes(y, label, 4, ordinal=True)
    assert found.f1.value == pytest.approx(sklearn.f1_score(y, label, average="macro"))
    assert found.recall.value == pytest.approx(sklearn.recall_score(y, label, average="macro"))
    assert found.accuracy.value == pytest.approx((y == label).mean())
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(sklearn.cohen_kappa_score(y, label, weights="quadratic"))
    assert found.f1.low < found.f1.value < found.f1.high


def test_an_interval_holds_the_truth_about_nineteen_times_in_twenty() -> None:
    draw = np.random.default_rng(5)
    held = 0
    for _ in range(60):
        y = draw.integers(2, size=400)
        label = np.where(draw.random(400) < 0.8, y, 1 - y)
        share = metrics.of_classes(y, label, 2).accuracy
        held += share.low <= 0.8 <= share.high
    assert 51 <= held <= 60


def test_a_gain_is_told_from_noise(rows: tuple[np.ndarray, np.ndarray]) -> None:
    y, label = rows
    better = np.where(np.arange(700) % 2 == 0, y, label)
    gain, none = paired(y, label, better, 4), paired(y, label, label, 4)
    assert gain.low > 0
    assert none == (0.0, 0.0, 0.0)


def test_several_classes_count_only_rows_that_speak_of_them() -> None:
    y = np.array([[1, 0], [0, 1], [1, 1]], bool)
    said = np.array([[1, 1], [0, 0], [1, 1]], bool)
    known = np.array([[1, 0], [1, 1], [1, 1]], bool)
    count, mean, each = metrics.of_several(y, said, known)
    assert count == 3
    assert each == pytest.approx([1.0, 2 / 3])
    assert mean.value == pytest.approx(5 / 6)


def test_calibration_mends_probabilities_that_are_too_bold() -> None:
    draw = np.random.default_rng(7)
    z = draw.standard_normal((3000, 3)) * 1.5
    y = (softmax(z).cumsum(axis=1) > draw.random((3000, 1))).argmax(axis=1)
    bold = 3 * z
    found = exclusive(bold[:1500], y[:1500], np.ones(1500))
    p, before = found.probabilities(bold[1500:]), softmax(bold[1500:])
    right = y[1500:]
    after = error(p.max(axis=1), p.argmax(axis=1) == right)
    assert found.temperature == pytest.approx(3, rel=0.15)
    assert after < error(before.max(axis=1), before.argmax(axis=1) == right) / 3
    assert after < expected_error(p.max(axis=1)) + 0.02


def test_balance_moves_the_prior_to_equal_shares() -> None:
    draw = np.random.default_rng(9)
    y = draw.choice(2, 20_000, p=[0.9, 0.1])
    z = np.stack([np.zeros(20_000), 2.0 * (y == 1) - 1 + draw.standard_normal(20_000)], axis=1)
    own, even = (exclusive(z, y, np.ones(20_000), balance) for balance in (0.0, 1.0))
    assert own.probabilities(z)[:, 1].mean() == pytest.approx(0.1, abs=0.02)
    assert even.prior == pytest.approx([0.5, 0.5])
    moved = np.diff(even.bias) - np.diff(own.bias)
    assert moved == pytest.approx(np.log(9), abs=0.15)
