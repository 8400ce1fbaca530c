"""The measured tables of docs/accuracy.md: what is served is measured, and shown by model and language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from nlp.classifier import Passage, Readings
from stream.records import SENTIMENTS
from training import metrics, page
from training.page import Line, Machine

MACHINES = [Machine(name, f"{name}-1", 9.5, 1_250.0) for name in ("fast", "accurate", "linear")]


class Served:
    """A classifier that is as unsure of every post."""

    def __init__(self) -> None:
        self.thresholds = {"complaint": {"yes": 0.3}, "emotion": {"anger": 0.4}}

    def read(self, passages: Sequence[Passage]) -> Readings:
        rows = len(passages)
        return Readings(
            sentiment=np.full((rows, 3), 1 / 3), owner=np.arange(rows), reputation=np.full((rows, 3), 1 / 3),
            intent=np.full((rows, 8), 1 / 8), detractor=np.full((rows, 4), 1 / 4), act=np.full(rows, 0.5),
            complaint=np.full(rows, 0.35), emotion=np.full((rows, 6), 0.45), irony=np.full(rows, 0.35),
        )  # fmt: skip


def test_yes_is_said_from_the_model_s_own_threshold_on_as_it_is_served() -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("vaderSentiment")
    from training.evaluate import read

    served: Any = Served()
    said = read(served, [Passage("ba la mi")] * 3)
    assert said.labels["complaint"].tolist() == [1, 1, 1]
    assert said.labels["irony"].tolist() == [0, 0, 0]
    assert said.p["complaint"].tolist() == [[0.65, 0.35]] * 3
    assert said.labels["emotion"].tolist() == [[True] + [False] * 5] * 3
    assert "offensive" not in said.labels


def test_the_questions_of_a_row_are_counted_together() -> None:
    y = np.array([[1, 0], [0, 1], [1, 1]], bool)
    said = np.array([[1, 1], [0, 0], [1, 1]], bool)
    known = np.array([[1, 0], [1, 1], [1, 1]], bool)
    p = np.array([[0.9, 0.9], [0.1, 0.4], [0.8, 0.7]])
    found = metrics.of_questions(y, said, p, known, band=0.65)
    assert found.f1.value == pytest.approx(5 / 6)
    assert found.recall.value == pytest.approx(3 / 4)
    assert found.accuracy.value == pytest.approx(4 / 5)
    assert found.accuracy.low < 4 / 5 <= found.accuracy.high
    assert found.error == pytest.approx((0.2 + 0.6 + 0.2 + 0.3) / 5)
    assert (found.outside, found.right) == (pytest.approx(2 / 3), 1.0)
    assert metrics.of_questions(y, said, p, known).outside is None


def test_questions_that_are_answered_as_surely_as_they_are_right_show_no_error() -> None:
    draw = np.random.default_rng(3)
    p = draw.random((1_500, 6))
    y, every = draw.random(p.shape) < p, np.ones(p.shape, bool)
    found = metrics.of_questions(y, p >= 0.5, p, every)
    assert found.error is not None
    assert found.perfect is not None
    assert found.error < found.perfect + 0.01
    bold = metrics.of_questions(y, p >= 0.5, np.where(p >= 0.5, 0.99, 0.01), every)
    assert (bold.error or 0) > 0.2


def line(lang: str, y: list[int], label: list[int]) -> Line:
    said, p = np.array(label), np.eye(3)[label] * 0.7 + 0.1
    found = metrics.of_classes(np.array(y), said, 3, p, 0.5)
    models = {one.name: found for one in MACHINES}
    return Line("reputation", "labels", lang, len(y), SENTIMENTS, models, {}, None, None)


def test_what_is_said_for_what_is_shown_of_each_language_by_the_encoders() -> None:
    english, spanish = line("en", [0, 0, 1, 2], [0, 0, 1, 2]), line("es", [0, 1, 2], [1, 1, 2])
    both = line("en, es", [0, 0, 1, 2, 0, 1, 2], [0, 0, 1, 2, 1, 1, 2])
    text = page.write([both, english, spanish], MACHINES, "spoken", "header", pages=False)
    shown = text.split(" on our labels")
    assert [part.splitlines()[-1] for part in shown[:-1]] == ["### `fast`", "### `accurate`"]
    rows = "| **negative** | en | 2 | 0 | 0 |\n|  | es | 0 | 1 | 0 |\n| **neutral** | en | 0 | 1 | 0 |\n"
    assert [rows in part for part in shown] == [False, True, True]
    assert "| head | set | language | macro recall (95 %) | accuracy (95 %) |" in text
    assert f"| {page.interval(both.models['fast'].accuracy)} |" in text
    assert "| fast | `fast-1` | 9.5 | 1,250 | 800 |" in text
    assert max(map(len, text.splitlines())) < 200


def test_emotion_stands_beside_the_other_heads() -> None:
    y = np.eye(6, dtype=bool)
    found = metrics.of_questions(y, y, np.where(y, 0.9, 0.2), np.ones((6, 6), bool))
    shown = Line("emotion", "emoevent", "es", 6, ("anger",), {"fast": found}, {}, None, None)
    text = page.calibration([shown], MACHINES)
    assert f"| emotion | emoevent | es | {page.interval(found.recall)} | {page.interval(found.accuracy)} |" in text
    assert f"| {found.error:.3f} ({found.perfect:.3f}) | – | – |" in text
    assert text.count("each class is a question of yes or no") == 1
