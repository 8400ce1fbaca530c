"""Two versions of weights have a weighted mean, which is written as they are; what has none is named. Needs numpy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from training import mean as command
from training.mean import mean
from training.weights import load, save


def weights(value: float, **heads: float) -> dict[str, np.ndarray]:
    body = {"encoder.layer.0.output.dense.weight": np.full((3, 2), value, np.float16)}
    return body | {f"head.{name}.bias": np.full(2, of, np.float16) for name, of in heads.items()}


def test_the_command_writes_the_mean_and_takes_what_only_one_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a", weights(1.0, intent=2.0, irony=5.0))
    save(tmp_path / "b", weights(6.0, intent=-3.0, tone=7.0))
    words = ["mean", str(tmp_path / "a"), "0.2", str(tmp_path / "b"), "0.8", str(tmp_path / "new" / "c")]
    monkeypatch.setattr(sys, "argv", words)
    command.main()
    found = load(tmp_path / "new" / "c")
    assert {name: one.ravel()[0] for name, one in found.items()} == {
        "encoder.layer.0.output.dense.weight": 5.0, "head.intent.bias": -2.0, "head.irony.bias": 5.0,
        "head.tone.bias": 7.0,
    }  # fmt: skip
    assert {one.dtype for one in found.values()} == {np.dtype(np.float16)}
    assert found["encoder.layer.0.output.dense.weight"].shape == (3, 2)
    with pytest.raises(SystemExit):
        command.main()
    assert "is there already" in capsys.readouterr().err


def test_parts_count_by_their_share_of_the_sum() -> None:
    first, second = weights(1.0, intent=2.0), weights(3.0, intent=4.0)
    for parts in ((1.0, 1.0), (0.5, 0.5), (7.0, 7.0)):
        assert mean(first, second, parts)["encoder.layer.0.output.dense.weight"].tolist() == [[2.0] * 2] * 3
    assert mean(first, second, (1.0, 0.0))["head.intent.bias"].tolist() == [2.0, 2.0]
    for parts in ((0.0, 0.0), (-0.2, 1.2), (float("nan"), 1.0), (float("inf"), 1.0)):
        with pytest.raises(ValueError, match="neither may be below 0"):
            mean(first, second, parts)


def test_what_has_no_mean_is_named() -> None:
    first, second = weights(1.0, intent=2.0), weights(1.0, intent=2.0)
    second["head.intent.bias"] = np.zeros(3, np.float16)
    with pytest.raises(ValueError, match=r"shapes that differ: head\.intent\.bias \(\(2,\), \(3,\)\)"):
        mean(first, second, (0.5, 0.5))
    longer = weights(1.0, intent=2.0) | {"encoder.layer.1.output.dense.weight": np.zeros((3, 2), np.float16)}
    with pytest.raises(ValueError, match=r"only one of the two has encoder\.layer\.1\.output\.dense\.weight"):
        mean(weights(1.0, intent=2.0), longer, (0.5, 0.5))


def test_a_stem_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a", weights(1.0))
    words = ["mean", str(tmp_path / "a"), "0.2", str(tmp_path / "b.0.npz"), "0.8", str(tmp_path / "c")]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        command.main()
    assert "b.0.npz.0.npz: give the stem" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "c.0.npz").exists()
