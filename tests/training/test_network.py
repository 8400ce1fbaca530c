"""The module that is trained says what the exported graph says. Needs torch, which no extra brings: a visible skip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_model

from nlp.encoder import HEADS, Network
from nlp.own import graph
from nlp.pieces import MARKS, reserved

torch = pytest.importorskip("torch", reason="torch is not installed: see docs/extending.md")
network = pytest.importorskip("nlp.own.network")

SHAPE = {"layers": 2, "hidden": tiny_model.HIDDEN, "heads": tiny_model.HIDDEN // graph.HEAD_SIZE, "ffn": 96}


def _model(arrays: dict[str, np.ndarray]) -> object:
    encoder = network.encoder_from(arrays, network.Shape(**SHAPE), dropout=0.0)
    model = network.Model(encoder, {name: len(classes) for name, classes in HEADS.items()}, dropout=0.0)
    network.load_heads(model, arrays)
    return model.eval()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny tokenizer has its marks elsewhere."""
    rows = {token["content"]: token["id"] for token in reserved(tiny_model.tokenizer())["added_tokens"]}
    monkeypatch.setattr(network, "SPECIAL", tuple(rows[one] for one in MARKS))
    monkeypatch.setattr(network, "MASK", tiny_model.PIECES - 1)


def test_the_two_round_alike() -> None:
    assert (network.ACTIVATION_STEPS, network.WEIGHT_STEPS) == (graph.ACTIVATION_STEPS, graph.WEIGHT_STEPS)
    rows = np.random.default_rng(3).standard_normal((7, 64)).astype(np.float32)
    served = graph.four_bits(*graph.to_four_bits(rows)).astype(np.float32)
    assert np.allclose(network.four_bit(torch.from_numpy(rows)).numpy(), served, atol=2e-3)


def test_the_rounded_module_says_what_the_graph_says(tmp_path: Path) -> None:
    arrays = tiny_model.arrays()
    graph.export(arrays, tiny_model.card(), reserved(tiny_model.tokenizer()), tmp_path / "model")
    served = Network(tmp_path / "model")
    model = _model(arrays)
    model.quantise(True)
    for length in (3, 9, 30):
        ids = np.random.default_rng(length).integers(4, 190, length).astype(np.uint16)
        with torch.no_grad():
            said = model(torch.from_numpy(ids.astype(np.int64))[None])
        mine = np.concatenate([said[name][0].numpy() for name in HEADS])
        theirs = np.frombuffer(served.logits([ids])[0], np.float32)
        assert np.abs(mine - theirs).max() < 0.05 * np.abs(theirs).max()


def test_padding_changes_nothing_that_matters() -> None:
    model = _model(tiny_model.arrays())
    ids = torch.arange(4, 24)[None]
    padded = torch.cat([ids, torch.full((1, 12), network.PAD)], dim=1)
    with torch.no_grad():
        one, other = model(ids), model(padded)
    assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in HEADS)


def test_what_was_learnt_is_read_back(tmp_path: Path) -> None:
    learn = pytest.importorskip("training.learn")
    arrays = tiny_model.arrays()
    model = _model(arrays)
    learn.save(tmp_path / "weights", network.arrays_of(model))
    again = _model({**arrays, **learn.load(tmp_path / "weights")})
    ids = torch.arange(4, 24)[None]
    with torch.no_grad():
        one, other = model(ids), again(ids)
    assert all(torch.allclose(one[name], other[name], atol=2e-2) for name in HEADS)


def test_a_served_model_is_gone_on_from(tmp_path: Path) -> None:
    """Laid over the base's arrays, as `training.learn` does, it says what is served."""
    reopen = pytest.importorskip("training.reopen")
    base = tiny_model.arrays()
    tokenizer = reserved(tiny_model.tokenizer())
    graph.export(base, tiny_model.card(), tokenizer, tmp_path / "model")

    held = reopen.reopened(tmp_path / "model", base["embeddings.position_embeddings.weight"])
    assert held["special"].shape == (len(MARKS), tiny_model.HIDDEN)
    assert len(held["embeddings.position_embeddings.weight"]) == len(base["embeddings.position_embeddings.weight"])
    learnt = {name: value for name, value in base.items() if not name.startswith("head.")}
    again = _model({**learnt, **held})
    again.quantise(True)
    ids = np.random.default_rng(4).integers(4, 190, 20).astype(np.uint16)
    with torch.no_grad():
        said = again(torch.from_numpy(ids.astype(np.int64))[None])
    mine = np.concatenate([said[name][0].numpy() for name in HEADS])
    theirs = np.frombuffer(Network(tmp_path / "model").logits([ids])[0], np.float32)
    assert np.abs(mine - theirs).max() < 0.05 * np.abs(theirs).max()


def test_a_cpu_computes_in_16_bits_only_where_it_has_them(tmp_path: Path) -> None:
    learn = pytest.importorskip("training.learn")
    for flags, has in (("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx512f avx512_bf16x", False)):
        place = tmp_path / flags.replace(" ", "-")
        place.write_text(f"processor\t: 0\nflags\t\t: {flags}\n", "utf-8")
        assert learn.computes_in_bf16(place) is has
    assert not learn.computes_in_bf16(tmp_path / "none")
