"""Measures the shipped models beside each other, VADER and the majority class, and writes docs/accuracy.md's tables.

`python -m training.evaluate [--no-write] [--model FOLDER ...]`. Needs `../shared` and the extra `train`. Everything
that a user gets is measured: the classes behind `clamor classify`, brands found by the matcher, heads settled together.
All models read the same rows in one run.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from nlp import heads
from nlp.classifier import HALF, Classifier, Passage, Readings, Target
from nlp.own.f1 import Array, paired
from nlp.shelf import SHIPPED, at, open_folder
from stream.records import DETRACTOR_LEVELS, EMOTIONS, INTENTS, QUEUES, SENTIMENTS
from training import metrics, spoken
from training.corpus import SHARED, Leakage, Row, data, labels
from training.examples import kept_out
from training.metrics import Figures
from training.page import DOCS, Line, Machine, write
from training.plots import Panel, reliability
from training.targets import Targets

BATCH = 256
UNKNOWN = 2
_BITS = ("complaint", "irony", "offensive")
_OURS = ("reputation", "intent", "detractor", "queue")
_CLASSES: dict[str, Sequence[str]] = {
    "sentiment": SENTIMENTS, "reputation": SENTIMENTS, "intent": INTENTS, "detractor": DETRACTOR_LEVELS,
    "queue": QUEUES, "complaint": ("no", "yes"), "irony": ("no", "yes"), "offensive": ("no", "yes"),
}  # fmt: skip
_TEXTS = {
    "tweeteval_sentiment": "sentiment", "xlmt_sentiment": "sentiment", "tweet_sentiment_extraction": "sentiment",
    "complaints": "complaint", "tweeteval_irony": "irony", "tweeteval_offensive": "offensive",
}  # fmt: skip
_KEPT_OUT = {"irosva_es": "irony", "offendes": "offensive"}
"""Sets without a validation part: their rows that were kept out of training."""
_EMOTIONS = ("tweeteval_emotion", "emoevent")
_BRANDED = ("airlines_es", "airline_us", "sanders", "sxsw_brands", "apple_dfe")


class Question(NamedTuple):
    """Rows of one set with what one head should say of them."""

    head: str
    set: str
    lang: str
    at: Array
    """Numbers of the rows among those of the set."""
    y: Array


class Asked(NamedTuple):
    """A set's passages, and the questions about them."""

    passages: list[Passage]
    questions: list[Question]


class Said(NamedTuple):
    """What a model says of a set: head → label and probabilities; None where it does not say."""

    labels: dict[str, Array]
    p: dict[str, Array]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--no-write", action="store_true", help="print only")
    asked.add_argument("--model", type=Path, nargs="*", help="folders of other models; implies --no-write")
    given = asked.parse_args()
    folders = given.model or [
        one for one in (SHIPPED / tier for tier in ("fast", "accurate", "linear")) if one.is_dir()
    ]
    models = {folder.name: open_folder(at(folder)) for folder in folders}
    lines = list(measured(models))
    machines = [machine(folder, models[folder.name]) for folder in folders]
    writes = not given.no_write and not given.model
    print(write(lines, machines, spoken.table(), _header(), pages=writes))
    if writes:
        for name, model in models.items():
            reliability(panels(lines, name), f"{name} ({model.model})", DOCS / "images" / f"reliability-{name}.svg")


def measured(models: dict[str, Classifier]) -> Iterator[Line]:
    vader = SentimentIntensityAnalyzer()
    for asked in (*map(texts, _TEXTS), *spared(), ours(), *map(branded, _BRANDED)):
        said = {name: read(model, asked.passages) for name, model in models.items()}
        guess = _vader(vader, asked.passages)
        for question in asked.questions:
            yield _line(question, said, models, guess)
    for name in _EMOTIONS:
        yield from emotions(name, models)


def panels(lines: Sequence[Line], name: str) -> list[Panel]:
    """Of English and Spanish, where all labels are in one language or for both together."""
    return [
        Panel(f"{line.head}, {line.set.removesuffix('_sentiment')} {line.lang}", *line.models[name].sure)
        for line in lines
        if name in line.models and line.models[name].sure and line.lang in ("en", "es", "en, es")
        if line.set not in _BRANDED and not (line.set == "labels" and line.lang != "en, es")
    ]


def _line(question: Question, said: dict[str, Said], models: dict[str, Classifier], guess: Array) -> Line:
    head, y, at = question.head, question.y, question.at
    classes = len(_CLASSES[head])
    found: dict[str, Figures] = {}
    for name, one in said.items():
        if head in one.labels:
            label, p = one.labels[head][at], one.p[head][at]
            band = models[name].bands.get(head)
            found[name] = metrics.of_classes(y, label, classes, p, band, ordinal=head == "detractor")
    gains = {}
    if "linear" in found:
        base = said["linear"].labels[head][at]
        gains = {name: paired(y, base, said[name].labels[head][at], classes) for name in found if name != "linear"}
    majority = metrics.of_classes(y, np.full(len(y), Counter(y.tolist()).most_common(1)[0][0]), classes)
    vader = metrics.of_classes(y, guess[at], classes) if head in ("sentiment", "reputation") else None
    return Line(head, question.set, question.lang, len(y), _CLASSES[head], found, gains, vader, majority)


def read(model: Classifier, passages: Sequence[Passage]) -> Said:
    parts = [model.read(passages[at : at + BATCH]) for at in range(0, len(passages), BATCH)]
    labels: dict[str, list[Array]] = {}
    p: dict[str, list[Array]] = {}
    for one in parts:
        settled = heads.settle(one)
        rows: dict[str, tuple[Array, Array]] = {
            head: (getattr(settled, f"{head}_label"), getattr(settled, head)) for head in _OURS
        }
        rows["sentiment"] = one.sentiment.argmax(axis=1), one.sentiment
        rows |= {
            head: _yes(model, one, head)
            for head in ("complaint", "irony", "offensive")
            if getattr(one, head) is not None
        }
        if one.emotion is not None:
            rows["emotion"] = _felt(model, one.emotion), one.emotion
        for head, (label, probabilities) in rows.items():
            labels.setdefault(head, []).append(label)
            p.setdefault(head, []).append(probabilities)
    return Said(
        {head: np.concatenate(one) for head, one in labels.items()}, {h: np.concatenate(o) for h, o in p.items()}
    )


def _yes(model: Classifier, readings: Readings, head: str) -> tuple[Array, Array]:
    """From the model's own threshold on, as it is served."""
    yes = getattr(readings, head)
    least = model.thresholds.get(head, {}).get("yes", HALF)
    return (yes >= least).astype(int), np.stack([1 - yes, yes], axis=1)


def _felt(model: Classifier, p: Array) -> Array:
    stated = model.thresholds.get("emotion", {})
    out: Array = p >= np.array([stated.get(name, HALF) for name in EMOTIONS])
    return out


def texts(name: str) -> Asked:
    """A set that labels texts, by language."""
    head = _TEXTS[name]
    named = {"no_complaint": "no", "non_irony": "no", "irony": "yes", "not-offensive": "no", "offensive": "yes"}
    if head == "complaint":
        named["complaint"] = "yes"
    rows = list(data(name, "validation"))
    y = np.array([_CLASSES[head].index(named.get(row["label"], row["label"])) for row in rows])
    langs = np.array([row.get("lang", "en") for row in rows])
    passages = [Passage(row["text"], lang=row.get("lang", "en")) for row in rows]
    found = sorted(set(langs.tolist()), key=lambda one: (one not in ("en", "es"), one))
    at = {lang: np.flatnonzero(langs == lang) for lang in found}
    return Asked(passages, [Question(head, name, lang, at[lang], y[at[lang]]) for lang in found])


def spared() -> Iterator[Asked]:
    leakage = Leakage()
    for name, head in _KEPT_OUT.items():
        rows = kept_out(head, name, leakage)
        y = np.array([row.labels[head] for row in rows])
        passages = [Passage(row.text, lang=row.lang) for row in rows]
        yield Asked(passages, [Question(head, name, "es", np.arange(len(rows)), y)])


def ours() -> Asked:
    """The heads of our labels, on real rows by our guidelines."""
    rows = [Row(one["text"], one, one["set"], one["lang"], 1.0, one["brand"]) for one in labels("validation")]
    langs = np.array([row.lang for row in rows])
    truth = {
        "reputation": [row.label["sentiment"] for row in rows],
        "intent": [row.label["intent"] for row in rows],
        "detractor": [str(row.label["detractor"]) for row in rows],
        "queue": [row.label["queue"] for row in rows],
    }
    questions = []
    for head, names in truth.items():
        y = np.array([_CLASSES[head].index(name) for name in names])
        for lang in ("en, es", "en", "es"):
            at = np.flatnonzero([one in lang for one in langs])
            questions.append(Question(head, "labels", lang, at, y[at]))
    return Asked(_towards(rows), questions)


def branded(name: str) -> Asked:
    """Reputation on a public brand set, whose labels follow other rules than ours: a look, not a goal."""
    rows = []
    for one in data(name, "validation"):
        if one["label"] in SENTIMENTS:
            brand = one.get("brand") or one.get("target") or ", ".join(one.get("brands") or ())
            lang = one.get("lang", "es" if name.endswith("_es") else "en")
            rows.append(Row(one["text"], one["label"], name, lang, 1.0, brand))
    y = np.array([SENTIMENTS.index(row.label) for row in rows])
    return Asked(_towards(rows), [Question("reputation", name, rows[0].lang, np.arange(len(rows)), y)])


def emotions(name: str, models: dict[str, Classifier]) -> Iterator[Line]:
    """Sets that name one emotion of a text: of each of our six, whether it is that one."""
    known_classes = {"tweeteval_emotion": ("anger", "joy", "sadness")}.get(name, EMOTIONS)
    rows = [row for row in data(name, "validation") if row["label"] in EMOTIONS or name == "emoevent"]
    known = np.tile(np.isin(EMOTIONS, known_classes), (len(rows), 1))
    y = np.array([[row["label"] == emotion for emotion in EMOTIONS] for row in rows])
    langs = np.array([row.get("lang", "en") for row in rows])
    said = {
        one: read(model, [Passage(row["text"], lang=row.get("lang", "en")) for row in rows])
        for one, model in models.items()
    }
    for lang in sorted(set(langs.tolist())):
        at = np.flatnonzero(langs == lang)
        found = {}
        for one, what in said.items():
            if "emotion" in what.labels:
                label, p, band = what.labels["emotion"][at], what.p["emotion"][at], models[one].bands.get("emotion")
                found[one] = metrics.of_questions(y[at], label.astype(bool), p, known[at], band)
        yield Line("emotion", name, lang, len(at), EMOTIONS, found, {}, None, None)


def _towards(rows: Sequence[Row]) -> list[Passage]:
    targets = Targets(rows)
    passages = []
    for row in rows:
        mine, others = targets.spans(row)
        passages.append(Passage(row.text, (Target(tuple(mine), tuple(others)),), row.lang))
    return passages


def _vader(vader: Any, passages: Sequence[Passage]) -> Array:
    """VADER's compound score at the thresholds that its authors give (±0.05)."""
    scores = np.array([vader.polarity_scores(one.text)["compound"] for one in passages])
    return np.where(scores >= 0.05, 2, np.where(scores <= -0.05, 0, 1))


def machine(folder: Path, model: Classifier) -> Machine:
    """Size, and user CPU of reading a thousand posts that no cache knows."""
    rows = [Passage(row["text"]) for row in data("xlmt_sentiment", "train") if row["lang"] in ("en", "es")][:1_256]
    model.read(rows[:BATCH])
    begun = time.process_time()
    for start in range(BATCH, len(rows), BATCH):
        model.read(rows[start : start + BATCH])
    micros = (time.process_time() - begun) / (len(rows) - BATCH) * 1e6
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    return Machine(folder.name, model.model, size, micros)


def _header() -> str:
    where = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, one core"
    return (
        f"Measured {time.strftime('%Y-%m-%d', time.gmtime())} by `make evaluate` (`python -m training.evaluate`) on "
        f"{where}; data from `{SHARED.name}/`."
    )


if __name__ == "__main__":
    main()
