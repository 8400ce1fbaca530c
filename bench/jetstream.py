"""CPU and memory of collecting Bluesky: `python -m bench.jetstream [--events 60000] [--version 2]`; over an hour, at a
steady rate: `python -m bench.jetstream --minutes 60 --rate 1000`.

A stand-in of Jetstream in a process of its own sends generated events as fast as they are taken: new posts of the usual
mix of lengths, a tenth of them deletes, one post in 500 about the brand. This process runs collector, runner, log and
ledger as `clamor run` does, without the stages behind. Events per second of its own CPU time count, since the other
process shares the machine; memory is this process's PSS where the system tells it, else its RSS.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import structlog

import database.tables  # noqa: F401
from config.brands import Brand
from config.sources import BlueskySource
from database.base import metadata
from database.engine import open_database
from ingest.collector import Source
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.networks.bluesky import collector
from ingest.runner import Runner
from ingest.setting import Setting
from ingest.wanted import Wanted
from query.prefilter import compile_prefilter
from stream.clock import DAY, WallClock
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, POSTS, TopicSpec

BUDGET = 3_000
"""Events per second of one core."""
BUDGET_MIB = 150
SHOWN_EVERY = 60.0
KEPT = 100_000
"""Events that a stand-in which goes on for long still has."""
WORDS = (
    "today", "the", "train", "was", "late", "again", "and", "nobody", "at", "their", "desk", "says", "why", "que",
    "tarde", "más", "larga", "nunca", "llega", "mi", "pedido",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--version", type=int, choices=(1, 2), default=2)
    parser.add_argument("--minutes", type=float, default=0, help="how long events go on; 0: all are there at once")
    parser.add_argument("--rate", type=int, default=1_000, help="events a second of --minutes")
    chosen = parser.parse_args()
    events = round(chosen.minutes * 60 * chosen.rate) or chosen.events
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    other = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, events, chosen.rate if chosen.minutes else 0), daemon=True
    )
    other.start()
    stream, api = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        _measure(Path(folder), stream + ("/subscribe" if chosen.version == 1 else ""), api, events)
    ours.send("over")
    other.join(10)


def _measure(folder: Path, stream: str, api: str, events: int) -> None:
    runner, stop = _runner(folder, stream, api)
    thread = threading.Thread(target=runner.run)
    began, cpu = time.monotonic(), time.process_time()
    sizes: list[float] = []
    shown = began
    thread.start()
    while runner.appended + runner.filtered < events * 0.85:
        time.sleep(0.5)
        sizes.append(_memory())
        if time.monotonic() - shown > SHOWN_EVERY:
            shown = time.monotonic()
            print(
                f"{shown - began:6.0f} s  {runner.appended + runner.filtered:,} posts, {sizes[-1]:.0f} MiB", flush=True
            )
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    taken = runner.appended + runner.filtered
    stop.set()
    thread.join()
    third = max(1, len(sizes) // 3)
    print(f"{taken:,} posts in {seconds:.1f} s, {cpu:.1f} s of CPU; {runner.appended:,} kept; a ninth as many deletes")
    print(f"{taken * 10 / 9 / cpu:,.0f} events per second of one core (budget {BUDGET:,})")
    print(f"{max(sizes):.0f} MiB at most (budget {BUDGET_MIB})")
    print(f"{sizes[third]:.0f} MiB after a third, {sizes[-1]:.0f} MiB at the end")


def _runner(folder: Path, stream: str, api: str) -> tuple[Runner, threading.Event]:
    clock, stop = WallClock(), threading.Event()
    engine = open_database(folder / "app.db")
    metadata.create_all(engine)
    log = EmbeddedLog(folder / "log.db", clock)
    log.ensure([TopicSpec(POSTS, 1, 6 * DAY), TopicSpec(DEAD_LETTER, 1, 6 * DAY)])
    cursors = Cursors(engine)
    cursors.put("bluesky", "", f"v2 - 0 {time.time_ns() // 1_000 - 3_600_000_000}", clock.wall())
    prefilter = compile_prefilter([Brand(id="acme", name="Acme")])
    setting = Setting(
        source=Source(id="bluesky", network="bluesky"),
        wanted=lambda: (Wanted(brand="acme", phrases=("Acme",)),),
        secret=lambda name: None,
        clock=clock,
        stop=stop,
        prefilter=prefilter,
    )
    settings = BlueskySource(id="bluesky", kind="bluesky", hosts=(stream,), api=api)
    held = _Nothing()
    return Runner(
        collector(settings, setting), log, cursors, Ledger(engine), clock, prefilter=prefilter, held=held, stop=stop
    ), stop


class _Nothing:
    """SQL of a home that holds nothing: every delete is left out."""

    def posts(self, ids: Any) -> Sequence[str]:
        return ()

    def authors(self, network: str, ids: Any) -> Sequence[str]:
        return ()


def _memory() -> float:
    held = psutil.Process().memory_full_info()
    return float(getattr(held, "pss", held.rss)) / 2**20


def _serve(pipe: Any, events: int, rate: int) -> None:
    """All at once where `rate` is 0, else so many a second from when the stream is open."""
    from tests.standins.bluesky import BlueskyStandIn

    with BlueskyStandIn() as bluesky:
        if rate:
            pipe.send((bluesky.stream, bluesky.url))
        began, dropped = time.monotonic(), 0
        for n, record in enumerate(_records(events)):
            if rate and n % 50 == 0:
                time.sleep(max(0.0, began + n / rate - time.monotonic()))
            if n % 10 == 9:
                bluesky.delete(next(iter(bluesky.posts)))
            else:
                bluesky.post(record, f"user{n % 5_000}")
            if rate and n % KEPT == 0:
                with bluesky.lock:
                    for old in range(dropped, n - KEPT):
                        bluesky.events[old] = bluesky.events[0]
                    for uri in list(bluesky.posts)[:-KEPT]:
                        del bluesky.posts[uri]
                dropped = max(0, n - KEPT)
        if not rate:
            pipe.send((bluesky.stream, bluesky.url))
        pipe.recv()


def _records(events: int) -> Iterator[Mapping[str, Any]]:
    dice = random.Random(1)
    for n in range(events):
        text = " ".join(dice.choices(WORDS, k=dice.randint(3, 45))) + (" Acme" if n % 500 == 0 else f" {n}")
        record: dict[str, Any] = {"$type": "app.bsky.feed.post", "text": text[:300], "langs": ["en"]}
        record["createdAt"] = "2026-11-27T00:00:00.000Z"
        if n % 2:
            ref = {"cid": "bafyreib6z3nsp4m4k3qkxyvhzc6e3rkyy4pqr3o7g2h5r3v4m4k3qkxyvh"}
            ref["uri"] = f"at://did:plc:user{n % 5_000}/app.bsky.feed.post/3l{n:011d}"
            record["reply"] = {"parent": ref, "root": ref}
        yield record


if __name__ == "__main__":
    main()
