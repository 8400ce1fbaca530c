"""`clamor model`: which models there are, one put in force and back, measured on corrections and on a user's file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tiny_model
import yaml
from living import CONFIGURATION, Living, post, settled_home
from typed import PLAIN, clamor
from typer.testing import CliRunner

from clamor import exits
from clamor.commands.model import _tell_import, app
from clamor.models import alike, draft, next_name, settle, with_model
from config.home import Home
from database.engine import read
from nlp import shelf
from nlp.classifier import Passage
from nlp.own import bring, foreign
from nlp.own.labelled import corrections_in, of_home
from nlp.shelf import ModelError

TEXTS = ("Acme Air lost my bag again, I want my money back", "Thanks Acme Air, great crew", "Flying Acme Air to Rome")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With six mentions, two of them corrected, and a model of its own."""
    root = tmp_path_factory.mktemp("model") / "home"
    stated = CONFIGURATION.replace("{model: linear}", "\n  model: linear   # for now")
    settled = settled_home(root, stated)
    with Living(settled) as living:
        living.live(*(post(number, f"{TEXTS[number % 3]} {number}") for number in range(6)))
    tiny_model.make(root / "models" / "tiny")
    for number, words in ((0, ["--reputation", "neutral", "--queue", "none"]), (1, ["--sentiment", "positive"])):
        assert clamor(root, "correct", f"x:{number}#acme", *words, "--by", "ana").code == exits.OK
    return root


def settings(home: Path) -> str:
    return (home / "clamor.yaml").read_text("utf-8")


def test_the_models_that_there_are_are_listed(home: Path) -> None:
    found = [json.loads(line) for line in clamor(home, "model", "list", "--json").out.splitlines()]
    assert [one["name"] for one in found] == ["linear", "fast", "accurate", "tiny"]
    assert [one["name"] for one in found if one["in_force"]] == ["linear"]
    assert "in force" in clamor(home, "model", "list").out
    shown = clamor(home, "model", "show", "tiny")
    assert "tiny-3" in shown.out
    assert "proof" not in shown.out
    assert json.loads(clamor(home, "model", "show", "tiny", "--json").out)["bands"]["sentiment"] == 0.5
    none = clamor(home, "model", "show", "tinny")
    assert none.code == exits.FAILED
    assert "there is no model 'tinny'" in none.err


def test_without_a_home_the_shipped_ones_are_listed(tmp_path: Path) -> None:
    found = clamor(tmp_path / "none", "model", "list", "--json")
    assert found.code == exits.OK
    assert "linear" in found.out
    assert not (tmp_path / "none").exists()


def test_a_model_is_put_in_force_and_the_old_one_again(home: Path) -> None:
    before = settings(home)
    done = clamor(home, "model", "use", "tiny")
    assert done.code == exits.OK
    assert "back by: clamor model use linear" in done.out
    assert "clamor reprocess" in done.err
    assert settings(home) == before.replace("model: linear ", "model: tiny ")
    assert json.loads(clamor(home, "model", "list", "--json").out.splitlines()[3])["in_force"]
    assert clamor(home, "model", "use", "linear").code == exits.OK
    assert settings(home) == before


def test_where_the_environment_goes_before_the_file_it_stays_as_it_was(home: Path) -> None:
    before = settings(home)
    done = subprocess.run(
        [sys.executable, "-m", "clamor.cli", "--home", str(home), "model", "use", "tiny"],
        env=PLAIN | {"CLAMOR_UNDERSTANDING__MODEL": "linear"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == exits.FAILED
    assert "unset it" in done.stderr
    assert settings(home) == before


def test_where_the_model_in_force_is_gone_another_is_put_in_its_place(home: Path) -> None:
    tiny_model.make(home / "models" / "passing", named=("passing", 1))
    before = settings(home)
    assert clamor(home, "model", "use", "passing").code == exits.OK
    shutil.rmtree(home / "models" / "passing")
    listed = clamor(home, "model", "list")
    assert listed.code == exits.OK
    assert "there is no model 'passing'" in listed.err
    assert clamor(home, "model", "use", "linear").code == exits.OK
    assert settings(home) == before


def test_a_damaged_model_is_not_put_in_force(home: Path) -> None:
    folder = tiny_model.make(home / "models" / "broken", named=("broken", 1))
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:5_000])
    before = settings(home)
    try:
        for words in (["use", "broken"], ["use", "nowhere"]):
            done = clamor(home, "model", *words)
            assert done.code == exits.FAILED
            assert words[1] in done.err
        assert settings(home) == before
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def test_corrections_are_what_a_model_is_measured_on(home: Path) -> None:
    found = {one["head"]: one for one in json.loads(clamor(home, "model", "evaluate", "tiny", "--json").out)}
    assert {head: one["rows"] for head, one in found.items()} == {"sentiment": 1, "reputation": 1, "queue": 1}
    assert found["sentiment"]["other"] is not None
    assert "difference" in clamor(home, "model", "evaluate", "tiny").out
    alone = json.loads(clamor(home, "model", "evaluate", "linear", "--json").out)
    assert all(one["other"] is None for one in alone)


def test_a_file_is_what_a_model_is_measured_on(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "labelled.jsonl"
    rows = [
        {"text": text, "brand": "acme", "sentiment": label}
        for text, label in zip(TEXTS, ("negative", "positive", "neutral"), strict=True)
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    found = json.loads(clamor(home, "model", "evaluate", "linear", "--on", str(file), "--json").out)
    assert [(one["head"], one["rows"]) for one in found] == [("sentiment", 3)]
    file.write_text('{"text": "x", "sentiment": "good"}\n', "utf-8")
    wrong = clamor(home, "model", "evaluate", "linear", "--on", str(file))
    assert wrong.code == exits.FAILED
    assert "line 1: sentiment 'good' is not known" in wrong.err


def test_too_few_corrections_to_learn_from_are_counted(home: Path) -> None:
    done = clamor(home, "model", "train", "--base", "tiny")
    assert done.code == exits.FAILED
    assert "2 corrections are too few to learn from: at least 100 are needed (by `clamor correct`)" in done.err
    assert "API" not in done.err
    linear = clamor(home, "model", "train")
    assert "is linear and is not learnt from" in linear.err


def test_what_cannot_be_imported_is_said_and_leaves_nothing(home: Path, tmp_path: Path) -> None:
    labels, folder = tmp_path / "map.yaml", tmp_path / "theirs"
    labels.write_text("sentiment: {A: negative, B: neutral, C: positive}", "utf-8")
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["BertForSequenceClassification"]}', "utf-8")
    (folder / "pytorch_model.bin").write_bytes(b"")
    before = sorted(one.name for one in (home / "models").iterdir())
    done = clamor(home, "model", "import", str(folder), "--labels", str(labels), "--name", "theirs")
    assert done.code == exits.FAILED
    assert "safetensors only" in done.err
    assert (
        "cannot be a model's name"
        in clamor(home, "model", "import", str(folder), "--labels", str(labels), "--name", "fast").err
    )
    assert sorted(one.name for one in (home / "models").iterdir()) == before


def test_the_card_of_an_import_names_the_commit_that_was_fetched(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Mapping[str, Any]] = []

    def fetch(source: str, into: Path, revision: str | None, mapped: object) -> foreign.Fetched:
        return foreign.Fetched(tmp_path, f"commit of {revision}")

    def brought(place: Path, mapped: object, base: Path, draft: Path, card: Mapping[str, Any], texts: object) -> None:
        told.append(card)
        raise ValueError("enough was seen")

    monkeypatch.setattr(foreign, "fetch", fetch)
    monkeypatch.setattr(bring, "bring", brought)
    (tmp_path / "map.yaml").write_text("irony: {no: no, yes: yes}", "utf-8")
    for revision in ([], ["--revision", "main"]):
        words = ["import", "owner/theirs", "--labels", str(tmp_path / "map.yaml"), *revision]
        assert "enough was seen" in str(CliRunner().invoke(app, words, obj=Home.at(home)).exception)
    assert [(card["source"], card["revision"]) for card in told] == [
        ("owner/theirs", "commit of None"), ("owner/theirs", "commit of main"),
    ]  # fmt: skip


def test_where_the_model_in_force_lacks_the_head_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    linear = shelf.find("linear")
    ours = shelf.open_folder(linear)
    found = alike(ours, ours, "irony", [Passage(text) for text in TEXTS], of_home=False)
    assert found.agreement is None
    _tell_import("theirs-1", bring.Brought("8-bit ONNX", ""), found, linear)
    told = capsys.readouterr().out
    assert "irony: linear does not have it, there is nothing to compare with" in " ".join(told.split())
    assert "%" not in told


def test_corrections_and_other_posts_are_read_as_stage_nlp_read_them(home: Path) -> None:
    with Living(Home.at(home)) as living, read(living.opened.engine) as connection:
        found = of_home(connection, living.opened.registry.current().brands, 3)
        assert corrections_in(connection) == 2
    first = next(one for one in found.corrections if "queue" in one.labels)
    assert first.labels == {"reputation": "neutral", "queue": "none"}
    assert first.passage.targets[0].spans == ((0, 8),)
    assert set(first.known) == {"sentiment", "reputation", "intent", "detractor"}
    assert len(found.posts) == 3
    assert not {post.text for post in found.posts} & {one.passage.text for one in found.corrections}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "understanding:\n  model: own-1"),
        ("data: x\n", "data: x\n\nunderstanding:\n  model: own-1\n"),
        ("understanding:\n    model: fast  # why\napi: {}\n", "understanding:\n    model: own-1  # why\napi: {}\n"),
        ("understanding:\n  # none\n\napi: {}\n", "understanding:\n  model: own-1\n  # none\n\napi: {}\n"),
        ("understanding:\n  overload:\n    model: 3\n", None),
        ("understanding: {model: fast}  # so\n", "understanding: {model: own-1}  # so\n"),
        ("understanding: {}\napi: {}\n", "understanding: {model: own-1}\napi: {}\n"),
        ("understanding: &a {model: fast}\n", None),
        ("understanding:\n  model: fast", "understanding:\n  model: own-1"),
        ("brands: [", None),
    ],
)  # fmt: skip
def test_the_setting_is_written_and_nothing_else_changed(before: str, after: str | None) -> None:
    assert with_model(before, "own-1") == after
    if after is not None:
        assert yaml.safe_load(after)["understanding"]["model"] == "own-1"


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """Mentions name the model that read them: a deleted one's name must not come to mean another."""
    home = Home.at(tmp_path / "home")
    for number in (1, 2):
        folder, version = next_name(home, "acme")
        assert (folder, version) == (f"acme-{number}", number)
        with draft(home, folder) as place:
            tiny_model.make(place)
            settle(place, home, "acme", version)
        assert not list(home.models.glob("*.draft"))
    shutil.rmtree(home.models / "acme-2")
    assert next_name(home, "acme") == ("acme-3", 3)
    assert next_name(home, "other") == ("other-1", 1)
    tiny_model.make(home.models / "other", named=("other", 4))
    assert next_name(home, "other") == ("other-5", 5)


def test_one_process_at_a_time_makes_a_model_of_one_name(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    with draft(home, "acme-1") as place:
        place.mkdir()
        with pytest.raises(ModelError, match=r"acme-1 is being made by another .*--name"), draft(home, "acme-1"):
            raise AssertionError("two at once")
        assert place.exists()
    assert not place.exists()


@pytest.mark.parametrize("written", ["[" * 100_000, '{"acme": 1000000000000000000}', '{"acme": true}', "no JSON"])
def test_numbers_that_cannot_be_are_as_if_there_were_none(tmp_path: Path, written: str) -> None:
    home = Home.at(tmp_path / "home")
    home.models.mkdir(parents=True)
    (home.models / ".numbers.json").write_text(written, "utf-8")
    assert next_name(home, "acme") == ("acme-1", 1)
