"""Which rows of a pack are learnt from, and by which priors. Needs torch, else a visible skip."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: see docs/extending.md")
batches = pytest.importorskip("training.batches")

SETS = ["ours:made", "ours:real", "tone"]
RECIPE = {"power": 0.5, "times": {"ours": 2.0}}


@pytest.fixture
def pack(tmp_path: Path) -> object:
    """Thirty rows, ten of each set, the last of each for development; all that is made is negative."""
    rows = np.arange(30)
    output = {"name": "reputation", "kind": "one", "of": "target", "classes": ["negative", "positive"], "served": True}
    about = {"sets": SETS, "recipe": {}, "outputs": [output]}
    (tmp_path / "about.json").write_text(json.dumps(about), "utf-8")
    np.savez(
        tmp_path / "rows.npz",
        pieces=np.full(90, 9, np.uint16), starts=np.arange(0, 91, 3), texts=rows, alt=np.full(30, -1),
        set=(rows // 10).astype(np.uint8), weight=np.ones(30, np.float16), development=rows % 10 == 9,
        **{"at.reputation": rows[:20], "label.reputation": (rows[:20] >= 10).astype(np.uint8)},
    )  # fmt: skip
    return batches.Pack(tmp_path)


def sets_of(pack: object, without: list[str]) -> set[str]:
    rows = batches.drawn(pack, {**RECIPE, "without": without}, 60, np.random.default_rng(1))
    assert len(rows) == pytest.approx(60, abs=len(SETS))
    assert not pack.arrays["development"][rows].any()
    return {SETS[number] for number in pack.arrays["set"][rows]}


def test_of_a_set_that_is_left_out_no_row_is_drawn(pack: object) -> None:
    assert sets_of(pack, []) == set(SETS)
    assert sets_of(pack, ["ours:made"]) == {"ours:real", "tone"}
    assert sets_of(pack, ["ours:*"]) == {"tone"}
    with pytest.raises(ValueError, match="without ours:mad: no set"):
        sets_of(pack, ["ours:mad"])


def test_the_prior_of_our_labels_is_that_of_the_rows_that_are_learnt_from(pack: object) -> None:
    both, real = (batches.priors(pack, {**RECIPE, "without": one})["reputation"].exp() for one in ([], ["ours:made"]))
    assert torch.allclose(both[0], torch.tensor([0.5, 0.5]))
    assert torch.allclose(real[1], torch.tensor([0.05, 0.95]))
