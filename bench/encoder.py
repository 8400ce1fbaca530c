"""CPU a post of the encoder, part by part, and posts a second: `python -m bench.encoder FOLDER ... [--shapes 3x768]`.

FOLDER is a model's. `--shapes` measures models of so many layers and such a width of the feed-forward part with random
weights, which are as fast as learnt ones; it needs the base model beside the repository, and what trains. Posts have 30
to 33 pieces and no repeats: real ones where ../shared is there, else made of our own sentences.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import psutil

from bench.corpus import SHARED
from bench.nlp import made
from nlp.classifier import Passage, Target
from nlp.encoder import BANDS, HEADS, TransformerClassifier, batches
from nlp.pieces import Pieces, passage_text

BATCH = 256
LENGTHS = range(30, 34)
ROUNDS = 3
KNOWN = 20_000
"""Posts whose words a worker knows before it is measured."""
REAL = ("semeval_sentiment_en/train", "posts_es/unlabelled")


class Part(NamedTuple):
    name: str
    micros: float
    """User CPU of one post."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", nargs="*", type=Path)
    asked.add_argument("--shapes", nargs="*", default=[], metavar="LAYERSxWIDTH")
    asked.add_argument("--posts", type=int, default=1_024, help="how many are measured")
    asked.add_argument("--memory", action="store_true", help="also the memory of a worker after 10,000 posts")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as made_here:
        folders = [*given.folder, *(untrained(shape, Path(made_here) / shape) for shape in given.shapes)]
        if not folders:
            asked.error("name a model's folder, or --shapes")
        texts, before, source = posts(folders[0], given.posts)
        print(f"{given.posts} of {source}, {LENGTHS[0]} to {LENGTHS[-1]} pieces, batches of {BATCH}")
        for folder in folders:
            report(folder, before, texts)
            if given.memory:
                print("  memory (PSS) of a worker: {:.0f} MB loaded, {:.0f} MB after 10,000".format(*memory(folder)))


def report(folder: Path, before: Sequence[str], texts: Sequence[str]) -> None:
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
    print(f"\n{folder.name}, {size:.1f} MB")
    parts = measure(folder, before, texts)
    for part in parts:
        print(f"  {part.name:36} {part.micros:8.1f} µs user CPU a post")
    one, two = rate(folder, before, texts, 1), rate(folder, before, texts, 2)
    print(f"  {1e6 / parts[-1].micros:.0f} posts a second of user CPU")
    print(f"  wall: 1 worker {one:.0f}/s, 2 workers {two:.0f}/s, ratio {two / one:.2f}", flush=True)


def measure(folder: Path, before: Sequence[str], texts: Sequence[str]) -> list[Part]:
    """Each part alone, and last all of `read`: best of ROUNDS, the words of `before` known."""
    rounds = [_measured(folder, before, texts) for _ in range(ROUNDS)]
    return [min(each, key=lambda part: part.micros) for each in zip(*rounds, strict=True)]


def _measured(folder: Path, before: Sequence[str], texts: Sequence[str]) -> list[Part]:
    passages = [Passage(text) for text in texts]
    framed = [passage_text(one, Target()) for one in passages]
    classifier, remembering, pieces = TransformerClassifier(folder, 0), TransformerClassifier(folder), Pieces(folder)
    for one in (classifier._pieces, pieces):
        one.ids([passage_text(Passage(text), Target()) for text in before])
    remembering.read(passages)

    def cpu(step: Callable[[slice], object]) -> float:
        """User CPU of one post, in µs."""
        start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        for at in range(0, len(texts), BATCH):
            step(slice(at, at + BATCH))
        return (resource.getrusage(resource.RUSAGE_SELF).ru_utime - start) / len(texts) * 1e6

    marking = cpu(lambda at: [passage_text(one, Target()) for one in passages[at]])
    cutting = cpu(lambda at: pieces.ids(framed[at]))
    ids = pieces.ids(framed)
    batching = cpu(lambda at: [_stacked(ids[at], batch) for batch in batches([len(one) for one in ids[at]])])
    return [
        Part("normalise and mark", marking),
        Part("pieces", cutting),
        Part("batching", batching),
        Part("session", cpu(lambda at: classifier._network.logits(ids[at])) - batching),
        Part("look-up, calibration, probabilities", cpu(lambda at: remembering.read(passages[at])) - marking),
        Part("all, nothing remembered", cpu(lambda at: classifier.read(passages[at]))),
    ]


def rate(folder: Path, before: Sequence[str], texts: Sequence[str], workers: int) -> float:
    """Posts a second of wall time: one model, read before the fork, and as many posts for each worker."""
    classifier = TransformerClassifier(folder, kept=0)
    classifier._pieces.ids([passage_text(Passage(text), Target()) for text in before])
    start, children = time.monotonic(), []
    for _ in range(workers):
        child = os.fork()
        if not child:
            for at in range(0, len(texts), BATCH):
                classifier.read([Passage(text) for text in texts[at : at + BATCH]])
            os._exit(0)
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    if failed:
        raise RuntimeError(f"{len(failed)} workers did not end well")
    return workers * len(texts) / (time.monotonic() - start)


def memory(folder: Path) -> tuple[float, float]:
    """PSS in MB of a process that reads posts of ever new words, of all lengths."""
    classifier, process = TransformerClassifier(folder), psutil.Process()
    before = process.memory_full_info().pss / 2**20
    for start in range(0, 10_000, 2_000):
        texts = made(2_000, seed=start)
        for at in range(0, 2_000, BATCH):
            classifier.read(
                [Passage(" ".join(texts[at : at + 1 + at % 7])) for at in range(at, min(at + BATCH, 2_000))]
            )
    gc.collect()
    return before, process.memory_full_info().pss / 2**20


def posts(folder: Path, count: int) -> tuple[list[str], list[str], str]:
    """So many texts of LENGTHS by the pieces of `folder`; others, to know the words of; and what they are."""
    pieces, found, others = Pieces(folder), dict[str, None](), list[str]()
    real = all((SHARED / f"{name}.jsonl.gz").exists() for name in REAL)
    source = alternating() if real else iter(made(400_000))
    while (len(found) < count or len(others) < KNOWN) and (some := list(islice(source, 5_000))):
        for text, ids in zip(some, pieces.ids([passage_text(Passage(text), Target()) for text in some]), strict=True):
            if len(ids) in LENGTHS and len(found) < count:
                found.setdefault(text)
            else:
                others.append(text)
    if len(found) < count:
        raise ValueError(f"only {len(found)} posts have {LENGTHS[0]} to {LENGTHS[-1]} pieces: ask for fewer by --posts")
    name = "real posts (semeval_sentiment_en, posts_es)" if real else "posts of our own sentences"
    return list(found), others[:KNOWN], name


def alternating() -> Iterator[str]:
    with ExitStack() as opened:
        paths = [SHARED / f"{name}.jsonl.gz" for name in REAL]
        files = [opened.enter_context(gzip.open(path, "rt", encoding="utf-8")) for path in paths]
        for lines in zip(*files, strict=False):
            yield from (json.loads(line)["text"] for line in lines)


def untrained(shape: str, out: Path) -> Path:
    """A model of `shape`, LAYERSxWIDTH, with random weights and the base model's pieces."""
    from nlp.own.graph import export, four_bits, to_four_bits
    from nlp.pieces import FILE, reserved

    layers, ffn = (int(part) for part in shape.split("x"))
    tokenizer = reserved(json.loads((SHARED.parent / "base-model" / FILE).read_text("utf-8")))
    hidden, draw = 384, np.random.default_rng(1)

    def some(*sizes: int, around: float = 0.0) -> Any:
        return (draw.standard_normal(sizes) * 0.05 + around).astype(np.float16)

    arrays = {
        "embeddings.word_embeddings.weight": four_bits(*to_four_bits(some(len(tokenizer["model"]["vocab"]), hidden))),
        "embeddings.position_embeddings.weight": some(512, hidden),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        place = f"encoder.layer.{layer}."
        norms += [f"{place}attention.output.LayerNorm", f"{place}output.LayerNorm"]
        products = {f"attention.self.{name}": (hidden, hidden) for name in ("query", "key", "value")}
        products |= {"attention.output.dense": (hidden, hidden)}
        products |= {"intermediate.dense": (ffn, hidden), "output.dense": (hidden, ffn)}
        for name, sizes in products.items():
            arrays |= {f"{place}{name}.weight": some(*sizes), f"{place}{name}.bias": some(sizes[0])}
    for name in norms:
        arrays |= {f"{name}.weight": some(hidden, around=1.0), f"{name}.bias": some(hidden)}
    for name, classes in HEADS.items():
        arrays |= {f"head.{name}.weight": some(len(classes), hidden), f"head.{name}.bias": some(len(classes))}
    card = {"name": f"untrained-{shape}", "version": 0, "tier": "fast", "bands": dict.fromkeys(BANDS, 0.5),
            "heads": {name: {"classes": list(classes)} for name, classes in HEADS.items()}}  # fmt: skip
    export(arrays, card, tokenizer, out)
    return out


def _stacked(ids: Sequence[Any], batch: Sequence[int]) -> Any:
    return np.stack([ids[number] for number in batch], axis=1).astype(np.int32)


if __name__ == "__main__":
    main()
