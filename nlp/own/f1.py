"""Macro-F1, its interval, and what one labelling gains over another. Pure: labels in, figures out; numpy alone.

Intervals are percentiles of bootstrap samples of the rows (Efron and Tibshirani 1993); two labellings are compared on
the same samples. Rows that are alike are drawn together, as one cell of a table of counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
ROUNDS = 2_000
"""Bootstrap samples; an interval is from their 2.5th to their 97.5th percentile."""


class Share(NamedTuple):
    """A figure and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def confusion(y: Array, label: Array, classes: int) -> Array:
    """[classes, classes] counts, rows are the truth."""
    cells = y.astype(np.int64) * classes + label.astype(np.int64)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def each_f1(confusion: Array) -> Array:
    """[…, classes, classes] → […, classes]; 0 for a class that stands in neither."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    out: Array = 2 * hits / np.maximum(confusion.sum(axis=-1) + confusion.sum(axis=-2), 1)
    return out


def macro_f1(confusion: Array) -> Array:
    """[…, classes, classes] → […]; a class that no row has does not count."""
    return mean_of_present(each_f1(confusion), confusion.sum(axis=-1))


def mean_of_present(scores: Array, rows: Array) -> Array:
    """[…, classes] → […]: over the classes that have rows; 0 where none has."""
    there = rows > 0
    out: Array = (scores * there).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    return out


def resampled(cells: Array) -> Array:
    """[ROUNDS, *cells]: counts of as many rows, drawn from those that `cells` counts."""
    total = int(cells.sum())
    drawn = np.random.default_rng(1).multinomial(total, cells.ravel() / total, ROUNDS)
    return drawn.reshape(ROUNDS, *cells.shape)


def share(measure: Callable[[Array], Array], cells: Array, samples: Array) -> Share:
    """What `measure` says of `cells`, between what it says of their samples."""
    low, high = np.percentile(measure(samples), (2.5, 97.5))
    return Share(float(measure(cells)), float(low), float(high))


def paired(y: Array, first: Array, second: Array, classes: int) -> Share:
    """Macro-F1 of `second` less that of `first` on the same rows."""
    cells = (y.astype(np.int64) * classes + first) * classes + second
    cube = np.bincount(cells, minlength=classes**3).reshape(classes, classes, classes)
    return share(_gain, cube, resampled(cube))


def _gain(cube: Array) -> Array:
    """[…, truth, first, second] → […]"""
    return macro_f1(cube.sum(axis=-2)) - macro_f1(cube.sum(axis=-1))
