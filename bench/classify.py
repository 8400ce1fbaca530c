"""`clamor classify` from a file to answers: posts a second, CPU a post, one worker beside two, on posts that repeat.

    python -m bench.classify                     the default tier, 6,000 posts of 30 to 33 pieces without repeats
    python -m bench.classify --tier accurate --posts 2000

The real program in processes of its own. What it takes for one line is measured first and taken off: starting is no
matter of the posts. `--repeats 0.3`: that share of the lines stood before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from bench.encoder import posts
from nlp.shelf import SHIPPED


class Run(NamedTuple):
    wall: float
    cpu: float
    """User and system seconds of all processes."""
    digest: str
    """Of what was written."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tier", default="fast")
    asked.add_argument("--posts", type=int, default=6_000)
    asked.add_argument("--repeats", type=float, default=0.3)
    given = asked.parse_args()
    texts, _, what = posts(SHIPPED / "fast", given.posts)
    print(f"{os.cpu_count()} cores, {what}, {given.posts:,} of 30 to 33 pieces, tier {given.tier}")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        begun = [run(home, texts[:1], given.tier, workers) for workers in (1, 2)]
        runs = [run(home, texts, given.tier, workers) for workers in (1, 2)]
        for workers, start, one in zip((1, 2), begun, runs, strict=True):
            print(f"{workers} worker{'s' * (workers > 1)}: {told(one, start, len(texts))}")
        ratio = (runs[0].wall - begun[0].wall) / (runs[1].wall - begun[1].wall)
        print(f"2 workers against 1: {ratio:.2f} times; same answers: {runs[0].digest == runs[1].digest}")
        stream = repeating(texts, given.repeats)
        one = run(home, stream, given.tier, 2)
        print(f"2 workers, {given.repeats:.0%} repeated: {told(one, begun[1], len(stream))}")


def told(one: Run, start: Run, count: int) -> str:
    wall, cpu = one.wall - start.wall, one.cpu - start.cpu
    return (
        f"{count / wall:,.0f} posts/s, {cpu / count * 1e6:,.0f} µs CPU a post "
        f"(and {start.wall:.1f} s to start, {start.cpu:.1f} s of CPU)"
    )


def run(home: Path, texts: Sequence[str], tier: str, workers: int) -> Run:
    file = home / "posts.jsonl"
    file.write_text("".join(json.dumps({"id": n, "text": text}) + "\n" for n, text in enumerate(texts)), "utf-8")
    command = [sys.executable, "-m", "clamor.cli", "--home", str(home / "none"), "classify", str(file)]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [*command, "--tier", tier, "--workers", str(workers)], check=True, capture_output=True, cwd=home,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )  # fmt: skip
    wall, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, blake2b(done.stdout).hexdigest())


def repeating(texts: Sequence[str], share: float) -> list[str]:
    """The texts with that share of lines put between them that stood at most 5,000 lines before."""
    draw = random.Random(5)
    found: list[str] = []
    for text in texts:
        found.append(text)
        while draw.random() < share:
            found.append(found[draw.randrange(max(0, len(found) - 5_000), len(found))])
    return found


if __name__ == "__main__":
    main()
