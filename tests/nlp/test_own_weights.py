"""The weights of a served model come back out of its graph: the module made of them says what the graph says, and a
graph made of them is the same graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model
from onnx import numpy_helper

from nlp.encoder import HEADS, Network
from nlp.own.graph import HEAD_SIZE, export
from nlp.own.weights import read_weights
from nlp.pieces import FILE, MARKS, reserved

TEXTS = [np.random.default_rng(length).integers(3, 199, length).astype(np.uint16) for length in range(2, 40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


def said(folder: Path) -> np.ndarray:
    return np.stack([np.frombuffer(row, np.float32) for row in Network(folder).logits(TEXTS)])


def rounded(folder: Path) -> list[np.ndarray]:
    """The numbers of 4 and 8 bits in the graph."""
    held = [numpy_helper.to_array(one) for one in onnx.load(folder / "model.onnx").graph.initializer]
    return [one for one in held if one.ndim == 2 and one.dtype in (np.int8, np.uint8)]


def test_a_model_written_from_what_was_read_has_the_same_numbers_and_says_the_same(
    folder: Path, tmp_path: Path
) -> None:
    card = json.loads((folder / "card.json").read_text("utf-8"))
    again = tmp_path / "again"
    export(read_weights(folder), card, json.loads((folder / FILE).read_text("utf-8")), again)
    assert len(rounded(folder)) == 13
    assert all((one == other).all() for one, other in zip(rounded(folder), rounded(again), strict=True))
    apart = np.abs(said(folder) - said(again)).max(axis=1)
    assert np.median(apart) < 1e-5  # scales differ in their last bit: seldom, a number is rounded the other way
    assert apart.max() < 0.05


def test_what_was_read_is_what_was_written_but_for_the_rounding(folder: Path) -> None:
    written, read = tiny_model.arrays(), read_weights(folder)
    dropped = {"embeddings.token_type_embeddings.weight"}
    assert set(read) == set(written) - dropped
    words = "embeddings.word_embeddings.weight"
    assert (read[words] == written[words]).all()
    for name in set(read) - {words}:
        if name.endswith(("key.bias", "value.bias", "output.dense.bias")) or "position" in name:
            continue
        most = np.abs(written[name].astype(np.float32)).max() / 64
        assert np.abs(read[name] - written[name].astype(np.float32)).max() <= most, name


def test_the_module_of_them_says_what_the_graph_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: see docs/models.md")
    network = pytest.importorskip("nlp.own.network")
    rows = {token["content"]: token["id"] for token in reserved(tiny_model.tokenizer())["added_tokens"]}
    monkeypatch.setattr(network, "SPECIAL", tuple(rows[one] for one in MARKS))
    arrays = read_weights(folder)
    shape = network.Shape(layers=2, hidden=tiny_model.HIDDEN, heads=tiny_model.HIDDEN // HEAD_SIZE, ffn=96)
    model = network.Model(network.encoder_from(arrays, shape), {one: len(held) for one, held in HEADS.items()})
    network.load_heads(model, arrays)
    model.eval()
    model.quantise(True)
    apart = []
    for ids, logits in zip(TEXTS, said(folder), strict=True):
        with torch.no_grad():
            found = model(torch.from_numpy(ids.astype(np.int64))[None])
        mine = np.concatenate([found[name][0].numpy() for name in HEADS])
        apart.append(np.abs(mine - logits).max())
    assert np.median(apart) < 1e-5
    assert max(apart) < 0.05


@pytest.mark.parametrize("damage", ["half", "none", "other"])
def test_what_is_no_graph_of_ours_is_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for file in folder.iterdir():
        (wrong / file.name).write_bytes(file.read_bytes())
    whole = (wrong / "model.onnx").read_bytes()
    if damage == "none":
        (wrong / "model.onnx").unlink()
        with pytest.raises(FileNotFoundError, match=str(wrong)):
            read_weights(wrong)
        return
    (wrong / "model.onnx").write_bytes(whole[: len(whole) // 2] if damage == "half" else b"")
    with pytest.raises(ValueError, match=str(wrong)):
        read_weights(wrong)
