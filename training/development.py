"""What a model's logits are worth on the rows that it is developed on. Pure; needs numpy only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np

from nlp.own.f1 import confusion, each_f1, macro_f1

UNKNOWN, NONE = 2, 255
"""Labels of a class that a set says nothing of, and of a row that an output says nothing of."""


class Output(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """`one` (of several classes) or `many` (several at once)."""

    @property
    def classes(self) -> tuple[str, ...]: ...


def figures(
    outputs: Iterable[Output], labels: Mapping[str, np.ndarray], said: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Macro-F1 by output, of those that `said` has logits of. Of kind `many` it is the mean of the F1 of its classes,
    each over the rows that say something of it. `labels` and `said`: [rows] or [rows, classes]."""
    return {
        output.name: round(_worth(output, labels[output.name], said[output.name]), 4)
        for output in outputs
        if output.name in said
    }


def _worth(output: Output, labels: np.ndarray, logits: np.ndarray) -> float:
    if output.kind == "one":
        has = labels != NONE
        return float(macro_f1(confusion(labels[has], logits[has].argmax(1), logits.shape[1])))
    scores = []
    for number in range(len(output.classes)):
        known = labels[:, number] < UNKNOWN
        scores.append(each_f1(confusion(labels[known, number], logits[known, number] > 0, 2))[1])
    return float(np.mean(scores))
