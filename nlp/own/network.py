"""The encoder as a torch module (BERT, post-norm), its heads, and their weights as plain arrays.

Needs torch and numpy only, so that it runs on a machine that has nothing else of ours. Names of weights are Hugging
Face's for `BertModel`, without prefix; heads are `head.<output>.weight` and `head.<output>.bias`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAD, MASK = 1, 60_999
SPECIAL = (59_473, 59_410, 59_427, 60_724)
"""Rows of the word embeddings that are learnt (`nlp.pieces.MARKS`, in order); all others stay as they are."""
BLOCK = 32
EPSILON = 1e-12
ACTIVATION_STEPS, WEIGHT_STEPS = 127, 64
"""On each side of 0, as `nlp.own.graph` rounds; a test holds the two together."""


class Shape(NamedTuple):
    layers: int = 12
    hidden: int = 384
    heads: int = 12
    ffn: int = 1536


class Encoder(nn.Module):
    def __init__(
        self,
        shape: Shape,
        words: Tensor,
        positions: int = 512,
        dropout: float = 0.1,
        special: Sequence[int] | None = None,
    ) -> None:
        """`words`: [pieces, hidden], frozen but for the rows `special` (SPECIAL by default)."""
        super().__init__()
        self.shape, self.rows = shape, tuple(SPECIAL if special is None else special)
        self.register_buffer("words", words, persistent=False)
        self.special = nn.Parameter(words[list(self.rows)].clone().float())
        self.positions = nn.Embedding(positions, shape.hidden)
        self.norm = nn.LayerNorm(shape.hidden, eps=EPSILON)
        self.layers = nn.ModuleList([Layer(shape, dropout) for _ in range(shape.layers)])
        self.dropout = nn.Dropout(dropout)

    def drop(self, layers: float) -> None:
        """The dropout within the layers (after the embeddings and before the heads it stays)."""
        for layer in self.layers:
            layer.dropped = layer.dropout.p = layers

    def table(self) -> Tensor:
        """[pieces, hidden]; the learnt rows as serving has them, in 4 bits."""
        learnt = self.special + (four_bit(self.special) - self.special).detach()
        place = torch.tensor(self.rows, device=self.words.device)
        return self.words.float().index_copy(0, place, learnt.float())

    def embed(self, ids: Tensor) -> Tensor:
        learnt = self.special + (four_bit(self.special) - self.special).detach()
        x = F.embedding(ids, self.words).float()
        for row, piece in enumerate(self.rows):
            x = torch.where((ids == piece)[..., None], learnt[row], x)
        return x

    def forward(self, ids: Tensor, masked: Tensor | None = None, every: bool = False) -> Any:
        """[batch, length] → [batch, length, hidden]; with `every`, the outputs of all layers.

        `masked`: places whose embedding is that of MASK.
        """
        if masked is not None:
            ids = ids.masked_fill(masked, MASK)
        x = self.embed(ids) + self.positions.weight[: ids.shape[1]]
        x = self.dropout(self.norm(x))
        seen = (ids != PAD)[:, None, None, :]
        outputs = []
        for layer in self.layers:
            x = layer(x, seen)
            outputs.append(x)
        return outputs if every else x


class Layer(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropped = shape.heads, dropout
        self.qkv = nn.Linear(shape.hidden, 3 * shape.hidden)
        self.out = nn.Linear(shape.hidden, shape.hidden)
        self.norm = nn.LayerNorm(shape.hidden, eps=EPSILON)
        self.up = nn.Linear(shape.hidden, shape.ffn)
        self.down = nn.Linear(shape.ffn, shape.hidden)
        self.last = nn.LayerNorm(shape.hidden, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)
        self.bits = False

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        batch, length, hidden = x.shape
        q, k, v = self._linear(self.qkv, x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        dropped = self.dropped if self.training else 0.0
        if x.is_cuda:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropped)
        else:  # on a CPU torch's own spends a third of a step in its backward pass
            weight = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)
            weight = weight.float().masked_fill(~seen, -torch.inf).softmax(-1).to(v.dtype)
            mixed = F.dropout(weight, dropped, self.training) @ v
        mixed = mixed.transpose(1, 2).reshape(batch, length, hidden)
        x = self.norm(x + self.dropout(self._joined(mixed)))
        inner = F.gelu(self._linear(self.up, x))
        return self.last(x + self.dropout(self._linear(self.down, inner)))

    def _joined(self, mixed: Tensor) -> Tensor:
        """The values' bias goes through attention unchanged: serving adds it after the rounding, and so does this."""
        if not self.bits:
            return self.out(mixed)
        bias = self.qkv.bias[-self.out.in_features :]
        return self._linear(self.out, mixed - bias) + F.linear(bias, self.out.weight)

    def _linear(self, one: nn.Linear, x: Tensor) -> Tensor:
        """With `bits`, as serving computes it: 8 bits a row of the input, 8 bits a column of the weights."""
        if not self.bits:
            return one(x)
        return F.linear(_eight_bit(x, ACTIVATION_STEPS), _eight_bit(one.weight, WEIGHT_STEPS), one.bias)


class Model(nn.Module):
    """Encoder, mean over the places of a text, a linear head for each output."""

    def __init__(self, encoder: Encoder, heads: Mapping[str, int], dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(encoder.shape.hidden, classes) for name, classes in heads.items()})

    def pooled(self, ids: Tensor) -> Tensor:
        return mean(self.encoder(ids), ids)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        x = self.dropout(self.pooled(ids))
        return {name: head(x) for name, head in self.heads.items()}

    def quantise(self, on: bool) -> None:
        """Compute as serving does, rounding included (the gradient passes straight through)."""
        for layer in self.encoder.layers:
            layer.bits = on


def mean(x: Tensor, ids: Tensor) -> Tensor:
    """[batch, length, hidden] → [batch, hidden] over the places that are no padding."""
    seen = (ids != PAD)[..., None].to(x.dtype)
    return (x * seen).sum(1) / seen.sum(1)


def four_bit(rows: Tensor) -> Tensor:
    """Rounded to Q4_0: blocks of BLOCK values, each scale·(q-8), q in 0..15, scale = the value farthest from 0 / -8."""
    blocks = rows.detach().float().reshape(-1, BLOCK)
    far = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    scale = (far / -8).half().float()
    safe = torch.where(scale == 0, torch.ones_like(scale), scale)
    return (((blocks / safe).round() + 8).clamp(0, 15) - 8).mul(scale).reshape(rows.shape)


def _eight_bit(x: Tensor, steps: int) -> Tensor:
    """Rounded to `steps` on each side of 0, a scale for each row; straight-through gradient."""
    scale = x.detach().abs().amax(-1, keepdim=True).clamp_min(1e-8) / steps
    return x + ((x.detach() / scale).round() * scale - x.detach())


# --- weights as arrays ---------------------------------------------------------------------------------------------


def words_of(arrays: Mapping[str, np.ndarray]) -> Tensor:
    return torch.from_numpy(np.asarray(arrays["embeddings.word_embeddings.weight"], np.float32))


def encoder_from(
    arrays: Mapping[str, np.ndarray],
    shape: Shape,
    layers: Sequence[int] | None = None,
    dropout: float = 0.1,
    special: Sequence[int] | None = None,
) -> Encoder:
    """An encoder from arrays by Hugging Face's names; `layers`: which of them (a student's start), all by default;
    `special`: as `Encoder` takes it.

    A narrower feed-forward keeps the units of the largest weights (product of the norms on either side).
    """
    chosen = list(layers) if layers is not None else list(range(shape.layers))
    positions = _tensor(arrays, "embeddings.position_embeddings.weight")
    encoder = Encoder(shape, words_of(arrays), len(positions), dropout, special)
    kind = arrays.get("embeddings.token_type_embeddings.weight")
    encoder.positions.weight.data = positions + (
        torch.from_numpy(np.asarray(kind[0], np.float32)) if kind is not None else 0
    )
    _norm(encoder.norm, arrays, "embeddings.LayerNorm")
    if "special" in arrays:
        encoder.special.data = _tensor(arrays, "special")
    for layer, number in zip(encoder.layers, chosen, strict=True):
        place = f"encoder.layer.{number}."
        names = [place + f"attention.self.{name}" for name in ("query", "key", "value")]
        layer.qkv.weight.data = torch.cat([_tensor(arrays, f"{name}.weight") for name in names])
        layer.qkv.bias.data = torch.cat([_tensor(arrays, f"{name}.bias") for name in names])
        layer.out.weight.data = _tensor(arrays, place + "attention.output.dense.weight")
        layer.out.bias.data = _tensor(arrays, place + "attention.output.dense.bias")
        _norm(layer.norm, arrays, place + "attention.output.LayerNorm")
        up, down = _tensor(arrays, place + "intermediate.dense.weight"), _tensor(arrays, place + "output.dense.weight")
        bias = _tensor(arrays, place + "intermediate.dense.bias")
        kept = (up.norm(dim=1) * down.norm(dim=0)).argsort(descending=True)[: shape.ffn].sort().values
        layer.up.weight.data, layer.up.bias.data, layer.down.weight.data = (
            up[kept],
            bias[kept],
            down[:, kept].contiguous(),
        )
        layer.down.bias.data = _tensor(arrays, place + "output.dense.bias")
        _norm(layer.last, arrays, place + "output.LayerNorm")
    return encoder


def arrays_of(model: Model | Encoder) -> dict[str, np.ndarray]:
    """Everything learnt, in 16 bits, by Hugging Face's names; the frozen word embeddings are left out.

    The type's embedding went into the positions' when they were read (`encoder_from`): it is written as 0, so that who
    lays these over the base's arrays does not add it once more.
    """
    encoder = model.encoder if isinstance(model, Model) else model
    out = {
        "special": encoder.special,
        "embeddings.position_embeddings.weight": encoder.positions.weight,
        "embeddings.token_type_embeddings.weight": torch.zeros(2, encoder.shape.hidden),
        "embeddings.LayerNorm.weight": encoder.norm.weight,
        "embeddings.LayerNorm.bias": encoder.norm.bias,
    }
    for number, layer in enumerate(encoder.layers):
        place = f"encoder.layer.{number}."
        for part, name in zip(("weight", "bias"), ("weight", "bias"), strict=True):
            for rows, piece in zip(getattr(layer.qkv, name).chunk(3), ("query", "key", "value"), strict=True):
                out[f"{place}attention.self.{piece}.{part}"] = rows
            out[f"{place}attention.output.dense.{part}"] = getattr(layer.out, name)
            out[f"{place}attention.output.LayerNorm.{part}"] = getattr(layer.norm, name)
            out[f"{place}intermediate.dense.{part}"] = getattr(layer.up, name)
            out[f"{place}output.dense.{part}"] = getattr(layer.down, name)
            out[f"{place}output.LayerNorm.{part}"] = getattr(layer.last, name)
    if isinstance(model, Model):
        for name, head in model.heads.items():
            out[f"head.{name}.weight"], out[f"head.{name}.bias"] = head.weight, head.bias
    return {name: value.detach().float().cpu().numpy().astype(np.float16) for name, value in out.items()}


def load_heads(model: Model, arrays: Mapping[str, np.ndarray]) -> None:
    for name, head in model.heads.items():
        if f"head.{name}.weight" in arrays:
            head.weight.data = _tensor(arrays, f"head.{name}.weight")
            head.bias.data = _tensor(arrays, f"head.{name}.bias")


def _norm(norm: nn.LayerNorm, arrays: Mapping[str, np.ndarray], name: str) -> None:
    norm.weight.data, norm.bias.data = _tensor(arrays, f"{name}.weight"), _tensor(arrays, f"{name}.bias")


def _tensor(arrays: Mapping[str, np.ndarray], name: str) -> Tensor:
    return torch.from_numpy(np.array(arrays[name], np.float32))


def rate(step: int, steps: int, warm: float) -> float:
    """Share of the highest learning rate: linear warm-up, then a cosine to 0."""
    begin = max(1, int(steps * warm))
    if step < begin:
        return (step + 1) / begin
    return 0.5 * (1 + math.cos(math.pi * (step - begin) / max(1, steps - begin)))
