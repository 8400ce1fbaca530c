"""How rare a count is, when so many were expected: the upper tail of a gamma, on a logarithmic scale, for whole arrays.

Counts of posts are over-dispersed: their variance is `spread` times their mean. A gamma of that mean and variance
stands for the negative binomial: it needs no whole numbers, and where next to nothing is expected its tail is that of
small bunches that come seldom.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

LOG10: Final = float(np.log(10.0))
ROOT_2PI: Final = float(np.sqrt(2 * np.pi))
SMALL_SHAPE: Final = 10.0
"""Below this the cube root of a gamma isn't near enough to a normal."""

FRACTIONS: Final = 30
"""Terms of the continued fraction; with shapes below 10 and values above shape + 1 they give four digits."""


def surprise(count: Numbers, expected: Numbers, spread: Numbers) -> Numbers:
    """-log10 of the chance to see `count` or more; between 0 and about 0.3 where no more than the expected was seen.

    Args:
        count: what was seen, ≥ 0.
        expected: the mean, > 0.
        spread: variance divided by mean, > 0.
    """
    shape = expected / spread
    value = np.maximum(count, 0.0) / spread
    found = _by_cube_root(shape, value)
    small = shape < SMALL_SHAPE
    above = value > shape + 1.0
    far, near = small & above, small & ~above
    if far.any():
        found[far] = _by_fraction(shape[far], value[far])
    if near.any():
        found[near] = _by_series(shape[near], value[near])
    return np.asarray(np.maximum(found, 0.0))


def band(expected: Numbers, spread: Numbers, deviations: float) -> tuple[Numbers, Numbers]:
    """Lower and upper end of what is usual, so many standard deviations of a normal away."""
    ninth = spread / (9.0 * expected)
    root = np.sqrt(ninth)
    low = expected * np.maximum(1.0 - ninth - deviations * root, 0.0) ** 3
    return low, expected * np.maximum(1.0 - ninth + deviations * root, 1e-9) ** 3


def _by_cube_root(shape: Numbers, value: Numbers) -> Numbers:
    """Wilson and Hilferty (1931): the cube root of a gamma divided by its mean is nearly normal."""
    ninth = 1.0 / (9.0 * shape)
    deviations = (np.cbrt(value / shape) - (1.0 - ninth)) / np.sqrt(ninth)
    return -_log_normal_tail(deviations) / LOG10


def _log_normal_tail(deviations: Numbers) -> Numbers:
    """log P(Z > z) by the bound of Szarek and Werner (1999) on Mills' ratio: 13 % too high at 0, exact far out."""
    z = np.maximum(deviations, 0.0)
    return np.asarray(-0.5 * z * z - np.log(ROOT_2PI) + np.log(4.0 / (3.0 * z + np.sqrt(z * z + 8.0))))


def _by_fraction(shape: Numbers, value: Numbers) -> Numbers:
    """Legendre's continued fraction of the upper incomplete gamma function, by Lentz's rule."""
    tiny = 1e-300
    below = value + 1.0 - shape
    c = np.full_like(value, 1.0 / tiny)
    d = 1.0 / below
    product = d.copy()
    for term in range(1, FRACTIONS + 1):
        factor = -term * (term - shape)
        below = below + 2.0
        d = 1.0 / (factor * d + below)
        c = below + factor / c
        product *= d * c
    logarithm = -value + shape * np.log(value) - _log_gamma(shape) + np.log(product)
    return np.asarray(-logarithm / LOG10)


def _by_series(shape: Numbers, value: Numbers) -> Numbers:
    """One minus the lower incomplete gamma function by its power series, for values of at most shape + 1."""
    term = np.ones_like(value)
    total = term.copy()
    for step in range(1, FRACTIONS + 1):
        term *= value / (shape + step)
        total += term
    logarithm = -value + shape * np.log(np.maximum(value, 1e-300)) - _log_gamma(shape) - np.log(shape)
    below = total * np.exp(logarithm)
    return np.asarray(-np.log(np.clip(1.0 - below, 1e-15, 1.0)) / LOG10)


def _log_gamma(shape: Numbers) -> Numbers:
    """Stirling's series after six steps up."""
    high = shape + 6.0
    steps = shape.copy()
    for step in range(1, 6):
        steps *= shape + step
    series = (high - 0.5) * np.log(high) - high + 0.5 * np.log(2 * np.pi) + 1 / (12 * high) - 1 / (360 * high**3)
    return np.asarray(series - np.log(steps))
