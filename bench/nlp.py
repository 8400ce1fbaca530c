"""CPU a post of understanding, part by part, beside its budget: `python -m bench.nlp [FILE.jsonl[.gz]] [--memory]`.

The file has a `text` a line. Without one, posts are made of our own sentences: words of their own, no repeats.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import psutil

from config.brands import Brand
from nlp import heads, severity
from nlp.aspects import Aspects
from nlp.brands import BrandMatcher
from nlp.classifier import Passage, Target
from nlp.fingerprint import fingerprints
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.normalise import clean, normalise
from nlp.spam import Spam
from nlp.work import UnderstandWork
from query.text import analyse
from stream.ports import InForce, LogRecord
from stream.records import Post, decode, encode

BATCH = 256
BUDGET = 180.0
ROUNDS = 5

_BRANDS = (
    Brand(id="iberia", name="Iberia", exclude=("península", "peninsula"), handles=("@IberiaInforma",)),
    Brand(id="ryanair", name="Ryanair", kind="competitor"),
    Brand(id="vueling", name="Vueling", kind="competitor", aliases=("Vueling Airlines",)),
    Brand(id="apple", name="Apple", require=("iphone", "mac", "support", "store"), handles=("@AppleSupport",)),
    Brand(id="amazon", name="Amazon", handles=("@AmazonHelp",), exclude=("rainforest", "selva")),
    Brand(id="bakery", name="La Espiga", aliases=("Panadería La Espiga",), hashtags=("#LaEspiga",)),
)
_OPENINGS = (
    "Tercera vez que {brand} pierde mi maleta en {place}", "How much is the plan for families at {brand} in {place}?",
    "Gracias {brand}, el vuelo a {place} salió puntual", "{brand} kept me waiting {n} hours in {place}",
    "Me paso a la competencia, {brand} ya no responde desde {place}", "Just landed in {place}, coffee first",
    "@{brand} sigo esperando la factura de {place} desde hace {n} días", "Qué bonito amanecer en {place} 😍",
)  # fmt: skip
_CLOSINGS = (
    "y nadie contesta el teléfono #vergüenza", "and the app says everything is fine https://a.example/{n}", "😡😡😡",
    "¿alguien sabe cómo reclamar?", "thanks to the lovely crew at gate {n}!", "ni una explicación, ni una disculpa",
    "never again", "mañana será otro día, supongo",
)  # fmt: skip


_ONE = [("", ())]


class Part(NamedTuple):
    name: str
    micros: float
    """CPU of one post."""


class _Fixed:
    def current(self) -> InForce:
        return InForce(1, _BRANDS, 1, "")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", nargs="?", type=Path)
    asked.add_argument("--memory", action="store_true", help="also the memory of a worker after 100,000 posts")
    given = asked.parse_args()
    texts = read(given.file, 8_192) if given.file else made(8_192)
    print(
        f"{len(texts)} posts of {sum(map(len, texts)) / len(texts):.0f} characters, batches of {BATCH}, CPU µs a post"
    )
    for part in measure(texts):
        print(f"{part.name:34} {part.micros:7.1f}")
    print(f"{'budget':34} {BUDGET:7.1f}")
    if given.memory:
        before, after = memory()
        print(
            f"memory (PSS) of a worker after 10,000 posts {before:.0f} MB, after 100,000 {after:.0f} MB, limit 250 MB"
        )


def measure(texts: Sequence[str]) -> list[Part]:
    """Each part alone, best of ROUNDS, and last the whole of the stage's work."""
    classifier, languages, matcher, cues = LinearClassifier(), Languages(), BrandMatcher(_BRANDS), severity.Cues()
    spam = Spam()
    posts = [_post(number, text) for number, text in enumerate(texts)]
    raw = [encode(post) for post in posts]
    analyses = [analyse(text) for text in texts]
    plain = [normalise(clean(text)) for text in texts]
    passages = [
        Passage(text, (Target(tuple(next(iter(matcher.find(one).values()), ()))),))
        for text, one in zip(texts, analyses, strict=True)
    ]
    work = UnderstandWork(classifier, languages, _Fixed())
    records = [LogRecord("posts", 0, number, posts[number].id, value, 0) for number, value in enumerate(raw)]
    readings = classifier.read(passages[:BATCH])
    aspects, langs = Aspects(), [lang for lang, _ in languages.identify(plain, [None] * len(plain))]
    parts: list[tuple[str, Callable[[slice], object]]] = [
        ("decode", lambda at: [decode(Post, value) for value in raw[at]]),
        ("tokens", lambda at: [analyse(text) for text in texts[at]]),
        ("normalise", lambda at: [normalise(clean(text)) for text in texts[at]]),
        ("language", lambda at: languages.identify(plain[at], [None] * len(plain[at]))),
        ("fingerprint", lambda at: fingerprints(plain[at])),
        ("brands", lambda at: [matcher.match(post, one) for post, one in zip(posts[at], analyses[at], strict=True)]),
        ("classifier, one brand a post", lambda at: classifier.read(passages[at])),
        ("settling heads", lambda at: heads.settle(readings)),
        ("cues of risk", lambda at: [cues.found(one.surfaces) for one in analyses[at]]),
        ("aspects", lambda at: [aspects.said(*one, _ONE) for one in zip(analyses[at], langs[at], strict=True)]),
        ("marks of spam", lambda at: [spam.found(one) for one in analyses[at]]),
        ("all of the stage's work", lambda at: work.run(records[at], (), 1)),
    ]
    return [Part(name, _cpu(step, len(texts))) for name, step in parts]


def memory() -> tuple[float, float]:
    """PSS in MB after 10,000 and after 100,000 posts of ever new words."""
    work, process, seen = UnderstandWork(LinearClassifier(), Languages(), _Fixed()), psutil.Process(), []
    for number, start in enumerate(range(0, 100_000, 2_000), 1):
        texts = made(2_000, seed=start)
        for at in range(0, 2_000, BATCH):
            batch = [_post(start + at + row, text) for row, text in enumerate(texts[at : at + BATCH])]
            work.run([LogRecord("posts", 0, 0, post.id, encode(post), 0) for post in batch], (), 1)
        if number in (5, 50):
            gc.collect()
            seen.append(process.memory_full_info().pss / 2**20)
    return seen[0], seen[1]


def read(path: Path, most: int) -> list[str]:
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()
    return [json.loads(line)["text"] for line in lines[:most]]


def made(most: int, seed: int = 1) -> list[str]:
    """Posts of our own sentences with ever new places and numbers."""
    draw = random.Random(seed)
    texts = []
    for _ in range(most):
        place = "".join(draw.choices("abcdefghilmnoprstu", k=8)).title()
        words = {"brand": draw.choice(_BRANDS).name, "place": place, "n": draw.randrange(1, 9_999)}
        texts.append(f"{draw.choice(_OPENINGS)} {draw.choice(_CLOSINGS)}".format(**words))
    return texts


def _post(number: int, text: str) -> Post:
    return Post(id=f"x:{number}", network="x", text=text, seen_at=1, event_time=1)


def _cpu(step: Callable[[slice], object], posts: int) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for at in range(0, posts, BATCH):
            step(slice(at, at + BATCH))
        best = min(best, time.process_time() - start)
    return best / posts * 1e6


if __name__ == "__main__":
    main()
