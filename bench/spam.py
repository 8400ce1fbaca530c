"""How often a mark of spam is right: `python -m bench.spam`, on the sets of ../shared/data.

Prints figures, never texts. Precision and recall on `youtube_spam`, the one set whose spam is labelled; on sets of
posts about brands the share that is marked, and the CPU of one post.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.corpus import SHARED
from nlp.shares import Share
from nlp.spam import Spam
from query.text import analyse

LABELLED = ("train", "validation")
ABOUT_BRANDS = ("airlines_es", "airline_us", "twcs_stream", "complaints", "apple_dfe", "sanders")
MOST = 3_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the sets")
    folder = parser.parse_args().data
    spam = Spam()
    for part in LABELLED:
        _labelled(spam, part, list(_rows(folder / "youtube_spam" / f"{part}.jsonl.gz")))
    for name in ABOUT_BRANDS:
        files = sorted((folder / name).glob("*.jsonl.gz"))
        texts = [row["text"] for file in files for row in _rows(file) if row.get("text")][:MOST]
        _unlabelled(spam, name, texts)


def _labelled(spam: Spam, part: str, rows: list[dict[str, Any]]) -> None:
    marked = [bool(spam.found(analyse(row["text"]))) for row in rows]
    meant = [row["label"] == "spam" for row in rows]
    both = sum(one and other for one, other in zip(marked, meant, strict=True))
    print(f"youtube_spam {part}: precision {Share(both, sum(marked))}, recall {Share(both, sum(meant))}")


def _unlabelled(spam: Spam, name: str, texts: list[str]) -> None:
    analyses = [analyse(text) for text in texts]
    began = time.process_time()
    found = [spam.found(one) for one in analyses]
    micros = (time.process_time() - began) / len(texts) * 1e6
    reasons = Counter(reason for one in found for reason in one)
    print(f"{name}: marked {Share(sum(map(bool, found)), len(found))}, {micros:.1f} µs a post, {dict(reasons)}")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    main()
