"""An imported head upon a model of ours: it says its own head, the base all others, each post by itself."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hugging_face
import numpy as np
import onnx
import pytest
import tiny_model
from onnx import TensorProto, helper, numpy_helper

from nlp import shelf
from nlp.classifier import Passage, Target
from nlp.composed import ComposedClassifier, Imported
from nlp.linear import LinearClassifier
from nlp.normalise import RAW_LIMIT
from nlp.shelf import ModelError

LABELS = ["negative", "negative", "neutral", "positive"]
"""Of the imported model, which has four."""
BANDS = dict.fromkeys(("sentiment", "reputation", "intent", "detractor", "queue"), 0.6)


def graph() -> onnx.ModelProto:
    """A look-up, a product in 8 bits with one scale for all that it is given, a mean."""
    draw = np.random.default_rng(4)
    words = draw.standard_normal((len(hugging_face.WORDS), 16)).astype(np.float32) * 2
    held = {
        "words": words, "weight": draw.integers(-60, 60, (16, len(LABELS))).astype(np.int8),
        "zero": np.array(0, np.int8), "scale": np.array(0.02, np.float32), "one": np.array([1], np.int64),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["x"]),
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "weight", "z", "zero"], ["m"]),
        helper.make_node("Cast", ["m"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["s", "scale"], ["both"]),
        helper.make_node("Mul", ["f", "both"], ["y"]),
        helper.make_node("ReduceMean", ["y", "one"], ["logits"], keepdims=0),
    ]
    whole = helper.make_graph(
        nodes, "imported",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def card(head: str = "sentiment", **more: Any) -> dict[str, Any]:
    return {
        "format": 1, "kind": "composed", "name": "theirs", "version": 2, "tier": "fast", "head": head, "labels": LABELS,
        "runs": "onnx", "pieces": 60, "temperature": 1.0, "bands": BANDS, "proof": {"texts": ["late good"]}, **more,
    }  # fmt: skip


def make(folder: Path, head: str = "sentiment", **more: Any) -> Path:
    folder.mkdir(parents=True)
    tiny_model.make(folder / "base")
    (folder / "imported.onnx").write_bytes(graph().SerializeToString())
    (folder / "tokenizer.json").write_text(json.dumps(hugging_face.tokenizer()), "utf-8")
    told = card(head, **more)
    told["proof"]["logits"] = Imported(folder, told).logits(told["proof"]["texts"]).tolist()
    (folder / "card.json").write_text(json.dumps(told), "utf-8")
    return folder


def opened(folder: Path) -> Any:
    return shelf.open_folder(shelf.at(folder))


def passages(count: int, seed: int = 1) -> list[Passage]:
    draw = random.Random(seed)
    targets = (Target(((0, 2),), ((3, 5),)), Target())
    return [
        Passage(" ".join(draw.choices(hugging_face.WORDS[6:], k=draw.randint(0, 90))), targets[: draw.randint(1, 2)])
        for _ in range(count)
    ]


def test_a_post_is_read_the_same_alone_and_in_any_batch(tmp_path: Path) -> None:
    make(tmp_path / "model")
    base = opened(tmp_path / "model" / "base")
    forgetful, posts = ComposedClassifier(tmp_path / "model", base, kept=0), passages(40)
    alone = [forgetful.read([post]).sentiment[0] for post in posts]
    draw = random.Random(5)
    for _ in range(8):
        chosen = draw.choices(range(len(posts)), k=draw.choice([2, 7, 40, 90]))
        together = forgetful.read([posts[number] for number in chosen]).sentiment
        assert np.abs(together - np.array([alone[number] for number in chosen])).max() <= 1e-5
    assert np.ptp(np.array(alone), axis=0).max() > 0.2


def test_only_its_head_is_replaced_and_labels_of_one_class_add_up(tmp_path: Path) -> None:
    theirs = opened(make(tmp_path / "model"))
    ours, posts = opened(tmp_path / "model" / "base"), passages(12)
    found, before = theirs.read(posts), ours.read(posts)
    assert (theirs.model, theirs.tier, theirs.bands["sentiment"]) == ("theirs-2", "fast", 0.6)
    assert set(theirs.priors) == set(ours.priors) - {"sentiment"}
    assert theirs.thresholds == ours.thresholds
    assert np.allclose(found.sentiment.sum(axis=1), 1)
    assert not np.allclose(found.sentiment, before.sentiment)
    for name in ("reputation", "intent", "detractor", "act", "complaint", "emotion", "irony", "offensive"):
        assert (getattr(found, name) == getattr(before, name)).all(), name
    logits = theirs._imported.logits([post.text for post in posts]).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(found.sentiment, np.stack([p[:, 0] + p[:, 1], p[:, 2], p[:, 3]], axis=1))


def test_of_a_head_towards_a_brand_it_says_the_same_of_all_brands(tmp_path: Path) -> None:
    theirs, posts = opened(make(tmp_path / "model", "reputation")), passages(12)
    found = theirs.read(posts)
    assert len(found.reputation) == len(found.owner) > len(posts)
    for number in range(len(posts)):
        assert (found.reputation[found.owner == number] == found.reputation[found.owner == number][0]).all()
    yes = opened(make(tmp_path / "irony", "irony", labels=["no", "no", "yes", "yes"])).read(posts).irony
    assert yes.shape == (12,)
    assert theirs.read([]).reputation.shape == (0, 3)


def test_a_head_that_says_yes_or_no_keeps_its_band_where_the_card_states_one(tmp_path: Path) -> None:
    labels = ["no", "no", "yes", "yes"]
    stated = opened(make(tmp_path / "stated", "irony", labels=labels, bands={**BANDS, "irony": 0.72}))
    assert stated.bands == {**BANDS, "irony": 0.72}
    assert "irony" not in opened(make(tmp_path / "none", "irony", labels=labels)).bands


def test_handles_and_links_stand_as_it_was_trained(tmp_path: Path) -> None:
    theirs = opened(make(tmp_path / "model", handles="@user", links="http"))
    said = theirs._imported.logits(
        ["@AcmeAir late https://acme.example/x?y", "@user late http", "@Acme late www.acme.example"]
    )
    assert (said[0] == said[1]).all()
    assert (said[0] == said[2]).all()
    assert (theirs._imported.logits(["late"])[0] != said[0]).any()


def test_what_stands_for_handles_and_links_is_no_template_of_a_pattern(tmp_path: Path) -> None:
    theirs = opened(make(tmp_path / "model", handles="\\1", links="\\u \\g<0>"))._imported
    assert theirs._masked("@AcmeAir late https://acme.example/x") == "\\1 late \\u \\g<0>"
    assert np.isfinite(theirs.logits(["@AcmeAir late https://acme.example/x"])).all()


def test_of_a_long_text_no_more_is_tokenised_than_others_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = opened(make(tmp_path / "model", handles="@user"))._imported
    seen: list[str] = []
    row = theirs._row
    monkeypatch.setattr(theirs, "_row", lambda text: seen.append(text) or row(text))
    long = "late good " * 100_000
    said = theirs.logits([long])
    assert [len(text) for text in seen] == [RAW_LIMIT]
    assert (said == theirs.logits([long[:RAW_LIMIT]])).all()


def test_over_the_linear_model_too_and_found_on_the_shelf_by_its_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "model")
    ours = LinearClassifier()
    theirs = ComposedClassifier(folder, ours)
    posts = passages(5)
    assert theirs.tier == "linear"
    assert (theirs.read(posts).intent == ours.read(posts).intent).all()
    assert shelf.at(folder).format == "composed"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "imported.onnx").unlink(), "imported.onnx"),
        (lambda folder: (folder / "imported.onnx").write_bytes(b"no"), "import the model anew"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "tokenizer.json cannot be read"),
        (lambda folder: (folder / "base" / "model.onnx").unlink(), "model.onnx"),
        (lambda folder: again(folder, head="queue"), "head 'queue'"),
        (lambda folder: again(folder, labels=["negative", "bad", "neutral", "positive"]), "class 'bad'"),
        (lambda folder: again(folder, proof={"texts": ["late"], "logits": [[9.0] * 4]}), "does not say here"),
        (lambda folder: again(folder, runs="torch"), "torch"),
    ],
)
def test_what_is_damaged_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], told: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    folder = make(tmp_path / "model")
    change(folder)
    with pytest.raises(ModelError, match=told) as refused:
        opened(folder)
    assert str(folder) in str(refused.value)


def again(folder: Path, **changed: Any) -> None:
    told = json.loads((folder / "card.json").read_text("utf-8"))
    (folder / "card.json").write_text(json.dumps({**told, **changed}), "utf-8")
