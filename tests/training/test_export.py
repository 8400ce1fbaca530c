"""The exported graph computes the network that its weights describe, rounded as it says, or is not written at all."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from safetensors.numpy import save_file

from nlp.encoder import HEADS, Network, TransformerClassifier
from nlp.own.graph import (
    ACTIVATION_STEPS,
    HEAD_SIZE,
    WEIGHT_STEPS,
    export,
    four_bits,
    graph,
    shape,
    to_eight_bits,
    to_four_bits,
)
from nlp.pieces import MARKS, reserved
from training.export import whole

TEXTS = [np.random.default_rng(length).integers(3, 199, length).astype(np.uint16) for length in (1, 3, 16, 31, 128)]
_erf = np.vectorize(math.erf)


class Described:
    """The network in 64-bit numpy, by the weights' names; `rounded`: products of what serving rounds to 8 bits.

    A number between two steps may be rounded the other way in 32 bits: seldom, and then seen in the third digit."""

    def __init__(self, arrays: dict[str, np.ndarray], rounded: bool) -> None:
        self.arrays = {name: value.astype(np.float64) for name, value in arrays.items()}
        self.rounded = rounded

    def logits(self, ids: np.ndarray) -> np.ndarray:
        x = self.arrays["embeddings.word_embeddings.weight"][ids]
        x = x + self.arrays["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + self.arrays["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(shape(self.arrays)["layers"]):
            place = f"encoder.layer.{layer}."
            mixed = self.mixed(x, place)
            x = self.norm(x + mixed, f"{place}attention.output.LayerNorm")
            inner = self.product(x, f"{place}intermediate.dense")
            inner = inner * (1 + _erf(inner / math.sqrt(2))) / 2
            x = self.norm(x + self.product(inner, f"{place}output.dense"), f"{place}output.LayerNorm")
        pooled = x.mean(axis=0)
        return np.concatenate(
            [self.arrays[f"head.{name}.weight"] @ pooled + self.arrays[f"head.{name}.bias"] for name in HEADS]
        )

    def mixed(self, x: np.ndarray, place: str) -> np.ndarray:
        own, out = f"{place}attention.self.", f"{place}attention.output.dense"
        split = (len(x), -1, HEAD_SIZE)
        q, k, v = (self.product(x, own + name) for name in ("query", "key", "value"))
        through = self.arrays[f"{own}value.bias"]
        q, k, v = (one.reshape(split) for one in (q, k, v - through))
        scores = np.exp(np.einsum("qhd,khd->hqk", q, k) / math.sqrt(HEAD_SIZE))
        seen = np.einsum("hqk,khd->qhd", scores / scores.sum(axis=-1, keepdims=True), v).reshape(len(x), -1)
        return self.product(seen, out) + self.arrays[f"{out}.weight"] @ through

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        return (
            centred / centred.std(axis=-1, keepdims=True) * self.arrays[f"{name}.weight"] + self.arrays[f"{name}.bias"]
        )

    def product(self, x: np.ndarray, name: str) -> np.ndarray:
        weight = self.arrays[f"{name}.weight"]
        if self.rounded:
            x, weight = stepped(x, ACTIVATION_STEPS), stepped(weight, WEIGHT_STEPS)
        return x @ weight.T + self.arrays[f"{name}.bias"]


def stepped(rows: np.ndarray, steps: int) -> np.ndarray:
    scale = np.abs(rows).max(axis=-1, keepdims=True) / steps
    return np.rint(rows / scale) * scale


def said(folder: Path) -> list[np.ndarray]:
    return [np.frombuffer(row, np.float32) for row in Network(folder).logits(TEXTS)]


@pytest.mark.parametrize(("layers", "ffn"), [(1, 64), (2, 96), (3, 32)])
def test_it_says_what_the_weights_describe(tmp_path: Path, layers: int, ffn: int) -> None:
    arrays = tiny_model.arrays(layers, ffn)
    size = export(arrays, tiny_model.card(), reserved(tiny_model.tokenizer()), tmp_path / "model")
    assert size == sum(file.stat().st_size for file in (tmp_path / "model").iterdir())
    apart = []
    for ids, logits in zip(TEXTS, said(tmp_path / "model"), strict=True):
        near, exact = Described(arrays, True).logits(ids), Described(arrays, False).logits(ids)
        apart.append(np.abs(logits - near).max())
        assert 0.01 < np.abs(near - exact).max() < 0.4
    assert np.median(apart) < 1e-5
    assert max(apart) < 0.02
    told = json.loads((tmp_path / "model" / "card.json").read_text("utf-8"))
    assert told["shape"] == {"pieces": tiny_model.PIECES, "layers": layers, "hidden": 64, "heads": 2, "ffn": ffn}


def test_a_card_may_have_fewer_pieces_read(tmp_path: Path) -> None:
    card = {**tiny_model.card(), "pieces": 40}
    export(tiny_model.arrays(), card, reserved(tiny_model.tokenizer()), tmp_path / "model")
    short = TransformerClassifier(tmp_path / "model").logits(["ba " * 38, "ba " * 39, "ba " * 37])
    assert (short[0] == short[1]).all()
    assert not (short[0] == short[2]).all()


def test_no_sum_of_two_products_leaves_16_bits() -> None:
    numbers, scale = to_eight_bits(np.random.default_rng(1).standard_normal((9, 40)).astype(np.float32))
    assert (numbers.shape, scale.shape) == ((40, 9), (9,))
    assert np.abs(numbers.astype(int)).max() == WEIGHT_STEPS
    assert 2 * 255 * WEIGHT_STEPS < 2**15
    nothing, _ = to_eight_bits(np.zeros((2, 32), np.float32))
    assert not nothing.any()


def test_four_bits_are_given_back_exactly_and_rounding_twice_is_rounding_once() -> None:
    rows = np.random.default_rng(1).standard_normal((50, 64)).astype(np.float16)
    once = four_bits(*to_four_bits(rows))
    assert (four_bits(*to_four_bits(once)) == once).all()
    assert np.abs(once - rows).max() < np.abs(rows).max() / 8
    assert not four_bits(*to_four_bits(np.zeros((1, 32), np.float16))).any()


def test_the_graph_gives_back_the_word_embeddings_exactly() -> None:
    arrays = tiny_model.arrays()
    arrays["embeddings.word_embeddings.weight"][7, 5] += np.float16(0.01)
    with pytest.raises(ValueError, match="4-bit"):
        graph(arrays, HEADS)


def test_what_was_learnt_of_the_marks_takes_their_rows_of_the_base(tmp_path: Path) -> None:
    arrays = tiny_model.arrays()
    words = arrays.pop("embeddings.word_embeddings.weight")
    save_file({"embeddings.word_embeddings.weight": words}, tmp_path / "model.safetensors")
    tokenizer = reserved(tiny_model.tokenizer())
    special = np.random.default_rng(3).standard_normal((len(MARKS), 64)).astype(np.float16)
    found = whole({**arrays, "special": special}, tmp_path, tokenizer)["embeddings.word_embeddings.weight"]
    rows = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    assert (found[[rows[one] for one in MARKS]] == four_bits(*to_four_bits(special))).all()
    others = np.setdiff1d(np.arange(tiny_model.PIECES), list(rows.values()))
    assert (found[others] == words[others]).all()
    assert (whole(arrays, tmp_path, tokenizer)["embeddings.word_embeddings.weight"] == words).all()


def test_weights_that_are_no_numbers_or_lack_a_layer_leave_the_old_model_alone(tmp_path: Path) -> None:
    folder = tiny_model.make(tmp_path / "model")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    for name, told in (("encoder.layer.1.output.dense.bias", "finite"), ("head.act.weight", "finite")):
        arrays = tiny_model.arrays()
        arrays[name][0] = np.nan
        with pytest.raises(ValueError, match=f"{name}.*{told}"):
            export(arrays, tiny_model.card(), reserved(tiny_model.tokenizer()), folder)
    gap = {name.replace("layer.1.", "layer.2."): array for name, array in tiny_model.arrays().items()}
    with pytest.raises(ValueError, match=r"\[0, 2\]"):
        export(gap, tiny_model.card(), reserved(tiny_model.tokenizer()), folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
