"""How near half precision is to the integers that a model is shipped in: `python -m bench.half FOLDER`.

Labels of both by head, of all posts and of those outside the abstain band by the shipped integers, and posts a second
of each. Two kinds of posts: ones that were written for training (they are shipped, each towards its brand), and real
ones where ../shared is there.

`--provider cpu` computes the same graph on the processor, where each product of 16 bits is computed in 32 between two
conversions: it rounds as a GPU does but for the order of the sums, and its speed says nothing of a GPU's.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.corpus import SHARED
from bench.encoder import REAL, alternating
from nlp.classifier import Classifier, Passage
from nlp.device import PROVIDERS, why_not
from nlp.encoder import TransformerClassifier
from nlp.half import HalfNetwork
from nlp.own import labelled
from nlp.reading import Rows

BATCH = 1_000
"""Posts that are read together: a batch in half precision is always full, and of few posts much of it is filling."""
LANGS = ("en", "es")
"""Of `bench.encoder.REAL`, in order."""
DRAWN_FROM = 20_000
"""Real posts that those which are measured are drawn from: those at the beginning of their files are all of a day."""


class Agreement(NamedTuple):
    head: str
    every: float
    """Share of all posts with the same label."""
    outside: float
    """Of those that are outside the head's abstain band; not a number where there are none."""
    posts_outside: int


class Said(NamedTuple):
    labels: dict[str, list[object]]
    """By head, a label for each post."""
    review: list[tuple[str, ...]]
    """Of each post the heads that abstain."""
    rate: float
    """Posts a second."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path, help="a model's folder")
    asked.add_argument("--posts", type=int, default=1_000, help="how many of each kind")
    asked.add_argument("--provider", choices=sorted(PROVIDERS), default="cpu", help="what computes half precision")
    given = asked.parse_args()
    if why := why_not(given.provider):
        asked.error(why)
    plain = TransformerClassifier(given.folder, kept=0)
    half = TransformerClassifier(given.folder, kept=0, half=HalfNetwork(given.folder, given.provider))
    for kind, passages in kinds(given.posts).items():
        shipped, halved = said(plain, passages), said(half, passages)
        print(f"\n{len(passages):,} {kind}: {plain.model} and {half.model} by {PROVIDERS[given.provider]}")
        for one in agreements(shipped, halved):
            print(f"  {one.head:11} {one.every:8.2%} of all   {one.outside:8.2%} of {one.posts_outside:,} outside")
        print(f"  posts a second: {shipped.rate:,.0f} shipped, {halved.rate:,.0f} in half precision", flush=True)


def kinds(count: int) -> dict[str, list[Passage]]:
    """So many posts of each kind, drawn by chance, always the same."""
    found = {"written posts": [row.passage for row in random.Random(1).sample(labelled.synthetic(), count)]}
    if all((SHARED / f"{name}.jsonl.gz").exists() for name in REAL):
        texts = random.Random(1).sample(list(islice(zip(alternating(), cycle(LANGS)), DRAWN_FROM)), count)
        found["real posts (semeval_sentiment_en, posts_es)"] = [Passage(text, lang=lang) for text, lang in texts]
    return found


def said(classifier: Classifier, passages: Sequence[Passage]) -> Said:
    labels: dict[str, list[object]] = {}
    review: list[tuple[str, ...]] = []
    spent = 0.0
    for at in range(0, len(passages), BATCH):
        batch = passages[at : at + BATCH]
        start = time.perf_counter()
        readings = classifier.read(batch)
        spent += time.perf_counter() - start
        rows = Rows(readings, classifier, batch)
        for head in rows.heads:
            of_head = getattr(rows, head)
            labels.setdefault(head, []).extend([one.labels if head == "emotion" else one.label for one in of_head])
        review += [rows.review(row) for row in range(len(batch))]
    return Said(labels, review, len(passages) / spent)


def agreements(shipped: Said, halved: Said) -> list[Agreement]:
    """One for each head, and one of the posts on which all heads agree ("every head")."""
    found, whole, settled = [], np.ones(len(shipped.review), bool), np.ones(len(shipped.review), bool)
    for head, labels in shipped.labels.items():
        same = np.array([one == other for one, other in zip(labels, halved.labels[head], strict=True)])
        sure = np.array([head not in heads for heads in shipped.review])
        found.append(_agreement(head, same, sure))
        whole, settled = whole & same, settled & sure
    return [*found, _agreement("every head", whole, settled)]


def _agreement(head: str, same: np.ndarray, sure: np.ndarray) -> Agreement:
    outside = float(same[sure].mean()) if sure.any() else float("nan")
    return Agreement(head, float(same.mean()), outside, int(sure.sum()))


if __name__ == "__main__":
    main()
