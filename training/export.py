"""Weights to a model that is served: `python -m training.export WEIGHTS.npz CARD.json --out FOLDER [--base FOLDER]`.

Weights as `nlp.own.graph` takes them. Word embeddings that are not among them come from the base model; its rows of the
marks are replaced by `special`, in the order of `nlp.pieces.MARKS`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nlp.own.graph import Array, Arrays, export, four_bits, to_four_bits
from nlp.pieces import FILE, MARKS, reserved
from training.corpus import SHARED


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("weights", type=Path, help="arrays by name, as numpy.savez writes them")
    asked.add_argument("card", type=Path, help="name, version, tier, heads (classes, temperature, bias, prior), bands")
    asked.add_argument("--out", type=Path, required=True, help="the model's folder")
    asked.add_argument("--base", type=Path, default=SHARED / "base-model", help="folder of the base model")
    given = asked.parse_args()
    with np.load(given.weights, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    tokenizer = reserved(json.loads((given.base / FILE).read_text("utf-8")))
    size = export(whole(arrays, given.base, tokenizer), json.loads(given.card.read_text("utf-8")), tokenizer, given.out)
    print(f"{given.out}: {size / 1e6:.1f} MB")


def whole(arrays: Arrays, base: Path, tokenizer: Mapping[str, Any]) -> dict[str, Array]:
    """`arrays` with the word embeddings of the base model where they have none, the marks' rows replaced."""
    name = "embeddings.word_embeddings.weight"
    if name in arrays:
        return dict(arrays)
    from safetensors.numpy import load_file

    words = load_file(base / "model.safetensors")[name].copy()
    if "special" in arrays:
        rows = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
        words[[rows[one] for one in MARKS]] = four_bits(*to_four_bits(arrays["special"]))
    return {**arrays, name: words}


if __name__ == "__main__":
    main()
