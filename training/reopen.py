"""A served model back to weights that training goes on from: `python -m training.reopen nlp/models/accurate STEM`.

A machine that trains may go away with all that it learnt; the weights that were shipped are still there. Served numbers
have 8 bits, and only the outputs that are served have heads: a head that is missing begins anew (`teach.start`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from nlp.own.weights import read_weights
from nlp.pieces import FILE, MARKS
from training.corpus import SHARED
from training.weights import save


def reopened(folder: Path, positions: np.ndarray) -> dict[str, np.ndarray]:
    """By the names of `nlp.own.network.arrays_of`. `positions`: [places, hidden] of the base model, for the places
    beyond those that serving reads."""
    arrays = read_weights(folder)
    tokens = json.loads((folder / FILE).read_text("utf-8"))["added_tokens"]
    rows = {token["content"]: token["id"] for token in tokens}
    words = arrays.pop("embeddings.word_embeddings.weight")
    served = arrays["embeddings.position_embeddings.weight"]
    every = np.array(positions, np.float32)
    every[: len(served)] = served
    arrays["embeddings.position_embeddings.weight"] = every
    arrays["embeddings.token_type_embeddings.weight"] = np.zeros((2, every.shape[1]), np.float32)
    arrays["special"] = words[[rows[one] for one in MARKS]]
    return {name: value.astype(np.float16) for name, value in arrays.items()}


def main() -> None:
    from safetensors.numpy import load_file

    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("model", type=Path, help="a folder with card.json, model.onnx and tokenizer.json")
    asked.add_argument("stem", type=Path, help="OUT/teacher-1 for OUT/teacher-1.0.npz …")
    given = asked.parse_args()
    base = load_file(SHARED / "base-model" / "model.safetensors")
    given.stem.parent.mkdir(parents=True, exist_ok=True)
    save(given.stem, reopened(given.model, base["embeddings.position_embeddings.weight"]))


if __name__ == "__main__":
    main()
