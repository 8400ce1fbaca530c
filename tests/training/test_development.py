"""Figures on the development rows: macro-F1 of what has a label, class by class where several hold at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.development import NONE, UNKNOWN, figures


class Output(NamedTuple):
    name: str
    kind: str
    classes: tuple[str, ...]


def test_rows_and_classes_without_a_label_do_not_count() -> None:
    outputs = [Output("tone", "one", ("bad", "good")), Output("emotion", "many", ("joy", "fear"))]
    labels = {
        "tone": np.array([0, 1, NONE, 1], np.uint8),
        "emotion": np.array([[1, 0], [0, UNKNOWN], [NONE, NONE], [1, 1]], np.uint8),
    }
    said = {
        "tone": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]),
        "emotion": np.array([[2.0, -1.0], [-1.0, 5.0], [3.0, 3.0], [-1.0, 2.0]]),
    }
    # Tone: bad 2·1/(1+2), good 2·1/(2+1). Emotion: joy 2·1/(2+1), fear right on both rows that know it.
    assert figures(outputs, labels, said) == {"tone": 0.6667, "emotion": 0.8333}
    assert figures(outputs, labels, {"emotion": said["emotion"]}) == {"emotion": 0.8333}
