"""Accuracy against posts a second, of models of several shapes: `python -m training.curve FOLDER ... [--plot FILE]`.

FOLDER is a model's, as `training.ship` writes it. All read the same rows, and the same posts are timed, in one run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.encoder import measure, posts, rate
from nlp.encoder import TransformerClassifier
from training.evaluate import Asked, ours, read, texts
from training.metrics import Figures, of_classes
from training.page import interval, table
from training.plots import curve

TIMED = 1_024
"""Posts of 30 to 33 pieces."""


class Point(NamedTuple):
    name: str
    megabytes: float
    micros: float
    """User CPU of one post, everything that `read` does."""
    rate: float
    """Posts a second of two workers, by the wall."""
    english: Figures
    spanish: Figures
    complaint: Figures
    reputation: Figures
    intent: Figures
    queue: Figures


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", nargs="+", type=Path)
    asked.add_argument("--plot", type=Path, help="also as an SVG")
    given = asked.parse_args()
    found = points(given.folder)
    found.sort(key=lambda one: one.rate)
    print(listed(found))
    if given.plot:
        lines = {
            "TweetEval sentiment, macro recall": [one.english.recall for one in found],
            "XLM-T Spanish sentiment, macro-F1": [one.spanish.f1 for one in found],
            "reputation, macro-F1": [one.reputation.f1 for one in found],
            "queue, accuracy": [one.queue.accuracy for one in found],
        }
        curve([one.name for one in found], [one.rate for one in found], lines, given.plot)


def points(folders: Sequence[Path]) -> list[Point]:
    timed, before, _ = posts(folders[0], TIMED)
    sets = [texts("tweeteval_sentiment"), texts("xlmt_sentiment"), texts("complaints"), ours()]
    found = []
    for folder in folders:
        english, foreign, complaint, labelled = (_figures(folder, one) for one in sets)
        size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        micros, two = measure(folder, before, timed)[-1].micros, rate(folder, before, timed, 2)
        found.append(
            Point(
                folder.name,
                size,
                micros,
                two,
                english["sentiment", "en"],
                foreign["sentiment", "es"],
                complaint["complaint", "en"],
                labelled["reputation", "en, es"],
                labelled["intent", "en, es"],
                labelled["queue", "en, es"],
            )
        )
    return found


def listed(found: Sequence[Point]) -> str:
    titles = [
        "model",
        "MB",
        "CPU µs a post",
        "posts/s, 2 workers",
        "TweetEval, macro recall",
        "XLM-T Spanish, macro-F1",
        "complaint, macro-F1",
        "reputation, macro-F1",
        "intent, macro-F1",
        "queue, accuracy",
    ]
    rows = [
        [
            one.name,
            f"{one.megabytes:.1f}",
            f"{one.micros:.0f}",
            f"{one.rate:,.0f}",
            interval(one.english.recall),
            interval(one.spanish.f1),
            interval(one.complaint.f1),
            interval(one.reputation.f1),
            interval(one.intent.f1),
            interval(one.queue.accuracy),
        ]
        for one in found
    ]
    return table(titles, 1, rows)


def _figures(folder: Path, asked: Asked) -> dict[tuple[str, str], Figures]:
    """(head, language) → figures."""
    said = read(TransformerClassifier(folder), asked.passages)
    return {
        (one.head, one.lang): of_classes(one.y, said.labels[one.head][one.at], said.p[one.head].shape[1])
        for one in asked.questions
        if one.head in said.labels
    }


if __name__ == "__main__":
    main()
