"""Weights to a model that is served.

Weights go by Hugging Face's names for `BertModel`, without prefix, any number of layers and any width of the
feed-forward part; heads are `head.<name>.weight` [classes, hidden] and `head.<name>.bias`.

What the graph promises: what it says of a text does not depend on the texts beside it, and integers are summed exactly
on every processor.

- Word embeddings: 4 bits, blocks of 32, each scale·(q - 8) (Q4_0: scale = the value farthest from 0, over -8).
- Matrix products: 8-bit rows of the input by 8-bit columns of the weights. Every row, one place of one text, has a
  scale of its own. Weights have 64 steps on each side of 0, for processors without VNNI add two products in 16 bits:
  2·255·64 < 2^15.
- Attention, layer norms, mean and heads: 32-bit floating point. No padding and no mask: a batch holds texts of one
  length.

Input `ids` is [length, batch], for then attention reads its heads where they lie; output `logits` is [batch, outputs].
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from nlp.encoder import FORMAT, Network
from nlp.pieces import BEGIN, END, FILE, MOST

BLOCK = 32
ACTIVATION_STEPS = 127
WEIGHT_STEPS = 64
HEAD_SIZE = 32
EPSILON = 1e-12
_ZERO = 128
_OPSET = 21
_MICROSOFT = "com.microsoft"
_KEY = re.compile(r"encoder\.layer\.(\d+)\.output\.dense\.weight")

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]


def export(arrays: Arrays, card: Mapping[str, Any], tokenizer: Mapping[str, Any], out: Path) -> int:
    """Writes model.onnx, tokenizer.json and card.json; the bytes of all three. `tokenizer`: by `nlp.pieces.reserved`.
    The card may say that fewer `pieces` of a text are read than MOST.

    The folder is replaced as a whole, after its model has been read and run once."""
    making = out.with_name(out.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    model = graph(arrays, card["heads"])
    onnx.checker.check_model(model)
    (making / "model.onnx").write_bytes(model.SerializeToString())
    (making / FILE).write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")), "utf-8")
    told = {"pieces": MOST, **card, "format": FORMAT, "shape": shape(arrays), "proof": proof(Network(making), arrays)}
    (making / "card.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
    shutil.rmtree(out, ignore_errors=True)
    making.rename(out)
    return sum(file.stat().st_size for file in out.iterdir())


def shape(arrays: Arrays) -> dict[str, int]:
    pieces, hidden = arrays["embeddings.word_embeddings.weight"].shape
    layers = sorted(int(found[1]) for name in arrays if (found := _KEY.fullmatch(name)))
    if not layers or layers != list(range(len(layers))):
        raise ValueError(f"the weights hold the layers {layers}: they are numbered from 0, without a gap")
    ffn = arrays["encoder.layer.0.intermediate.dense.weight"].shape[0]
    return {"pieces": pieces, "layers": len(layers), "hidden": hidden, "heads": hidden // HEAD_SIZE, "ffn": ffn}


def proof(network: Network, arrays: Arrays) -> dict[str, Any]:
    """Pieces, and what the model says of them: serving looks whether it says the same."""
    draw = np.random.default_rng(1)
    pieces = arrays["embeddings.word_embeddings.weight"].shape[0]
    texts = [draw.integers(END + 1, pieces, length) for length in (1, 9, 30)]
    rows = network.logits([np.array([BEGIN, *ids, END], np.uint16) for ids in texts])
    logits = [np.frombuffer(row, np.float32).round(5).tolist() for row in rows]
    return {"pieces": [ids.tolist() for ids in texts], "logits": logits}


def to_four_bits(rows: Array) -> tuple[Array, Array]:
    """[rows, width] → numbers 0..15 of the same shape, and [rows, width / BLOCK] scales in 16 bits."""
    blocks = rows.astype(np.float32).reshape(-1, BLOCK)
    far = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    scale = (far / -8).astype(np.float16)
    safe = np.where(scale == 0, np.float16(1), scale).astype(np.float32)
    numbers = np.clip(np.rint(blocks / safe) + 8, 0, 15).astype(np.uint8)
    return numbers.reshape(rows.shape), scale.reshape(len(rows), -1)


def four_bits(numbers: Array, scale: Array) -> Array:
    """What serving makes of them, in 16 bits."""
    blocks = (numbers.reshape(-1, BLOCK).astype(np.float32) - 8) * scale.reshape(-1, 1).astype(np.float32)
    out: Array = blocks.astype(np.float16).reshape(numbers.shape)
    return out


def to_eight_bits(weight: Array) -> tuple[Array, Array]:
    """[outputs, inputs] → [inputs, outputs] of integers within WEIGHT_STEPS, and [outputs] scales."""
    most = np.abs(weight).max(axis=1)
    scale = (np.where(most == 0, 1, most) / WEIGHT_STEPS).astype(np.float32)
    return np.ascontiguousarray(np.rint(weight / scale[:, None]).astype(np.int8).T), scale


def graph(arrays: Arrays, heads: Iterable[str]) -> onnx.ModelProto:
    """The whole network. Raises ValueError where word embeddings are not exactly 4-bit, or a number is not finite."""
    bad = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if bad:
        raise ValueError(f"{bad[0]} holds numbers that are not finite")
    sizes = shape(arrays)
    build = Builder(arrays)
    x = _embeddings(build, sizes["hidden"])
    for layer in range(sizes["layers"]):
        x = _layer(build, x, f"encoder.layer.{layer}.", sizes["hidden"])
    x = build.op("Reshape", x, build.op("Concat", "shape", build.ints(sizes["hidden"]), axis=0))
    return finished(build, build.op("ReduceMean", x, build.ints(0), keepdims=0), heads)


def finished(build: Builder, x: str, heads: Iterable[str]) -> onnx.ModelProto:
    """The model that says `heads` of `x`, [batch, hidden] in 32 bits."""
    names = list(heads)
    weight = np.concatenate([build.array(f"head.{name}.weight") for name in names]).T
    bias = np.concatenate([build.array(f"head.{name}.bias") for name in names])
    x = build.op("MatMul", x, build.held(np.ascontiguousarray(weight)))
    build.op("Add", x, build.held(bias), name="logits")
    return helper.make_model(
        helper.make_graph(
            build.nodes,
            "encoder",
            [helper.make_tensor_value_info("ids", TensorProto.INT32, ["length", "batch"])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(bias)])],
            build.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)],
        ir_version=10,
    )


class Builder:
    """Nodes and constants; every operator has one output."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, domain: str = "", name: str = "", **attributes: Any) -> str:
        name = name or f"x{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def held(self, value: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def ints(self, *values: int) -> str:
        return self.held(np.array(values, np.int64))

    def array(self, name: str) -> Array:
        return np.asarray(self.arrays[name], np.float32)

    def norm(self, x: str, name: str) -> str:
        weight, bias = self.held(self.array(f"{name}.weight")), self.held(self.array(f"{name}.bias"))
        return self.op("LayerNormalization", x, weight, bias, axis=-1, epsilon=EPSILON)

    def plus(self, x: str, bias: Array) -> str:
        return self.op("Add", x, self.held(bias))

    def rows(self, x: str) -> tuple[str, str]:
        """8 bits of [rows, width], and [rows, 1] the scale of each row."""
        most = self.op("ReduceMax", self.op("Abs", x), self.ints(1), keepdims=0)
        most = self.op("Max", most, self.held(np.array(1e-8, np.float32)))
        scale = self.op("Mul", most, self.held(np.array(1 / ACTIVATION_STEPS, np.float32)))
        numbers = self.op("QuantizeLinear", x, scale, "zeros", axis=0)
        return numbers, self.op("Unsqueeze", scale, self.ints(1))

    def product(self, rows: tuple[str, str], weight: Array) -> str:
        """Rows by `weight` [outputs, inputs]. The columns' scales are multiplied in the product, the rows' after it."""
        numbers, scale = to_eight_bits(weight)
        one, zero = self.held(np.array(1, np.float32)), self.held(np.array(_ZERO, np.uint8))
        inputs = (rows[0], self.held(numbers), one, self.held(scale), zero)
        return self.op("Mul", self.op("MatMulIntegerToFloat", *inputs, domain=_MICROSOFT), rows[1])


def _embeddings(build: Builder, hidden: int) -> str:
    """[length·batch, hidden], normed; names what all layers use: `shape` of ids, and `zeros`, one for each row."""
    words = build.array("embeddings.word_embeddings.weight")
    numbers, scale = to_four_bits(words)
    if not (four_bits(numbers, scale) == words.astype(np.float16)).all():
        raise ValueError(
            "the word embeddings are not 4-bit values in blocks of 32: rows that were learnt go by `special`"
        )
    packed = (numbers[:, 0::2] | (numbers[:, 1::2] << 4)).astype(np.uint8)
    x = build.op(
        "GatherBlockQuantized", build.held(packed), "ids", build.held(scale),
        domain=_MICROSOFT, block_size=BLOCK, bits=4, gather_axis=0, quantize_axis=1,
    )  # fmt: skip
    x = with_places(build, build.op("Cast", x, to=TensorProto.FLOAT))
    x = build.op("Reshape", x, build.ints(-1, hidden))
    count = build.op("Slice", build.op("Shape", x), build.ints(0), build.ints(1))
    build.op("Expand", build.held(np.array([_ZERO], np.uint8)), count, name="zeros")
    return build.norm(x, "embeddings.LayerNorm")


def with_places(build: Builder, x: str) -> str:
    """[length, batch, hidden] of words, with what each place adds; names `shape`, that of ids."""
    places = build.array("embeddings.position_embeddings.weight")[:MOST]
    if "embeddings.token_type_embeddings.weight" in build.arrays:
        places = places + build.array("embeddings.token_type_embeddings.weight")[0]
    build.op("Shape", "ids", name="shape")
    length = build.op("Slice", "shape", build.ints(0), build.ints(1))
    mine = build.op("Slice", build.held(places[:, None]), build.ints(0), length, build.ints(0))
    return build.op("Add", x, mine)


def _layer(build: Builder, x: str, place: str, hidden: int) -> str:
    y = build.product(_attention(build, x, place, hidden), build.array(f"{place}attention.output.dense.weight"))
    x = build.norm(build.op("Add", build.plus(y, _output_bias(build, place)), x), f"{place}attention.output.LayerNorm")
    y = build.product(build.rows(x), build.array(f"{place}intermediate.dense.weight"))
    y = build.op("BiasGelu", y, build.held(build.array(f"{place}intermediate.dense.bias")), domain=_MICROSOFT)
    y = build.product(build.rows(y), build.array(f"{place}output.dense.weight"))
    y = build.op("Add", build.plus(y, build.array(f"{place}output.dense.bias")), x)
    return build.norm(y, f"{place}output.LayerNorm")


def _attention(build: Builder, x: str, place: str, hidden: int) -> tuple[str, str]:
    """What each place gathers from all places of its text, in 8 bits.

    Neither the keys' bias nor the values' is added here: the first adds the same to all scores of a query, which
    softmax does not see, and the second passes through the mean (`_output_bias`)."""
    own, heads = f"{place}attention.self.", hidden // HEAD_SIZE
    rows = build.rows(x)
    root = np.float32(1 / np.sqrt(HEAD_SIZE))
    split = build.op("Concat", "shape", build.ints(heads, HEAD_SIZE), axis=0)
    query = build.product(rows, build.array(f"{own}query.weight") * root)
    query = build.op("Reshape", build.plus(query, build.array(f"{own}query.bias") * root), split)
    key = build.op("Reshape", build.product(rows, build.array(f"{own}key.weight")), split)
    value = build.op("Reshape", build.product(rows, build.array(f"{own}value.weight")), split)
    scores = build.op("FusedMatMul", query, key, domain=_MICROSOFT, transBatchA=1, transBatchB=1, transB=1)
    mixed = build.op("FusedMatMul", build.op("Softmax", scores, axis=-1), value, domain=_MICROSOFT, transBatchB=1)
    mixed = build.op("Transpose", mixed, perm=[2, 0, 1, 3])
    return build.rows(build.op("Reshape", mixed, build.ints(-1, hidden)))


def _output_bias(build: Builder, place: str) -> Array:
    weight, value = build.array(f"{place}attention.output.dense.weight"), f"{place}attention.self.value.bias"
    out: Array = build.array(f"{place}attention.output.dense.bias") + weight @ build.array(value)
    return out
