"""Which distance of fingerprints makes near copies: `python -m bench.copies [SET …]`, on the sets of ../shared/data.

Prints figures, never texts. *Alike* are two texts of one set that share a run of three words (or near fingerprints) and
whose words, handles, links and numbers aside, are the same in the same order by nine tenths (difflib's ratio).
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from bench.corpus import SHARED
from nlp.fingerprint import fingerprints
from nlp.normalise import clean, normalise
from routing.near import REACH, distance

SETS = ("twcs_stream", "airlines_es", "airline_us", "sxsw_brands", "crisislex_t26", "tass_general_es", "posts_es")
MOST = 25_000
DISTANCES = (0, 3, 5, 6, 7, 8, 9, 10)
ALIKE, DIFFERENT = 0.9, 0.6
LENGTHS = ((6, 9), (10, 19), (20, 99))
OPPOSITES = (
    *(
        ("love", "hate"),
        ("great", "terrible"),
        ("good", "bad"),
        ("best", "worst"),
        ("thanks", "shame"),
        ("happy", "angry"),
    ),
    *(("bueno", "malo"), ("buena", "mala"), ("mejor", "peor"), ("gracias", "vergüenza"), ("nunca", "siempre")),
)
_word = re.compile(r"[^\W\d_]+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--data", type=Path, default=SHARED, help="folder of the sets")
    options = parser.parse_args()
    everything: list[str] = []
    print(
        "set, texts, pairs alike | by distance: share of pairs within it that are not different; share of alike found"
    )
    for name in options.sets:
        texts = list(dict.fromkeys(row["text"] for row in _rows(options.data / name)))[:MOST]
        everything += texts
        _pairs(name, [normalise(clean(text)) for text in texts])
    _changed(everything)
    _short([row for row in _rows(options.data / "twcs_stream") if row["direction"] == "inbound"])


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)


def _marks(texts: Sequence[str]) -> list[int]:
    return [mark for start in range(0, len(texts), 500) for mark in fingerprints(texts[start : start + 500])]


def _pairs(name: str, plain: list[str]) -> None:
    marks = _marks(plain)
    kept = [place for place, mark in enumerate(marks) if mark]
    prints = np.array([marks[place] for place in kept], np.int64).view(np.uint64)
    words = [_word.findall(plain[place].lower()) for place in kept]
    pairs: dict[tuple[int, int], int] = {}
    for one in range(len(kept)):
        apart = np.bitwise_count(prints[one + 1 :] ^ prints[one])
        for other in np.flatnonzero(apart <= DISTANCES[-1]).tolist():
            pairs[one, one + 1 + other] = int(apart[other])
    for one, other in _sharing(words):
        pairs.setdefault((one, other), int(np.bitwise_count(prints[one] ^ prints[other])))
    found = [(apart, _ratio(words[one], words[other])) for (one, other), apart in pairs.items()]
    alike = sum(ratio >= ALIKE for _, ratio in found)
    parts = [f"{name}: {len(kept):,} texts, {alike:,} pairs alike"]
    for most in DISTANCES:
        within = [ratio for apart, ratio in found if apart <= most]
        wrong = sum(ratio < DIFFERENT for ratio in within)
        parts.append(
            f"{most}: {1 - wrong / max(1, len(within)):.3f} {sum(r >= ALIKE for r in within) / max(1, alike):.2f} "
            f"({2 * wrong / len(kept) ** 2 * 1e6:.2f} strangers a post among a million)"
        )
    print(" | ".join(parts), flush=True)


def _sharing(words: list[list[str]]) -> Iterator[tuple[int, int]]:
    """Pairs that share a run of three words which no more than 60 texts have."""
    having = defaultdict(list)
    for place, held in enumerate(words):
        for run in {tuple(held[at : at + 3]) for at in range(len(held) - 2)}:
            having[run].append(place)
    for places in having.values():
        if len(places) <= 60:
            yield from ((one, other) for at, one in enumerate(places) for other in places[at + 1 :])


def _ratio(one: list[str], other: list[str]) -> float:
    if abs(len(one) - len(other)) > 0.6 * max(len(one), len(other)):
        return 0.0
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= DIFFERENT else 0.0


def _changed(texts: list[str]) -> None:
    """Copies that we make of real texts, and their opposites."""
    dice = random.Random(1)
    some = dice.sample(texts, min(10_000, len(texts)))
    lexicon = [word for text in some for word in _word.findall(text)]
    changes: dict[str, Callable[[str], str]] = {
        "another handle before, link behind": lambda text: f"@someone {text} https://t.co/{dice.randrange(10**9)}",
        "reposted by hand": lambda text: f"RT @someone: {text}",
        "cut at nine tenths": lambda text: text[: len(text) * 9 // 10] + "…",
        "one word exchanged": lambda text: _exchanged(text, lexicon, 1, dice),
        "two words exchanged": lambda text: _exchanged(text, lexicon, 2, dice),
        "a word became its opposite": _opposite,
    }
    print("change: share of copies within", REACH, "bits, by words of the text", LENGTHS)
    for name, change in changes.items():
        pairs = [(text, changed) for text in some if (changed := change(text)) != text]
        before, after = (_marks([normalise(clean(pair[side])) for pair in pairs]) for side in (0, 1))
        parts = []
        for least, most in LENGTHS:
            apart = [
                distance(one, other)
                for (text, _), one, other in zip(pairs, before, after, strict=True)
                if one and least <= len(_word.findall(normalise(clean(text)))) <= most
            ]
            parts.append(f"{sum(d <= REACH for d in apart) / max(1, len(apart)):.2f} of {len(apart):,}")
        print(f"{name}: {', '.join(parts)}", flush=True)


def _exchanged(text: str, lexicon: list[str], count: int, dice: random.Random) -> str:
    words = text.split(" ")
    plain = [place for place, word in enumerate(words) if word.isalpha()]
    for place in dice.sample(plain, min(count, len(plain))):
        words[place] = dice.choice(lexicon)
    return " ".join(words)


def _opposite(text: str) -> str:
    for one, other in OPPOSITES:
        for found, put in ((one, other), (other, one)):
            changed = re.sub(rf"\b{found}\b", put, text, count=1, flags=re.IGNORECASE)
            if changed != text:
                return changed
    return text


def _short(rows: list[dict[str, Any]]) -> None:
    """Customers' posts whose words another customer has said as well, by their number."""
    said = defaultdict(set)
    for row in rows:
        said[tuple(_word.findall(normalise(clean(row["text"])).lower()))].add(row["author"])
    counts: dict[int, list[bool]] = defaultdict(list)
    for words, authors in said.items():
        counts[len(words)] += [len(authors) > 1] * len(authors)
    parts = [f"{n} words: {sum(counts[n]) / len(counts[n]):.3f} of {len(counts[n])}" for n in range(1, 9) if counts[n]]
    print("the same words by another customer:", ", ".join(parts))


if __name__ == "__main__":
    main()
