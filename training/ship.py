"""Weights of `training.learn` to a model that is served: `python -m training.ship STEM PACK --tier fast --out FOLDER`.

Exports them, lets the exported graph read the rows that were kept out of training, calibrates each head on what it says
of them, and writes all that into the model's card. What is printed is cross-fit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from nlp import heads
from nlp.classifier import Readings
from nlp.encoder import BANDS, HEADS, Network
from nlp.normalise import TARGET
from nlp.own.f1 import confusion, each_f1, macro_f1
from nlp.pieces import FILE, MOST, reserved
from stream.guidelines import queue_of
from stream.records import INTENTS, QUEUES
from training.calibrate import (
    FOLDS,
    Array,
    Calibration,
    Slopes,
    band,
    error,
    exclusive,
    folds,
    several,
    softmax,
    threshold,
)
from training.corpus import SHARED, labels
from training.corpus import read as corpus_read
from training.examples import FOLDER, TONE, WRITTEN, risks
from training.export import export, whole
from training.terms import licence
from training.weights import load, packed

UNKNOWN, NONE = 2, 255
"""Labels of a class that a set says nothing of, and of a row that an output says nothing of."""
OURS = ("reputation", "intent", "detractor", "act")


class Held(NamedTuple):
    """The rows that were kept out of training, as the model sees them."""

    logits: Array
    """[rows, outputs]"""
    labels: dict[str, Array]
    weight: Array
    group: Array
    ours: Array
    """[rows] whether it is one by our guidelines, of the sets that the shared labels come from: rows of other sets were
    sought for rare classes, and teach only. Most of these were drawn with a model's doubt as weight: their shares are
    near those of the sets, not the same, and they are harder."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("weights", type=Path, help="as training.learn names them: OUT/fast for OUT/fast.0.npz …")
    asked.add_argument("pack", type=Path)
    asked.add_argument("--tier", choices=("fast", "accurate"), required=True)
    asked.add_argument("--version", type=int, required=True)
    asked.add_argument("--name", help="of the model; the tier by default")
    asked.add_argument("--out", type=Path, required=True)
    given = asked.parse_args()
    tokenizer = reserved(json.loads((SHARED / "base-model" / FILE).read_text("utf-8")))
    arrays = whole(load(given.weights), SHARED / "base-model", tokenizer)
    about = json.loads((given.pack / "about.json").read_text("utf-8"))
    plain = {
        "name": given.name or given.tier, "version": given.version, "tier": given.tier,
        "heads": {one: {"classes": list(of)} for one, of in HEADS.items() if f"head.{one}.weight" in arrays},
        "bands": dict.fromkeys(BANDS, 1.0),
    }  # fmt: skip
    export(arrays, plain, tokenizer, given.out)
    recipe = yaml.safe_load((Path(__file__).parent / "encoder.yaml").read_text("utf-8"))["calibrate"]
    mark = next(token["id"] for token in tokenizer["added_tokens"] if token["content"] == TARGET)
    held = read(given.out, given.pack, about, mark)
    found = calibrated(held, plain["heads"], recipe)
    card = {**plain, **found, "data": data_of(about), "without_high_risk": about["without_high_risk"]}
    card["licences"] = {name: licence(name) for name in card["data"] if name not in WRITTEN}
    card["labels"] = "Reputation, intent, detractor, act: labelled by language models, not by people."
    size = export(arrays, card, tokenizer, given.out)
    print(f"{given.out}: {size / 1e6:.1f} MB")


def read(folder: Path, pack: Path, about: Mapping[str, Any], mark: int) -> Held:
    """`mark`: the piece that stands for the target. A row that has none is read as if to one that it does not name."""
    arrays = packed(pack)
    served = [output["name"] for output in about["outputs"] if output["served"]]
    spoken_of = np.unique(np.concatenate([arrays[f"at.{name}"] for name in served]))
    at = spoken_of[arrays["development"][spoken_of]]
    texts = arrays["texts"][at]
    pieces = [arrays["pieces"][arrays["starts"][one] : arrays["starts"][one + 1]] for one in texts]
    asked = [one if mark in one else _unnamed(one, mark) for one in pieces]
    rows = Network(folder).logits([one.astype(np.uint16) for one in asked])
    marks = {}
    for output in about["outputs"]:
        if output["served"]:
            width = () if output["kind"] == "one" else (len(output["classes"]),)
            whole_of = np.full((len(arrays["texts"]), *width), NONE, np.int64)
            whole_of[arrays[f"at.{output['name']}"]] = arrays[f"label.{output['name']}"]
            marks[output["name"]] = whole_of[at]
    sets = np.array(about["sets"])[arrays["set"][at]]
    of_shared = sorted({f"ours:{row['set']}" for row in labels("train")})
    return Held(
        np.stack([np.frombuffer(row, np.float32) for row in rows]).astype(np.float64), marks,
        arrays["weight"][at].astype(np.float64), texts.astype(np.int64),
        np.isin(sets, of_shared),
    )  # fmt: skip


def _unnamed(pieces: Array, mark: int) -> Array:
    """As serving writes a text that does not name its target, cut as serving cuts."""
    return np.concatenate((pieces[:1], [mark], pieces[1 : min(len(pieces), MOST - 1) - 1], pieces[-1:]))


def calibrated(held: Held, plain: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The card's `heads` and `bands`."""
    told: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    p: dict[str, Array] = {}
    start = 0
    for name, head in plain.items():
        end = start + len(head["classes"])
        z, y = held.logits[:, start:end], held.labels[name]
        start = end
        use = np.flatnonzero((y if y.ndim == 1 else y[:, 0]) != NONE)
        if name in OURS:
            use = use[held.ours[use]]
        fit = _several if y.ndim == 2 else _exclusive
        final, p[name], figures[name] = fit(name, z, y, use, held, recipe)
        told[name] = {
            "classes": head["classes"],
            "temperature": round(final.temperature, 4),
            "bias": final.bias.round(4).tolist(),
            "prior": final.prior.round(4).tolist(),
        }
        if y.ndim == 2:
            told[name]["thresholds"] = [
                threshold(p[name][seen, one], y[seen, one])
                for one in range(y.shape[1])
                for seen in [use[y[use, one] != UNKNOWN]]
            ]
    bands = _bands(held, p, recipe["precision"])
    for name, head in told.items():
        if "thresholds" in head:
            bands[name] = band_of_several(p[name], held.labels[name], head["thresholds"], recipe["precision"])
    return {"heads": told, "bands": bands, "precision": recipe["precision"], "figures": figures}


def band_of_several(p: Array, y: Array, least: Sequence[float], precision: float) -> float:
    """Of a head that says several things at once: by the one that it is least sure of, and right where all are, on the
    rows that say something of every class. 1 where no such share is right."""
    use = ((y == 0) | (y == 1)).all(axis=1)
    says = p[use] >= np.array(least)
    sure = np.where(says, p[use], 1 - p[use]).min(axis=1)
    wrong = (says != (y[use] == 1)).any(axis=1)
    return round(band(sure[:, None], np.zeros(len(sure), int), wrong.astype(int), precision), 4)


def _exclusive(
    name: str, z: Array, y: Array, use: Array, held: Held, recipe: Mapping[str, Any]
) -> tuple[Calibration, Array, dict[str, float]]:
    """The calibration, the cross-fit probabilities, and what they are worth on the rows that were kept out."""
    balance = recipe["balance"].get(name, 0.0)
    part = folds(held.group)
    p = np.zeros(z.shape)
    for one in range(FOLDS):
        kept = use[part[use] != one]
        if len(kept):
            p[part == one] = exclusive(z[kept], y[kept], held.weight[kept], balance).probabilities(z[part == one])
    final = exclusive(z[use], y[use], held.weight[use], balance)
    for told, of in (("raw", softmax(z[use])), ("calibrated", p[use])):
        label = of.argmax(axis=1)
        right = label == y[use]
        figures = {
            "rows": len(use), "macro_f1": round(_f1(y[use], label), 4), "accuracy": round(float(right.mean()), 4),
            "ece": round(float(error(of.max(axis=1), right)), 4),
        }  # fmt: skip
        print(f"{name}, {told}: {figures}")
    print(f"{name}: temperature {final.temperature:.2f}, bias {final.bias.round(2).tolist()}")
    return final, p, figures


def _several(
    name: str, z: Array, y: Array, use: Array, held: Held, recipe: Mapping[str, Any]
) -> tuple[Slopes, Array, dict[str, float]]:
    part, known = folds(held.group), y != UNKNOWN
    p = np.zeros(z.shape)
    for one in range(FOLDS):
        kept = use[part[use] != one]
        found = several(z[kept], (y[kept] == 1).astype(float), known[kept], held.weight[kept])
        p[part == one] = found.probabilities(z[part == one])
    final = several(z[use], (y[use] == 1).astype(float), known[use], held.weight[use])
    scores = [
        each_f1(confusion(y[seen, one], p[seen, one] >= 0.5, 2))[1]
        for one in range(y.shape[1])
        for seen in [use[known[use, one]]]
    ]
    print(f"{name}: {len(use)} rows, F1 by class {np.round(scores, 3).tolist()}, mean {np.mean(scores):.4f}")
    return final, p, {"rows": len(use), "mean_f1": round(float(np.mean(scores)), 4)}


def _bands(held: Held, p: Mapping[str, Array], precision: float) -> dict[str, float]:
    """Of the text's heads on the rows that have labels of them; of the others on what they settle on."""
    found = {}
    for name in p:
        y = held.labels[name]
        if name not in OURS and y.ndim == 1:
            use = np.flatnonzero(y != NONE)
            found[name] = band(p[name][use], p[name][use].argmax(axis=1), y[use], precision)
    use = np.flatnonzero(held.ours & (held.labels["reputation"] != NONE) & (held.weight > 0))
    mine = {name: p[name][use] for name in OURS}
    settled = heads.settle(
        Readings(
            p["sentiment"][use], np.arange(len(use)), mine["reputation"], mine["intent"], mine["detractor"],
            mine["act"][:, 1],
        )
    )  # fmt: skip
    for name, y in truth(held, use).items():
        label, said = getattr(settled, f"{name}_label"), getattr(settled, name)
        found[name] = band(said, label, y, precision)
        print(
            f"{name}, settled: {len(use)} rows, macro-F1 {_f1(y, label):.4f}, accuracy {(label == y).mean():.4f},"
            f" band {found[name]:.3f}"
        )
    return {name: round(value, 4) for name, value in found.items()}


def _f1(y: Array, label: Array) -> float:
    return float(macro_f1(confusion(y, label, 1 + int(max(y.max(), label.max())))))


def truth(held: Held, use: Array) -> dict[str, Array]:
    reputation, intent = held.labels["reputation"][use], held.labels["intent"][use]
    level = np.where(held.labels["detractor"][use] == NONE, 0, held.labels["detractor"][use])
    act = held.labels["act"][use] == 1
    queues = [
        QUEUES.index(queue_of(INTENTS[one], int(how), bool(able)))
        for one, how, able in zip(intent, level, act, strict=True)
    ]
    return {"reputation": reputation, "intent": intent, "detractor": level, "queue": np.array(queues)}


def data_of(about: Mapping[str, Any]) -> dict[str, str]:
    """Set → risk of its terms, of all that the model has learnt labels from."""
    known = risks()
    names = {name.removeprefix("ours:") for name in about["sets"]}
    if TONE in names:
        names = names - {TONE} | {row["set"] for row in corpus_read(FOLDER / "tones.jsonl")}
    return {name: known.get(name, "none: written for this") for name in sorted(names)}


if __name__ == "__main__":
    main()
