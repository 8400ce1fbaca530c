"""How far the certainty that two cases are one matter can be trusted: `python -m bench.matters [--data FOLDER]`.

On CrisisLexT26 (../shared/data): tweets of 26 crises, set so that all crises begin in one minute. Two tweets of one
crisis are one matter, two of different ones are not. A pair is scored by what it shares (near copies, links, tags,
codes, names); people are not compared, for the set names none. Then what is found among customers of six airlines, of
whom nobody has said who speaks of one matter: how much people would be asked. Prints figures, never texts.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.corpus import SHARED
from nlp.fingerprint import fingerprints
from query.text import analyse
from routing.matters.certainty import OLD, Compared, Shared, certainty
from routing.matters.marks import marks_of
from routing.near import REACH
from stream.records import Author, Mention, Millis, Post, Scores, Understanding

LEVELS = ((0.99, 1.01), (0.9, 0.99), (0.5, 0.9))
PRIOR = 1_000
"""Pairs that are not one matter for each that is."""
MOST_UNDER_A_MARK = 2_000


class Said(NamedTuple):
    matter: str
    at: Millis
    marks: frozenset[tuple[str, int]]
    words: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the sets")
    data = parser.parse_args().data
    crises = [row for row in _rows(data / "crisislex_t26") if not row["text"].startswith("RT ")]
    begin: dict[str, Millis] = {}
    for row in crises:
        begin[row["event"]] = min(begin.get(row["event"], 1 << 60), _time(row))
    related = [row for row in crises if row["label"] != "not_related"]
    said = _said([(row["event"], _time(row) - begin[row["event"]], row["text"], "", "") for row in related])
    _report("crisislex_t26, all crises at once", said, labelled=True)
    airlines = [row for row in _rows(data / "airline_us") if not row["text"].startswith("RT ")]
    for kind in ("one author", "two authors"):
        rows = [(row["brand"], _time(row), row["text"], row["author"], row["brand"]) for row in airlines]
        _report(f"airline_us, pairs of {kind}", _said(rows), labelled=False, same_author=kind == "one author")


def _report(name: str, said: Sequence[Said], *, labelled: bool, same_author: bool | None = None) -> None:
    found = [0.0] * len(LEVELS), [0.0] * len(LEVELS)
    for one, other, sure in _pairs(said):
        author = any(kind == "author" for kind, _ in one.marks & other.marks)
        if same_author is not None and (author != same_author or one.matter != other.matter):
            continue
        for level, (low, high) in enumerate(LEVELS):
            if low <= sure < high:
                found[one.matter != other.matter][level] += 1
    sizes: dict[str, int] = defaultdict(int)
    for each in said:
        sizes[each.matter] += 1
    same = sum(n * (n - 1) / 2 for n in sizes.values())
    different = len(said) * (len(said) - 1) / 2 - same
    print(f"{name}: {len(said):,} posts")
    for level, (low, high) in enumerate(LEVELS):
        right, wrong = found[0][level], found[1][level]
        if not labelled:
            print(f"  {low:.2f} to {min(high, 1):.2f}: {right:,.0f} pairs")
            continue
        at_prior = right / same / (right / same + PRIOR * wrong / different) if right else float("nan")
        print(
            f"  {low:.2f} to {min(high, 1):.2f}: {right:,.0f} pairs of one crisis, {wrong:,.0f} of two; "
            f"right where one pair in {PRIOR:,} is one matter: {at_prior:.3f}"
        )


def _pairs(said: Sequence[Said]) -> Iterator[tuple[Said, Said, float]]:
    under: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, one in enumerate(said):
        for mark in one.marks:
            under[mark].append(place)
    first = {mark: min(said[place].at for place in places) for mark, places in under.items()}
    seen: set[tuple[int, int]] = set()
    for places in under.values():
        for one in places[:MOST_UNDER_A_MARK]:
            for other in places[:MOST_UNDER_A_MARK]:
                if one < other and (one, other) not in seen:
                    seen.add((one, other))
                    yield said[one], said[other], _sure(said[one], said[other], first)


def _sure(one: Said, other: Said, first: dict[tuple[str, int], Millis]) -> float:
    early = min(one.at, other.at)
    shared = tuple(Shared(mark[0], early - first[mark] > OLD) for mark in one.marks & other.marks)  # type: ignore[arg-type]
    return certainty(Compared(abs(one.at - other.at), shared, min(one.words, other.words)))[0]


def _said(rows: Sequence[tuple[str, Millis, str, str, str]]) -> list[Said]:
    clusters = _clusters([text for _, _, text, _, _ in rows])
    found = []
    for place, (matter, at, text, author, brand) in enumerate(rows):
        mention = _mention(place, text, author, clusters[place])
        own = {word for name in brand.casefold().split() for word in (name,)}
        marks = {(m.kind, m.key) for m in marks_of(mention, own) if m.kind not in ("post", "handle")}
        if not author:
            marks = {mark for mark in marks if mark[0] != "author"}
        found.append(Said(matter, at, frozenset(marks), len(analyse(text).surfaces)))
    return found


def _clusters(texts: Sequence[str]) -> list[int | None]:
    """As routing gives them, but for the order: of each text the first near one."""
    marks = [mark for start in range(0, len(texts), 500) for mark in fingerprints(texts[start : start + 500])]
    prints = np.array(marks, dtype=np.int64).view(np.uint64)
    cluster: list[int | None] = [None] * len(texts)
    for place, mark in enumerate(marks):
        if mark:
            near = np.flatnonzero(np.bitwise_count(prints[: place + 1] ^ prints[place]) <= REACH)
            of = next((cluster[n] for n in near.tolist() if n != place and cluster[n] is not None), None)
            cluster[place] = place if of is None else of
    return cluster


def _mention(number: int, text: str, author: str, cluster: int | None) -> Mention:
    post = Post(
        id=f"x:{number}", network="x", text=text, seen_at=0, event_time=0, author=Author(id=author) if author else None
    )
    sure = (1.0,)
    read = Understanding(
        brand="b", sentiment=Scores("negative", sure), intent=Scores("complaint", sure), detractor=Scores("1", sure)
    )
    return Mention(
        id=f"x:{number}#b", revision=1, post=post, post_id=post.id, brand="b", network="x", event_time=0,
        cluster=cluster, understanding=read,
    )  # fmt: skip


def _time(row: dict[str, Any]) -> Millis:
    return int(datetime.fromisoformat(row["created_at"]).timestamp() * 1_000)


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)


if __name__ == "__main__":
    main()
