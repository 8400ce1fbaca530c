"""A home's own models in a backup: which it holds, under which names, and how they come back to a home."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from clamor.models import NUMBERS, numbers_in, remember
from config.home import Home
from nlp import shelf
from nlp.composed import BASE, ONNX, TORCH
from nlp.shelf import NAME, TAKEN

FOLDER = "models"
GIVEN = f"{FOLDER}/{NUMBERS}"
"""Which numbers were given to models, those that are gone included: they are not given again after a restore."""
LARGEST = shelf.LARGEST
"""Bytes of a model; a larger one is left out of a backup, and refused in one."""
_GIVEN_MOST = 1 << 20
_OF_A_MODEL = "|".join(
    sorted({re.escape(file) for files in shelf.FILES.values() for file in files} | {re.escape(ONNX)})
)
_IMPORTED = rf"{TORCH}/{TAKEN.pattern}"
_FILE = re.compile(rf"{FOLDER}/({NAME.pattern})/(?:{BASE}/){{0,9}}(?:{_OF_A_MODEL}|{_IMPORTED})")


class Held(NamedTuple):
    """What a backup of a home holds of its models."""

    files: tuple[str, ...]
    """Names relative to the home."""
    left_out: tuple[str, ...]
    """A sentence for each model that is not among them."""


class Returned(NamedTuple):
    """By name, what a restore did with the models of a backup; those that stood there already are in neither."""

    back: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """The home holds another one under the name, which stays."""


def held(home: Home) -> Held:
    """The complete ones; drafts are none."""
    given = home.root / GIVEN
    files = [GIVEN] if given.is_file() and given.stat().st_size <= _GIVEN_MOST else []
    left_out = []
    for card in shelf.models(home):
        if card.shipped:
            continue
        names = [f"{FOLDER}/{card.name}/{name}" for name in shelf.files(card)]
        why = card.problem or shelf.lacks(card) or _unfit(home, names)
        if why:
            left_out.append(f"the backup does not hold model {card.name!r}, which {why}")
        else:
            files += names
    return Held(tuple(files), tuple(left_out))


def model_of(name: str) -> str | None:
    """The model that a backup's file of this name belongs to; None for a name that no file of a model has."""
    found = _FILE.fullmatch(name)
    return found[1] if found else None


def belongs(name: str) -> bool:
    """Whether a backup may hold a file of this name for the models' sake."""
    return name == GIVEN or model_of(name) is not None


def too_large(sizes: Iterable[tuple[str, int]]) -> bool:
    """Whether files of these names and bytes are more than a backup holds of a model."""
    of_model: Counter[str] = Counter()
    for name, size in sizes:
        of_model[model_of(name) or ""] += size
    return of_model.pop("", 0) > _GIVEN_MOST or any(size > LARGEST for size in of_model.values())


def names_of(files: Iterable[str]) -> list[str]:
    return sorted({model for file in files if (model := model_of(file))})


def put_back(home: Home, stage: Path, digests: Mapping[str, str]) -> Returned:
    """Of the models that lie in `stage`, in the folder of models, those that the home lacks into the home. `digests`:
    of each file of the backup."""
    back, others = [], []
    for name in names_of(digests):
        standing = home.models / name
        if not standing.exists() and not standing.is_symlink():
            (stage / name).rename(standing)
            back.append(name)
        elif _digests(standing) != {file: digest for file, digest in digests.items() if model_of(file) == name}:
            others.append(name)
    remember(home, numbers_in(stage))
    return Returned(tuple(back), tuple(others))


def _unfit(home: Home, names: list[str]) -> str:
    odd = [name for name in names if model_of(name) is None]
    if odd:
        return f"has a file of a name that a backup does not take: {odd[0]}"
    size = sum((home.root / name).stat().st_size for name in names)
    return f"has {size / 1e9:.1f} GB: keep a copy of its folder" if size > LARGEST else ""


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for name in shelf.files(shelf.at(folder)):
        with (folder / name).open("rb") as file:
            found[f"{FOLDER}/{folder.name}/{name}"] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
