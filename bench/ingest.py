"""CPU a post of ingest, beside its budget: `python -m bench.ingest [--rows 100000] [FILE…]`.

Rows are generated (words of a small vocabulary, no repeats): JSON Lines, the same packed, CSV, and a table whose every
row is refused. `file → record` leaves out the log (it has a budget of its own); `with the log` appends to the embedded
one. A webhook's push of 500 posts is measured with the log and its memory of what was taken. FILEs are read as well.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

import database.tables  # noqa: F401
from database.base import metadata
from database.engine import open_database
from ingest.collector import Source
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.files import Options, replay
from ingest.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from ingest.taken import Taken
from ingest.webhook import Hook, Webhook
from stream.clock import DAY, WallClock
from stream.embedded import EmbeddedLog
from stream.ports import DEAD_LETTER, POSTS, Append, TopicSpec

BUDGET_US = 40.0
PUSH = 500
WORDS = (
    "flight", "order", "late", "thanks", "waiting", "desk", "señor", "maleta", "tarde", "nobody", "answers", "since",
    "hours", "gate", "app", "train",
)  # fmt: skip


class Nowhere:
    """A log that takes all and keeps nothing."""

    def append(self, records: Sequence[Append]) -> list[tuple[int, int]]:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("files", nargs="*", type=Path)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder:
        files = [*_made(Path(folder), chosen.rows), *((path.name, path) for path in chosen.files)]
        print(f"{'':34}{'CPU µs/post':>12}{'budget':>9}{'posts/s':>10}")
        for name, path in files:
            _tell(
                f"{name}: file → record",
                *_measured(lambda path=path: replay([path], Nowhere(), WallClock()).read),
                BUDGET_US,
            )  # type: ignore[misc, arg-type]
        _with_log(Path(folder), files[0][1])
        _pushes(Path(folder), min(chosen.rows, 50_000))
    print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _with_log(folder: Path, path: Path) -> None:
    engine = open_database(folder / "app.db")
    metadata.create_all(engine)
    log = _log(folder / "log.db")
    cursors, ledger = Cursors(engine), Ledger(engine)
    done = _measured(lambda: replay([path], log, WallClock(), Options(), cursors=cursors, ledger=ledger).read)
    _tell("JSON Lines, with log and cursor", *done, BUDGET_US + 30)
    log.close()
    engine.dispose()


def _pushes(folder: Path, rows: int) -> None:
    engine = open_database(folder / "hooks.db")
    metadata.create_all(engine)
    log = _log(folder / "hooks-log.db")
    hook = Hook(source=Source(id="bench", network="bench"), secrets=lambda: ("secret",), posts_per_minute=10**9)
    webhook, now = Webhook(hook, log, Taken(engine)), WallClock().now()
    content = _rows(rows)
    bodies = [
        json.dumps({"posts": [_pushed(row) for row in content[at : at + PUSH]]}).encode() for at in range(0, rows, PUSH)
    ]

    def push() -> int:
        for body in bodies:
            headers = {TIMESTAMP_HEADER: str(now // 1000), SIGNATURE_HEADER: sign("secret", now // 1000, body)}
            status, answer = webhook.handle(headers, body, now)
            assert status == 202, answer
        return rows

    _tell(f"webhook, {PUSH} posts a push, with log", *_measured(push), None)
    log.close()
    engine.dispose()


def _log(path: Path) -> EmbeddedLog:
    log = EmbeddedLog(path, WallClock())
    log.ensure([TopicSpec(POSTS, 8, 6 * DAY), TopicSpec(DEAD_LETTER, 1, 6 * DAY)])
    return log


def _rows(count: int) -> list[dict[str, Any]]:
    dice = random.Random(7)
    return [
        {
            "id": f"{10**17 + n}",
            "text": f"@acme {' '.join(dice.choices(WORDS, k=18))} {n}",
            "created_at": f"2026-11-{1 + n % 28:02}T{n % 24:02}:{n % 60:02}:00Z",
            "author": f"u{dice.randrange(50_000)}",
            "in_reply_to": str(10**17 + n - 1) if n % 3 else None,
            "lang": "en",
            "retweet_count": n % 7,
        }
        for n in range(count)
    ]


def _pushed(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "text", "created_at", "author", "lang")}


def _made(folder: Path, count: int) -> list[tuple[str, Path]]:
    rows = _rows(count)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    plain, packed, table, broken = (
        folder / name for name in ("posts.jsonl", "posts.jsonl.gz", "posts.csv", "broken.jsonl")
    )
    plain.write_bytes(lines)
    packed.write_bytes(gzip.compress(lines, 6))
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    broken.write_bytes(lines[: lines.index(b"\n") + 1] + b'{"id": "1", "text": \n' * count)
    return [("JSON Lines", plain), ("JSON Lines .gz", packed), ("CSV", table), ("refused rows", broken)]


def _measured(action: Callable[[], int]) -> tuple[int, float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    rows = action()
    return rows, time.process_time() - cpu, time.perf_counter() - wall


def _tell(name: str, rows: int, cpu: float, wall: float, budget: float | None) -> None:
    print(f"{name:34}{cpu / rows * 1e6:12.1f}{budget or '–':>9}{rows / wall:10,.0f}")


if __name__ == "__main__":
    main()
