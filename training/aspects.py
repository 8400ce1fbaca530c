"""Measures the shipped aspects on posts that were read for it: precision and recall of each.

`python -m training.aspects [--half improve|measure|after|all] [--misses]`. Needs the shared sets. `aspects.jsonl` holds
ids and labels, no texts; the lexicon was improved on the half `improve` and on posts without labels. Posts of `measure`
were read before that, those of `after` when it was settled. `--misses` prints texts: for the half that is improved on,
on your own screen.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from config.aspects import SHIPPED
from nlp.aspects import Aspects
from query.text import analyse
from training.corpus import data, key, read

LABELS = Path(__file__).parent / "aspects.jsonl"


class Post(NamedTuple):
    text: str
    lang: str
    half: str
    aspects: frozenset[str]


class Score(NamedTuple):
    aspect: str
    right: int
    found: int
    there: int

    @property
    def precision(self) -> float | None:
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        return self.right / self.there if self.there else None


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--half", choices=("improve", "measure", "after", "all"), default="measure")
    asked.add_argument("--misses", action="store_true", help="print what was missed or found wrongly, with the texts")
    options = asked.parse_args()
    posts = [post for post in labelled() if options.half in (post.half, "all")]
    found = [understood(post) for post in posts]
    for lang in ("en", "es"):
        rows = [(post, aspects) for post, aspects in zip(posts, found, strict=True) if post.lang == lang]
        print(_line(f"all, {lang}", scored(rows, SHIPPED)[-1], len(rows)))
    for score in scored(zip(posts, found, strict=True), SHIPPED):
        print(_line(score.aspect, score, len(posts)))
    if options.misses:
        for post, aspects in zip(posts, found, strict=True):
            if aspects != post.aspects:
                print(f"missed {sorted(post.aspects - aspects)}, wrong {sorted(aspects - post.aspects)}: {post.text}")


def labelled() -> Iterator[Post]:
    """Every post of `aspects.jsonl` whose set is there, with its text."""
    wanted: dict[tuple[str, str], dict[str, Post]] = {}
    for row in read(LABELS):
        post = Post("", row["lang"], row["half"], frozenset(row["aspects"]))
        wanted.setdefault((row["set"], row["part"]), {})[row["key"]] = post
    for (name, part), posts in wanted.items():
        for record in data(name, part):
            post = posts.pop(key(record["text"]).hex(), None)
            if post is not None:
                yield post._replace(text=record["text"])


def understood(post: Post) -> frozenset[str]:
    return frozenset(_shipped().said(analyse(post.text), post.lang, [("", ())])[0])


def scored(rows: Iterable[tuple[Post, frozenset[str]]], aspects: Sequence[str]) -> list[Score]:
    """One for each aspect, then one over all."""
    pairs = list(rows)
    scores = [
        Score(
            name,
            sum(name in post.aspects and name in found for post, found in pairs),
            sum(name in found for _, found in pairs),
            sum(name in post.aspects for post, _ in pairs),
        )
        for name in aspects
    ]
    return [*scores, Score("all", *[sum(column) for column in zip(*(score[1:] for score in scores), strict=True)])]


@cache
def _shipped() -> Aspects:
    return Aspects()


def _line(name: str, score: Score, posts: int) -> str:
    percent = ["–" if one is None else f"{one:.0%}" for one in (score.precision, score.recall)]
    return f"| {name} | {posts} | {score.there} | {score.found} | {' | '.join(percent)} |"


if __name__ == "__main__":
    main()
