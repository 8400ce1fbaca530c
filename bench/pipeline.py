"""The whole way of a post on this machine: posts a second from file to searchable, CPU by process, memory, latencies.

    python -m bench.pipeline                     throughput at 10,000 and 50,000 posts
    python -m bench.pipeline --posts 10000 1000000
    python -m bench.pipeline --short --posts 6000      posts of bench.classify: 30 to 33 pieces, all read, none twice
    python -m bench.pipeline --rate 1500 --seconds 60      latencies at a steady rate, live, mails included

The program measured is the real one in its own processes (`python -m clamor.cli`), on a home in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.corpus import CONFIGURATION, source, write_posts, write_texts
from bench.encoder import posts as unrepeated
from ingest.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from nlp.shelf import SHIPPED

STAGES = ("replay", "nlp", "routing", "index")
BUDGET = {"replay": 40, "nlp": 180, "routing": 130, "index": 120}
"""µs of CPU a post; each with its part of the log, which has 30 of its own."""


class Measured(NamedTuple):
    wall: float
    cpu: dict[str, float]
    """Seconds by role."""
    memory: float
    """Most bytes of all processes together (PSS)."""
    most: dict[str, float]
    """Most bytes of one process of a role (PSS)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument(
        "--short", action="store_true", help="posts of 30 to 33 pieces without repeats, all towards one brand"
    )
    parser.add_argument("--rate", type=int, help="posts a second, live, by webhook")
    parser.add_argument("--seconds", type=int, default=30)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, {'posts of 30 to 33 pieces' if asked.short else source()}")
    if asked.rate:
        latencies(asked.rate, asked.seconds)
    else:
        throughput(asked.posts, short=asked.short)


def throughput(sizes: list[int], *, short: bool) -> None:
    print(f"budget, µs a post: {', '.join(f'{stage} {most}' for stage, most in BUDGET.items())}, log 30")
    print(f"{'posts':>9} {'posts/s':>8} {'CPU µs a post':>14} {'memory MB':>10}   by process")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            home, posts = home_in(Path(folder)), Path(folder) / "posts.jsonl"
            if short:
                write_texts(posts, unrepeated(SHIPPED / "fast", size)[0])
            else:
                write_posts(posts, size)
            towards = ["--brand", "apple"] if short else []
            measured = watched([*clamor(home), "replay", str(posts), *towards], home)
            status = json.loads(subprocess.check_output([*clamor(home), "status", "--json"]))
            assert status["posts"] == size, status
            assert status["dead_letters"] == 0, status
        busy = sum(measured.cpu.get(stage, 0.0) for stage in STAGES)
        parts = ", ".join(f"{stage} {measured.cpu.get(stage, 0) / size * 1e6:.0f}" for stage in STAGES)
        rate = size / measured.wall
        print(f"{size:9,} {rate:8,.0f} {busy / size * 1e6:14.0f} {measured.memory / 1e6:10.0f}   {parts}", flush=True)
        most = ", ".join(f"{role} {size / 1e6:.0f}" for role, size in sorted(measured.most.items()))
        print(f"{'':9} most memory of one process, MB (PSS): {most}", flush=True)


def latencies(rate: int, seconds: int) -> None:
    """Pushes posts at `rate` to the webhook of a running program; what its own stamps say."""
    with tempfile.TemporaryDirectory() as folder:
        home, port = home_in(Path(folder), webhook=True), random.randint(20_000, 60_000)
        posts = Path(folder) / "posts.jsonl"
        write_posts(posts, rate * seconds)
        environment = {**os.environ, "CLAMOR_API__PORT": str(port), "BENCH_SECRET": "s" * 32}
        program = subprocess.Popen([*clamor(home), "run"], env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            late = push(posts, f"http://127.0.0.1:{port}/api/webhooks/bench", rate)
            time.sleep(8)
            status = json.loads(subprocess.check_output([*clamor(home), "status", "--json"], env=environment))
            memory = sum(_memory(psutil.Process(program.pid)).values())
        finally:
            program.terminate()
            program.wait(60)
    found, mail = status["latency"]["arrival_to_searchable"], status["mail"]
    print(f"{rate:,} posts/s for {seconds} s (the pusher itself was at most {late:.2f} s behind)")
    print(f"arrival to searchable: p50 {found['p50']} ms, p99 {found['p99']} ms over {found['count']:,} mentions")
    print(f"arrival to mail: p50 {mail['latency_p50']} ms, p99 {mail['latency_p99']} ms")
    print(f"memory of all processes: {memory / 1e6:.0f} MB (PSS)")


def home_in(folder: Path, webhook: bool = False) -> Path:
    home = folder / "home"
    home.mkdir()
    extra = "sources:\n  - {id: bench, kind: webhook, network: x, secret_env: BENCH_SECRET}\n" if webhook else ""
    (home / "clamor.yaml").write_text(CONFIGURATION + extra, encoding="utf-8")
    return home


def clamor(home: Path) -> list[str]:
    return [sys.executable, "-m", "clamor.cli", "--home", str(home)]


def watched(command: list[str], home: Path) -> Measured:
    started = time.monotonic()
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watched = psutil.Process(program.pid)
    seen: dict[int, float] = {}
    held: dict[int, float] = {}
    memory, looked = 0.0, 0.0
    while program.poll() is None:
        for process in [watched, *watched.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            seen[process.pid] = times.user + times.system
        if time.monotonic() - looked > 1:
            looked = time.monotonic()
            now = _memory(watched)
            memory = max(memory, sum(now.values()))
            held |= {pid: max(size, held.get(pid, 0.0)) for pid, size in now.items()}
        time.sleep(0.05)
    roles = _roles(home)
    cpu: dict[str, float] = {}
    most: dict[str, float] = {}
    for pid, used in seen.items():
        role = roles.get(pid, "replay" if pid != program.pid else "command")
        cpu[role] = cpu.get(role, 0.0) + used
        most[role] = max(most.get(role, 0.0), held.get(pid, 0.0))
    shutil.rmtree(home / "data" / "status", ignore_errors=True)
    return Measured(time.monotonic() - started, cpu, memory, most)


def _roles(home: Path) -> dict[int, str]:
    """Stage by process id, as the stages themselves say."""
    found = (json.loads(path.read_bytes()) for path in (home / "data" / "status").glob("*.json"))
    return {one["pid"]: one["stage"] for one in found}


def _memory(process: psutil.Process) -> dict[int, float]:
    """Process → bytes (PSS)."""
    found = {}
    for one in [process, *process.children(recursive=True)]:
        try:
            found[one.pid] = float(one.memory_full_info().pss)
        except psutil.Error:
            continue
    return found


def push(posts: Path, url: str, rate: int) -> float:
    """Ten pushes a second, each signed; the longest delay behind the plan, in seconds."""
    batch, started, sent, late = max(1, rate // 10), time.monotonic(), 0, 0.0
    with posts.open(encoding="utf-8") as file:
        while rows := [json.loads(line) for _, line in zip(range(batch), file, strict=False)]:
            body = json.dumps({"posts": [_item(row) for row in rows]}).encode()
            now = int(time.time())
            headers = {TIMESTAMP_HEADER: str(now), SIGNATURE_HEADER: sign("s" * 32, now, body)}
            request = urllib.request.Request(url, body, {**headers, "Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
            sent += len(rows)
            behind = time.monotonic() - started - sent / rate
            late = max(late, behind)
            if behind < 0:
                time.sleep(-behind)
    return late


def _item(row: dict[str, Any]) -> dict[str, Any]:
    author = {"id": row["author"], "handle": row["author"], "followers": row["followers"]}
    item = {"id": row["id"], "text": row["text"], "author": author}
    return item | ({"reply_to": row["reply_to"]} if "reply_to" in row else {})


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within a minute")


if __name__ == "__main__":
    main()
