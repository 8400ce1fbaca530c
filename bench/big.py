"""The whole way on Kafka, Elasticsearch and PostgreSQL, all of it on this machine.

    python -m bench.big                                     throughput of linear and fast, latencies at half of each
    python -m bench.big --models linear --posts 100000
    python -m bench.big --models fast --rate 250 --seconds 60       latencies only, at a rate of your own

See `bench.loops` for the stage loop beside kafka-python alone, and `bench.workers` for one worker and two.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from bench.corpus import source, write_posts
from bench.pipeline import STAGES, clamor, push, wait_for, watched
from bench.servers import about, big_home, cpu, started
from clamor.opening import open_home
from config.home import Home
from database.engine import read, rows
from index.port import IndexStore
from ingest.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from query.parse import parse
from query.tree import Node
from stream.ports import EVERYTHING, Transient, Unusable
from tests.services.engines import Engines

SECRET = "s" * 32
STEADY = (0.2, 0.9)
"""The part of a run in which the start and the end do not count."""
SETTLE = 15.0
"""Seconds for the last posts to be mailed and searchable."""


class Passed(NamedTuple):
    at: float
    decided: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["linear", "fast"])
    parser.add_argument("--posts", type=int, default=50_000)
    parser.add_argument("--rate", type=int, help="posts a second: latencies only")
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    servers = started()
    print(f"{about()}, {source()}")
    for model in asked.models:
        rate = asked.rate or int(throughput(servers, model, asked.posts) / 2)
        latencies(servers, model, rate, asked.seconds)


def throughput(servers: Engines, model: str, size: int) -> float:
    """Posts a second, from a file to decided and searchable, in the steady part of the run."""
    with tempfile.TemporaryDirectory() as folder:
        home, posts = big_home(Path(folder), servers, model), Path(folder) / "posts.jsonl"
        write_posts(posts, size)
        before = cpu(servers)
        with Progress(home) as progress:
            measured = watched([*clamor(home), "replay", str(posts)], home)
        after = cpu(servers)
        status = json.loads(subprocess.check_output([*clamor(home), "status", "--json"]))
        assert status["posts"] == size, status
        assert status["dead_letters"] == 0, status
        assert not any(status["waiting"].values()), status
    steady = pace(progress.passed, size)
    stages = {stage: measured.cpu.get(stage, 0.0) for stage in STAGES}
    engines = {name: after[name] - before[name] for name in after}
    parts = ", ".join(f"{name} {used / size * 1e6:.0f}" for name, used in (stages | engines).items())
    print(f"{model}: {size:,} posts, {steady:,.0f} posts/s decided in the steady part,")
    print(f"  {size / measured.wall:,.0f} posts/s from the start of the command until all is searchable")
    print(f"  CPU, µs a post: {parts}; of Clamor's processes {measured.memory / 1e6:.0f} MB (PSS)", flush=True)
    return steady


def pace(passed: Sequence[Passed], total: int) -> float:
    """Posts a second between the two ends of STEADY."""
    first, last = (next(one for one in passed if one.decided >= share * total) for share in STEADY)
    return (last.decided - first.decided) / (last.at - first.at)


class Progress:
    """How many records routing has decided, looked at twice a second while the block runs."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.passed: list[Passed] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="progress")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        sql = "SELECT sum(next) FROM stored_offset WHERE consumer_group = 'routing'"
        with open_home(Home.at(self._home)) as opened:
            while not self._over.wait(0.5):
                try:
                    with read(opened.engine) as connection:
                        decided = rows(connection, sql)[0][0]
                except (Transient, Unusable):
                    continue  # no tables yet
                self.passed.append(Passed(time.monotonic(), int(decided or 0)))


def latencies(servers: Engines, model: str, rate: int, seconds: int) -> None:
    """Posts pushed live at `rate`: what their own stamps say, and how long a search needs to find one."""
    with tempfile.TemporaryDirectory() as folder:
        home, port = big_home(Path(folder), servers, model, webhook=True), random.randint(20_000, 60_000)
        posts = Path(folder) / "posts.jsonl"
        write_posts(posts, rate * seconds)
        environment = {**os.environ, "CLAMOR_API__PORT": str(port), "BENCH_SECRET": SECRET}
        program = subprocess.Popen([*clamor(home), "run"], env=environment, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}/api/webhooks/bench"
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            with Probe(home, url) as probe:
                late = push(posts, url, rate)
            time.sleep(SETTLE)
            status = json.loads(subprocess.check_output([*clamor(home), "status", "--json"], env=environment))
        finally:
            program.terminate()
            program.wait(60)
    written, mail = status["latency"]["arrival_to_searchable"], status["mail"]
    print(f"{model}: {rate:,} posts/s for {seconds} s (the pusher itself was at most {late:.2f} s behind)")
    print(
        f"  arrival to written in the index: p50 {written['p50']} ms, p99 {written['p99']} ms of {written['count']:,}"
    )
    print(f"  push answered to found by a search: {spread(probe.took)}")
    print(f"  arrival to mail: p50 {mail['latency_p50']} ms, p99 {mail['latency_p99']} ms", flush=True)


def spread(took: Sequence[float]) -> str:
    ordered = sorted(took)
    if not ordered:
        return "none was found"
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {ordered[len(ordered) // 2] * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms of {len(ordered)}"


class Probe:
    """Pushes a post with a word of its own, asks until a search finds it, then the next, while the block runs."""

    def __init__(self, home: Path, url: str) -> None:
        self._home, self._url = home, url
        self.took: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="probe")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with open_home(Home.at(self._home), use="check") as opened:
            number = 0
            while not self._over.wait(0.5):
                number += 1
                word = f"probe{number}x"
                _push_one(self._url, word)
                pushed, query = time.monotonic(), parse(word, now=0)
                while not _found(opened.store, query):
                    if time.monotonic() - pushed > 120:
                        raise SystemExit(f"a post was not found within two minutes: {word}")
                    time.sleep(0.02)
                self.took.append(time.monotonic() - pushed)


def _found(store: IndexStore, query: Node) -> bool:
    try:
        return bool(store.count(query, EVERYTHING).value)
    except Transient:
        return False  # a month's index that was made this moment


def _push_one(url: str, word: str) -> None:
    item = {"id": word, "text": f"Amazon {word}", "author": {"id": word, "handle": word}}
    body = json.dumps({"posts": [item]}).encode()
    now = int(time.time())
    headers = {
        TIMESTAMP_HEADER: str(now),
        SIGNATURE_HEADER: sign(SECRET, now, body),
        "Content-Type": "application/json",
    }
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
        answer.read()


if __name__ == "__main__":
    main()
