"""The weights of a served model, read back out of its graph: what `nlp.own.graph` wrote, by the same names.

Numbers of 4 and 8 bits become floats times their scales, so that a model written from what is read here has the same
numbers again. The keys' bias, which softmax does not see, and the values', which the graph holds within the output's,
are read as 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper

from nlp.encoder import read_card
from nlp.own.graph import HEAD_SIZE, Array, four_bits

_PRODUCTS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
"""Of a layer, in the graph's order."""
_NORMS = ("attention.output.LayerNorm", "output.LayerNorm")


def read_weights(folder: Path) -> dict[str, Array]:
    """By Hugging Face's names, float32; word embeddings float16.

    Raises FileNotFoundError or ValueError, both naming the folder."""
    card = read_card(folder)
    file = folder / "model.onnx"
    if not file.is_file():
        raise FileNotFoundError(f"no {file}: a model is a folder with card.json, model.onnx and tokenizer.json")
    try:
        graph = _Graph(onnx.load(file).graph)
        out = {**_embeddings(graph), **_layers(graph), **_heads(graph, card["heads"])}
    except (KeyError, IndexError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{file} is no graph that this program wrote ({error!r}): fetch the model anew") from None
    except Exception as error:  # protobuf's own, which has no public name
        raise ValueError(f"{file} cannot be read ({error}): fetch the model anew") from None
    return out


class _Graph:
    """Nodes in order, constants by name, and who reads what."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.nodes = list(graph.node)
        self._held = {one.name: one for one in graph.initializer}
        self._reader = {name: node for node in self.nodes for name in node.input}

    def of(self, kind: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if node.op_type == kind]

    def constant(self, name: str) -> Array:
        out: Array = numpy_helper.to_array(self._held[name])
        return out

    def bias_after(self, node: onnx.NodeProto) -> Array | None:
        """The constant added to what `node` says, if one is."""
        after = self._reader.get(node.output[0])
        if after is None or after.op_type not in ("Add", "BiasGelu") or after.input[1] not in self._held:
            return None
        return self.constant(after.input[1])

    def rescaled(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """The product with its rows' scales."""
        after: onnx.NodeProto = self._reader[node.output[0]]
        return after


class _Product(NamedTuple):
    weight: Array
    bias: Array


def _embeddings(graph: _Graph) -> dict[str, Array]:
    (words,) = graph.of("GatherBlockQuantized")
    packed = graph.constant(words.input[0])
    numbers = np.empty((len(packed), 2 * packed.shape[1]), np.uint8)
    numbers[:, 0::2], numbers[:, 1::2] = packed & 15, packed >> 4
    places = [
        held
        for node in graph.of("Slice")
        if node.input[0] != "shape" and (held := _constant(graph, node.input[0])) is not None and held.ndim == 3
    ]
    return {
        "embeddings.word_embeddings.weight": four_bits(numbers, graph.constant(words.input[2])),
        "embeddings.position_embeddings.weight": places[0][:, 0].astype(np.float32),
        **_norm(graph, graph.of("LayerNormalization")[0], "embeddings.LayerNorm"),
    }


def _constant(graph: _Graph, name: str) -> Array | None:
    try:
        return graph.constant(name)
    except KeyError:
        return None


def _layers(graph: _Graph) -> dict[str, Array]:
    out: dict[str, Array] = {}
    products, norms = list(_products(graph)), graph.of("LayerNormalization")[1:]
    if not products or len(products) % len(_PRODUCTS) or len(norms) != len(products) // 3:
        raise ValueError(f"{len(products)} products and {len(norms)} norms are no layers")
    for number, product in enumerate(products):
        layer, part = divmod(number, len(_PRODUCTS))
        name = f"encoder.layer.{layer}.{_PRODUCTS[part]}"
        root = np.float32(np.sqrt(HEAD_SIZE)) if part == 0 else np.float32(1)
        out[f"{name}.weight"], out[f"{name}.bias"] = product.weight * root, product.bias * root
    for number, node in enumerate(norms):
        layer, part = divmod(number, len(_NORMS))
        out.update(_norm(graph, node, f"encoder.layer.{layer}.{_NORMS[part]}"))
    return out


def _products(graph: _Graph) -> Iterator[_Product]:
    for node in graph.of("MatMulIntegerToFloat"):
        numbers, scale = graph.constant(node.input[1]), graph.constant(node.input[3])
        weight = np.ascontiguousarray((numbers.astype(np.float32) * scale).T)
        bias = graph.bias_after(graph.rescaled(node))
        yield _Product(weight, np.zeros(len(weight), np.float32) if bias is None else bias)


def _heads(graph: _Graph, heads: dict[str, dict[str, list[str]]]) -> dict[str, Array]:
    product = graph.of("MatMul")[-1]
    weight, bias = graph.constant(product.input[1]).T, graph.bias_after(product)
    if bias is None:
        raise ValueError("the heads have no bias")
    out: dict[str, Array] = {}
    start = 0
    for name, head in heads.items():
        end = start + len(head["classes"])
        out[f"head.{name}.weight"], out[f"head.{name}.bias"] = weight[start:end].copy(), bias[start:end].copy()
        start = end
    if start != len(bias):
        raise ValueError(f"the graph has {len(bias)} outputs and the card's heads {start}")
    return out


def _norm(graph: _Graph, node: onnx.NodeProto, name: str) -> dict[str, Array]:
    return {f"{name}.weight": graph.constant(node.input[1]), f"{name}.bias": graph.constant(node.input[2])}
