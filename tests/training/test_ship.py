"""What `training.ship` writes into a card beside the heads."""

from __future__ import annotations

import numpy as np

from training.ship import band_of_several


def test_a_head_of_several_is_banded_by_what_it_is_least_sure_of() -> None:
    """Sure where one class alone is near its threshold is not sure; rows that leave a class open do not count."""
    p = np.array([[0.95, 0.05], [0.9, 0.1], [0.6, 0.02], [0.97, 0.45], [0.02, 0.01]])
    y = np.array([[1, 0], [1, 0], [0, 0], [1, 1], [0, 2]])
    assert band_of_several(p, y, [0.5, 0.5], 1.0) == 0.9
    assert band_of_several(p, y, [0.5, 0.5], 0.5) == 0.55


def test_a_head_that_is_never_right_so_often_always_abstains() -> None:
    assert band_of_several(np.full((4, 2), 0.9), np.zeros((4, 2), int), [0.5, 0.5], 0.8) == 1.0
