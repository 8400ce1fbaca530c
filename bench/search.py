"""How fast the index takes mentions in and answers: `python bench/search.py --rows 1000000`.

`--elasticsearch http://127.0.0.1:9200` asks a cluster in place of the embedded index: in indices of its own, which are
deleted at the end unless `--keep NAME` gives them a name to be found by again.

The corpus is made here, from a seed: words of two invented vocabularies (common English and Spanish words, endings that
both languages put to use, and made-up rare ones) drawn by Zipf's law, twelve brands of very different size, thirty days
with a daily rhythm. The queries stand in `bench/queries.txt`, in three classes by the hits they have in a million rows.
"""

# ruff: noqa: SIM905 (the word lists are meant to be read)

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from index.embedded import EmbeddedStore
from index.port import IndexStore
from query.parse import parse
from query.tree import Node
from stream.clock import DAY, HOUR
from stream.ports import EVERYTHING, AccessScope, Commit
from stream.records import (
    INTENTS,
    Author,
    Decided,
    Decision,
    Mention,
    Metrics,
    Post,
    Queue,
    Scores,
    Term,
    Understanding,
)

if TYPE_CHECKING:
    from index.elastic import ElasticStore

START = 1_790_000_000_000
DAYS = 30
QUERIES = Path(__file__).with_name("queries.txt")
CHUNK = 500
CLASSES = ("below 1k", "1k to 20k", "above 20k")
LIMITS_MS = {"below 1k": 50.0, "1k to 20k": 50.0, "above 20k": 150.0}

BRANDS = (
    *("vuelamar", "tandem", "movilia", "panorama", "casalba", "brisa"),
    *("norte", "kestrel", "lumen", "orchard", "tidal", "vertice"),
)
NETWORKS = ("x", "reddit", "mastodon", "bluesky", "youtube", "news", "reviews", "forum")
COUNTRIES = (None, "ES", "MX", "US", "GB", "AR", "CO")

ENGLISH = """
the to and a of in is it you that for on with my this was have are not be at they but so me as we just your from get
all no can out when if will about now one up do there what why how never again still please thanks help today week
month flight bag luggage seat gate crew plane airport delay cancel refund ticket booking check board miss wait queue
desk phone call answer agent service customer support manager bill charge price fee contract line signal network
data plan router install technician shop bread cake coffee cream order deliver box cold stale fresh queue open close
staff rude kind happy angry sad terrible awful great good bad best worst love hate leave switch competitor claim
lawyer court boycott strike press report news safe danger fire smoke sick poison allergy child family holiday trip
wedding work home email app website password login error crash update slow fast money pay card bank double lost
found broken fix return exchange offer deal cheap expensive worth recommend avoid trust promise lie wrong right true
sorry thank sincerely question
""".split()
SPANISH = """
de la que el en y a los se del las un por con no una su para es al lo como más pero sus le ya o este sí porque esta
entre cuando muy sin sobre me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso
ante ellos vuelo maleta equipaje asiento puerta tripulación avión aeropuerto retraso cancelar reembolso billete
reserva facturar embarque perder esperar cola mostrador teléfono llamar respuesta agente servicio cliente atención
encargado factura cobro precio tarifa contrato línea señal red datos plan instalar técnico tienda pan pastel café
crema pedido entregar caja frío duro fresco abrir cerrar personal grosero amable feliz enfadado triste terrible
horrible genial bueno malo mejor peor encantar odiar dejar cambiar competencia reclamar abogado juicio boicot huelga
prensa informe noticia seguro peligro fuego humo enfermo veneno alergia niño familia vacaciones viaje boda trabajo
casa correo aplicación página contraseña error fallo actualizar lento rápido dinero pagar tarjeta banco doble
perdido roto arreglar devolver oferta barato caro recomendar evitar confiar promesa mentira mal razón verdad perdón
gracias pregunta nunca otra vez todavía favor ayuda hoy
""".split()
ENDINGS = {"en": ("", "s", "ed", "ing", "er"), "es": ("", "s", "es", "ción", "ando")}
SYLLABLES = [first + last for first in "bcdfglmnprstv" for last in ("a", "i", "o")]
RARE = 40_000


class Corpus:
    """Decided mentions by number of chunk: the same for the same seed."""

    def __init__(self, rows: int, seed: int = 7) -> None:
        self.rows, self.seed = rows, seed
        self._words = {lang: _vocabulary(common, lang) for lang, common in (("en", ENGLISH), ("es", SPANISH))}
        ranks = np.arange(len(self._words["en"])) + 3.0
        self._share = np.cumsum(1 / ranks**1.05)
        self._share /= self._share[-1]
        brands = 1 / np.arange(1, len(BRANDS) + 1) ** 1.6
        self._brands = np.cumsum(brands / brands.sum())

    def chunk(self, number: int, size: int = CHUNK) -> list[Decided]:
        rng = np.random.default_rng((self.seed, number))
        first = number * size
        size = min(size, self.rows - first)
        langs = np.where(rng.random(size) < 0.55, "es", "en")
        lengths = np.clip(rng.lognormal(2.9, 0.5, size), 4, 60).astype(int)
        drawn = np.searchsorted(self._share, rng.random(int(lengths.sum())))
        ends = np.cumsum(lengths)
        brands = np.searchsorted(self._brands, rng.random(size))
        times = self._times(rng, first, size)
        risks = np.clip(rng.gamma(1.6, 14, size), 0, 100).astype(int)
        followers = rng.lognormal(5.5, 2.2, size).astype(int)
        picks = rng.integers(0, 1 << 30, (size, 6))
        return [
            self._mention(
                first + at,
                str(langs[at]),
                drawn[ends[at] - lengths[at] : ends[at]],
                BRANDS[brands[at]],
                int(times[at]),
                int(risks[at]),
                int(followers[at]),
                picks[at].tolist(),
            )
            for at in range(size)
        ]

    def _times(self, rng: np.random.Generator, first: int, size: int) -> np.ndarray:
        """As they arrive: in order but for a few seconds, denser by day; one in fifty is back-filled."""
        share = (first + np.arange(size)) / self.rows
        day = share * DAYS
        inside = day % 1
        warped = np.floor(day) + inside - 0.1 * np.sin(2 * np.pi * inside) / (2 * np.pi)
        late = rng.exponential(3_000, size)
        late = np.where(rng.random(size) < 0.02, rng.random(size) * 2 * DAY, late)
        return START + warped * DAY - late

    def _mention(
        self, n: int, lang: str, words: np.ndarray, brand: str, time: int, risk: int, followers: int, pick: list[int]
    ) -> Decided:
        network = NETWORKS[min(pick[0] % 11, len(NETWORKS) - 1)]
        vocabulary = self._words[lang]
        text = " ".join([vocabulary[word] for word in words])
        if pick[1] % 3 == 0:
            text += f" @{brand}"
        if pick[1] % 10 == 0:
            text += f" #{vocabulary[300 + pick[2] % 2_000]}"
        if pick[1] % 12 == 0:
            text += f" https://{vocabulary[400 + pick[2] % 300]}.example/{n}"
        author = pick[3] % 200_000
        intent = INTENTS[min(int((pick[4] % 1_000) ** 2 / 120_000), 7)]
        negative = pick[5] % 100 < 45
        queue: Queue = ("none", "support", "support", "sales", "pr")[pick[5] % 5]
        terms = (Term("severity", float(risk // 2), "the text"), Term("reach", float(risk - risk // 2), "followers"))
        post = Post(
            id=f"{network}:{START + n}",
            network=network,
            text=text,
            author=Author(id=str(author), handle=f"user_{author}", name=f"Somebody {author}", followers=followers),
            lang=lang,
            country=COUNTRIES[pick[2] % 7],
            claimed_at=time,
            seen_at=time + 900,
            event_time=time,
            link=f"https://{network}.example/user_{author}/{n}",
            metrics=Metrics(likes=pick[3] % 40, reposts=pick[3] % 7, replies=pick[3] % 3),
            source_id=f"{network}-stream",
            query_ids=(brand,),
        )
        mention = Mention(
            id=f"{post.id}#{brand}",
            revision=1,
            post=post,
            post_id=post.id,
            brand=brand,
            network=network,
            event_time=time,
            source_id=post.source_id,
            conversation=post.id if pick[0] % 4 else f"{network}:{START + n - pick[0] % 50}",
            lang=lang,
            lang_confidence=0.98,
            content_hash=f"{n:032x}",
            understanding=Understanding(
                brand=brand,
                sentiment=Scores("negative" if negative else "neutral", (0.6, 0.3, 0.1)),
                reputation=Scores("negative" if negative else "neutral", (0.6, 0.3, 0.1)),
                intent=Scores(intent, (0.1, 0.1, 0.1, 0.1, 0.2, 0.1, 0.1, 0.2)),
                detractor=Scores(str(min(3, risk // 30)), (0.4, 0.3, 0.2, 0.1)),
                suggested=queue,
                terms=terms,
            ),
            decision=Decision(
                queue=queue,
                rule=f"rule-{pick[4] % 20}",
                rules_revision=1,
                why="made up for the benchmark",
                priority="high" if risk > 60 else "normal",
                risk=risk,
                terms=terms,
                model="linear-1",
                decided_at=time + 1_500,
            ),
            case_id=n // 3 if queue != "none" else None,
            appended_at=time + 1_000,
            understood_at=time + 1_200,
            decided_at=time + 1_500,
        )
        return Decided(mention=mention)


def _vocabulary(common: Sequence[str], lang: str) -> list[str]:
    """Commonest first: plain words, then their forms, then rare ones made of syllables."""
    plain = list(dict.fromkeys(common))
    forms = [word + ending for ending in ENDINGS[lang][1:] for word in plain if len(word) > 3]
    made = []
    for number in range(RARE - len(plain) - len(forms)):
        word, rest = "n" if lang == "en" else "", number + 97
        while rest:
            rest, syllable = divmod(rest, len(SYLLABLES))
            word += SYLLABLES[syllable]
        made.append(word)
    return [*plain, *forms, *made][: RARE - 2_000]


class Question(NamedTuple):
    size: str
    text: str
    tree: Node


def questions() -> list[Question]:
    """Lines of `queries.txt`: a class in brackets, or a query of the class above it."""
    found, size = [], ""
    for line in QUERIES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            size = line.strip("[]")
        elif line and not line.startswith("# "):
            found.append(Question(size, line, parse(line, now=START + DAYS * DAY)))
    return found


def build(store: IndexStore, corpus: Corpus) -> Iterator[tuple[int, float]]:
    """(rows so far, CPU µs a mention since the report before) at 10 k, 100 k, each further 100 k, and the end."""
    spent, rows, reported, before = 0.0, 0, 0, 0.0
    for number in range(-(-corpus.rows // CHUNK)):
        chunk = corpus.chunk(number)
        commits = [Commit("decided", 0, rows, rows + len(chunk))]
        started = time.process_time()
        store.apply(chunk, commits, "bench", START)
        store.idle(START)
        spent += time.process_time() - started
        rows += len(chunk)
        if rows == 10_000 or rows % 100_000 == 0 or rows == corpus.rows:
            yield rows, (spent - before) / (rows - reported) * 1e6
            reported, before = rows, spent


def timed(store: IndexStore, asked: Sequence[Question], rounds: int) -> dict[str, list[tuple[float, str]]]:
    """Milliseconds of the first page of each query, newest first, by class; the best of `rounds`."""
    found: dict[str, list[tuple[float, str]]] = {size: [] for size in CLASSES}
    for question in asked:
        best = float("inf")
        for _ in range(rounds):
            started = time.perf_counter()
            store.search(question.tree, AccessScope(), limit=20)
            best = min(best, time.perf_counter() - started)
        found[question.size].append((best * 1e3, question.text))
    return found


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rows", type=int, default=100_000)
    arguments.add_argument("--keep", help="folder (or prefix in the cluster) to build in, or to find a built index in")
    arguments.add_argument("--rounds", type=int, default=2, help="times that each query is asked; the best counts")
    arguments.add_argument("--hits", action="store_true", help="print the number of hits of each query")
    arguments.add_argument("--elasticsearch", metavar="URL", help="address of a cluster without a login")
    given = arguments.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    if given.elasticsearch:
        on_a_cluster(given.elasticsearch, given.keep, given.rows, given.rounds, hits=given.hits)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(given.keep or folder) / "index.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        built = path.exists()
        with closing(EmbeddedStore(path, time_limit=60)) as store:
            if not built:
                fill(store, given.rows)
            report(store, given.rounds, hits=given.hits)


def on_a_cluster(address: str, keep: str | None, rows: int, rounds: int, *, hits: bool) -> None:
    from index.elastic import Cluster, ElasticStore
    from index.elastic_mapping import Shape

    cluster = Cluster((address,), prefix=keep or f"bench-{uuid4().hex[:8]}", shape=Shape(1, 0), time_limit=60)
    with closing(ElasticStore(cluster)) as store:
        try:
            if not store.standing().offsets:
                fill(store, rows)
            store.refresh()
            print(f"{cluster.where}: {store.count(parse('', now=START), EVERYTHING).value:,} mentions")
            report(store, rounds, hits=hits)
        finally:
            if keep is None:
                _delete(store)


def fill(store: IndexStore, rows: int) -> None:
    started = time.perf_counter()
    for done, cost in build(store, Corpus(rows)):
        print(f"{done:>9,} rows: {cost:6.1f} µs CPU a mention here, {store.size() >> 20:,} MiB", flush=True)
    took = time.perf_counter() - started
    print(f"built in {took:.0f} s, {rows / took:,.0f} mentions/s (the making of the corpus included)")


def _delete(store: ElasticStore) -> None:
    client, prefix = store._client, store.cluster.prefix
    for index in client.indices.get_alias(index=f"{prefix}-*", allow_no_indices=True):
        client.options(ignore_status=404).indices.delete(index=index)
    client.options(ignore_status=[403, 404]).indices.delete_index_template(name=store.cluster.names.read)


def report(store: IndexStore, rounds: int, *, hits: bool) -> None:
    asked = questions()
    if hits:
        for question in asked:
            print(
                f"{store.count(question.tree, AccessScope()).value:>8}  [{question.size}]  {question.text}", flush=True
            )
    print(f"\n{'top 20 by time':<16}{'queries':>8}{'p50 ms':>9}{'p95 ms':>9}{'worst ms':>10}  limit p95")
    for size, found in timed(store, asked, rounds).items():
        times = [ms for ms, _ in found]
        if not times:
            continue
        worst, text = max(found)
        print(
            f"{size:<16}{len(times):>8}{percentile(times, 0.5):>9.1f}{percentile(times, 0.95):>9.1f}{worst:>10.1f}"
            f"  {LIMITS_MS[size]:.0f}  (worst: {text})"
        )
    whole = [question for question in asked if question.size == CLASSES[2]]
    for name, ask in (
        ("count, estimated", lambda tree: store.count(tree, AccessScope(), exact=False)),
        ("count, exact", lambda tree: store.count(tree, AccessScope())),
        ("facets, estimated", lambda tree: store.facets(tree, AccessScope(), ["brand", "intent", "queue", "network"])),
        ("hours, estimated", lambda tree: store.histogram(tree, AccessScope(), HOUR)),
    ):
        times = []
        for question in whole[::3]:
            started = time.perf_counter()
            ask(question.tree)
            times.append((time.perf_counter() - started) * 1e3)
        if times:
            print(f"{name:<19}above 20k: p50 {percentile(times, 0.5):.0f} ms, p95 {percentile(times, 0.95):.0f} ms")


if __name__ == "__main__":
    main()
