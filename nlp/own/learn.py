"""Learns from labelled posts, starting from a served model, in the module that computes as serving does.

Each step hears three things: the team's corrections, posts that were written for training, and what the old model says
of posts that nobody corrected, which the new one is held to. Needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nlp.classifier import Passage, Target
from nlp.encoder import TransformerClassifier, read_card
from nlp.own.graph import HEAD_SIZE, four_bits, to_four_bits
from nlp.own.labelled import TRAINED, Labelled, marks
from nlp.own.network import PAD, Model, Shape, arrays_of, encoder_from, load_heads, rate
from nlp.own.weights import read_weights
from nlp.pieces import MARKS, Ids, Pieces, passage_text

MANY = "emotion"
"""The head whose classes do not exclude one another."""
_WORDS = "embeddings.word_embeddings.weight"


class Plan(NamedTuple):
    epochs: int = 12
    """Of the corrections; at most `steps` steps in all."""
    steps: int = 1_200
    batch: int = 16
    """Corrections a step; as many written posts, and twice as many that nobody corrected."""
    rate: float = 1e-4
    written: float = 0.3
    """Weight of a written post beside a correction's 1."""
    hold: float = 1.0
    """Weight of what the old model says."""
    warm: float = 0.1
    seed: int = 1


class Example(NamedTuple):
    ids: Ids
    marks: Mapping[str, int]
    """By head of TRAINED."""
    weight: float


def learnt(
    folder: Path,
    corrections: Sequence[Labelled],
    written: Sequence[Labelled],
    posts: Sequence[Passage],
    plan: Plan | None = None,
) -> dict[str, np.ndarray]:
    """Arrays for `nlp.own.graph.export`. Raises ValueError where the loss is no number any more."""
    plan = plan or Plan()
    torch.manual_seed(plan.seed)
    card, arrays = read_card(folder), read_weights(folder)
    pieces, served = Pieces(folder, card["pieces"]), TransformerClassifier(folder)
    heads = {name: len(head["classes"]) for name, head in card["heads"].items()}
    model = _module(arrays, heads, [pieces.number(mark) for mark in MARKS])
    learner = _Learner(model, card["heads"], plan)
    taught, mixed = (_examples(rows, pieces, weight) for rows, weight in ((corrections, 1.0), (written, plan.written)))
    texts = [passage_text(post, target) for post in posts for target in post.targets]
    said = served.logits(texts) if texts else np.zeros((0, sum(heads.values())), np.float32)
    learner.run(taught, mixed, pieces.ids(texts), torch.from_numpy(said.copy()))
    return _arrays(model, arrays)


class _Learner:
    def __init__(self, model: Model, heads: Mapping[str, Any], plan: Plan) -> None:
        self.model, self.plan = model, plan
        self.heads = list(heads)
        self.edges = np.cumsum([0, *(len(head["classes"]) for head in heads.values())]).tolist()
        self.scale = {name: 1 / float(head.get("temperature", 1.0)) for name, head in heads.items()}
        self.bias = {
            name: torch.tensor(head.get("bias", [0.0] * len(head["classes"])), dtype=torch.float32)
            for name, head in heads.items()
        }

    def run(self, taught: Sequence[Example], written: Sequence[Example], posts: Sequence[Ids], said: Tensor) -> None:
        plan = self.plan
        steps = min(plan.steps, plan.epochs * -(-len(taught) // plan.batch))
        optimiser = torch.optim.AdamW(self.model.parameters(), lr=plan.rate, weight_decay=0.01)
        draw = np.random.default_rng(plan.seed)
        streams = [_rounds(len(some), draw) for some in (taught, written, posts)]
        sizes = (plan.batch, min(plan.batch, len(written)), min(2 * plan.batch, len(posts)))
        self.model.train()
        self.model.quantise(True)
        for step in range(steps):
            mine, theirs, free = ([next(one) for _ in range(size)] for one, size in zip(streams, sizes, strict=True))
            examples = [*(taught[at] for at in mine), *(written[at] for at in theirs)]
            loss = self._loss(examples, [posts[at] for at in free], said[free])
            if not torch.isfinite(loss):
                value = float(loss.detach())
                raise ValueError(f"learning went astray: the loss is {value} in step {step + 1}; nothing was kept")
            for group in optimiser.param_groups:
                group["lr"] = plan.rate * rate(step, steps, plan.warm)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            optimiser.step()
        self.model.eval()

    def _loss(self, examples: Sequence[Example], posts: Sequence[Ids], said: Tensor) -> Tensor:
        logits = self.model(_padded([*(one.ids for one in examples), *posts]))
        loss = torch.zeros(())
        for name in TRAINED:
            has = [at for at, one in enumerate(examples) if name in one.marks]
            if has:
                y = torch.tensor([examples[at].marks[name] for at in has])
                weight = torch.tensor([examples[at].weight for at in has])
                found = F.cross_entropy(self._calibrated(name, logits[name][has]), y, reduction="none")
                loss = loss + (found * weight).sum() / len(examples)
        if posts:
            loss = loss + self.plan.hold * self._apart(logits, said, len(examples))
        return loss

    def _apart(self, logits: Mapping[str, Tensor], said: Tensor, at: int) -> Tensor:
        """Kullback-Leibler, of the old model's answers from the new one's, over all heads."""
        total = torch.zeros(())
        for number, name in enumerate(self.heads):
            start, end = self.edges[number : number + 2]
            mine = self._calibrated(name, logits[name][at:])
            theirs = self._calibrated(name, said[:, start:end])
            if name == MANY:
                p, q = theirs.sigmoid(), mine
                gap = F.binary_cross_entropy_with_logits(q, p, reduction="none")
                total = total + (gap - F.binary_cross_entropy_with_logits(theirs, p, reduction="none")).sum(1).mean()
            else:
                of = (F.log_softmax(one, -1) for one in (mine, theirs))
                total = total + F.kl_div(*of, reduction="batchmean", log_target=True)
        return total

    def _calibrated(self, name: str, logits: Tensor) -> Tensor:
        return logits * self.scale[name] + self.bias[name]


def _module(arrays: Mapping[str, np.ndarray], heads: Mapping[str, int], special: Sequence[int]) -> Model:
    hidden = arrays[_WORDS].shape[1]
    layers = sum(name.endswith("intermediate.dense.weight") for name in arrays)
    ffn = arrays["encoder.layer.0.intermediate.dense.weight"].shape[0]
    shape = Shape(layers, hidden, hidden // HEAD_SIZE, ffn)
    encoder = encoder_from(arrays, shape, dropout=0.0, special=special)  # with dropout nothing could be held to the old
    model = Model(encoder, heads, dropout=0.0)
    load_heads(model, arrays)
    return model


def _arrays(model: Model, before: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    out = arrays_of(model)
    words = before[_WORDS].copy()
    words[list(model.encoder.rows)] = four_bits(*to_four_bits(out.pop("special")))
    return {**out, _WORDS: words}


def _examples(rows: Sequence[Labelled], pieces: Pieces, weight: float) -> list[Example]:
    found = [(row, marks(row)) for row in rows]
    found = [(row, said) for row, said in found if said]
    ids = pieces.ids([passage_text(row.passage, _target(row)) for row, _ in found])
    return [Example(one, said, weight) for one, (_, said) in zip(ids, found, strict=True)]


def _target(row: Labelled) -> Target:
    return row.passage.targets[0]


def _rounds(count: int, draw: np.random.Generator) -> Iterator[int]:
    """Every number once, in another order each round."""
    while True:
        yield from draw.permutation(count).tolist()


def _padded(texts: Sequence[Ids]) -> Tensor:
    out = np.full((len(texts), max(len(ids) for ids in texts)), PAD, np.int64)
    for row, ids in zip(out, texts, strict=True):
        row[: len(ids)] = ids
    return torch.from_numpy(out)
