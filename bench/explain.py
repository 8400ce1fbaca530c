"""How long an explanation takes: `python -m bench.explain [--posts 20000] [--asked 200]`.

A home into which so many posts were routed, some of them edited and seen again with more reach; then posts drawn by
chance are explained from SQL with all their mentions, the rules of their day read for each post, as by `clamor explain`
and without the start of its process. Printed: milliseconds by the clock and of CPU, p50 and p99, and the same for
replaying all decisions about them.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.routing import Stream, name, route
from clamor.commands.explain import explained, mentions_of
from clamor.decisions import again, earlier, stands
from clamor.opening import Opened, open_home
from clamor.rules_of_day import RulesOfDay
from clamor.starting import make_ready
from config.home import Home
from database.engine import read
from routing.work import RouteWork
from stream.records import Mention

SETTINGS = "brands:\n" + "\n".join(f"  - {{id: brand{n}, name: Brand {n}}}" for n in range(6)) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=20_000)
    parser.add_argument("--asked", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(Path(folder))
        home.settings_file.write_text(SETTINGS)
        with open_home(home, use="run") as opened:
            make_ready(opened)
            work, stream, offset = RouteWork(opened.engine, opened.registry), Stream(), 0
            work.offsets(frozenset({0}), "log")
            while stream.made < options.posts:
                offset = route(work, stream.batch(), offset)
            ids = [name(number) for number in random.Random(1).sample(range(1, stream.made + 1), options.asked)]
            measure("explained", opened, ids, _explained)
            measure("replayed", opened, ids, _replayed)


def measure(what: str, opened: Opened, ids: list[str], ask: Callable[[Opened, RulesOfDay, int, Mention], None]) -> None:
    clock, cpu = [], []
    for id in ids:
        began, used = time.perf_counter(), time.process_time()
        rules = RulesOfDay(opened.engine)
        for n, mention in mentions_of(opened, id):
            ask(opened, rules, n, mention)
        clock.append((time.perf_counter() - began) * 1_000)
        cpu.append((time.process_time() - used) * 1_000)
    print(f"{what}: by the clock {_percentiles(clock)}; of CPU {_percentiles(cpu)}")


def _percentiles(took: list[float]) -> str:
    took = sorted(took)
    return f"p50 {took[len(took) // 2]:.1f} ms, p99 {took[len(took) * 99 // 100]:.1f} ms"


def _explained(opened: Opened, rules: RulesOfDay, n: int, mention: Mention) -> None:
    explained(opened, rules, n, mention, "en")


def _replayed(opened: Opened, rules: RulesOfDay, n: int, mention: Mention) -> None:
    with read(opened.engine) as connection:
        held = stands(mention, earlier(connection, n))
    for revision, one in held:
        assert again(mention, revision, one, rules).outcome == "same"


if __name__ == "__main__":
    main()
