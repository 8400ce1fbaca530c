"""Models are found where they lie, and one that cannot be used is told by name, with what there is instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny_model

from config.home import Home
from nlp import shelf
from nlp.classifier import Passage
from nlp.encoder import TransformerClassifier
from nlp.linear import LinearClassifier
from nlp.shelf import ModelError, find, in_force, models, open_classifier
from stream.records import TIERS


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def home(tmp_path: Path, tiny: Path) -> Home:
    tiny_model.call(Path(shutil.copytree(tiny, tmp_path / "models" / "mine")), "mine", 3)
    return Home.at(tmp_path)


def another_linear(folder: Path) -> Path:
    return tiny_model.call(Path(shutil.copytree(shelf.SHIPPED / "linear", folder)), folder.name, 1)


def test_the_shipped_ones_come_first_then_the_homes_own(home: Home) -> None:
    another_linear(home.models / "airline")
    (home.models / ".draft").mkdir()
    (home.models / "notes.txt").write_text("no model")
    found = models(home)
    assert [card.name for card in found] == [*TIERS, "airline", "mine"]
    assert [card.shipped for card in found] == [True] * len(TIERS) + [False, False]
    airline, mine = found[-2:]
    assert (airline.format, airline.tier, airline.complete) == ("linear", "linear", True)
    assert (mine.format, mine.tier, mine.model, mine.version) == ("transformer", "fast", "mine-3", 3)
    assert mine.size == sum(file.stat().st_size for file in mine.folder.iterdir())


def test_a_model_is_opened_by_its_name_or_tier(home: Home) -> None:
    assert isinstance(open_classifier("linear"), LinearClassifier)
    mine = open_classifier("mine", home)
    assert isinstance(mine, TransformerClassifier)
    assert mine.read([Passage("ba la mi")]).sentiment.shape == (1, 3)
    assert open_classifier("linear", home).model == find("linear").model


def test_a_home_without_models_has_the_shipped_ones(tmp_path: Path) -> None:
    assert [card.name for card in models(Home.at(tmp_path))] == list(TIERS)


def test_a_name_that_is_not_there_is_told_with_what_there_is(home: Home) -> None:
    with pytest.raises(ModelError, match=r"no model 'other'.*linear.*mine"):
        open_classifier("other", home)


@pytest.mark.parametrize("file", ["card.json", "model.onnx", "tokenizer.json"])
def test_a_model_that_lacks_a_file_is_told_so(home: Home, file: str) -> None:
    (home.models / "mine" / file).unlink()
    card = next(card for card in models(home) if card.name == "mine")
    assert not card.complete
    with pytest.raises(ModelError, match=rf"'mine'.*{file}"):
        open_classifier("mine", home)


@pytest.mark.parametrize("file", ["card.json", "model.onnx", "tokenizer.json", "weights.npz"])
def test_a_damaged_model_is_told_so(home: Home, file: str) -> None:
    folder = home.models / "mine"
    if file == "weights.npz":
        folder = home.models / "airline"
        another_linear(folder)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=f"model '{folder.name}'"):
        open_classifier(folder.name, home)


@pytest.mark.parametrize(
    ("field", "value"),
    [("heads", {"sentiment": 1}), ("pieces", "x"), ("proof", None), ("proof", {"pieces": [[10**6]], "logits": []})],
)
def test_a_card_that_holds_something_else_is_told_so(home: Home, field: str, value: object) -> None:
    card = home.models / "mine" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), field: value}))
    with pytest.raises(ModelError, match=r"model 'mine'.*anew"):
        open_classifier("mine", home)


def test_weights_that_are_none_are_told_without_advice_to_allow_pickles(home: Home) -> None:
    another_linear(home.models / "airline")
    (home.models / "airline" / "weights.npz").write_bytes(b"\x80\x04none of numpy's")
    with pytest.raises(ModelError, match="cannot be read") as told:
        open_classifier("airline", home)
    assert "pickle" not in str(told.value)


def test_a_tokenizer_of_another_kind_is_told_so(home: Home) -> None:
    file = home.models / "mine" / "tokenizer.json"
    held = json.loads(file.read_text())
    file.write_text(json.dumps({**held, "model": {**held["model"], "type": "Other"}}))
    with pytest.raises(ModelError, match=r"model 'mine'.*anew"):
        open_classifier("mine", home)


@pytest.mark.parametrize("version", [[1], {"a": 1}, "1", None, 0, True])
def test_a_version_is_a_number(home: Home, version: object) -> None:
    card = home.models / "mine" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "version": version}))
    assert not next(one for one in models(home) if one.name == "mine").complete


def test_a_card_nested_too_deep_leaves_the_others_listed(home: Home) -> None:
    (home.models / "mine" / "card.json").write_text("[" * 100_000)
    found = models(home)
    assert [card.name for card in found] == [*TIERS, "mine"]
    assert "has no card that can be read" in found[-1].problem
    assert find("linear", home).complete


def test_a_card_of_another_kind_is_told_so(home: Home) -> None:
    card = home.models / "mine" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "tier": "best"}))
    with pytest.raises(ModelError, match="without name, version or tier"):
        find("mine", home)


def test_a_homes_own_model_never_stands_for_a_shipped_one(home: Home) -> None:
    (home.models / "mine").rename(home.models / "linear")
    assert find("linear", home).shipped
    assert [card.problem for card in models(home) if not card.shipped] == [
        f"in {home.models / 'linear'} bears the name of a shipped one: rename the folder"
    ]


def own(home: Home) -> dict[str, str]:
    return {card.name: card.problem for card in models(home) if not card.shipped}


def test_a_homes_own_model_is_named_by_its_card_as_by_its_folder(home: Home) -> None:
    """Else two models could bear one name in every mention."""
    mine, card = home.models / "mine", home.models / "mine" / "card.json"
    tiny_model.call(mine, "tiny", 3)
    assert own(home) == {
        "mine": f'in {mine} is tiny-3 by its card, and so mentions would name it: write "name": "mine" into {card}, or '
        "rename the folder to tiny-3"
    }
    with pytest.raises(ModelError, match=r"model 'mine' in .*rename the folder to tiny-3"):
        in_force("mine", home)
    assert shelf.at(mine).complete
    mine.rename(home.models / "tiny-3")
    assert own(home) == {"tiny-3": ""}
    (home.models / "tiny-3").rename(home.models / "tiny-4")
    assert 'write "name": "tiny-4" into' in own(home)["tiny-4"]


@pytest.mark.parametrize(("folder", "fit"), [("mine", "mine"), ("fast-2", "fast-2"), ("own-2", "own")])
def test_a_copy_of_a_shipped_model_bears_a_name_of_its_own(home: Home, folder: str, fit: str) -> None:
    shutil.rmtree(home.models / "mine")
    place = Path(shutil.copytree(shelf.SHIPPED / "linear", home.models / folder))
    tiny_model.call(place, "fast", 2)
    assert own(home) == {
        folder: f'in {place} is fast-2 by its card, as a shipped one is: write "name": "{fit}" into '
        f"{place / 'card.json'}"
    }
    tiny_model.call(place, fit, 2)
    assert own(home) == {folder: ""}


def test_two_folders_never_hold_models_of_one_name(home: Home) -> None:
    shutil.copytree(home.models / "mine", home.models / "mine-3")
    mine = home.models / "mine"
    assert own(home) == {
        "mine": f"in {mine} is mine-3, and so is another: raise the version in {mine / 'card.json'}", "mine-3": "",
    }  # fmt: skip
    tiny_model.call(mine, "mine", 4)
    assert own(home) == {"mine": "", "mine-3": ""}


@pytest.mark.parametrize("file", ["card.json", "model.onnx", "tokenizer.json"])
def test_a_folder_whose_files_hold_something_else_is_another_model(home: Home, file: str) -> None:
    begun = shelf.sealed(find("mine", home))
    folder = home.models / "mine"
    (folder / "notes.txt").write_text("whatever else lies in its folder")
    held = (folder / file).read_bytes()
    (folder / file).touch()
    assert shelf.same(begun, find("mine", home))
    (folder / file).write_bytes(held.replace(b"0", b"1"))
    assert shelf.same(find("mine", home), find("mine", home))
    assert not shelf.same(begun, find("mine", home))
    (folder / file).write_bytes(held)
    assert shelf.same(begun, find("mine", home))


def test_only_a_shipped_model_that_was_not_delivered_is_replaced(
    home: Home, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    shutil.copytree(shelf.SHIPPED / "linear", shipped / "linear")
    monkeypatch.setattr(shelf, "SHIPPED", shipped)
    card, why = in_force("fast", home)
    assert card.name == "linear"
    assert why == "model 'fast' is not part of this installation, 'linear' reads in its place"
    shutil.copytree(tiny, shipped / "fast")
    assert in_force("fast", home)[0].name == "fast"
    assert in_force("mine", home) == (find("mine", home), "")
    (shipped / "fast" / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"no model\.onnx"):
        in_force("fast", home)
    with pytest.raises(ModelError, match="no model 'gone'"):
        in_force("gone", home)
