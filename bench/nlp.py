"""CPU a post of stage `nlp`, part by part, beside its goal: `python -m bench.nlp [FILE.jsonl[.gz]] [--tier TIER]`.

Every part is timed on posts that no part has met, a batch at a time, in the order in which the stage works; then the
stage's own work on others, to see that nothing is missing from the list. `--memory` measures that instead: of a worker
that has read 100,000 posts, in this process, which holds nothing else.

The file has a `text` a line; its posts are read as replies, towards a brand that they do not name. Without one, posts
are made of our own sentences, each about a brand, with words of their own and no repeats.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import psutil

from bench.clock import Clock
from config.brands import Brand
from nlp import heads
from nlp.classifier import Passage, Target
from nlp.encoder import TransformerClassifier
from nlp.fingerprint import fingerprints
from nlp.language import Languages
from nlp.linear import LinearClassifier
from nlp.normalise import clean, marked, normalise
from nlp.pieces import passage_text
from nlp.reading import Rows, _reading, _targets, readable
from nlp.shelf import LINEAR, open_classifier
from nlp.valve import Limits, Valve
from nlp.work import UnderstandWork
from query.text import analyse
from stream.ports import InForce, LogRecord
from stream.records import TIERS, Post, Understanding, Understood, decode, encode

BATCH = 500
"""As stage `nlp` takes them (`clamor.processes`)."""
ROUNDS = 3
GOAL = 300.0
"""µs of CPU a post, of all but the model."""
LIMIT = 250
"""MB of a worker."""
MODEL, MARKED, READ, REST = "the model", "brands marked", "look-up, batches, probabilities", "the rest"

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
_NAMES = tuple(brand.name for brand in _BRANDS)
_NAMING = tuple(one for one in _OPENINGS if "{brand}" in one)
_NAMED = tuple(brand.name for brand in _BRANDS if not brand.require)


class Part(NamedTuple):
    name: str
    micros: float
    """CPU of one post."""


class Measured(NamedTuple):
    parts: list[Part]
    whole: float
    """µs of one post: all of the stage's work but the model, in one."""
    model: float
    readings: float
    """Of a post: one for each brand that it is about."""


class _Fixed:
    def current(self) -> InForce:
        return InForce(1, _BRANDS, 1, "")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("file", nargs="?", type=Path)
    asked.add_argument("--tier", choices=TIERS, default="fast")
    asked.add_argument("--posts", type=int, default=1_000, help=f"of a round; {2 * ROUNDS + 1} times as many are read")
    asked.add_argument("--memory", action="store_true", help="instead: the memory of a worker after 100,000 posts")
    given = asked.parse_args()
    if given.memory:
        loaded, early, late = memory(given.tier)
        print(
            f"memory (PSS) of a worker, tier {given.tier}: {loaded:.0f} MB loaded, {early:.0f} MB after 10,000 posts, "
            f"{late:.0f} MB after 100,000, limit {LIMIT} MB"
        )
        return
    count = (2 * ROUNDS + 1) * given.posts
    texts = read(given.file, count) if given.file else made(count, 1, _NAMING, _NAMED)
    if len(texts) < count:
        asked.error(f"{given.file} has {len(texts):,} posts, {count:,} are read: ask for fewer by --posts")
    report(given.tier, measure(given.tier, [_post(*one, given.file is not None) for one in enumerate(texts)]), texts)


def report(tier: str, found: Measured, texts: Sequence[str]) -> None:
    print(
        f"tier {tier}, posts of {sum(map(len, texts)) / len(texts):.0f} characters, {found.readings:.2f} readings a "
        f"post, batches of {BATCH}; CPU µs a post, the least of {ROUNDS} rounds"
    )
    for part in found.parts:
        print(f"  {part.name:44} {part.micros:8.1f}")
    print(f"{'all parts together':46} {sum(part.micros for part in found.parts):8.1f}")
    print(f"{'all but the model, as the stage works':46} {found.whole:8.1f}   goal {GOAL:.0f}")
    print(f"{MODEL:46} {found.model:8.1f}")


def measure(tier: str, posts: Sequence[Post]) -> Measured:
    """Each part and the whole, the least of ROUNDS, each of posts of its own; a round before them does not count."""
    work, clock = UnderstandWork(open_classifier(tier), Languages(), _Fixed()), Clock()
    size = len(posts) // (2 * ROUNDS + 1)
    wholes, parts, readings = list[dict[str, float]](), list[dict[str, float]](), 0
    with clocked(work, clock):
        for at in range(0, size * (2 * ROUNDS + 1), size):
            values = list[bytes]()
            by_parts = len(wholes) > len(parts)
            for records in _batches(posts[at : at + size]):
                if by_parts:
                    values += step_by_step(work, clock, records)
                else:
                    clock(REST, lambda some=records: work.run(some, (), 1))
            (parts if by_parts else wholes).append(clock.taken())
            readings += sum(_readings(value) for value in values)
    for taken in parts:
        taken[READ] -= taken[MARKED]  # marks them too
    least = {name: min(taken[name] for taken in parts) / size * 1e6 for name in parts[0]}
    whole = min(sum(taken.values()) - taken[MODEL] for taken in wholes[1:]) / size * 1e6
    listed = [Part(name, micros) for name, micros in least.items() if name != MODEL]
    return Measured(listed, whole, least[MODEL], readings / (ROUNDS * size))


@contextmanager
def clocked(work: UnderstandWork, clock: Clock) -> Iterator[None]:
    """What its classifier does a batch at a time is timed apart, the model's own part of it first of all."""
    classifier = work._reader.classifier
    with ExitStack() as seams:
        if isinstance(classifier, TransformerClassifier):
            seams.enter_context(clock.around(MODEL, classifier._network._session, "run"))  # type: ignore[attr-defined]
            seams.enter_context(clock.around("pieces of words", classifier._pieces, "ids"))
        elif isinstance(classifier, LinearClassifier):
            seams.enter_context(clock.around(MODEL, classifier._weights, "logits"))
        seams.enter_context(clock.around("heads settled together", heads, "settle"))
        yield


def step_by_step(work: UnderstandWork, clock: Clock, records: Sequence[LogRecord]) -> list[bytes]:
    """What `work.run` appends, made by the same objects in the same order, each part timed."""
    reader, classifier = work._reader, work._reader.classifier
    posts = clock("posts decoded", lambda: [decode(Post, one.value) for one in records])
    texts = [readable(post) for post in posts]
    analyses = clock("tokens", lambda: [analyse(text) for text in texts])
    plain = clock("normal form", lambda: [normalise(clean(text)) for text in texts])
    langs = clock("language", lambda: reader.languages.identify(plain, [post.lang for post in posts]))
    prints = clock("near-duplicates", lambda: fingerprints(plain))
    matches = clock("brand matching", lambda: [reader.matcher.match(*one) for one in zip(posts, analyses, strict=True)])
    targets = clock(
        "brand matching", lambda: [_targets(matches[n], post.reply_to is not None) for n, post in enumerate(posts)]
    )
    asked = [number for number, some in enumerate(targets) if some]
    passages = [Passage(texts[n], targets[n], langs[n][0]) for n in asked]
    mark = passage_text if isinstance(classifier, TransformerClassifier) else _marked
    clock(MARKED, lambda: [mark(one, target) for one in passages for target in one.targets])
    readings = clock(READ, lambda: classifier.read(passages))
    said = clock("aspects", lambda: [reader._said(passages[at], analyses[n], matches[n]) for at, n in enumerate(asked)])
    spam = clock(
        "marks of spam",
        lambda: [reader._spam.found(analyses[n], sum(bool(one.spans) for one in matches[n])) for n in asked],
    )
    cues = clock("cues of risk", lambda: [reader._cues.found(analyses[n].surfaces) for n in asked])

    def mentions() -> dict[int, list[Understanding]]:
        rows, found = Rows(readings, classifier, passages), dict[int, list[Understanding]]()
        for target, owner in enumerate(readings.owner.tolist()):
            mine, named = found.setdefault(asked[owner], []), matches[asked[owner]]
            match = named[len(mine)] if len(mine) < len(named) else None
            mine.append(rows.understanding(target, match, cues[owner], said[owner][len(mine)], spam[owner]))
        return found

    found = clock("labels, risk and doubt of mentions", mentions)

    def encoded(n: int) -> bytes:
        reading = _reading(langs[n], prints[n], matches[n], found.get(n, []))
        return encode(work._understood(records[n], posts[n], reading, 1, hasty=False))

    return clock("records encoded", lambda: [encoded(n) for n in range(len(records))])


def memory(tier: str) -> tuple[float, float, float]:
    """PSS in MB of this process: loaded, after 10,000 and after 100,000 posts of ever new words, one in sixteen of them
    as long as a model reads."""
    valve = None if tier == LINEAR else Valve(LinearClassifier(), Limits(60_000, 10_000))
    work, process = UnderstandWork(open_classifier(tier), Languages(), _Fixed(), valve), psutil.Process()
    seen = [process.memory_full_info().pss / 2**20]
    for read_before in range(0, 100_000, 2_000):
        texts = made(2_000, read_before, _NAMING, _NAMED)
        longer = [" ".join(texts[at : at + 7]) if at % 16 == 0 else text for at, text in enumerate(texts)]
        for records in _batches([_post(read_before + at, text) for at, text in enumerate(longer)]):
            work.run(records, (), 1)
        if read_before + 2_000 in (10_000, 100_000):
            gc.collect()
            seen.append(process.memory_full_info().pss / 2**20)
    loaded, early, late = seen
    return loaded, early, late


def read(path: Path, most: int) -> list[str]:
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()
    return [json.loads(line)["text"] for line in lines[:most]]


def made(most: int, seed: int = 1, openings: Sequence[str] = _OPENINGS, names: Sequence[str] = _NAMES) -> list[str]:
    """Posts of our own sentences with ever new places and numbers."""
    draw = random.Random(seed)
    texts = []
    for _ in range(most):
        place = "".join(draw.choices("abcdefghilmnoprstu", k=8)).title()
        words = {"brand": draw.choice(names), "place": place, "n": draw.randrange(1, 9_999)}
        texts.append(f"{draw.choice(openings)} {draw.choice(_CLOSINGS)}".format(**words))
    return texts


def _post(number: int, text: str, answers: bool = False) -> Post:
    parent = "x:parent" if answers else None
    return Post(id=f"x:{number}", network="x", text=text, seen_at=1, event_time=1, reply_to=parent)


def _batches(posts: Sequence[Post]) -> list[list[LogRecord]]:
    records = [LogRecord("posts", 0, number, post.id, encode(post), 0) for number, post in enumerate(posts)]
    return [records[at : at + BATCH] for at in range(0, len(records), BATCH)]


def _readings(value: bytes) -> int:
    understood = decode(Understood, value)
    return len(understood.mentions) + (understood.unnamed is not None)


def _marked(passage: Passage, target: Target) -> str:
    return marked(passage.text, target.spans, target.others)


if __name__ == "__main__":
    main()
