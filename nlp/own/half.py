"""A served model in half precision, from the same weights: for a GPU, which is fast at products of 16 bits.

The weights are read back out of the model's graph (`nlp.own.weights`), and what is made of them is never written: it
cannot be older than they are. Plain ONNX operators only, all of which ONNX Runtime has for CUDA.

- Matrix products of weights: what goes in are the integers of the served graph, inputs 8 bits a row and weights 8 bits
  a column, each over STEP in a number of 16 bits, which holds it exactly. Sums in 32 bits are exact too, in whatever
  order: 127·64·1536 < 2^24. Only what comes out is rounded, to 16 bits.
- All else is in 32 bits, as in the served graph: attention, sums with what came before, layer norms, GELU, mean, heads.
- Behind a product stands a Reshape that changes nothing. A processor computes products of 16 bits in 32 between two
  conversions, and ONNX Runtime drops conversions that meet: without it nothing would be rounded there, and what is
  measured on a processor would say nothing of half precision.

Input `ids` is [length, batch], output `logits` [batch, outputs], as in the served graph: no padding and no mask.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from nlp.encoder import read_card
from nlp.own.graph import (
    ACTIVATION_STEPS,
    HEAD_SIZE,
    Array,
    Arrays,
    Builder,
    finished,
    shape,
    to_eight_bits,
    with_places,
)
from nlp.own.weights import read_weights

STEP = 128.0
"""What integers are divided by, so that no sum of products is too large for 16 bits."""


def derived(folder: Path) -> bytes:
    """The graph of the model in `folder`. Raises FileNotFoundError or ValueError, both naming the folder."""
    made: bytes = graph(read_weights(folder), read_card(folder)["heads"]).SerializeToString()
    return made


def graph(arrays: Arrays, heads: Iterable[str]) -> onnx.ModelProto:
    """The whole network, of arrays as `nlp.own.graph` takes them."""
    sizes, build = shape(arrays), _Builder(arrays)
    words = build.held(build.array("embeddings.word_embeddings.weight").astype(np.float16))
    x = with_places(build, build.op("Cast", build.op("Gather", words, "ids", axis=0), to=TensorProto.FLOAT))
    x = build.norm(x, "embeddings.LayerNorm")
    for layer in range(sizes["layers"]):
        x = _layer(build, x, f"encoder.layer.{layer}.", sizes["hidden"])
    return finished(build, build.op("ReduceMean", x, build.ints(0), keepdims=0), heads)


class _Builder(Builder):
    """Rows and products in other types than the served graph has."""

    def rows(self, x: str) -> tuple[str, str]:
        """Integers of [length, batch, width], over STEP, in 16 bits; and what each row is to be multiplied by."""
        most = self.op("ReduceMax", self.op("Abs", x), self.ints(-1), keepdims=1)
        most = self.op("Max", most, self.number(1e-8))
        scale = self.op("Mul", most, self.number(1 / ACTIVATION_STEPS))
        numbers = self.op("Mul", self.op("Round", self.op("Div", x, scale)), self.number(1 / STEP))
        return self.op("Cast", numbers, to=TensorProto.FLOAT16), self.op("Mul", scale, self.number(STEP))

    def product(self, rows: tuple[str, str], weight: Array) -> str:
        """Rows by `weight` [outputs, inputs], in 32 bits."""
        numbers, scale = to_eight_bits(weight)
        sums = self.op("MatMul", rows[0], self.held((numbers / np.float32(STEP)).astype(np.float16)))
        sums = self.op("Cast", self.op("Reshape", sums, self.ints(0, 0, -1)), to=TensorProto.FLOAT)
        return self.op("Mul", self.op("Mul", sums, rows[1]), self.held(scale * np.float32(STEP)))

    def dense(self, rows: tuple[str, str], name: str) -> str:
        return self.plus(self.product(rows, self.array(f"{name}.weight")), self.array(f"{name}.bias"))

    def number(self, value: float) -> str:
        return self.held(np.array(value, np.float32))


def _layer(build: _Builder, x: str, place: str, hidden: int) -> str:
    y = build.dense(build.rows(_attention(build, x, place, hidden)), f"{place}attention.output.dense")
    x = build.norm(build.op("Add", y, x), f"{place}attention.output.LayerNorm")
    y = _gelu(build, build.dense(build.rows(x), f"{place}intermediate.dense"))
    y = build.dense(build.rows(y), f"{place}output.dense")
    return build.norm(build.op("Add", y, x), f"{place}output.LayerNorm")


def _attention(build: _Builder, x: str, place: str, hidden: int) -> str:
    """What each place gathers from all places of its text: [length, batch, hidden]."""
    rows, heads = build.rows(x), hidden // HEAD_SIZE
    split = build.op("Concat", "shape", build.ints(heads, HEAD_SIZE), axis=0)

    def of_heads(name: str, laid: list[int]) -> str:
        y = build.dense(rows, f"{place}attention.self.{name}")
        return build.op("Transpose", build.op("Reshape", y, split), perm=laid)

    query, key, value = of_heads("query", [1, 2, 0, 3]), of_heads("key", [1, 2, 3, 0]), of_heads("value", [1, 2, 0, 3])
    scores = build.op("Mul", build.op("MatMul", query, key), build.number(HEAD_SIZE**-0.5))
    mixed = build.op("Transpose", build.op("MatMul", build.op("Softmax", scores, axis=-1), value), perm=[2, 0, 1, 3])
    return build.op("Reshape", mixed, build.op("Concat", "shape", build.ints(hidden), axis=0))


def _gelu(build: _Builder, x: str) -> str:
    """x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016)."""
    risen = build.op("Add", build.op("Erf", build.op("Mul", x, build.number(0.5**0.5))), build.number(1))
    return build.op("Mul", build.op("Mul", x, build.number(0.5)), risen)
