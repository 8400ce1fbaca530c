"""Posts to measure with: real ones where ../shared is there, else the built-in week, told again and again.

Texts of ../shared are other people's: they are read where they lie and written to a temporary folder only.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SHARED = Path(os.environ.get("CLAMOR_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
REAL = ("twcs_stream/stream", "airlines_es/train", "airlines_es/validation", "airline_us/train")
WEEK = Path(__file__).resolve().parents[1] / "clamor" / "scenario" / "week.jsonl"
START = datetime(2026, 10, 1, tzinfo=UTC)

CONFIGURATION = """\
logging: {level: warning}
brands:
  - {id: amazon, name: Amazon, handles: ["@AmazonHelp"], accounts: ["@AmazonHelp"]}
  - {id: apple, name: Apple, aliases: [iphone], handles: ["@AppleSupport"], accounts: ["@AppleSupport"]}
  - {id: united, name: United, handles: ["@united"], accounts: ["@united"]}
  - {id: delta, name: Delta, handles: ["@Delta"], accounts: ["@Delta"]}
  - {id: southwest, name: Southwest, handles: ["@SouthwestAir"], accounts: ["@SouthwestAir"]}
  - {id: american, name: American Airlines, handles: ["@AmericanAir"], accounts: ["@AmericanAir"]}
  - {id: usair, name: US Airways, handles: ["@USAirways"], accounts: ["@USAirways"]}
  - {id: jetblue, name: JetBlue, handles: ["@JetBlue"], accounts: ["@JetBlue"]}
  - {id: virgin, name: Virgin America, handles: ["@VirginAmerica"]}
  - {id: iberia, name: Iberia, handles: ["@Iberia"], accounts: ["@Iberia"]}
  - {id: ryanair, name: Ryanair, handles: ["@Ryanair"], accounts: ["@Ryanair"]}
  - {id: vueling, name: Vueling, handles: ["@vueling"], accounts: ["@vueling"]}
  - {id: aireuropa, name: Air Europa, handles: ["@AirEuropa"]}
  - {id: aurelia, name: Aurelia Air, handles: ["@AureliaAir"], accounts: ["@AureliaAir"]}
  - {id: nimbus, name: Nimbus Móvil, handles: ["@NimbusMovil"], accounts: ["@NimbusMovil"]}
  - {id: espiga, name: La Espiga, handles: ["@LaEspiga"], accounts: ["@LaEspiga"]}
people:
  - {id: lead, name: Lead, email: lead@example.org}
"""


def source() -> str:
    """What the posts are, for the head of a table."""
    return "real posts (twcs_stream, airlines_es, airline_us)" if _real() else "the built-in week"


def write_posts(path: Path, count: int) -> None:
    """`count` posts as JSON Lines, one every 20 seconds of event time; ids and authors differ at every telling."""
    rows = list(_rows())
    dice = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            telling, place = divmod(number, len(rows))
            file.write(json.dumps(_post(rows[place], telling, number, dice), ensure_ascii=False) + "\n")


def write_texts(path: Path, texts: Sequence[str]) -> None:
    """A post of each text, as `write_posts` makes them."""
    dice = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            row = {"id": number, "text": text}
            file.write(json.dumps(_post(row, 0, number, dice), ensure_ascii=False) + "\n")


def _post(row: dict[str, Any], telling: int, number: int, dice: random.Random) -> dict[str, Any]:
    author = row.get("author") or f"u{dice.randrange(200_000)}"
    post = {
        "id": f"{row['id']}-{telling}",
        "network": "x",
        "text": row["text"],
        "author": author if row.get("direction") == "outbound" else f"{author}-{telling}",
        "followers": int(dice.paretovariate(1) * 50),
        "created_at": (START + timedelta(seconds=20 * number)).isoformat(),
    }
    answered = row.get("in_reply_to") or row.get("reply_to")
    if answered:
        post["reply_to"] = f"{answered}-{telling}"
    return post


def _real() -> list[Path]:
    found = [SHARED / f"{name}.jsonl.gz" for name in REAL]
    return found if all(path.exists() for path in found) else []


def _rows() -> Iterator[dict[str, Any]]:
    real = _real()
    for path in real:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)
    if not real:
        with WEEK.open(encoding="utf-8") as file:
            yield from (row for row in map(json.loads, file) if row.get("text") and "control" not in row)
