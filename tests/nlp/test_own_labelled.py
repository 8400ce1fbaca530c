"""Labelled posts: a user's file is read to the line, the written posts are whole, figures are what others compute."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from config.brands import Brand
from nlp.classifier import Passage
from nlp.own.f1 import confusion, each_f1, macro_f1, paired
from nlp.own.labelled import CLASSES, Labelled, key, of_file, synthetic
from nlp.own.measure import NONE, figures, gain, truth


def lines(folder: Path, *rows: dict[str, object] | str) -> Path:
    file = folder / "labelled.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), "utf-8")
    return file


def test_a_file_gives_posts_with_their_brand_marked(tmp_path: Path) -> None:
    rows = of_file(
        lines(
            tmp_path,
            {"text": "Acme Air is late", "brand": "acme", "reputation": "negative", "detractor": 1},
            "",
            {"text": "thanks @BrandX", "brand": "Brand X", "sentiment": "positive", "irony": "no"},
            {"text": "Acme Air is late", "queue": "none", "id": 7},
        ),
        [Brand(id="acme", name="Acme Air")],
    )
    assert [row.labels for row in rows] == [
        {"reputation": "negative", "detractor": "1"},
        {"sentiment": "positive", "irony": "no"},
        {"queue": "none"},
    ]
    assert [row.passage.targets[0].spans for row in rows] == [((0, 8),), ((7, 14),), ()]
    assert rows[0].key == rows[2].key != rows[1].key


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{", "line 2: not of the form"),
        ('{"sentiment": "positive"}', "line 2: not of the form"),
        ('{"text": "x"}', "line 2: no label: give at least one of sentiment"),
        ('{"text": "x", "sentiment": "good"}', "line 2: sentiment 'good' is not known: use one of negative"),
        ('{"text": "x", "detractor": 4}', "line 2: detractor '4' is not known"),
        ('{"text": "x", "brand": "   ", "intent": "other"}', "line 2: brand: a name has 1 to 200 characters"),
        (json.dumps({"text": "x", "brand": "b" * 201, "intent": "other"}), "line 2: brand: a name has 1 to 200"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, row: str, told: str) -> None:
    file = lines(tmp_path, {"text": "fine", "irony": "no"}, row)
    with pytest.raises(ValueError, match=told) as refused:
        of_file(file)
    assert str(file) in str(refused.value)
    with pytest.raises(ValueError, match="holds no line"):
        of_file(lines(tmp_path))


def test_the_written_posts_have_every_class_in_both_languages() -> None:
    rows = synthetic()
    assert len(rows) > 1_500
    for lang in ("en", "es"):
        mine = [row for row in rows if row.passage.lang == lang]
        for head in ("reputation", "intent", "detractor", "queue"):
            assert {row.labels[head] for row in mine} == set(CLASSES[head])
    named = sum(bool(row.passage.targets[0].spans) for row in rows)
    assert named > len(rows) / 2


def test_the_same_words_have_the_same_key() -> None:
    assert key("¡Qué BIEN, @acme! https://x.example/1") == key("qué bien @other https://y.example")
    assert key("late again") != key("late again and again")


def rows_of(head: str, y: np.ndarray) -> list[Labelled]:
    return [Labelled(Passage("x"), {head: CLASSES[head][one]} if one != NONE else {}, "") for one in y.tolist()]


def test_macro_f1_is_what_scikit_learn_computes() -> None:
    draw = np.random.default_rng(3)
    for classes in (2, 3, 8):
        for _ in range(20):
            y, label = draw.integers(0, classes, 25), draw.integers(0, classes, 25)
            table = confusion(y.astype(np.uint8), label, classes)
            assert macro_f1(table) == pytest.approx(
                f1_score(y, label, average="macro", labels=np.unique(y), zero_division=0)
            )
            every = range(classes)
            assert each_f1(table) == pytest.approx(f1_score(y, label, average=None, labels=every, zero_division=0))


def test_a_class_that_is_said_and_that_no_post_has_counts_only_as_a_miss() -> None:
    y, label = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    assert macro_f1(confusion(y, label, 3)) == pytest.approx((2 / 3 + 1) / 2)
    (figure,) = figures(rows_of("sentiment", y), {"sentiment": label}, {"sentiment": y})
    assert (figure.f1, figure.other) == (pytest.approx(5 / 6), 1.0)


def test_what_is_better_for_certain_is_told_from_what_may_be_chance() -> None:
    draw = np.random.default_rng(1)
    y = draw.integers(0, 3, 200)
    good = np.where(draw.random(200) < 0.9, y, draw.integers(0, 3, 200))
    fair = np.where(draw.random(200) < 0.5, y, draw.integers(0, 3, 200))
    rows = rows_of("sentiment", y)
    better, same = (
        gain(rows, {"sentiment": good}, {"sentiment": fair}),
        gain(rows, {"sentiment": good}, {"sentiment": good}),
    )
    assert 0 < better.low < better.mean < better.high
    assert same == (0.0, 0.0, 0.0)
    (figure,) = figures(rows, {"sentiment": good, "irony": good}, {"sentiment": fair})
    assert (figure.head, figure.rows) == ("sentiment", 200)
    assert figure.low < figure.f1 < figure.high
    assert figure.other is not None
    assert figure.gain_low < figure.f1 - figure.other < figure.gain_high
    assert figure[6:] == paired(y, fair, good, 3)[1:]
    assert better.mean == pytest.approx(figure.f1 - figure.other)
    few = rows_of("sentiment", y[:12])
    chance = gain(few, {"sentiment": good[:12]}, {"sentiment": np.where(np.arange(12) == 3, 0, good[:12])})
    assert chance.low <= 0


def test_posts_without_a_label_of_a_head_do_not_count() -> None:
    y = np.array([0, NONE, 2, NONE])
    assert (truth(rows_of("sentiment", y))["sentiment"] == y).all()
    said = {"sentiment": np.array([0, 1, 2, 0]), "queue": np.array([0, 0, 0, 0])}
    (figure,) = figures(rows_of("sentiment", y), said)
    assert (figure.rows, figure.f1) == (2, 1.0)
