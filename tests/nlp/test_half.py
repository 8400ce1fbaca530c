"""Half precision comes from the weights that are shipped, says nearly the same, and says that it was it that spoke.

On a processor, by the same graph as on a GPU: every product is rounded to 16 bits there as well.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_model
from tiny_model import passages, rows

from nlp import device, half, shelf
from nlp.encoder import HALF, TransformerClassifier
from nlp.half import TEXTS, HalfNetwork
from nlp.own import half as own
from nlp.own.graph import to_eight_bits
from nlp.own.weights import read_weights
from nlp.pieces import BEGIN, END, Ids
from nlp.shelf import ModelError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def network(folder: Path) -> HalfNetwork:
    return HalfNetwork(folder, "cpu")


def of_pieces(length: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.array([BEGIN, *draw.integers(END + 1, tiny_model.PIECES, length), END], np.uint16)


def in_numpy(folder: Path, ids: np.ndarray, sums: type) -> np.ndarray:
    """The logits by the weights of `folder`, inputs and weights of products in 8 bits, and what comes out as `sums`."""
    held = {name: np.asarray(array, np.float32) for name, array in read_weights(folder).items()}

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        numbers, columns = to_eight_bits(held[f"{name}.weight"])
        rows = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-8) / 127
        exact = np.rint(x / rows).astype(np.int64) @ numbers.astype(np.int64)
        rounded = (exact / 2**14).astype(sums).astype(np.float64) * 2**14
        return (rounded * rows * columns + held[f"{name}.bias"]).astype(np.float32)

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        apart = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((apart**2).mean(axis=-1, keepdims=True) + 1e-12)
        return apart / deviation * held[f"{name}.weight"] + held[f"{name}.bias"]

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(ids), -1, 32).transpose(1, 0, 2)

    erf = np.vectorize(math.erf)
    x = held["embeddings.word_embeddings.weight"][ids] + held["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x, "embeddings.LayerNorm")
    for place in ("encoder.layer.0.", "encoder.layer.1."):
        query, key, value = (split(dense(x, f"{place}attention.self.{one}")) for one in ("query", "key", "value"))
        scores = np.exp(query @ key.transpose(0, 2, 1) / np.sqrt(32))
        mixed = (scores / scores.sum(axis=-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(ids), -1)
        x = norm(x + dense(mixed, f"{place}attention.output.dense"), f"{place}attention.output.LayerNorm")
        y = dense(x, f"{place}intermediate.dense")
        x = norm(x + dense(y / 2 * (1 + erf(y / np.sqrt(2))), f"{place}output.dense"), f"{place}output.LayerNorm")
    heads = [name.removesuffix(".weight") for name in held if name.startswith("head.") and name.endswith(".weight")]
    return np.concatenate([held[f"{name}.weight"] @ x.mean(axis=0) + held[f"{name}.bias"] for name in heads])


def apart(folder: Path, network: HalfNetwork, sums: type) -> float:
    """The mean distance from what numpy computes."""
    texts = [of_pieces(length, seed=length) for length in (1, 2, 4, 9, 17, 30)]
    said = [np.frombuffer(row, np.float32) for row in network.logits(texts)]
    return float(np.mean([np.abs(one - in_numpy(folder, ids, sums)) for one, ids in zip(said, texts, strict=True)]))


def test_the_products_are_those_of_the_shipped_integers_rounded_to_16_bits(folder: Path, network: HalfNetwork) -> None:
    assert apart(folder, network, np.float16) < 1e-5 < 1e-3 < apart(folder, network, np.float64)


def test_what_goes_into_and_comes_out_of_a_product_of_weights_is_in_16_bits(folder: Path) -> None:
    graph = onnx.load_from_string(own.derived(folder))
    onnx.checker.check_model(graph, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(graph).graph
    held = {one.name: onnx.numpy_helper.to_array(one) for one in inferred.initializer}
    kinds = {one.name: one.type.tensor_type.elem_type for one in inferred.value_info}
    kinds |= {one.name: one.data_type for one in inferred.initializer}
    products = [node for node in inferred.node if node.op_type == "MatMul" and node.input[1] in held]
    assert len(products) == 2 * 6 + 1
    for node in products[:-1]:
        assert {kinds[name] for name in (*node.input, *node.output)} == {onnx.TensorProto.FLOAT16}
        numbers = held[node.input[1]].astype(np.float32) * 128
        assert (numbers == np.rint(numbers)).all()
        assert np.abs(numbers).max() == 64
    for node in inferred.node:
        if node.op_type in ("Softmax", "LayerNormalization", "Erf"):
            assert {kinds[name] for name in (*node.input, *node.output)} == {onnx.TensorProto.FLOAT}
    assert {node.domain for node in inferred.node} == {""}


def test_it_says_nearly_what_the_integers_say(folder: Path, network: HalfNetwork) -> None:
    posts = passages(60)
    plain = rows(TransformerClassifier(folder).read(posts))
    halved = rows(TransformerClassifier(folder, half=network).read(posts))
    far = [np.abs(one - other).max() for one, other in zip(plain, halved, strict=True)]
    assert 0 < np.mean(far) < 0.01


def test_a_batch_always_has_the_same_size_and_a_post_is_read_the_same_in_any(
    folder: Path, network: HalfNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = set[tuple[int, int]]()
    run = network._session.run

    class Watched:
        def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
            sizes.add(given["ids"].shape)  # type: ignore[arg-type]
            return run(names, given)

    monkeypatch.setattr(network, "_session", Watched())
    classifier, posts = TransformerClassifier(folder, kept=0, half=network), passages(70)
    alone = [rows(classifier.read([post]))[0] for post in posts]
    together = rows(classifier.read(posts))
    assert max(np.abs(one - other).max() for one, other in zip(alone, together, strict=True)) <= 1e-5
    assert {texts for _, texts in sizes} == {TEXTS}
    assert len(sizes) == len({length for length, _ in sizes})


def test_it_is_named_after_what_it_is(folder: Path, network: HalfNetwork) -> None:
    card = shelf.at(folder)
    assert TransformerClassifier(folder, half=network).model == f"tiny-3{HALF}" == shelf.named(card, "cuda")
    assert TransformerClassifier(folder).model == "tiny-3" == shelf.named(card, "cpu")


def test_other_weights_give_another_network_at_once(folder: Path, tmp_path: Path, network: HalfNetwork) -> None:
    changed = tmp_path / "tiny"
    tiny_model.export(
        tiny_model.arrays(seed=2), tiny_model.card(), tiny_model.reserved(tiny_model.tokenizer()), changed
    )
    ids = [of_pieces(9, seed=1)]
    assert HalfNetwork(changed, "cpu").logits(ids) != network.logits(ids)
    assert {file.name for file in changed.iterdir()} == {"card.json", "model.onnx", "tokenizer.json"}


def test_a_network_that_says_something_else_is_refused(folder: Path, network: HalfNetwork) -> None:
    class Shifted:
        def logits(self, texts: Sequence[Ids]) -> list[bytes]:
            return [(np.frombuffer(row, np.float32) + self.by).tobytes() for row in network.logits(texts)]

        def __init__(self, by: float) -> None:
            self.by = np.float32(by)

    TransformerClassifier(folder, half=Shifted(0.1))
    for by in (1.0, np.nan):
        with pytest.raises(ValueError, match=r"half precision: set device: cpu"):
            TransformerClassifier(folder, half=Shifted(by))


def test_a_damaged_model_is_told_as_without_half_precision(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:1_000])
    with pytest.raises(ValueError, match=str(broken)):
        HalfNetwork(broken, "cpu")


no_cuda = pytest.mark.skipif(
    device.PROVIDERS["cuda"] in onnxruntime.get_available_providers(), reason="this onnxruntime was built with CUDA"
)


@no_cuda
def test_where_cuda_is_missing_nothing_is_read_on_the_processor_instead(folder: Path) -> None:
    device._why_no_gpu.cache_clear()
    card = shelf.at(folder)
    with pytest.raises(ModelError, match=r"built without CUDA: install the extra `gpu`.*or set device: cpu"):
        shelf.look(card, "cuda")
    shelf.look(card, "cpu")
    with pytest.raises(ModelError, match=r"'tiny' cannot be opened on device cuda.*or set device: cpu"):
        shelf.open_folder(card, "cuda")


@no_cuda
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "version", lambda name: version("onnxruntime"))
    assert "both installed" in device._not_installed()
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    assert "package onnx is not installed" in device._not_installed()
    assert device.why_not("cpu") == ""


def test_a_linear_model_has_no_use_for_a_gpu() -> None:
    for refuses in (shelf.look, shelf.open_folder):
        with pytest.raises(ModelError, match=r"device cuda: model 'linear' is linear.*set device: cpu"):
            refuses(shelf.find("linear"), "cuda")


def test_the_trial_of_a_device_computes() -> None:
    assert device.multiplied("cpu") == 16


@no_cuda
def test_a_trial_that_fails_is_told_with_what_was_said() -> None:
    told = device._tried()
    assert "no GPU can be used here (" in told
    assert "or set device: cpu" in told


@no_cuda
def test_the_trial_runs_nothing_that_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nlp").mkdir()
    (tmp_path / "nlp" / "__init__.py").write_text("", "utf-8")
    (tmp_path / "nlp" / "device.py").write_text("raise SystemExit(0)", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert "no GPU can be used here (" in device._tried()


def test_half_precision_loads_nothing_that_trains(folder: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom nlp.half import HalfNetwork\n"
        f"HalfNetwork(Path({str(folder)!r}), 'cpu')\n"
        "assert not {'torch', 'transformers', 'scipy', 'sklearn', 'training'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(half.__file__).parents[1],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
