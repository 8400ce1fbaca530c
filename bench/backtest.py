"""A back-test over generated history: `python -m bench.backtest [--mentions 1000000] [--workers 2]`.

History as the shipped rules decided it, as many mentions as asked for, over 30 days, with text, written straight into
the table; then 50 rules over it, half of which ask for words too, from the first row to the finished report with its
mails. Printed: seconds by the clock, and CPU of all processes.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import threading
import time
from pathlib import Path

from msgspec.structs import replace

import database.tables  # noqa: F401
from bench.decide import READER, drafts, rules_of
from bench.routing import BRANDS, NOW
from clamor.backtest_report import report
from clamor.backtesting import Ask, mails
from clamor.backtesting import history as over
from config.content import body
from database import revisions
from database.base import metadata
from database.engine import many, open_database, write
from routing.decide import decide
from routing.people_to_tell import MailSettings, Person
from routing.rules import RuleSet, default_rules
from stream.clock import DAY
from stream.records import encode

DRAWN = 50_000
"""Mentions are made so many at a time."""
SPAN = 30 * DAY
PEOPLE = [Person(id=f"person{n}", name="", email="") for n in range(4)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "app.db"
        history(file, options.mentions)
        print(f"{options.mentions:,} mentions, {file.stat().st_size / 1e6:,.0f} MB", flush=True)
        measure(file, options.workers)


def history(file: Path, count: int) -> None:
    """The same drafts again and again under other numbers, spread over SPAN."""
    engine = open_database(file)
    rules = RuleSet.read(default_rules(), 1, brands={brand.id: brand.name for brand in BRANDS})
    made = drafts(min(count, DRAWN))
    decided = [
        replace(one, decision=decide(one, known, rules, READER, NOW, may_wake=True), decided_at=NOW)
        for one, known in made
    ]
    with write(engine) as connection:
        metadata.create_all(connection)
        revisions.adopt(connection, "rules", default_rules(), "bench", NOW)
        revisions.adopt(connection, "brands", body("brands", BRANDS), "bench", NOW)
    for start in range(0, count, DRAWN):
        rows = []
        for place, one in enumerate(decided[: count - start]):
            n = start + place + 1
            at = NOW + n * SPAN // count
            assert one.post is not None
            post = replace(one.post, id=f"x:{n}", seen_at=at, event_time=at)
            mention = replace(
                one, id=f"x:{n}#{one.brand}", post=post, post_id=post.id, event_time=at, appended_at=at + 900,
                conversation=f"x:{n - n % 3}",
            )  # fmt: skip
            rows.append((n, n, at, encode(mention)))
        with write(engine) as connection:
            many(connection, _ROW, rows)
    engine.dispose()


def measure(file: Path, workers: int) -> None:
    engine = open_database(file)
    names = {brand.id: brand.name for brand in BRANDS}
    ask = Ask(0, NOW * 2, rules_of(50, words=True), names, False)
    settings = MailSettings(from_address="clamor@example.org")
    began, used = time.perf_counter(), _cpu()
    with over(engine, file, ask, workers) as past:
        tally, _ = past.look(threading.Event(), lambda _: None)
    read_in = time.perf_counter() - began
    told = mails(tally.old, PEOPLE, settings), mails(tally.new, PEOPLE, settings)
    found = report(tally, *told, 20, {}, (0, NOW * 2), 1.0)
    took = time.perf_counter() - began
    print(
        f"50 rules over {found.mentions:,} mentions by {workers} processes: {took:.1f} s, {read_in:.1f} s of them "
        f"reading; {_cpu() - used:.1f} s of CPU"
    )
    for line in found.words:
        print(f"  {line}")


def _cpu() -> float:
    """Of this process and those that it waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


_ROW = (
    "INSERT INTO mention (n, post, brand, revision, state, queue, risk, event_time, indexed_month, body) "
    "VALUES (?, ?, 1, 1, 'live', 'none', 0, ?, 202611, ?)"
)

if __name__ == "__main__":
    main()
