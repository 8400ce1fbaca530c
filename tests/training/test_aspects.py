"""The posts that aspects are measured on: ids and labels, no texts."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from config.aspects import SHIPPED
from training.aspects import LABELS, Post, Score, labelled, scored
from training.corpus import key, there

ROWS = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]


def test_labels_name_shipped_aspects_and_hold_no_text() -> None:
    assert {name for row in ROWS for name in row["aspects"]} <= set(SHIPPED)
    assert {field for row in ROWS for field in row} == {"set", "part", "id", "key", "lang", "half", "aspects"}
    assert len({row["key"] for row in ROWS}) == len(ROWS)
    halves = Counter((row["half"], row["lang"]) for row in ROWS)
    assert halves["measure", "en"] == halves["measure", "es"] == 100
    assert halves["after", "en"] == halves["after", "es"] == 50


@pytest.mark.skipif(not there(), reason="the training data is not beside the repository")
def test_every_post_that_was_read_is_found_again() -> None:
    posts = list(labelled())
    assert {key(post.text).hex() for post in posts} == {row["key"] for row in ROWS}


def test_a_score_counts_each_aspect_of_each_post() -> None:
    def post(*aspects: str) -> Post:
        return Post("", "en", "measure", frozenset(aspects))

    rows = [(post("price", "app"), frozenset({"price"})), (post(), frozenset({"price"})), (post("app"), frozenset())]
    found = scored(rows, ("price", "app", "food"))
    assert found == [Score("price", 1, 2, 1), Score("app", 0, 0, 2), Score("food", 0, 0, 0), Score("all", 1, 2, 3)]
    assert [one.precision for one in found] == [0.5, None, None, 0.5]
    assert [one.recall for one in found] == [1.0, 0.0, None, 1 / 3]
