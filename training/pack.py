"""Packs what training reads into one small folder: the base model in its own 4 bits, and every text as piece numbers.

`python -m training.pack --out FOLDER`. What is packed needs numpy and torch only to be learnt from (`training.learn`),
so that it can travel to a machine that has nothing else. Texts do not travel: only numbers of pieces.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from nlp.classifier import Passage, Target
from nlp.normalise import clean, normalise
from nlp.pieces import Pieces, passage_text
from training.corpus import SHARED, Leakage
from training.examples import Collected, Example, as_row, collect
from training.targets import Targets

BASE = SHARED / "base-model"
NONE = -1
ROUGH = 0.35
"""Share of rows that get a second, roughened form."""


class Packed(NamedTuple):
    """Rows of `rows.npz`: `texts[i]` is row i's sequence, `alt[i]` a roughened form of it or NONE."""

    arrays: dict[str, np.ndarray]
    about: dict[str, Any]


class Sequences:
    """Each distinct normalised text once, in the order met."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._number: dict[str, int] = {}

    def number(self, text: str) -> int:
        found = self._number.get(text)
        if found is None:
            found = self._number[text] = len(self.texts)
            self.texts.append(text)
        return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--without-high-risk", action="store_true", help="leave out the sets whose licence risk is high")
    asked.add_argument("--most", type=int, help="rows of each set at most (to try the way out)")
    given = asked.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    recipe = yaml.safe_load((Path(__file__).parent / "encoder.yaml").read_text("utf-8"))
    base(given.out)
    collected = collect(Leakage(), given.without_high_risk)
    if given.most:
        collected = fewer(collected, given.most)
    packed = pack(collected, recipe["longest"])
    np.savez_compressed(given.out / "rows.npz", allow_pickle=False, **packed.arrays)
    about = {**packed.about, "recipe": recipe, "without_high_risk": given.without_high_risk}
    (given.out / "about.json").write_text(json.dumps(about, ensure_ascii=False, indent=1), "utf-8")
    sizes = {path.name: round(path.stat().st_size / 2**20, 1) for path in sorted(given.out.iterdir())}
    print(f"{len(packed.arrays['texts'])} rows, {len(packed.arrays['starts']) - 1} sequences, MiB: {sizes}")


def fewer(collected: Collected, most: int) -> Collected:
    seen: dict[str, int] = {}
    kept = []
    for example in collected.examples:
        seen[example.set] = seen.get(example.set, 0) + 1
        if seen[example.set] <= most:
            kept.append(example)
    return collected._replace(examples=kept, texts=collected.texts[:most])


def pack(collected: Collected, longest: int) -> Packed:
    """All rows; a row of our labels comes twice, the second time without its brand's name."""
    draw = random.Random(7)
    sequences = Sequences()
    rows: list[tuple[int, int, Example, float]] = []
    targets = Targets([as_row(example) for example in collected.examples if example.brand])
    for example in collected.examples:
        named, unnamed = _forms(example, targets)
        rows.append((sequences.number(named), _alternative(sequences, named, draw), example, example.weight))
        if unnamed is not None:
            rows.append((sequences.number(unnamed), NONE, example, 0.3 * example.weight))
    labelled = len(sequences.texts)
    for example in collected.texts:
        sequences.number(normalise(clean(example.text)))
    ids = Pieces(BASE / "tokenizer.json", longest).ids(sequences.texts)
    sets = sorted({example.set for _, _, example, _ in rows})
    langs = sorted({example.lang for _, _, example, _ in rows})
    arrays: dict[str, np.ndarray] = {
        "pieces": np.concatenate([np.asarray(one, np.uint16) for one in ids]),
        "starts": np.concatenate(([0], np.cumsum([len(one) for one in ids]))).astype(np.int64),
        "texts": np.array([text for text, _, _, _ in rows], np.int32),
        "alt": np.array([alt for _, alt, _, _ in rows], np.int32),
        "set": np.array([sets.index(example.set) for _, _, example, _ in rows], np.uint8),
        "lang": np.array([langs.index(example.lang) for _, _, example, _ in rows], np.uint8),
        "weight": np.array([weight for _, _, _, weight in rows], np.float16),
        "development": np.array([example.development for _, _, example, _ in rows], bool),
    }
    for output in collected.outputs:
        at = [number for number, (_, _, example, _) in enumerate(rows) if output.name in example.labels]
        arrays[f"at.{output.name}"] = np.array(at, np.int32)
        labels = [rows[number][2].labels[output.name] for number in at]
        arrays[f"label.{output.name}"] = np.array(labels, np.uint8)
    about = {
        "outputs": [output._asdict() for output in collected.outputs],
        "sets": sets, "langs": langs, "labelled_sequences": labelled,
    }  # fmt: skip
    return Packed(arrays, about)


def _forms(example: Example, targets: Targets) -> tuple[str, str | None]:
    """The example as serving would read it, and for our labels once more as if the brand were not named."""
    if not example.brand:
        return normalise(clean(example.text)), None
    mine, others = targets.spans(as_row(example))
    named = passage_text(Passage(example.text), Target(tuple(mine), tuple(others)))
    if not mine or not example.set.startswith("ours:"):
        return named, None
    return named, passage_text(Passage(_without(example.text, mine)), Target())


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start].rstrip('@#')} {text[end:]}"
    return text


def _alternative(sequences: Sequences, text: str, draw: random.Random) -> int:
    return sequences.number(roughen(text, draw)) if draw.random() < ROUGH else NONE


def roughen(text: str, draw: random.Random) -> str:
    """As people type in a hurry: no capitals, or nothing else; no accents; a letter lost, doubled or swapped."""
    way = draw.random()
    if way < 0.3:
        return text.lower()
    if way < 0.4:
        return text.upper()
    if way < 0.65:
        folded = unicodedata.normalize("NFD", text)
        return unicodedata.normalize("NFC", "".join(char for char in folded if char != "\u0301")).lower()
    words = text.split(" ")
    for _ in range(max(1, len(words) // 10)):
        at = draw.randrange(len(words))
        if len(words[at]) > 3 and re.fullmatch(r"[^\W\d_]+", words[at]):
            words[at] = _mistyped(words[at], draw)
    return " ".join(words)


def _mistyped(word: str, draw: random.Random) -> str:
    at = draw.randrange(1, len(word) - 1)
    return draw.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )


# --- the base model in its own four bits -----------------------------------------------------------------------------


def base(out: Path) -> None:
    from safetensors.numpy import load_file

    arrays: dict[str, np.ndarray] = {}
    for name, value in load_file(BASE / "model.safetensors").items():
        values = value.astype(np.float32)
        four = (
            four_bits(values)
            if value.ndim == 2 and value.shape[1] % 32 == 0 and "position" not in name and "type" not in name
            else None
        )
        if four is None:
            arrays[name] = value
        else:
            arrays[f"{name}|q"], arrays[f"{name}|s"] = four
    np.savez_compressed(out / "base.npz", allow_pickle=False, **arrays)


def four_bits(values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(two numbers of four bits a byte, 16-bit scales of blocks of 32), None where that is not exact to 16 bits."""
    blocks = values.reshape(-1, 32)
    far = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(1)]
    scale = (far / -8).astype(np.float16)
    safe = np.where(scale == 0, 1, scale).astype(np.float32)[:, None]
    numbers = np.clip(np.round(blocks / safe) + 8, 0, 15).astype(np.uint8)
    if np.abs((numbers.astype(np.float32) - 8) * scale.astype(np.float32)[:, None] - blocks).max() > 1e-3:
        return None
    return numbers[:, 0::2] | (numbers[:, 1::2] << 4), scale


if __name__ == "__main__":
    main()
