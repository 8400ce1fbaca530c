"""How much two processes of stage nlp do more than one: a topic that is full, each worker on a core of its own.

    python -m bench.workers --model fast --posts 60000

The servers have nothing else to do, and what is understood goes to a topic that nobody reads. On a machine of two cores
the broker shares them with the workers.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from bench.corpus import source, write_posts
from bench.servers import about, big_home, started
from clamor.opening import Opened, open_home
from clamor.processes import BATCH, understand
from clamor.starting import make_ready
from config.home import Home
from stream.ports import POSTS, Append
from stream.records import Author, Post, encode
from stream.stage import Stage, StageOptions
from tests.services.engines import Engines

GOAL = 1.8
PARTITIONS = 6
ENOUGH = 3.0
"""Seconds without a record after which a worker takes the topic for done."""


class Done(NamedTuple):
    at: float
    """By the machine's own clock, which is the same for all processes."""
    records: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--posts", type=int, default=60_000)
    parser.add_argument("--worker", nargs=2, metavar=("HOME", "CORE"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work(Path(asked.worker[0]), int(asked.worker[1]))
        return
    servers = started()
    print(f"{about()}, {source()}, model {asked.model}")
    rates = [measured(servers, asked.model, asked.posts, workers) for workers in (1, 2)]
    print(f"two workers do {rates[1] / rates[0]:.2f} times as much as one (goal {GOAL})")


def measured(servers: Engines, model: str, posts: int, workers: int) -> float:
    """Posts a second while all of them are at work."""
    with tempfile.TemporaryDirectory() as folder:
        home = big_home(Path(folder), servers, model, partitions=PARTITIONS)
        with open_home(Home.at(home)) as opened:
            make_ready(opened)
            fill(opened, Path(folder) / "posts.jsonl", posts)
        cores = sorted(os.sched_getaffinity(0))[:workers]
        command = [sys.executable, "-m", "bench.workers", "--worker", str(home)]
        started_now = [
            subprocess.Popen([*command, str(core)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for core in cores
        ]
        told = [process.communicate()[0] for process in started_now]
    courses = [[Done(*json.loads(line)) for line in text.splitlines()] for text in told]
    assert sum(course[-1].records for course in courses) >= posts, "every post was understood"
    rate = together(courses)
    print(f"{workers} workers on cores {cores}: {rate:,.0f} posts/s", flush=True)
    return rate


def fill(opened: Opened, path: Path, posts: int) -> None:
    write_posts(path, posts)
    now = opened.clock.now()
    batch: list[Append] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            author = Author(id=row["author"], handle=row["author"])
            post = Post(
                id=f"x:{row['id']}", network="x", text=row["text"], seen_at=now, event_time=now, author=author,
                origin="import",
            )  # fmt: skip
            batch.append(Append(POSTS, post.id, encode(post)))
            if len(batch) == 2_000:
                opened.log.append(batch)
                batch = []
    if batch:
        opened.log.append(batch)


def work(home: Path, core: int) -> None:
    """One worker, until the topic is done; what it had done, and when, a line each half second."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    os.sched_setaffinity(0, {core})
    with open_home(Home.at(home)) as opened:
        stage = Stage(opened.log, understand(opened), opened.clock, options=StageOptions(max_batch=BATCH))
        records, told, latest = 0, 0.0, None
        while latest is None or time.monotonic() - latest < ENOUGH:
            done = stage.step()
            records += done
            now = time.monotonic()
            latest = now if done else latest
            if done and now - told > 0.5:
                told = now
                print(json.dumps(Done(now, records)), flush=True)
        print(json.dumps(Done(latest, records)), flush=True)
        stage.close()


def together(courses: Sequence[Sequence[Done]]) -> float:
    """Records a second from when the last worker had begun until the first was through."""
    since = max(course[0].at for course in courses)
    until = min(course[-1].at for course in courses)
    assert until > since, "one was through before the other began: more posts are needed"
    return sum(_at(course, until) - _at(course, since) for course in courses) / (until - since)


def _at(course: Sequence[Done], moment: float) -> float:
    """Records done at a moment, in a straight line between two that are known."""
    before = max((one for one in course if one.at <= moment), default=course[0])
    after = min((one for one in course if one.at >= moment), default=course[-1])
    if after.at == before.at:
        return float(before.records)
    return before.records + (after.records - before.records) * (moment - before.at) / (after.at - before.at)


if __name__ == "__main__":
    main()
