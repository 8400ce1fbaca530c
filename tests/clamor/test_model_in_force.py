"""Posts are read by the model that the settings name; every mention says which one it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import onnxruntime
import pytest
import tiny_model
import typer
from living import CONFIGURATION, Living, post, settled_home
from typer.testing import CliRunner

from clamor import exits
from clamor.commands.check import check
from clamor.commands.run import tell_model
from clamor.opening import Opened, open_home
from clamor.processes import all_processes, understand
from clamor.starting import make_ready
from clamor.status import status
from clamor.supervisor import Supervisor
from config.home import Home
from config.schema import Settings
from database.migrate import upgrade
from database.registry import SqlRegistry
from nlp import shelf
from nlp.device import PROVIDERS
from nlp.shelf import ModelError
from stream.ports import MENTIONS, POSTS, Append
from stream.records import Understood, decode, encode


def asking_for(model: str) -> str:
    return CONFIGURATION.replace("model: linear", f"model: {model}")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.make(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def home(tmp_path: Path, tiny: Path) -> Home:
    home = settled_home(tmp_path / "home", asking_for("tiny"))
    shutil.copytree(tiny, home.models / "tiny")
    return home


@pytest.fixture
def no_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(shelf.SHIPPED / "linear", tmp_path / "shipped" / "linear")
    monkeypatch.setattr(shelf, "SHIPPED", tmp_path / "shipped")


def read_by(living: Living, id: str) -> tuple[str, str, int]:
    mention = living.mention(id)
    assert mention is not None
    assert mention.decision is not None
    return mention.decision.model, mention.decision.tier, mention.decision.generation


def test_a_homes_own_model_reads_and_a_change_of_the_model_opens_a_generation(home: Home) -> None:
    with Living(home) as living:
        living.live(post(1))
        assert read_by(living, "x:1#acme") == ("tiny-3", "fast", 2)
        assert status(living.opened)["understanding"] == {
            "asked": "tiny", "reads": "tiny-3", "why": "", "latest": "tiny-3", "overloaded": 0, "provisional": 0,
        }  # fmt: skip
    home.settings_file.write_text(asking_for("linear"), encoding="utf-8")
    linear = shelf.find("linear").model
    with Living(home) as living:
        living.live(post(2))
        assert read_by(living, "x:2#acme") == (linear, "linear", 3)
        assert read_by(living, "x:1#acme") == ("tiny-3", "fast", 2)
    home.settings_file.write_text(asking_for("tiny"), encoding="utf-8")
    with Living(home) as living:
        living.live(post(3))
        assert read_by(living, "x:3#acme") == ("tiny-3", "fast", 4)


@pytest.mark.usefixtures("no_fast")
def test_where_the_shipped_one_is_not_there_the_linear_one_reads_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = settled_home(tmp_path / "home", asking_for("fast"))
    with Living(home) as living:
        living.live(post(1))
        assert read_by(living, "x:1#acme")[1] == "linear"
        told = status(living.opened)["understanding"]
        tell_model(home, living.opened.settings)
    why = "model 'fast' is not part of this installation, 'linear' reads in its place"
    assert (told["asked"], told["why"]) == ("fast", why)
    assert why in " ".join(capsys.readouterr().err.split())
    found = checked(home)
    assert found.exit_code == 0
    assert why in found.stderr


def test_a_process_that_is_started_again_goes_on_with_the_model_of_the_start_while_it_is_there(tmp_path: Path) -> None:
    home = settled_home(tmp_path / "home", asking_for("mine"))
    mine = another_linear(home.models / "mine")
    with open_home(home) as opened:
        make_ready(opened)
        settings = opened.settings
    started = [spec for spec in all_processes(home, settings, 1) if spec.name == "nlp-1"]
    supervisor = Supervisor(started)
    linear, sent, found = shelf.find("linear").model, 0, {}

    def each_round() -> bool:
        nonlocal sent, found
        with open_home(home) as opened:
            found = handed_on(opened)
            if len(found) < sent:
                return True
            if sent == 1:
                home.settings_file.write_text(asking_for("linear"), encoding="utf-8")
                (mine / "notes.txt").write_text("whatever else lies in its folder", encoding="utf-8")
                assert SqlRegistry(opened.engine, linear).current().generation == 3
            elif sent == 2:
                shutil.rmtree(mine)
            if sent == 3:
                return False
            if sent:
                os.kill(supervisor.alive()["nlp-1"], signal.SIGKILL)
            sent += 1
            opened.log.append([Append(POSTS, f"x:{sent}", encode(post(sent)))])
            return True

    supervisor.run(each_round)
    assert found == {"x:1": ("mine-1", 2), "x:2": ("mine-1", 2), "x:3": (linear, 3)}


def test_of_the_model_of_the_start_the_contents_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is started again must not read by what stands in its place by then."""
    home = settled_home(tmp_path / "home", asking_for("mine"))
    mine, begun = another_linear(home.models / "mine"), []
    monkeypatch.setattr("clamor.processes.nlp_process", lambda home, chosen: begun.append(chosen.card))
    with open_home(home) as opened:
        make_ready(opened)
        all_processes(home, opened.settings, 1)
    (card,) = begun
    assert shelf.same(card, shelf.find("mine", home))
    told = json.loads((mine / "card.json").read_text("utf-8"))
    (mine / "card.json").write_text(json.dumps({**told, "edited": True}), "utf-8")
    assert not shelf.same(card, shelf.find("mine", home))


def another_linear(folder: Path) -> Path:
    shutil.copytree(shelf.SHIPPED / "linear", folder)
    card = json.loads((folder / "card.json").read_text("utf-8"))
    (folder / "card.json").write_text(json.dumps({**card, "name": "mine", "version": 1}), encoding="utf-8")
    return folder


def handed_on(opened: Opened) -> dict[str, tuple[str, int]]:
    """Who read each post, and under which generation, as stage nlp hands it on."""
    found = {}
    for partition, (low, _) in opened.log.bounds(MENTIONS).items():
        for record in opened.log.read(MENTIONS, partition, low, 100):
            one = decode(Understood, record.value)
            found[one.post.id] = (one.model, one.generation)
    return found


def test_a_model_that_cannot_be_used_is_an_error_before_anything_starts(home: Home) -> None:
    (home.models / "tiny" / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"'tiny'.*no model\.onnx"):
        all_processes(home, Settings.model_validate({"understanding": {"model": "tiny"}}))
    found = checked(home)
    assert found.exit_code == exits.CONFIGURATION
    assert "understanding.model: model 'tiny' is not complete" in found.stderr


@pytest.mark.skipif(
    PROVIDERS["cuda"] in onnxruntime.get_available_providers(), reason="this onnxruntime was built with CUDA"
)
def test_a_gpu_that_cannot_be_used_is_told_and_nothing_reads_in_its_place(home: Home) -> None:
    home.settings_file.write_text(CONFIGURATION.replace("model: linear", "model: tiny, device: cuda"), "utf-8")
    why = "device cuda: the onnxruntime that is installed was built without CUDA: install the extra `gpu`"
    found = checked(home)
    assert found.exit_code == exits.CONFIGURATION
    assert f"understanding.device: {why}" in found.stderr
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        told, settings = status(opened)["understanding"], opened.settings
        with pytest.raises(ModelError, match="built without CUDA"):
            understand(opened)
    assert (told["reads"], told["why"].startswith(why)) == ("", True)
    for starts in (all_processes, tell_model):
        with pytest.raises(ModelError, match="built without CUDA"):
            starts(home, settings)


def checked(home: Home):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.command()(check)
    return CliRunner().invoke(app, [], obj=home)
