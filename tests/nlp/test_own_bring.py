"""A Hugging Face model becomes one head upon a model of ours, in 8 bits where that says the same."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hugging_face
import numpy as np
import pytest
import tiny_model

from nlp import shelf
from nlp.classifier import Passage
from nlp.composed import TORCH
from nlp.encoder import BANDS
from nlp.own import bring
from nlp.own.foreign import Mapped

MAP = Mapped("sentiment", {"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"})
TOLD = {"name": "theirs", "version": 1, "tier": "fast", "bands": dict.fromkeys(BANDS, 0.5)}
TEXTS = [" ".join(hugging_face.WORDS[6 + at % 9 :][: 1 + at % 7]) for at in range(60)]


def test_a_tokenizer_of_another_model_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(hugging_face.tokenizer()), "utf-8")
    bring.look_at_pieces(tmp_path, file, len(hugging_face.WORDS))
    bring.look_at_pieces(tmp_path, file, None)
    last = len(hugging_face.WORDS) - 1
    with pytest.raises(ValueError, match=rf"gives 'a' the number {last}, and the model knows {last} pieces") as refused:
        bring.look_at_pieces(tmp_path, file, last)
    assert str(tmp_path) in str(refused.value)
    file.write_text("[" * 100_000, "utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json of the model in .* cannot be read"):
        bring.look_at_pieces(tmp_path, file, last)


def test_what_goes_wrong_while_it_reads_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Damaged:
        def __init__(self, folder: Path, card: object) -> None:
            pass

        def logits(self, texts: object) -> None:
            raise IndexError("index out of range in self")

    monkeypatch.setattr(bring, "Imported", Damaged)
    with pytest.raises(ValueError, match=r"cannot read a post \(IndexError: index out of range in self\)"):
        bring._said(tmp_path, tmp_path / "draft", {}, ["late"])


@pytest.mark.parametrize(
    ("missing", "mismatched", "told"),
    [
        ({"classifier.weight", "classifier.bias"}, set(), r"lack classifier\.bias, classifier\.weight, or"),
        ({f"bert.encoder.layer.1.{at}" for at in range(7)}, set(), r"layer\.1\.0, .*, .* and 4 more, or"),
        (set(), {("classifier.weight", (2, 32), (3, 32))}, r"lack classifier\.weight, or have it in another shape"),
        ({"bert.embeddings.position_ids", "rotary.inv_freq"}, set(), ""),
        (set(), set(), ""),
    ],
)
def test_weights_that_are_not_there_are_not_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: set[str], mismatched: set[Any], told: str
) -> None:
    """A stand-in for torch and transformers, which says of the loading what transformers 5 says."""

    class Model:
        config = SimpleNamespace(num_labels=3)

        @classmethod
        def from_pretrained(cls, folder: Path, output_loading_info: bool = False, **how: Any) -> Any:
            said = {"missing_keys": missing, "mismatched_keys": mismatched, "unexpected_keys": set(), "error_msgs": []}
            return (cls(), said) if output_loading_info else cls()

        def named_parameters(self) -> list[Any]:
            return []

        def eval(self) -> Model:
            return self

    torch = SimpleNamespace(set_num_threads=lambda number: None, float32=None)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoModelForSequenceClassification=Model))
    if told:
        with pytest.raises(ValueError, match=told):
            bring._module(tmp_path, 3)
    else:
        assert isinstance(bring._module(tmp_path, 3), Model)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="torch is not installed: see docs/models.md")
    pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("bring")
    hugging_face.make(root / "theirs")
    tiny_model.make(root / "base")
    return root


@pytest.fixture(scope="module")
def brought(made: Path) -> tuple[Path, bring.Brought]:
    return made / "draft", bring.bring(made / "theirs", MAP, made / "base", made / "draft", TOLD, TEXTS)


def said_by_torch(folder: Path) -> np.ndarray:
    import tokenizers
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    read = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    with torch.no_grad():
        rows = [model(torch.tensor([read.encode(text).ids])).logits.softmax(-1)[0].numpy() for text in TEXTS]
    return np.array(rows)


def test_it_is_exported_to_8_bits_and_says_what_the_module_says(
    made: Path, brought: tuple[Path, bring.Brought]
) -> None:
    draft, found = brought
    assert found == bring.Brought("8-bit ONNX", "")
    assert not (draft / TORCH).exists()
    assert not (draft / "whole.onnx").exists()
    classifier = shelf.open_folder(shelf.at(draft))
    mine, theirs = classifier.read([Passage(text) for text in TEXTS]).sentiment, said_by_torch(made / "theirs")
    assert np.median(np.abs(mine - theirs)) < 0.01
    assert np.abs(mine - theirs).max() < 0.1
    assert (mine.argmax(axis=1) == theirs.argmax(axis=1)).mean() >= 0.98
    assert len(set(theirs.argmax(axis=1))) > 1


def test_in_8_bits_a_post_is_read_the_same_alone_and_in_any_batch(brought: tuple[Path, bring.Brought]) -> None:
    classifier = shelf.open_folder(shelf.at(brought[0]))
    posts = [Passage(text) for text in TEXTS]
    together = classifier.read(posts).sentiment
    forgetful = shelf.open_folder(shelf.at(brought[0]))
    alone = np.stack([forgetful.read([post]).sentiment[0] for post in reversed(posts)])[::-1]
    assert np.abs(together - alone).max() <= 1e-5


def test_what_cannot_be_exported_is_read_by_torch(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(model: Any, file: Path) -> None:
        raise RuntimeError("an operator that ONNX lacks")

    monkeypatch.setattr(bring, "_export", refuses)
    found = bring.bring(made / "theirs", MAP, made / "base", tmp_path / "draft", TOLD, TEXTS)
    assert found.runs == "torch"
    assert "an operator that ONNX lacks" in found.why
    mine = shelf.open_folder(shelf.at(tmp_path / "draft")).read([Passage(text) for text in TEXTS]).sentiment
    assert np.abs(mine - said_by_torch(made / "theirs")).max() < 1e-5


@pytest.mark.parametrize("lost", ["classifier.", "bert.encoder.layer.1."])
def test_weights_that_lack_the_head_or_a_layer_are_refused(made: Path, tmp_path: Path, lost: str) -> None:
    from safetensors.torch import load_file, save_file

    theirs = tmp_path / "theirs"
    shutil.copytree(made / "theirs", theirs)
    held = load_file(theirs / "model.safetensors")
    kept = {name: value for name, value in held.items() if not name.startswith(lost)}
    assert len(kept) < len(held)
    save_file(kept, theirs / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=rf"safetensors lack {lost}"):
        bring.bring(theirs, MAP, made / "base", tmp_path / "draft", TOLD, TEXTS)


def test_with_the_tokenizer_of_another_model_it_is_not_brought_in(made: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(made / "theirs", theirs)
    told = hugging_face.tokenizer()
    told["model"]["vocab"] = {**told["model"]["vocab"], "elsewhere": len(hugging_face.WORDS)}
    (theirs / "tokenizer.json").write_text(json.dumps(told), "utf-8")
    with pytest.raises(ValueError, match=r"gives 'elsewhere' the number .* it is another model's"):
        bring.bring(theirs, MAP, made / "base", tmp_path / "draft", TOLD, TEXTS)


def test_pickled_weights_are_refused(made: Path, tmp_path: Path) -> None:
    pickled = hugging_face.make(tmp_path / "pickled", pickled=True)
    with pytest.raises(ValueError, match="safetensors only"):
        bring.bring(pickled, MAP, made / "base", tmp_path / "draft", TOLD, TEXTS)
    assert not (tmp_path / "draft").exists()
