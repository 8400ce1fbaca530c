"""Makes the linear model that Clamor ships: `python -m training.linear [--without-high-risk] [--out FOLDER]`.

Reads `recipe.yaml`, leaves out every text that is measured on, fits one softmax regression a head on exactly the
features that serving computes, rounds the weights to 8 bits, and calibrates each head by cross-fit. Needs `../shared`
and the extra `train`; a few minutes on one core.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import yaml
from scipy.optimize import minimize
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GroupKFold

from nlp import heads
from nlp.classifier import Readings, softmax
from nlp.features import Recipe, features
from nlp.linear import FORMAT, SHIPPED
from nlp.normalise import clean, normalise
from nlp.reading import MEASURED
from stream.records import DETRACTOR_LEVELS, INTENTS, QUEUES, SENTIMENTS
from training.corpus import Leakage, Row, data, key, labels
from training.examples import WRITTEN, made, mined, risks
from training.targets import Targets

HEADS: dict[str, tuple[int, int]] = {
    "sentiment": (0, 3), "reputation": (3, 6), "intent": (6, 14), "detractor": (14, 18), "act": (18, 19)
}  # fmt: skip
READ = "read:"
"""Posts read for training, sought for rare classes or where a model doubted: nothing is calibrated on them."""
FOLDS = 5
STEPS = 127

Array = np.ndarray[Any, Any]


class Fitted(NamedTuple):
    """Weights of one head: [features, classes], [extras, classes], [classes]."""

    words: Array
    extras: Array
    bias: Array

    def logits(self, x: Any, extras: Array) -> Array:
        out: Array = np.asarray(x @ self.words) + extras @ self.extras + self.bias
        return out


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--without-high-risk", action="store_true", help="leave out the sets whose licence risk is high")
    asked.add_argument("--out", type=Path, default=SHIPPED, help="folder for weights.npz and card.json")
    given = asked.parse_args()
    recipe = yaml.safe_load((Path(__file__).parent / "recipe.yaml").read_text("utf-8"))
    leakage = Leakage()
    print(f"{leakage.texts} texts are measured on and held out")
    weights, card = train(recipe, leakage, given.without_high_risk)
    given.out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(given.out / "weights.npz", allow_pickle=False, **weights)
    (given.out / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"written to {given.out}: {(given.out / 'weights.npz').stat().st_size / 2**20:.2f} MB")


def train(recipe: dict[str, Any], leakage: Leakage, without_high_risk: bool) -> tuple[dict[str, Array], dict[str, Any]]:
    """Arrays and card of the model."""
    shape = Recipe(recipe["features"]["bits"], tuple(recipe["features"]["chars"]), recipe["features"]["words"])
    rows = sentiment_rows(recipe["sentiment"], leakage, without_high_risk)
    sentiment, sentiment_fit = fit_sentiment(rows, shape, recipe["sentiment"])
    ours = label_rows(recipe["labels"], leakage, without_high_risk)
    fitted, calibrated, settled = fit_labels(ours, shape, recipe["labels"], sentiment)
    table, scale, mix, bias = composed(
        {"sentiment": sentiment, **fitted}, {"sentiment": sentiment_fit, **calibrated}, recipe
    )
    bands = {"sentiment": sentiment_fit.band, **settled}
    used = Counter(row.set for row in rows) + Counter(row.set for row in ours)
    card = {
        "name": "linear", "version": recipe["version"], "format": FORMAT,
        "bits": shape.bits, "chars": list(shape.chars), "words": shape.words, "heads": HEADS,
        "bands": {name: round(band, 3) for name, band in bands.items()}, "precision": recipe["precision"],
        "prior": {name: [round(float(share), 4) for share in one.prior] for name, one in
                  {"sentiment": sentiment_fit, **calibrated}.items()},
        "rows": dict(sorted(used.items())),
        "without_high_risk": without_high_risk,
        "licences": "Each set keeps its own terms, mostly research on tweets. The weights hold no text.",
        "labels": "Reputation, intent, detractor, act: labelled by language models, not by people.",
    }  # fmt: skip
    return {"table": table, "scale": scale.astype(np.float32), "mix": mix, "bias": bias}, card


# --- rows ----------------------------------------------------------------------------------------------------------


def high_risk(without: bool) -> set[str]:
    """The sets that are left out."""
    return {name for name, risk in risks().items() if risk == "high"} if without else set()


def sentiment_rows(recipe: dict[str, Any], leakage: Leakage, without_high_risk: bool) -> list[Row]:
    rows, barred = [], high_risk(without_high_risk)
    for name, terms in recipe["sets"].items():
        if name in barred:
            continue
        leave_out = terms.get("leave_out", {})
        for record in data(name, "train"):
            if any(record.get(field) in values for field, values in leave_out.items()) or leakage.holds(record["text"]):
                continue
            weight = terms["weight"]
            if record.get("quality") == "gold":
                weight = terms.get("weight_gold", weight)
            if record.get("lang") == "es":
                weight = terms.get("weight_es", weight)
            rows.append(Row(record["text"], record["label"], name, record.get("lang", ""), weight))
    return rows


def label_rows(recipe: dict[str, Any], leakage: Leakage, without_high_risk: bool) -> list[Row]:
    """Ours: the shared ones, those that were read later (set `read:…`) and written ones. A text that stands n times
    counts once in all."""
    left_out = high_risk(without_high_risk)
    records = [("", one) for one in labels("train")] + [(READ, one) for one in mined()]
    records += [("", one) for one in (*labels("synthetic"), *made())]
    records = [one for one in records if one[1]["set"] not in left_out and not leakage.bars(one[1], one[1]["set"])]
    copies = Counter(key(record["text"]) for _, record in records)
    rows = []
    for place, record in records:
        weight = 1 / copies[key(record["text"])]
        weight *= recipe["unsure"] if record.get("unsure") else 1.0
        weight *= recipe["written"] if record["set"] in WRITTEN else 1.0
        rows.append(Row(record["text"], record, place + record["set"], record["lang"], weight, record["brand"]))
    return rows


def matrix(texts: Iterable[str], shape: Recipe) -> Any:
    """[texts, buckets] of normalised texts: counts over the root of their sum, as serving weighs them."""
    texts = list(texts)
    parts = []
    for at in range(0, len(texts), 2_000):
        index, starts = features(texts[at : at + 2_000], shape)
        counts = np.diff(starts)
        values = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
        part = sp.csr_matrix(
            (values, index.astype(np.int32), starts.astype(np.int32)), shape=(len(counts), 1 << shape.bits)
        )
        part.sum_duplicates()
        parts.append(part)
    return sp.vstack(parts).tocsr()


# --- fitting -------------------------------------------------------------------------------------------------------


class Calibration(NamedTuple):
    """logits · scale + bias are calibrated on rows of this prior."""

    scale: float
    bias: Array
    prior: Array
    band: float = 0.0


def regression(x: Any, extras: Array, y: Array, weight: Array, classes: int, recipe: dict[str, Any]) -> Fitted:
    """Logistic regression, one class against the rest, by averaged stochastic gradient descent (Xu 2011): on these
    sparse rows nearer to the optimum in 15 s than L-BFGS in 120 s. Features are weighted by idf to the power `rarity`,
    classes by frequency to minus `balance`."""
    df = np.bincount(x.indices, minlength=x.shape[1])
    rarity = ((np.log((1 + x.shape[0]) / (1 + df)) + 1) ** recipe["rarity"]).astype(np.float32)
    share = np.bincount(y, weight, minlength=classes) / weight.sum()
    balanced = weight * (np.maximum(share, 1e-3) ** -recipe.get("balance", 1.0))[y]
    balanced *= len(y) / balanced.sum()
    inputs = sp.hstack([x @ sp.diags(rarity), sp.csr_matrix(extras.astype(np.float32))]).tocsr()
    solver = SGDClassifier(
        loss="log_loss", alpha=recipe["penalty"], average=True, max_iter=recipe["epochs"], tol=None, random_state=1
    )
    solver.fit(inputs, y, sample_weight=balanced)
    coefficients, bias = solver.coef_.T, solver.intercept_
    if coefficients.shape[1] == 1:
        coefficients, bias = np.hstack([-coefficients / 2, coefficients / 2]), np.array([-bias[0] / 2, bias[0] / 2])
    wide, offset = np.zeros((coefficients.shape[0], classes)), np.full(classes, -8.0)
    wide[:, solver.classes_], offset[solver.classes_] = coefficients, bias
    return Fitted(wide[: x.shape[1]] * rarity[:, None], wide[x.shape[1] :], offset)


def calibrate(logits: Array, y: Array, weight: Array) -> Calibration:
    """Temperature and bias of least cross-entropy."""
    classes = logits.shape[1]
    target = np.arange(len(y)), y

    def loss(given: Array) -> float:
        p = softmax(logits * np.exp(given[0]) + given[1:])
        return float(-(weight * np.log(p[target] + 1e-12)).sum() / weight.sum() + 1e-3 * (given[1:] ** 2).sum())

    best = minimize(loss, np.zeros(classes + 1), method="L-BFGS-B").x
    return Calibration(float(np.exp(best[0])), best[1:], np.bincount(y, weight, minlength=classes) / weight.sum())


def lifted(found: Calibration, lift: float) -> Calibration:
    """Calibrated to a prior nearer to uniform: probabilities times prior to minus `lift`."""
    more = np.maximum(found.prior, 1e-3) ** -lift
    return found._replace(bias=found.bias + np.log(more), prior=found.prior * more / (found.prior @ more))


def fit_sentiment(rows: Sequence[Row], shape: Recipe, recipe: dict[str, Any]) -> tuple[Fitted, Calibration]:
    x = matrix((normalise(clean(row.text)) for row in rows), shape)
    y = np.array([SENTIMENTS.index(row.label) for row in rows])
    weight = np.array([row.weight for row in rows])
    none = np.zeros((len(rows), 0))
    groups = np.array([int.from_bytes(key(row.text)[:6], "big") for row in rows])
    held = np.zeros((len(rows), 3))
    for kept, left in GroupKFold(recipe["folds"]).split(x, y, groups):
        held[left] = regression(x[kept], none[kept], y[kept], weight[kept], 3, recipe).logits(x[left], none[left])
    seen = np.flatnonzero([row.lang in MEASURED["reputation"] for row in rows])
    share = np.bincount(y, weight) / weight.sum()
    calibration = calibrate(held[seen], y[seen], (weight / share[y])[seen])
    p = softmax(held[seen] * calibration.scale + calibration.bias)
    print("sentiment, held out:", _f1(y[seen], p.argmax(axis=1), 3))
    band = band_for(p, p.argmax(axis=1), y[seen], recipe["precision"])
    return regression(x, none, y, weight, 3, recipe), calibration._replace(band=band)


def fit_labels(
    rows: Sequence[Row], shape: Recipe, recipe: dict[str, Any], sentiment: Fitted
) -> tuple[dict[str, Fitted], dict[str, Calibration], dict[str, float]]:
    """Weights and calibration of the heads of our labels, and the bands of what they settle on."""
    targets = Targets(rows)
    named = matrix((targets.marked(row) for row in rows), shape)
    plain = matrix((normalise(clean(row.text)) for row in rows), shape)
    x = sp.vstack([named, plain]).tocsr()
    extras = recipe["sentiment"] * (np.asarray(x @ sentiment.words) + sentiment.bias)
    weight = np.array([row.weight for row in rows])
    weight = np.concatenate([weight, weight * recipe["unnamed"]])
    groups = np.tile(np.array([int.from_bytes(key(row.text)[:6], "big") for row in rows]), 2)
    real = np.array([row.set not in WRITTEN and not row.set.startswith(READ) for row in rows])
    fitted, calibrated, held = {}, {}, {}
    for name, (classes, y, use) in heads_of(rows).items():
        y, use = np.tile(y, 2), np.tile(use, 2)
        out = np.zeros((len(rows), classes))
        chosen = np.flatnonzero(use)
        for kept, left in GroupKFold(FOLDS).split(x, y, groups):
            train = np.intersect1d(kept, chosen)
            test = left[left < len(rows)]
            one = regression(x[train], extras[train], y[train], weight[train], classes, recipe)
            out[test] = one.logits(x[test], extras[test])
        measured = np.flatnonzero(use[: len(rows)] & real)
        calibrated[name] = lifted(
            calibrate(out[measured], y[measured], weight[measured]), recipe["lift"].get(name, 0.0)
        )
        held[name] = softmax(out * calibrated[name].scale + calibrated[name].bias)
        fitted[name] = regression(x[chosen], extras[chosen], y[chosen], weight[chosen], classes, recipe)
        fitted[name] = fitted[name]._replace(extras=fitted[name].extras * recipe["sentiment"])
    return fitted, calibrated, bands_of(rows, real, held, recipe["precision"])


def heads_of(rows: Sequence[Row]) -> dict[str, tuple[int, Array, Array]]:
    """Head → (classes, label's number of each row, rows it is learnt from)."""
    reputation = np.array([SENTIMENTS.index(row.label["sentiment"]) for row in rows])
    intent = np.array([INTENTS.index(row.label["intent"]) for row in rows])
    level = np.array([int(row.label["detractor"]) for row in rows])
    act = np.array([int(row.label["queue"] == "support") for row in rows])
    all_rows = np.ones(len(rows), bool)
    return {
        "reputation": (3, reputation, all_rows),
        "intent": (8, intent, all_rows),
        "detractor": (4, level, reputation == 0),
        "act": (2, act, (intent == INTENTS.index("complaint")) & (level < 3)),
    }


def bands_of(rows: Sequence[Row], real: Array, held: dict[str, Array], precision: float) -> dict[str, float]:
    settled = heads.settle(
        Readings(
            np.full((len(rows), 3), 1 / 3), np.arange(len(rows)), held["reputation"], held["intent"], held["detractor"],
            held["act"][:, 1],
        )
    )  # fmt: skip
    truth = {
        "reputation": [SENTIMENTS.index(row.label["sentiment"]) for row in rows],
        "intent": [INTENTS.index(row.label["intent"]) for row in rows],
        "detractor": [DETRACTOR_LEVELS.index(str(row.label["detractor"])) for row in rows],
        "queue": [QUEUES.index(row.label["queue"]) for row in rows],
    }
    bands = {}
    for name, numbers in truth.items():
        y, label = np.array(numbers), getattr(settled, f"{name}_label")
        p = getattr(settled, name)
        print(
            f"{name}, held out, real rows:",
            _f1(y[real], label[real], p.shape[1]),
            "accuracy",
            (y == label)[real].mean().round(4),
        )
        bands[name] = band_for(p[real], label[real], y[real], precision)
    return bands


def band_for(p: Array, label: Array, y: Array, precision: float) -> float:
    """The least probability above which labels are right at least so often; 1 where no such exists."""
    sure = p[np.arange(len(label)), label]
    order = np.argsort(-sure)
    right = np.cumsum((y == label)[order]) / np.arange(1, len(y) + 1)
    enough = np.flatnonzero(right >= precision)
    return float(sure[order][enough[-1]]) if len(enough) else 1.0


def composed(
    fitted: dict[str, Fitted], calibrated: dict[str, Calibration], recipe: dict[str, Any]
) -> tuple[Array, Array, Array, Array]:
    """Table of 8-bit integers, its scale, and the dense layer that mixes the sentiment in and calibrates."""
    outputs = HEADS["act"][1]
    words = np.hstack([_one_column(one.words) if name == "act" else one.words for name, one in fitted.items()])
    most = np.abs(words).max(axis=0)
    scale = most / STEPS
    table = np.round(words / scale).astype(np.int8)
    mix, bias = np.zeros((outputs, outputs)), np.zeros(outputs)
    first = slice(*HEADS["sentiment"])
    for name, one in fitted.items():
        place = slice(*HEADS[name])
        stretch = calibrated[name].scale
        extras, offset, shift = one.extras, one.bias, calibrated[name].bias
        if name == "act":
            extras, offset, shift = _one_column(extras), _one_column(offset[None])[0], _one_column(shift[None])[0]
        mix[place, place] = np.eye(place.stop - place.start) * stretch
        bias[place] = offset * stretch + shift
        if name != "sentiment":
            mix[first, place] = extras * stretch
            bias[place] += fitted["sentiment"].bias @ extras * stretch
    return table, scale, mix, bias


def _one_column(two: Array) -> Array:
    """Two classes' weights as the logit of the second."""
    return two[:, 1:] - two[:, :1]


def _f1(y: Array, label: Array, classes: int) -> str:
    scores = []
    for number in range(classes):
        hit = ((y == number) & (label == number)).sum()
        all_of = (y == number).sum() + (label == number).sum()
        scores.append(2 * hit / all_of if all_of else 0.0)
    return f"macro-F1 {np.mean(scores):.4f} " + " ".join(f"{score:.2f}" for score in scores)


if __name__ == "__main__":
    main()
