"""What a Hugging Face model is to say is read as it is written; what is not brought in is refused, unfetched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hugging_face
import pytest

from nlp.own.foreign import Mapped, fetch, look_through, read_map

MAP = Mapped("sentiment", {"LABEL_0": "negative", "LABEL_1": "neutral", "LABEL_2": "positive"})


def written(folder: Path, text: str) -> Path:
    file = folder / "map.yaml"
    file.write_text(text, "utf-8")
    return file


def test_a_map_names_one_head_and_what_the_labels_mean(tmp_path: Path) -> None:
    found = read_map(written(tmp_path, 'sentiment: {NEG: negative, NEU: neutral, POS: positive}\nhandles: "@user"\n'))
    assert found == Mapped("sentiment", {"NEG": "negative", "NEU": "neutral", "POS": "positive"}, handles="@user")
    irony = read_map(written(tmp_path, "irony: {0: no, 1: yes}\ntemperature: 2\nlicence: MIT\n"))
    assert irony == Mapped("irony", {"0": "no", "1": "yes"}, temperature=2.0, licence="MIT")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("irony: {no: no, yes: yes}", {"no": "no", "yes": "yes"}),
        ("irony:\n  No: no\n  Yes: 'yes'", {"No": "no", "Yes": "yes"}),
        ("irony: {off: off, on: on}", {"off": "no", "on": "yes"}),
        ("irony: {False: false, True: true}", {"False": "no", "True": "yes"}),
        ("irony: {0: no, 1: yes, 01: yes, null: no, 1.50: yes}",
         {"0": "no", "1": "yes", "01": "yes", "null": "no", "1.50": "yes"}),
        ("irony: {2024-01-01: no, 1_000: yes}", {"2024-01-01": "no", "1_000": "yes"}),
    ],
)  # fmt: skip
def test_a_label_is_what_is_written(tmp_path: Path, text: str, labels: dict[str, str]) -> None:
    assert read_map(written(tmp_path, text)) == Mapped("irony", labels)


def test_what_stands_for_handles_is_the_text_that_is_written(tmp_path: Path) -> None:
    found = read_map(written(tmp_path, "irony: {a: no, b: yes}\nhandles: '\\1'\nlinks: no\nlicence: 4.0\n"))
    assert (found.handles, found.links, found.licence) == ("\\1", "no", "4.0")
    assert read_map(written(tmp_path, "irony: {a: no, b: yes}\nhandles: ''")).handles == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sentiment: {A: good, B: negative, C: positive}", "sentiment has no class 'good'"),
        ("sentiment: {A: negative, B: positive}", "no label means neutral"),
        ("queue: {A: sales}", "name one head, of sentiment"),
        ("detractor: {A: '0'}", "name one head"),
        ("sentiment: {A: negative}\nirony: {A: no}", "name one head"),
        ("sentiment: negative", "maps the model's labels"),
        ("irony: {A: no, B: yes}\ntemperature: 0", "temperature"),
        ("irony: {A: no, B: yes}\ntemperature: nan", "temperature is a number above 0 and below 100, not 'nan'"),
        ("irony: {A: no, B: yes}\ntemperature: warm", "temperature is a number above 0 and below 100, not 'warm'"),
        ("irony: {A: no, B: yes}\ntemperature: [2]", "temperature is a number"),
        ("irony: {A: no, B: yes}\nlicense: MIT", "license is not known"),
        ("irony: {A: no, B: yes}\nhandles:\n", "handles is left empty: state a text"),
        ("irony: {A: no, B: yes}\nlinks: [http]", r"links is \['http'\]: state a text"),
        ("irony: {A: no, B:}", "irony has no class ''"),
        ("irony: !!python/object/apply:os.getcwd []", "maps the model's labels"),
        ("irony: " + "[" * 100_000, "no YAML"),
        ("- irony", "say which head"),
        ("{", "no YAML"),
    ],
)
def test_a_map_that_is_wrong_is_told_where(tmp_path: Path, text: str, told: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ValueError, match=told) as refused:
        read_map(file)
    assert str(file) in str(refused.value)


def folder_of(tmp_path: Path, **config: Any) -> Path:
    folder = tmp_path / "theirs"
    folder.mkdir()
    told = {"architectures": ["BertForSequenceClassification"], "id2label": dict(enumerate(MAP.labels)), **config}
    (folder / "config.json").write_text(json.dumps(told), "utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_its_labels_are_read_in_its_own_order(tmp_path: Path) -> None:
    named = {"2": "LABEL_0", "0": "LABEL_2", "1": "LABEL_1"}
    assert look_through(folder_of(tmp_path, id2label=named), MAP) == ["positive", "neutral", "negative"]


@pytest.mark.parametrize(
    ("config", "change", "told"),
    [
        ({"auto_map": {"AutoModel": "modeling_x.Model"}}, lambda folder: None, "asks for code"),
        ({}, lambda folder: (folder / "tokenizer_config.json").write_text('{"auto_map": {}}'), "asks for code"),
        ({}, lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "pytorch_model.bin"),
        ({}, lambda folder: (folder / "model.safetensors").unlink(), "no weights"),
        ({"architectures": ["GPT2LMHeadModel"]}, lambda folder: None, "GPT2LMHeadModel"),
        ({"problem_type": "multi_label_classification"}, lambda folder: None, "multi_label"),
        ({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, lambda folder: None, "no label 'LABEL_2'"),
        ({"id2label": {str(at): f"LABEL_{at}" for at in range(4)}}, lambda folder: None, "'LABEL_3' that is not"),
        ({}, lambda folder: (folder / "config.json").unlink(), "no .*config.json"),
        ({"id2label": ["neg", "pos"]}, lambda folder: None, r"config.json: id2label is \['neg', 'pos'\]: it takes"),
        ({"id2label": {"a": "x"}}, lambda folder: None, r"config.json: id2label is \{'a': 'x'\}: it takes"),
        ({"id2label": {"-1": "x"}}, lambda folder: None, "config.json: id2label is"),
        ({"id2label": "LABEL_0"}, lambda folder: None, "config.json: id2label is 'LABEL_0'"),
        ({"architectures": 5}, lambda folder: None, "config.json: architectures is a list of names, not 5"),
        ({"architectures": {"a": 1}}, lambda folder: None, "config.json: architectures is a list of names"),
        ({"architectures": [["x"]]}, lambda folder: None, "config.json: architectures is a list of names"),
        ({"architectures": None}, lambda folder: None, "is of no architecture"),
        ({}, lambda folder: (folder / "config.json").write_text('{"a":' * 100_000), "config.json is no JSON"),
        ({}, lambda folder: (folder / "tokenizer_config.json").write_text("[" * 100_000), "_config.json is no JSON"),
    ],
)  # fmt: skip
def test_what_is_not_brought_in_is_refused_in_words(
    tmp_path: Path, config: dict[str, Any], change: Callable[[Path], object], told: str
) -> None:
    folder = folder_of(tmp_path, **config)
    change(folder)
    with pytest.raises(ValueError, match=told):
        look_through(folder, MAP)


def test_without_a_way_to_the_hub_an_id_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch(str(tmp_path), tmp_path / "into", None, MAP) == (tmp_path, None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"fetch it elsewhere and give its folder|fetch the model yourself"):
        fetch("nobody/nothing-of-this-name", tmp_path / "into", None, MAP)
    with pytest.raises(ValueError, match="neither a folder nor an id"):
        fetch("no such folder", tmp_path / "into", None, MAP)


CONFIG = {"architectures": ["BertForSequenceClassification"], "id2label": dict(enumerate(MAP.labels))}
OF_THE_HUB = {
    "config.json": json.dumps(CONFIG).encode(), "tokenizer.json": json.dumps(hugging_face.tokenizer()).encode(),
    "model.safetensors": b"weights", "onnx/config.json": b"{}", "onnx/model.safetensors": b"others",
    "pytorch_model.bin": b"pickled", ".hidden.json": b"{}", "modeling.py": b"import os",
}  # fmt: skip


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("httpx2", reason="the client of the Hub is of another make")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize("revision", [None, "main"])
def test_of_an_id_only_what_is_brought_in_is_fetched_at_one_commit(tmp_path: Path, revision: str | None) -> None:
    with hugging_face.hub("owner/theirs", OF_THE_HUB) as hub:
        found = fetch("owner/theirs", tmp_path / "into", revision, MAP)
    assert found == (tmp_path / "into", hub.commit)
    assert hub.revisions == {revision or ""}
    assert hub.fetched == ["config.json", "tokenizer.json", "model.safetensors"]
    assert (found.folder / "model.safetensors").read_bytes() == b"weights"
    assert look_through(found.folder, MAP) == ["negative", "neutral", "positive"]


@pytest.mark.usefixtures("online")
@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"config.json": b'{"architectures": ["GPT2LMHeadModel"]}'}, "GPT2LMHeadModel"),
        ({"config.json": b'{"auto_map": {}}'}, "asks for code"),
        ({"config.json": b"[" * 100_000}, "no JSON"),
        ({"model.safetensors": None}, r"only pytorch_model\.bin, which could run code"),
    ],
)
def test_weights_are_fetched_only_of_what_is_brought_in(
    tmp_path: Path, changed: dict[str, bytes | None], told: str
) -> None:
    files = {name: body for name, body in {**OF_THE_HUB, **changed}.items() if body is not None}
    with hugging_face.hub("owner/theirs", files) as hub, pytest.raises(ValueError, match=told):
        fetch("owner/theirs", tmp_path / "into", None, MAP)
    assert hub.fetched == ["config.json", "tokenizer.json"]


@pytest.mark.usefixtures("online")
def test_a_model_above_four_gigabytes_is_not_fetched(tmp_path: Path) -> None:
    large = {"model.safetensors": 3_000_000_000, "tokenizer.json": 1_100_000_000}
    with (
        hugging_face.hub("owner/theirs", OF_THE_HUB, large) as hub,
        pytest.raises(ValueError, match=r"owner/theirs has 4\.1 GB .* at most 4 GB are brought in"),
    ):
        fetch("owner/theirs", tmp_path / "into", None, MAP)
    assert hub.fetched == []
    with hugging_face.hub("owner/theirs", OF_THE_HUB, {"onnx/model.safetensors": 9_000_000_000}):
        assert fetch("owner/theirs", tmp_path / "into", None, MAP).folder == tmp_path / "into"
    with hugging_face.hub("owner/other", OF_THE_HUB), pytest.raises(ValueError, match="cannot be fetched"):
        fetch("owner/theirs", tmp_path / "nothing", None, MAP)


def test_a_folder_above_four_gigabytes_is_not_brought_in(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with (folder / "pytorch_model.bin").open("wb") as file:
        file.truncate(5_000_000_000)  # sparse
    assert look_through(folder, MAP) == ["negative", "neutral", "positive"]
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(4_100_000_000)
    with pytest.raises(ValueError, match=r"theirs has 4\.1 GB .* at most 4 GB are brought in"):
        look_through(folder, MAP)
