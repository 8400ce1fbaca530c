"""CPU of routing a post: `python -m bench.routing [--rows 10000 1000000] [--database ADDRESS] [--no-policy]`.

Batches of 500 as they come from `nlp`: eight of ten are new posts (a third of them replies), the rest replies to posts
of long ago, metrics and edits; one to three mentions a post. Printed: microseconds of CPU a post, decoding included,
routed and relayed, while the table holds so many posts. Of a PostgreSQL server it is the client's alone: what counts
there is the time by the clock, which includes the server's.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import database.tables  # noqa: F401
from config.brands import Brand
from database.base import metadata
from database.engine import open_database, write
from routing.counts import fold
from routing.policy import default_policy
from routing.relay import Relay
from routing.rules import default_rules
from routing.work import RouteWork
from stream.clock import ManualClock
from stream.ports import Append, Commit, InForce, LogRecord
from stream.records import INTENTS, SENTIMENTS, Author, Metrics, Post, Scores, Term, Understanding, Understood, encode

NOW = 1_790_000_000_000
BATCH = 500
BRANDS = tuple(Brand(id=f"brand{n}", name=f"Brand {n}") for n in range(6))
WORDS = tuple(
    "the flight was late again and nobody at the desk could say when we leave please tell me what to do now".split()  # noqa: SIM905
)


class Fixed:
    def __init__(self, policy: str) -> None:
        self._in_force = InForce(1, BRANDS, 1, default_rules(), policy_revision=1, policy_yaml=policy)

    def current(self) -> InForce:
        return self._in_force


class Bucket:
    """A log that takes everything: only its `append` is asked."""

    def append(self, records: list[Append]) -> list[tuple[int, int]]:
        return [(0, 0)] * len(records)


class Stream:
    """Posts without end, the same at every run."""

    def __init__(self) -> None:
        self.random = random.Random(7)
        self.made = 0

    def batch(self) -> list[bytes]:
        return [encode(self._one()) for _ in range(BATCH)]

    def _one(self) -> Understood:
        kind = self.random.random()
        if kind < 0.8 or self.made < 100:
            return self._new(self._recent() if self.random.random() < 0.33 and self.made > 10 else None)
        if kind < 0.9:
            return self._new(self._any())
        if kind < 0.95:
            metrics = Metrics(likes=self.random.choice((3, 20, 400)), reposts=1)
            post = Post(
                id=self._any(), network="x", kind="metrics", metrics=metrics, seen_at=self._at(), event_time=self._at()
            )
            return Understood(post=post, appended_at=NOW, understood_at=NOW)
        return self._read(self._any(), None, kind="edited")

    def _new(self, parent: str | None) -> Understood:
        self.made += 1
        return self._read(name(self.made), parent)

    def _read(self, id: str, parent: str | None, kind: str = "created") -> Understood:
        text = " ".join(self.random.choices(WORDS, k=20))
        author = self.random.randrange(self.made // 3 + 10)
        post = Post(
            id=id, network="x", kind=kind, text=text, seen_at=self._at(), event_time=self._at(), reply_to=parent,  # type: ignore[arg-type]
            author=Author(id=f"{author * 7919}", handle=f"user{author}", followers=self.random.randrange(5_000)),
            metrics=Metrics(likes=self.random.randrange(12), reposts=0), source_id="stream", link=f"https://x.example/{id}",
            edited_at=self._at() if kind == "edited" else None, conversation=None,
        )  # fmt: skip
        brands = self.random.sample(BRANDS, k=self.random.choices((1, 2, 3), weights=(85, 12, 3))[0])
        return Understood(
            post=post, appended_at=NOW, understood_at=NOW, content_hash=f"{hash(text) & 0xFFFFFFFFFFFF:012x}",
            lang="en", lang_confidence=0.98, fingerprint=hash(text), generation=1, model="linear-1",
            mentions=tuple(self._reading(brand.id) for brand in brands),
        )  # fmt: skip

    def _reading(self, brand: str) -> Understanding:
        intent = self.random.choices(INTENTS, weights=(2, 4, 8, 30, 25, 5, 10, 16))[0]
        mood = "negative" if intent in ("complaint", "churn_threat") else self.random.choice(SENTIMENTS)
        level = self.random.choices("0123", weights=(50, 35, 12, 3))[0] if mood == "negative" else "0"
        suggested = {
            "purchase_interest": "sales",
            "public_issue": "pr",
            "complaint": "support",
            "help_request": "support",
        }
        terms = (Term("severity", 11.5, "mild annoyance (level 1: 71% likely)"),) if mood == "negative" else ()
        return Understanding(
            brand=brand, sentiment=Scores(mood, (0.812, 0.101, 0.087)), reputation=Scores(mood, (0.812, 0.101, 0.087)),
            intent=Scores(intent, (0.7, 0.05, 0.05, 0.05, 0.05, 0.04, 0.03, 0.03)),
            detractor=Scores(level, (0.7, 0.2, 0.08, 0.02)), suggested=suggested.get(intent, "none"), terms=terms,  # type: ignore[arg-type]
        )  # fmt: skip

    def _any(self) -> str:
        return name(self.random.randrange(1, self.made + 1))

    def _recent(self) -> str:
        return name(self.random.randrange(max(1, self.made - 2_000), self.made + 1))

    def _at(self) -> int:
        return NOW + self.made * 250


def name(number: int) -> str:
    return f"x:{number * 2_654_435_761 % 2**48}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--measure", type=int, default=20, help="batches that are measured at each size")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--no-policy", action="store_true", help="without the policy for detractors")
    parser.add_argument("--database", help="an empty one on a server, postgresql+psycopg://…; else a file is made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "app.db"
        engine = open_database(options.database or file)
        with write(engine) as connection:
            metadata.create_all(connection)
        work, stream = RouteWork(engine, Fixed("" if options.no_policy else default_policy())), Stream()
        work.offsets(frozenset({0}), "log")
        relay = Relay(engine, Bucket(), ManualClock(NOW), "bench")  # type: ignore[arg-type]
        offset = 0
        for size in sorted(options.rows):
            while stream.made < size:
                offset = route(work, stream.batch(), offset)
                while relay.step():
                    pass
                fold(engine)
            offset = measure(work, relay, stream, offset, options.measure, size, options.profile)
        if file.exists():
            print(f"app.db: {file.stat().st_size / stream.made:,.0f} bytes a post", file=sys.stderr)
        work.close()


def measure(work: RouteWork, relay: Relay, stream: Stream, offset: int, batches: int, size: int, profiled: bool) -> int:
    routed = relayed = folded = wall = took = 0.0
    raw = [stream.batch() for _ in range(batches)]
    profile = None
    if profiled:
        import cProfile

        profile = cProfile.Profile()
        profile.enable()
    for batch in raw:
        begun, started = time.perf_counter(), cpu()
        offset = route(work, batch, offset)
        wall = max(wall, time.perf_counter() - begun)
        took += time.perf_counter() - begun
        routed += cpu() - started
        started = cpu()
        while relay.step():
            pass
        relayed += cpu() - started
        started = cpu()
        fold(work._engine)
        folded += cpu() - started
    if profile is not None:
        import pstats

        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
    posts = batches * BATCH / 1e6
    print(
        f"{size:>9,} posts: routed {routed / posts:6.1f} µs, relayed {relayed / posts:5.1f} µs, folded "
        f"{folded / posts:5.1f} µs a post (budget 130); routed in {took / posts:,.0f} µs a post, longest batch "
        f"{wall * 1e3:.0f} ms"
    )
    return offset


def route(work: RouteWork, batch: list[bytes], offset: int) -> int:
    records = [LogRecord("mentions", 0, offset + place, "", raw, NOW) for place, raw in enumerate(batch)]
    work.run(records, [Commit("mentions", 0, offset, offset + len(batch))], NOW)
    return offset + len(batch)


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
