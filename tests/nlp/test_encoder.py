"""The transformer says the same alone and in any batch, remembers without changing, and refuses what is no model."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model
from tiny_model import passages, rows

from nlp import heads
from nlp.classifier import Passage, Target
from nlp.encoder import NEEDED, TOKENS, Known, TransformerClassifier, batches
from nlp.linear import LinearClassifier
from nlp.reading import Rows
from stream.records import EMOTIONS, INTENTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def classifier(folder: Path) -> TransformerClassifier:
    return TransformerClassifier(folder)


def test_a_post_is_read_the_same_alone_and_in_any_batch(folder: Path) -> None:
    forgetful, posts = TransformerClassifier(folder, kept=0), passages(120)
    alone = [rows(forgetful.read([post]))[0] for post in posts]
    draw = random.Random(5)
    for _ in range(20):
        chosen = draw.choices(range(len(posts)), k=draw.choice([1, 2, 7, 33, 120, 300]))
        together = rows(forgetful.read([posts[number] for number in chosen]))
        for number, row in zip(chosen, together, strict=True):
            assert np.abs(row - alone[number]).max() <= 1e-5


def test_texts_are_batched_by_length_and_within_the_budget() -> None:
    draw = random.Random(2)
    lengths = draw.choices(range(2, 129), k=2_000)
    found = list(batches(lengths))
    assert sorted(number for batch in found for number in batch) == list(range(2_000))
    for batch in found:
        assert len({lengths[number] for number in batch}) == 1
        assert len(batch) * lengths[batch[0]] <= TOKENS
    assert list(batches([TOKENS * 2, 3])) == [[1], [0]]


def test_every_row_is_a_distribution_and_emotions_are_each_by_itself(classifier: TransformerClassifier) -> None:
    posts = passages(40)
    found = classifier.read(posts)
    targets = sum(len(post.targets) for post in posts)
    assert found.intent.shape == (targets, len(INTENTS))
    assert found.detractor.shape == (targets, 4)
    for p in (found.sentiment, found.reputation, found.intent, found.detractor):
        assert np.allclose(p.sum(axis=1), 1)
    assert found.emotion is not None
    assert found.emotion.shape == (40, len(EMOTIONS))
    assert not np.allclose(found.emotion.sum(axis=1), 1)
    for p in (found.act, found.complaint, found.irony, found.offensive, found.emotion):
        assert p is not None
        assert ((p >= 0) & (p <= 1)).all()


def test_what_is_said_of_a_text_is_the_mean_over_its_brands(classifier: TransformerClassifier) -> None:
    first, second = Target(((0, 2),), ((6, 8),)), Target(((6, 8),), ((0, 2),))
    both = classifier.read([Passage("ba la mi no", (first, second))])
    each = classifier.read([Passage("ba la mi no", (one,)) for one in (first, second)])
    assert both.sentiment.shape == (1, 3)
    assert both.reputation.shape == (2, 3)
    assert np.allclose(both.reputation, each.reputation)
    assert not np.allclose(each.sentiment[0], each.sentiment[1])
    mean = np.log(each.sentiment).mean(axis=0)
    assert np.allclose(both.sentiment[0], np.exp(mean) / np.exp(mean).sum())


def test_a_text_read_before_is_not_computed_again_and_gives_the_same_numbers(classifier: TransformerClassifier) -> None:
    posts = passages(60)
    before = rows(classifier.read(posts))
    classifier._network = None  # type: ignore[assignment]
    again = rows(classifier.read(posts[::-1]))[::-1]
    assert all((one == other).all() for one, other in zip(before, again, strict=True))
    with pytest.raises(AttributeError):
        classifier.read([Passage("bo bo bo")])


def test_texts_are_remembered_up_to_a_number_the_latest_used_first() -> None:
    known = Known(2)
    known.keep({b"a": b"1", b"b": b"2"})
    assert known.find([b"a"]) == {b"a": b"1"}
    known.keep({b"c": b"3"})
    assert known.find([b"a", b"b", b"c"]) == {b"a": b"1", b"c": b"3"}


def test_temperature_and_bias_of_the_card_are_applied(folder: Path, tmp_path: Path) -> None:
    changed = copied(
        folder, tmp_path, lambda card: card["heads"]["intent"].update(temperature=2.0, bias=[1.0] + [0.0] * 7)
    )
    before, after = TransformerClassifier(folder), TransformerClassifier(changed)
    posts = passages(10)
    expected = np.sqrt(before.read(posts).intent) * np.exp(np.eye(8)[0])
    assert np.allclose(after.read(posts).intent, expected / expected.sum(axis=1, keepdims=True))
    assert np.allclose(after.read(posts).reputation, before.read(posts).reputation)


def test_the_heads_that_a_model_lacks_are_left_out(tmp_path: Path) -> None:
    plain = TransformerClassifier(tiny_model.make(tmp_path / "plain", NEEDED)).read(passages(3))
    assert (plain.complaint, plain.emotion, plain.irony, plain.offensive) == (None, None, None, None)
    linear = LinearClassifier().read(passages(3))
    assert (linear.complaint, linear.emotion, linear.irony, linear.offensive) == (None, None, None, None)


def test_what_it_says_can_be_settled_like_the_linear_models(classifier: TransformerClassifier) -> None:
    posts = passages(30)
    found = classifier.read(posts)
    assert (heads.settle(found).queue.sum(axis=1).round(6) == 1).all()
    assert len(Rows(found, classifier, posts).queue) == len(found.owner)
    assert (classifier.model, classifier.tier) == ("tiny-3", "fast")


def test_no_post_gives_no_reading(classifier: TransformerClassifier) -> None:
    found = classifier.read([])
    assert (found.sentiment.shape, found.intent.shape, found.owner.shape) == ((0, 3), (0, 8), (0,))


def copied(folder: Path, into: Path, change: Callable[[dict[str, Any]], object] = lambda card: None) -> Path:
    out = into / "copy"
    out.mkdir()
    for file in folder.iterdir():
        (out / file.name).write_bytes(file.read_bytes())
    card = json.loads((out / "card.json").read_text("utf-8"))
    change(card)
    (out / "card.json").write_text(json.dumps(card), "utf-8")
    return out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda card: card.update(format=99), "format 99"),
        (lambda card: card.update(tier="slow"), "tier 'slow'"),
        (lambda card: card.pop("proof"), "no proof"),
        (lambda card: card["heads"].pop("intent"), "no head intent"),
        (lambda card: card["heads"]["sentiment"].update(classes=["bad", "good"]), "classes bad, good"),
        (lambda card: card["heads"].update(mood={"classes": ["a"]}), "head mood"),
        (lambda card: card["bands"].pop("queue"), "no band for queue"),
        (lambda card: card.update(pieces=10**9), "1000000000 pieces"),
        (lambda card: card["heads"]["intent"].update(bias=[0.0]), "one number a class"),
        (lambda card: card["heads"]["intent"].update(thresholds=[0.5] * 8), "classes exclude one another"),
        (lambda card: card["heads"]["emotion"].update(thresholds=[0.4]), "one a class"),
        (lambda card: card["heads"]["irony"].update(thresholds=[0.5, 1.5]), "between 0 and 1"),
        (lambda card: card["heads"].pop("irony"), "does not say here"),
        (lambda card: card["proof"]["logits"][2].__setitem__(5, 99.0), "does not say here"),
        (lambda card: card["proof"]["logits"][0].__setitem__(0, float("nan")), "does not say here"),
    ],
)
def test_a_card_of_something_else_is_refused(
    folder: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    wrong = copied(folder, tmp_path, change)
    with pytest.raises(ValueError, match=told) as refused:
        TransformerClassifier(wrong)
    assert str(wrong) in str(refused.value)


@pytest.mark.parametrize("name", ["card.json", "model.onnx", "tokenizer.json"])
def test_a_missing_or_cut_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    wrong = copied(folder, tmp_path)
    whole = (wrong / name).read_bytes()
    (wrong / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=str(wrong)):
        TransformerClassifier(wrong)
    (wrong / name).unlink()
    with pytest.raises(FileNotFoundError, match=str(wrong)):
        TransformerClassifier(wrong)


def test_a_model_read_before_a_fork_serves_in_the_child_and_adds_no_thread(folder: Path) -> None:
    """`clamor run` reads the models once and forks; another's thread would be missing in the child."""
    program = f"""
import os, sys
from pathlib import Path
from nlp.classifier import Passage
from nlp.encoder import TransformerClassifier
classifier = TransformerClassifier(Path({str(folder)!r}), kept=0)
here = classifier.read([Passage("ba la mi")] * 40)
assert len(os.listdir("/proc/self/task")) == 1, os.listdir("/proc/self/task")
child = os.fork()
if not child:
    there = classifier.read([Passage("ba la mi")] * 40)
    sys.exit(not (there.intent == here.intent).all())
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    run(program)


def test_who_reads_no_post_loads_neither_runtime_nor_tokenizer() -> None:
    run("import sys, clamor.cli, clamor.processes, nlp.work, nlp.encoder\n"
        "assert not {'onnxruntime', 'tokenizers', 'huggingface_hub'} & set(sys.modules)")  # fmt: skip


def test_nothing_that_trains_is_needed_to_serve(folder: Path) -> None:
    run(f"import sys\nfrom pathlib import Path\nfrom nlp.encoder import TransformerClassifier\n"
        f"TransformerClassifier(Path({str(folder)!r}))\n"
        "assert not {'torch', 'transformers', 'onnx', 'scipy', 'sklearn', 'training'} & set(sys.modules)")  # fmt: skip


def run(program: str) -> None:
    environment = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
