"""A served model in half precision, from the same weights: for a GPU, which is fast at products of 16 bits.

The weights are read back out of the model's graph (`nlp.own.weights`), and what is made of them is never written: it
cannot be older than they are. Plain ONNX operators only, all of which ONNX Runtime has for CUDA.

- Matrix products: 16 bits in and out. Weights are the integers of the served graph times their scales.
- All else is in 32 bits, as in the served graph: sums with what came before, layer norms, softmax, GELU, mean, heads.
- The rows that go into a product are not rounded to 8 bits. That is what the two graphs differ by, and the rounding to
  16 bits.
- Behind what becomes 16 bits stands a Reshape that changes nothing. A processor computes such products in 32 bits
  between two conversions, and ONNX Runtime drops conversions that meet: without it nothing would be rounded there, and
  what is measured on a processor would say nothing of half precision.

Input `ids` is [length, batch], output `logits` [batch, outputs], as in the served graph: no padding and no mask.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from nlp.encoder import read_card
from nlp.own.graph import HEAD_SIZE, Arrays, Builder, finished, shape, with_places
from nlp.own.weights import read_weights


def derived(folder: Path) -> bytes:
    """The graph of the model in `folder`. Raises FileNotFoundError or ValueError, both naming the folder."""
    made: bytes = graph(read_weights(folder), read_card(folder)["heads"]).SerializeToString()
    return made


def graph(arrays: Arrays, heads: Iterable[str]) -> onnx.ModelProto:
    """The whole network, of arrays as `nlp.own.graph` takes them."""
    sizes, build = shape(arrays), _Builder(arrays)
    words = build.held(build.array("embeddings.word_embeddings.weight").astype(np.float16))
    x = with_places(build, build.in_full(build.op("Gather", words, "ids", axis=0)))
    x = build.norm(x, "embeddings.LayerNorm")
    for layer in range(sizes["layers"]):
        x = _layer(build, x, f"encoder.layer.{layer}.", sizes["hidden"])
    return finished(build, build.op("ReduceMean", x, build.ints(0), keepdims=0), heads)


class _Builder(Builder):
    """Everything is in 32 bits but what `in_half` gives and what its docstring says of a function."""

    def in_half(self, x: str, dimensions: int = 3) -> str:
        return self._kept(self.op("Cast", x, to=TensorProto.FLOAT16), dimensions)

    def in_full(self, x: str) -> str:
        return self.op("Cast", x, to=TensorProto.FLOAT)

    def dense(self, x: str, name: str) -> str:
        """`x`, in 16 bits, by the weights of `name`; and its bias."""
        weight = self.held(np.ascontiguousarray(self.array(f"{name}.weight").T.astype(np.float16)))
        return self.plus(self.matrix(x, weight), self.array(f"{name}.bias"))

    def matrix(self, x: str, y: str, dimensions: int = 3) -> str:
        """The product of what is in 16 bits, rounded to 16 bits."""
        return self.in_full(self._kept(self.op("MatMul", x, y), dimensions))

    def _kept(self, x: str, dimensions: int) -> str:
        return self.op("Reshape", x, self.ints(*[0] * (dimensions - 1), -1))


def _layer(build: _Builder, x: str, place: str, hidden: int) -> str:
    y = build.dense(_attention(build, x, place, hidden), f"{place}attention.output.dense")
    x = build.norm(build.op("Add", y, x), f"{place}attention.output.LayerNorm")
    y = _gelu(build, build.dense(build.in_half(x), f"{place}intermediate.dense"))
    y = build.dense(build.in_half(y), f"{place}output.dense")
    return build.norm(build.op("Add", y, x), f"{place}output.LayerNorm")


def _attention(build: _Builder, x: str, place: str, hidden: int) -> str:
    """What each place gathers from all places of its text: [length, batch, hidden], in 16 bits."""
    x, heads = build.in_half(x), hidden // HEAD_SIZE
    split = build.op("Concat", "shape", build.ints(heads, HEAD_SIZE), axis=0)

    def of_heads(name: str, laid: list[int]) -> str:
        y = build.dense(x, f"{place}attention.self.{name}")
        return build.op("Transpose", build.op("Reshape", build.in_half(y), split), perm=laid)

    query, key, value = of_heads("query", [1, 2, 0, 3]), of_heads("key", [1, 2, 3, 0]), of_heads("value", [1, 2, 0, 3])
    scores = build.matrix(query, key, dimensions=4)
    scores = build.op("Mul", scores, build.held(np.array(HEAD_SIZE**-0.5, np.float32)))
    weights = build.in_half(build.op("Softmax", scores, axis=-1), dimensions=4)
    mixed = build.op("Transpose", build.op("MatMul", weights, value), perm=[2, 0, 1, 3])
    return build.op("Reshape", mixed, build.op("Concat", "shape", build.ints(hidden), axis=0))


def _gelu(build: _Builder, x: str) -> str:
    """x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016)."""
    half, root, one = (build.held(np.array(number, np.float32)) for number in (0.5, 0.5**0.5, 1))
    risen = build.op("Add", build.op("Erf", build.op("Mul", x, root)), one)
    return build.op("Mul", build.op("Mul", x, half), risen)
