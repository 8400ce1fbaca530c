"""The models that there are: those shipped with the program, and a home's own under `models/` in the home.

A model is a folder: a transformer (card.json, model.onnx, tokenizer.json), a linear one (card.json, weights.npz), or
either of them under an imported head (`nlp.composed`). A folder is whole by itself, so that it can be copied.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from config.home import Home
from config.schema import Device
from stream.records import TIERS, Tier

if TYPE_CHECKING:
    from nlp.classifier import Classifier
    from nlp.half import HalfNetwork

SHIPPED = Path(__file__).parent / "models"
LINEAR: Tier = "linear"
"""The model that reads where there is too much for the one in force, or where that one is not there."""

Format: TypeAlias = Literal["transformer", "linear", "composed"]
FILES: Mapping[Format, tuple[str, ...]] = {
    "transformer": ("card.json", "model.onnx", "tokenizer.json"),
    "linear": ("card.json", "weights.npz"),
    "composed": ("card.json", "tokenizer.json"),
}
IMPORTED = (".json", ".safetensors", ".txt", ".model")
"""How the files of an imported model end that are read by torch."""
TAKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""Names of the files that are taken over of an imported model."""
LARGEST = 4_000_000_000
"""Bytes of a model that is brought in or backed up."""
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""What a home's own model may be called; a folder of another name (a draft) is none."""


class ModelError(Exception):
    """A model that was asked for cannot be used; the words name it, its place, and the way out."""


class Card(NamedTuple):
    """One model as it lies there."""

    name: str
    """What it is asked for by: the folder's name, for a shipped one its tier."""
    version: int
    tier: Tier | None
    """None where the card cannot be read."""
    format: Format
    size: int
    """Bytes of all files."""
    folder: Path
    shipped: bool
    model: str = ""
    """Name and version as every mention names them."""
    problem: str = ""
    """Why it cannot be opened; empty where it is complete. What the files hold is proven when it is opened."""
    contents: str = ""
    """A digest of the model's files, where they were read for it (`sealed`)."""

    @property
    def complete(self) -> bool:
        return not self.problem


def models(home: Home | None = None) -> list[Card]:
    """The shipped ones, also where one is not there, from the least exact up; then the home's own by name."""
    shipped = [_card(SHIPPED / tier, shipped=True) for tier in TIERS]
    own = [_card(folder, shipped=False) for folder in _folders(home)] if home else []
    numbered = {card.name for card in own if card.name == card.model}
    return shipped + [card if card.problem else card._replace(problem=_not_told_apart(card, numbered)) for card in own]


def find(name: str, home: Home | None = None) -> Card:
    """The model of this name or tier, complete. Raises ModelError."""
    there = models(home)
    for card in there:
        if card.name == name and card.complete:
            return card
    for card in there:
        if card.name == name:
            raise ModelError(f"model {name!r} {card.problem}; {_what_there_is(there)}")
    raise ModelError(f"there is no model {name!r}; {_what_there_is(there)}")


def open_classifier(name: str, home: Home | None = None) -> Classifier:
    """The classifier of this name or tier. Raises ModelError: not there, not complete, damaged."""
    return open_folder(find(name, home))


def open_folder(card: Card, device: Device = "cpu") -> Classifier:
    """The classifier of a model that was found, which computes on `device`. Raises ModelError."""
    if why := _not_on(card, device):
        raise ModelError(why)
    try:
        if card.format == "linear":
            from nlp.linear import LinearClassifier

            return LinearClassifier(card.folder)
        if card.format == "composed":
            from nlp.composed import BASE, ComposedClassifier

            return ComposedClassifier(card.folder, open_folder(at(card.folder / BASE)))
        from nlp.encoder import TransformerClassifier

        return TransformerClassifier(card.folder, half=_half(card, device))
    except ModelError:
        raise
    except ImportError as error:
        raise ModelError(f"model {card.name!r} in {card.folder} cannot be used: {error}") from error
    except Exception as error:  # damage of any kind, which files and libraries tell in ways of their own
        told = str(error) if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {error}"
        raise ModelError(
            f"model {card.name!r} in {card.folder} cannot be used: {told}; fetch, import or train it anew, or "
            f"use another (clamor model list)"
        ) from error


def _half(card: Card, device: Device) -> HalfNetwork | None:
    """None on a processor: there a model reads in the integers that it is shipped in."""
    if device == "cpu":
        return None
    from nlp.half import HalfNetwork

    try:
        return HalfNetwork(card.folder, device)
    except RuntimeError as error:
        raise ModelError(
            f"model {card.name!r} cannot be opened on device {device} ({error}): look at it with nvidia-smi, "
            "or set device: cpu"
        ) from error


def same(one: Card, other: Card) -> bool:
    """Whether two looks at the shelf saw one model, whatever else lies in its folder; where `one` is sealed, with the
    same contents."""
    alike = one._replace(size=0, contents="") == other._replace(size=0, contents="")
    return alike and one.contents in ("", other.contents or _contents(other))


def sealed(card: Card) -> Card:
    """With a digest of its files' contents: 30 ms for a shipped one, and no more while they stay as they are, in this
    process and those forked from it."""
    return card._replace(contents=_contents(card))


def _contents(card: Card) -> str:
    """Empty where a file is gone in the meantime."""
    whole = hashlib.sha256()
    try:
        for name in files(card):
            whole.update(f"{name}\n".encode() + _digest(card.folder / name))
    except OSError:
        return ""
    return whole.hexdigest()


def _digest(file: Path) -> bytes:
    found = file.stat()
    state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    known = _digested.get(file)
    if known is None or known[0] != state:
        with file.open("rb") as opened:
            known = _digested[file] = (state, hashlib.file_digest(opened, "sha256").digest())
    return known[1]


_digested: dict[Path, tuple[tuple[int, ...], bytes]] = {}
"""By file: what it was like when it was read, and its digest."""


def at(folder: Path) -> Card:
    """The model of a folder that need not stand on the shelf."""
    return _card(folder, shipped=False)


def files(card: Card) -> list[str]:
    """What the model is made of, as far as it is there: names relative to its folder, sorted. Whatever else lies in the
    folder is not part of it."""
    there = [name for name in FILES[card.format] if (card.folder / name).is_file()]
    if card.format == "composed":
        from nlp.composed import BASE, ONNX, TORCH

        if (card.folder / ONNX).is_file():
            there.append(ONNX)
        if (card.folder / TORCH).is_dir():
            there += [
                f"{TORCH}/{file.name}" for file in (card.folder / TORCH).iterdir()
                if file.suffix in IMPORTED and file.is_file()
            ]  # fmt: skip
        there += [f"{BASE}/{name}" for name in files(at(card.folder / BASE))]
    return sorted(there)


def lacks(card: Card) -> str:
    """What a model lacks whose imported head, or what is under it, is not complete; empty for nothing."""
    if card.format != "composed":
        return ""
    from nlp.composed import BASE, ONNX, TORCH

    if not any(name == ONNX or name.startswith(f"{TORCH}/") for name in files(card)):
        return f"is not complete: {card.folder} has neither {ONNX} nor {TORCH}"
    base = at(card.folder / BASE)
    return f"has a base that {base.problem}" if base.problem else lacks(base)


def in_force(asked: str, home: Home | None = None, device: Device = "cpu") -> tuple[Card, str]:
    """The model to read with, and a sentence where it is not the one asked for; else an empty one.

    A shipped model that is not part of this installation is replaced by the linear one. Raises ModelError for any other
    that cannot be used, and for a device that cannot: who named it wants no other in its place.
    """
    for card in models(home):
        if card.shipped and card.name == asked and not card.folder.exists() and device == "cpu":
            return find(LINEAR), f"model {asked!r} is not part of this installation, {LINEAR!r} reads in its place"
    card = find(asked, home)
    look(card, device)
    return card, ""


def named(card: Card, device: Device) -> str:
    """Name and version as the mentions name them that are read on this device."""
    if device == "cpu":
        return card.model
    from nlp.encoder import HALF

    return f"{card.model}{HALF}"


def look(card: Card, device: Device) -> None:
    """Raises ModelError where this model cannot compute on this device: it has no use for it, or something is missing.
    A GPU is tried, in a process of its own; what the model itself says there is proven when it is opened."""
    if device == "cpu":
        return
    from nlp.device import why_not

    if why := _not_on(card, device) or why_not(device):
        raise ModelError(why)


def _not_on(card: Card, device: Device) -> str:
    if device == "cpu" or card.format == "transformer":
        return ""
    what = "is linear" if card.format == "linear" else "has an imported head, which reads posts one by one"
    return f"device {device}: model {card.name!r} {what} and gains nothing there: set device: cpu, or another model"


def _folders(home: Home) -> Iterator[Path]:
    if home.models.is_dir():
        yield from sorted(one for one in home.models.iterdir() if one.is_dir() and NAME.fullmatch(one.name))


def _card(folder: Path, *, shipped: bool) -> Card:
    format = _format(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
    told, problem = _told(folder)
    card = Card(folder.name, _version(told), None, format, size, folder, shipped, problem=problem)
    missing = [file for file in FILES[format] if not (folder / file).is_file()]
    if not folder.exists():
        return card._replace(problem="is not part of this installation")
    if missing:
        return card._replace(problem=f"is not complete: {folder} has no {', no '.join(missing)}")
    if problem:
        return card
    tier = LINEAR if format == "linear" else told.get("tier")
    if tier not in TIERS or not isinstance(told.get("name"), str) or _version(told) < 1:
        return card._replace(problem=f"has a card without name, version or tier: look into {folder / 'card.json'}")
    card = card._replace(tier=tier, model=f"{told['name']}-{told['version']}")
    if not shipped and folder.name in TIERS:
        return card._replace(problem=f"in {folder} bears the name of a shipped one: rename the folder")
    return card


def _not_told_apart(card: Card, numbered: Set[str]) -> str:
    """Why mentions could not tell a home's own model from another one, and the way out; empty where they can: its card
    names it as its folder does, NAME or NAME-VERSION. `numbered`: the folders of the second kind."""
    name, file = card.model.removesuffix(f"-{card.version}"), card.folder / "card.json"
    fit = card.name.removesuffix(f"-{card.version}")
    fit = card.name if fit in TIERS else fit
    if name in TIERS:
        return f'in {card.folder} is {card.model} by its card, as a shipped one is: write "name": "{fit}" into {file}'
    if card.name not in (name, card.model):
        return (
            f'in {card.folder} is {card.model} by its card, and so mentions would name it: write "name": "{fit}" into '
            f"{file}, or rename the folder to {card.model}"
        )
    if card.name != card.model and card.model in numbered:
        return f"in {card.folder} is {card.model}, and so is another: raise the version in {file}"
    return ""


def _format(folder: Path) -> Format:
    if (folder / "weights.npz").is_file() or folder == SHIPPED / LINEAR:
        return "linear"
    return "composed" if (folder / "base").is_dir() else "transformer"


def _version(told: Mapping[str, Any]) -> int:
    """0 where the card states none."""
    version = told.get("version")
    return version if type(version) is int else 0


def _told(folder: Path) -> tuple[dict[str, Any], str]:
    """What the card says, and what is wrong with it."""
    try:
        told = json.loads((folder / "card.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"has no card that can be read in {folder} ({error})"
    if not isinstance(told, dict):
        return {}, f"has no card that can be read in {folder} (it is no JSON object)"
    return told, ""


def _what_there_is(there: list[Card]) -> str:
    names = [card.name for card in there if card.complete]
    return f"there are {', '.join(names)}"
