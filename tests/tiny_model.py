"""An encoder of two thin layers, random weights and 200 pieces, shaped like the base model and made as models are."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from nlp.classifier import Passage, Readings, Target
from nlp.encoder import BANDS, HEADS
from nlp.normalise import LINK, OTHER, TARGET
from nlp.own.graph import export, four_bits, to_four_bits
from nlp.pieces import reserved

PIECES, HIDDEN = 200, 64
SYLLABLES = [first + second for first in "bcdlmnprst" for second in "aeiou"]


def tokenizer() -> dict[str, Any]:
    """As the base model has it: the mark HANDLE has no piece, two private characters have one."""
    words = ["\u2581" + syllable for syllable in SYLLABLES] + SYLLABLES
    letters = list("abcdefghijklmnopqrstuvwxyzáéíóúñ.,!?#<>/123ABC")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", TARGET, OTHER, LINK, "\uf0a7", "\u2581\uf0b7"]
    pieces += words + letters
    pieces += [f"\u2581x{number}" for number in range(PIECES - 1 - len(pieces))] + ["<mask>"]
    special = [(0, "<s>"), (1, "<pad>"), (2, "</s>"), (3, "<unk>"), (PIECES - 1, "<mask>")]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": number, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": True} for number, name in special
        ],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "Unigram", "unk_id": 3, "byte_fallback": False,
            "vocab": [[piece, 0.0 if number < 4 else -3.0 - number / 50] for number, piece in enumerate(pieces)],
        },
    }  # fmt: skip


def arrays(layers: int = 2, ffn: int = 96, seed: int = 1) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)

    def some(*shape: int, size: float = 0.2, around: float = 0.0) -> np.ndarray:
        return (draw.standard_normal(shape) * size + around).astype(np.float16)

    out = {
        "embeddings.word_embeddings.weight": four_bits(*to_four_bits(some(PIECES, HIDDEN, size=1.0))),
        "embeddings.position_embeddings.weight": some(160, HIDDEN),
        "embeddings.token_type_embeddings.weight": some(2, HIDDEN),
    }
    norms, products = ["embeddings.LayerNorm"], {}
    for layer in range(layers):
        place = f"encoder.layer.{layer}."
        norms += [f"{place}attention.output.LayerNorm", f"{place}output.LayerNorm"]
        products |= {f"{place}attention.self.{name}": (HIDDEN, HIDDEN) for name in ("query", "key", "value")}
        products |= {
            f"{place}attention.output.dense": (HIDDEN, HIDDEN),
            f"{place}intermediate.dense": (ffn, HIDDEN),
            f"{place}output.dense": (HIDDEN, ffn),
        }
    for name in norms:
        out[f"{name}.weight"], out[f"{name}.bias"] = some(HIDDEN, around=1.0), some(HIDDEN)
    for name, shape in products.items():
        out[f"{name}.weight"], out[f"{name}.bias"] = some(*shape), some(shape[0])
    for name, classes in HEADS.items():
        out[f"head.{name}.weight"], out[f"head.{name}.bias"] = some(len(classes), HIDDEN), some(len(classes))
    return out


def card(heads: tuple[str, ...] = tuple(HEADS), named: tuple[str, int] = ("tiny", 3)) -> dict[str, Any]:
    return {
        "name": named[0],
        "version": named[1],
        "tier": "fast",
        "heads": {name: {"classes": list(HEADS[name])} for name in heads},
        "bands": dict.fromkeys(BANDS, 0.5),
    }


def make(folder: Path, heads: tuple[str, ...] = tuple(HEADS), named: tuple[str, int] = ("tiny", 3)) -> Path:
    export(arrays(), card(heads, named), reserved(tokenizer()), folder)
    return folder


def call(folder: Path, name: str, version: int) -> Path:
    """Another name and version for the model of this folder, by its card alone."""
    file = folder / "card.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "name": name, "version": version}), "utf-8")
    return folder


def passages(count: int, seed: int = 1) -> list[Passage]:
    """Texts of 0 to 300 words, about none, one or two brands."""
    draw = random.Random(seed)
    out = []
    for _ in range(count):
        text = " ".join(draw.choices(SYLLABLES, k=draw.choice([0, 1, 2, 5, 9, 17, 30, 31, 32, 60, 300])))
        named = Target(((0, 2),), ((3, 5),)) if len(text) > 5 else Target()
        out.append(Passage(text, draw.choice([(named,), (named, Target()), (Target(),)])))
    return out


def rows(found: Readings) -> list[np.ndarray]:
    """Of each passage all that was said of it, in one row."""
    of_text = [
        found.sentiment,
        found.emotion,
        *(one[:, None] for one in (found.complaint, found.irony, found.offensive)),
    ]
    of_target = [found.reputation, found.intent, found.detractor, found.act[:, None]]
    texts, targets = np.hstack(of_text), np.hstack(of_target)
    return [
        np.concatenate([texts[number], targets[found.owner == number].ravel()]) for number in range(len(texts))
    ]  # fmt: skip
