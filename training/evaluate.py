"""Measures the shipped models beside VADER and the majority class, and writes docs/accuracy.md's tables.

`python -m training.evaluate [--no-write]`. Needs `../shared` and the extra `train`. Everything that a user gets is
measured: the classes behind `clamor classify`, brands found by the matcher, heads settled together.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from sklearn.metrics import cohen_kappa_score, f1_score, recall_score
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from nlp import heads
from nlp.classifier import Passage, Target
from nlp.language import OTHER, Languages
from nlp.linear import SHIPPED, LinearClassifier
from nlp.normalise import clean, normalise
from stream.records import DETRACTOR_LEVELS, INTENTS, QUEUES, SENTIMENTS
from training.corpus import SHARED, Row, data, labels
from training.targets import Targets

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
START, END = "<!-- measured: start -->", "<!-- measured: end -->"
BINS = 15
BATCH = 256
_TEXTS = ("tweeteval_sentiment", "xlmt_sentiment", "tweet_sentiment_extraction")
_BRANDED = ("airlines_es", "airline_us", "sanders", "sxsw_brands", "apple_dfe")
_SPOKEN = Path(__file__).parent / "languages_measured.yaml"


class Measured(NamedTuple):
    head: str
    set: str
    lang: str
    rows: int
    f1: float
    recall: float
    accuracy: float
    vader: float | None
    majority: float
    kappa: float | None = None
    error: float | None = None
    """Expected calibration error in BINS equal bins."""
    outside: float | None = None
    """Share of the rows outside the abstain band, and how often the label is right there."""
    precision: float | None = None


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--no-write", action="store_true", help="print only")
    asked.add_argument("--model", type=Path, default=SHIPPED, help="folder of another linear model; implies --no-write")
    given = asked.parse_args()
    classifier, vader = LinearClassifier(given.model), SentimentIntensityAnalyzer()
    measured = [*sentiment(classifier, vader), *ours(classifier, vader), *branded(classifier, vader)]
    text = "\n\n".join([_header(classifier), _table(measured), _languages_table(Languages())])
    print(text)
    if not given.no_write and given.model == SHIPPED:
        page = PAGE.read_text("utf-8")
        before, after = page.split(START)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{START}\n{text}\n{END}{after}", "utf-8")


def sentiment(classifier: LinearClassifier, vader: Any) -> list[Measured]:
    """Sentiment of the text, by set and language."""
    found = []
    for name in _TEXTS:
        rows = [
            Row(record["text"], record["label"], name, record.get("lang", "en")) for record in data(name, "validation")
        ]
        for lang in sorted({row.lang for row in rows}, key=lambda one: (one not in ("en", "es"), one)):
            mine = [row for row in rows if row.lang == lang]
            p = classifier.read([Passage(row.text, lang=lang) for row in mine]).sentiment
            y = np.array([SENTIMENTS.index(row.label) for row in mine])
            found.append(_measured("sentiment", name, lang, y, p, p.argmax(axis=1), classifier, _vader(vader, mine)))
    return found


def ours(classifier: LinearClassifier, vader: Any) -> list[Measured]:
    """The heads of our labels, on real rows by our guidelines."""
    rows = [Row(one["text"], one, one["set"], one["lang"], 1.0, one["brand"]) for one in labels("validation")]
    settled = _settled(classifier, rows)
    truth: dict[str, tuple[Sequence[str], Callable[[Any], str]]] = {
        "reputation": (SENTIMENTS, lambda label: str(label["sentiment"])),
        "intent": (INTENTS, lambda label: str(label["intent"])),
        "detractor": (DETRACTOR_LEVELS, lambda label: str(label["detractor"])),
        "queue": (QUEUES, lambda label: str(label["queue"])),
    }
    guess = _vader(vader, rows)
    found = []
    for head, (classes, of) in truth.items():
        y = np.array([classes.index(of(row.label)) for row in rows])
        for lang in ("en, es", "en", "es"):
            use = np.array([row.lang in lang for row in rows])
            p, label = getattr(settled, head)[use], getattr(settled, f"{head}_label")[use]
            beside = guess[use] if head == "reputation" else None
            found.append(_measured(head, "labels", lang, y[use], p, label, classifier, beside))
    return found


def branded(classifier: LinearClassifier, vader: Any) -> list[Measured]:
    """Reputation on public brand sets, whose labels follow other rules than ours: a look, not a goal."""
    found = []
    for name in _BRANDED:
        rows = []
        for one in data(name, "validation"):
            label = one["label"]
            if label in SENTIMENTS:
                brand = one.get("brand") or one.get("target") or ", ".join(one.get("brands") or ())
                rows.append(
                    Row(one["text"], label, name, one.get("lang", "es" if name.endswith("_es") else "en"), 1.0, brand)
                )
        settled = _settled(classifier, rows)
        y = np.array([SENTIMENTS.index(row.label) for row in rows])
        p, label = settled.reputation, settled.reputation_label
        found.append(_measured("reputation", name, rows[0].lang, y, p, label, classifier, _vader(vader, rows)))
    return found


def _settled(classifier: LinearClassifier, rows: Sequence[Row]) -> heads.Settled:
    targets = Targets(rows)
    passages = []
    for row in rows:
        mine, others = targets.spans(row)
        passages.append(Passage(row.text, (Target(tuple(mine), tuple(others)),), row.lang))
    return heads.settle(classifier.read(passages))


def _measured(
    head: str, name: str, lang: str, y: Any, p: Any, label: Any, classifier: LinearClassifier, vader: Any = None
) -> Measured:
    majority = np.full(len(y), Counter(y.tolist()).most_common(1)[0][0])
    sure = p[np.arange(len(label)), label]
    outside = sure >= classifier.bands[head]
    return Measured(
        head, name, lang, len(y),
        f1_score(y, label, average="macro"),
        recall_score(y, label, average="macro", zero_division=0),
        float((y == label).mean()),
        None if vader is None else f1_score(y, vader, average="macro"),
        f1_score(y, majority, average="macro"),
        cohen_kappa_score(y, label, weights="quadratic") if head == "detractor" else None,
        calibration_error(sure, y == label),
        float(outside.mean()),
        float((y == label)[outside].mean()) if outside.any() else None,
    )  # fmt: skip


def calibration_error(sure: Any, right: Any) -> float:
    """Expected calibration error in BINS equal-width bins (Guo et al. 2017)."""
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(right[bins == one].mean() - sure[bins == one].mean()) * (bins == one).mean()
            for one in set(bins.tolist())
        )
    )


def _vader(vader: Any, rows: Iterable[Row]) -> Any:
    """VADER's compound score at the thresholds that its authors give (±0.05)."""
    scores = np.array([vader.polarity_scores(row.text)["compound"] for row in rows])
    return np.where(scores >= 0.05, 2, np.where(scores <= -0.05, 0, 1))


# --- languages -----------------------------------------------------------------------------------------------------


def _languages_table(languages: Languages) -> str:
    rows = [(one["text"], one["lang"], "xlmt_sentiment") for one in data("xlmt_sentiment", "validation")]
    rows += [(one["text"], one["lang"], "emoevent") for one in data("emoevent", "validation")]
    rows += [(one["text"], "es", "airlines_es") for one in data("airlines_es", "validation")]
    written = yaml.safe_load(_SPOKEN.read_text("utf-8"))
    rows += [(text, lang, "ours") for lang, texts in written.items() for text in texts]
    known = set(languages.labels)
    wanted = [lang if lang in known else OTHER for _, lang, _ in rows]
    plain = [normalise(clean(text)) for text, _, _ in rows]
    batches = [plain[at : at + BATCH] for at in range(0, len(plain), BATCH)]
    mine, mine_micros = _timed(
        lambda: [lang for batch in batches for lang, _ in languages.identify(batch, [None] * len(batch))], len(rows)
    )
    import py3langid

    py3langid.classify("warm")
    readable = ["".join(char for char in text if not "\ue000" <= char <= "\uf8ff") for text in plain]
    theirs, their_micros = _timed(lambda: [py3langid.classify(text)[0] for text in readable], len(rows))
    theirs = [lang if lang in known else OTHER for lang in theirs]
    lines = ["| set | language | posts | ours | py3langid |", "|---|---|---:|---:|---:|"]
    for name, lang in sorted({(name, want) for (_, _, name), want in zip(rows, wanted, strict=True)}):
        at = [number for number, row in enumerate(rows) if row[2] == name and wanted[number] == lang]
        right = [sum(one[number] == lang for number in at) / len(at) * 100 for one in (mine, theirs)]
        lines.append(f"| {name} | {lang} | {len(at)} | {right[0]:.1f} | {right[1]:.1f} |")
    lines.append(f"| CPU µs a post | | {len(rows)} | {mine_micros:.0f} | {their_micros:.0f} |")
    return "### Language: share found right, in per cent\n\n" + "\n".join(lines)


def _timed(step: Callable[[], list[str]], rows: int) -> tuple[list[str], float]:
    start = time.process_time()
    found = step()
    return found, (time.process_time() - start) / rows * 1e6


# --- page ----------------------------------------------------------------------------------------------------------


def _header(classifier: LinearClassifier) -> str:
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, one core"
    return (
        f"Model `{classifier.model}`, measured {time.strftime('%Y-%m-%d', time.gmtime())} by `make evaluate` "
        f"(`python -m training.evaluate`) on {machine}; data from `{SHARED.name}/`."
    )


def _table(measured: Sequence[Measured]) -> str:
    titles = ["head", "set", "language", "rows", "**macro-F1**", "macro recall", "accuracy", "VADER macro-F1"]
    titles += ["majority macro-F1", "ECE", "outside the band", "right there"]
    lines = ["| " + " | ".join(titles) + " |", "|---|---|---|" + "---:|" * 9]
    for one in measured:
        kappa = f" (QWK {one.kappa:.2f})" if one.kappa is not None else ""
        cells = [one.head, one.set, one.lang, f"{one.rows:,}", f"**{one.f1 * 100:.1f}**{kappa}"]
        cells += [_percent(one.recall), _percent(one.accuracy), _percent(one.vader), _percent(one.majority)]
        cells += [f"{one.error:.3f}", _percent(one.outside), _percent(one.precision)]
        lines.append("| " + " | ".join(cells) + " |")
    return "### Heads, in per cent\n\n" + "\n".join(lines)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.1f}"


if __name__ == "__main__":
    main()
