"""A soak of the collectors: `python -m bench.collectors [--minutes 60] [--rate 200]`.

Invented people write on six networks at once, stand-ins in a process of their own (`tests.standins.town`). A real
collect process (`clamor stage collect`) asks them. Every 20 seconds one network ends its connections, limits the rate
or is away for three seconds; now and then the process is killed as the kernel does it, and started anew. In the end
nothing may be lost, and no hole left in the ledger. Nobody edits or deletes: most networks have to be swept for that,
and the posts to sweep are listed by routing, which does not run here. In the place of stage `nlp`, for which a collect
process waits once 100,000 posts are unread, this one says that it has read them.

Memory is the process's PSS where the system tells it, else its RSS; CPU is that of all collect processes together.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil
import yaml

from clamor.opening import open_home
from clamor.starting import make_ready
from clamor.town import InLog, Town, checkout
from config.home import Home
from ingest.coverage import SWEEP
from ingest.standing import Standings
from stream.ports import POSTS, Commit, Log

NETWORKS = ("x", "reddit", "bluesky", "mastodon", "youtube", "discourse")
TEXTS = ("Acme is late again", "Otra vez tarde, Acme", "Thank you, Acme", "Acme, ¿dónde está mi pedido?")
SETTLE = 300.0
"""Seconds that the last posts and holes may take."""
SHOWN_EVERY = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--trouble-every", type=float, default=20)
    parser.add_argument("--kill-every", type=float, default=300, help="seconds; 0: never")
    parser.add_argument("--networks", nargs="*", default=NETWORKS, choices=NETWORKS)
    chosen = parser.parse_args()
    plan = {
        "texts": TEXTS, "rate": chosen.rate, "networks": chosen.networks, "trouble_every": chosen.trouble_every,
        "numbered": True, "edits": 0, "deletes": 0,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, Town(checkout(), **plan) as town:
        home = Home.at(Path(folder) / "home")
        home.root.mkdir()
        settings = {"brands": [{"id": "acme", "name": "Acme"}], "mail": {"host": None}, "sources": town.sources}
        home.settings_file.write_text(yaml.safe_dump(settings, allow_unicode=True))
        home.secrets_file.write_text("".join(f"{name}={value}\n" for name, value in town.secrets.items()))
        home.secrets_file.chmod(0o600)
        with open_home(home) as opened:
            make_ready(opened, by="bench.collectors")
        soak = Soak(home, town)
        try:
            return soak.run(chosen.minutes * 60, chosen.kill_every)
        finally:
            soak.kill()


class Soak:
    def __init__(self, home: Home, town: Town) -> None:
        self._home, self._town, self._held = home, town, InLog()
        self._cpu = 0.0
        self._sizes: list[float] = []
        self._kills = 0
        self._words = (home.root / "words.txt").open("ab")
        self._start()

    def run(self, seconds: float, kill_every: float) -> int:
        self._until_all_listen()
        self._town.write()
        began = shown = killed = time.monotonic()
        while (now := time.monotonic()) - began < seconds:
            if kill_every and now - killed >= kill_every:
                killed = now
                self.kill()
                self._kills += 1
                self._start()
            if now - shown >= SHOWN_EVERY:
                shown = now
                self._look()
                figures = self._town.figures()
                published = sum(one["published"] for one in figures.values())
                print(
                    f"{now - began:5.0f} s  {published:,} published, {self._unique():,} held, "
                    f"{self._sizes[-1]:.0f} MiB",
                    flush=True,
                )
            time.sleep(1)
        self._town.still()
        return self._close(time.monotonic(), seconds)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._cpu += self._cpu_now()
            self._process.kill()
            self._process.wait()

    def _end(self) -> None:
        """As a person ends it: what it had in hand is in the ledger."""
        self._cpu += self._cpu_now()
        self._process.terminate()
        self._process.wait(SETTLE)

    def _start(self) -> None:
        command = [sys.executable, "-m", "clamor.cli", "--home", str(self._home.root), "stage", "collect"]
        paths = os.pathsep.join([str(checkout()), *(path for path in sys.path if path)])
        environment = {**os.environ, "PYTHONPATH": paths}
        self._process = subprocess.Popen(command, stdout=self._words, stderr=self._words, env=environment)

    def _until_all_listen(self) -> None:
        ends = time.monotonic() + SETTLE
        while True:
            with open_home(self._home, use="check") as opened:
                states = {one.source_id: one.state for one in Standings(opened.engine).all().values()}
            if all(states.get(one["id"]) == "listening" for one in self._town.sources):
                return
            if time.monotonic() > ends:
                raise SystemExit(f"not every network is listened to: {states}")
            time.sleep(0.5)

    def _look(self) -> None:
        with open_home(self._home, use="check") as opened:
            self._held.look(opened.log)
            _read(opened.log)
        self._sizes.append(self._memory())

    def _unique(self) -> int:
        return sum(len(one) for one in self._held.of_source.values())

    def _close(self, stilled: float, seconds: float) -> int:
        truth = self._town.truth()
        while True:
            self._look()
            beside = self._held.beside(truth)
            with open_home(self._home, use="check") as opened:
                open_gaps = [row for row in opened.ledger.gaps() if row.query != SWEEP]
                standings = Standings(opened.engine).all()
            waited = time.monotonic() - stilled
            done = all(one.same for one in beside.values()) and not open_gaps
            if done or waited > SETTLE:
                break
            time.sleep(1)
        self._end()
        with open_home(self._home, use="check") as opened:
            all_rows = [row for row in opened.ledger.rows() if row.query != SWEEP]
        published = sum(len(one) for one in truth.values())
        troubles = sum(one["troubles"] for one in self._town.figures().values())
        print(f"\n{published:,} posts in {seconds:,.0f} s, {troubles} troubles, {self._kills} kills")
        for source, one in beside.items():
            standing = standings.get(source)
            filled = sum(row.state == "backfilled" for row in all_rows if row.source_id == source)
            left = [row for row in open_gaps if row.source_id == source]
            received = sum(row.received for row in all_rows if row.source_id == source)
            print(
                f"{source:10} {one.stands:8,} published {one.held:8,} held {one.missing:5,} missing {one.old:4} old "
                f"{one.too_many:4} too many; {received:,} received, "
                f"{standing.cuts if standing else 0} cuts, {filled} holes filled, {len(left)} open; "
                f"{standing.state if standing else ''} {standing.trouble if standing else ''}"
            )
            for row in left[:3]:
                print(f"           open: {row.state} {row.since} to {row.until} missed {row.missed}: {row.reason}")
        third = self._sizes[len(self._sizes) // 3]
        kinds = ", ".join(f"{name} {number:,}" for name, number in self._held.kinds.most_common())
        again = ", ".join(f"{source} {number:,}" for source, number in self._held.again.most_common() if number)
        print(f"caught up after {waited:.0f} s; records in the log: {kinds}; came again, without effect: {again or 0}")
        print(
            f"{max(self._sizes):.0f} MiB at most, {third:.0f} MiB after a third, {self._sizes[-1]:.0f} MiB at the end"
        )
        print(f"{self._cpu:.1f} s of CPU, {self._cpu / published * 1_000:.2f} s a 1,000 posts")
        return 0 if done else 1

    def _memory(self) -> float:
        try:
            found = psutil.Process(self._process.pid).memory_full_info()
        except psutil.Error:
            return self._sizes[-1] if self._sizes else 0.0
        return float(getattr(found, "pss", found.rss)) / 2**20

    def _cpu_now(self) -> float:
        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)


def _read(log: Log) -> None:
    """As stage `nlp` has read what is there."""
    with closing(log.consumer("nlp", POSTS)) as reader:
        reader.poll(1, 0)
        done, bounds = log.committed("nlp", POSTS), log.bounds(POSTS)
        reader.commit([Commit(POSTS, one, done.get(one, 0), bounds[one][1]) for one in reader.assignment()])


if __name__ == "__main__":
    sys.exit(main())
