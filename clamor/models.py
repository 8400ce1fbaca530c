"""A home's own models, as `clamor model` handles them: what they are compared on, drafts, the one in force."""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from clamor.opening import Opened, open_home
from config.brands import Brand
from config.home import Home
from config.load import load
from database.engine import read
from database.migrate import upgrade
from nlp import shelf
from nlp.classifier import Classifier, Passage
from nlp.own import labelled
from nlp.own.labelled import CLASSES, Kept
from nlp.own.measure import read_labels
from nlp.shelf import ModelError
from routing.checkers import IN_USE
from stream.records import TIERS

COMPARED = 200
"""Posts that an imported model is compared on."""
HELD = 6_000
"""Posts that nobody corrected, which a model that learns is held to."""
NUMBERS = ".numbers.json"
_MOST_NUMBERS = 10**9
_NUMBERED = re.compile(r"(.+)-(\d{1,9})")
_LINES = (
    "The app has been down all morning and nobody answers. Cancelling today.",
    "¿Cuánto cuesta el plan familiar?",
    "Gracias por resolverlo tan rápido, un diez.",
)


class Alike(NamedTuple):
    """Two models on the same posts."""

    head: str
    posts: int
    of_home: bool
    """Whether they are the home's; else written ones that are shipped."""
    agreement: float | None
    """None: the other does not have the head."""
    rate: float
    """Posts a second, on one core."""
    other_rate: float


@contextmanager
def in_words() -> Iterator[None]:
    """What goes wrong with a model, as a sentence."""
    try:
        yield
    except ImportError as error:
        raise ModelError(
            f"this needs the extra `own`, which is not installed ({error.name or error}): "
            "pip install 'clamor[own]'; docs/models.md says how large it is"
        ) from error
    except (ValueError, OSError) as error:
        raise ModelError(str(error)) from error


def asked_for(home: Home) -> str:
    """The name that the settings ask for; the default one where there is no home."""
    if not home.settings_file.exists():
        return "fast"
    return load(home, IN_USE, use="check").settings.understanding.model


def next_name(home: Home, name: str) -> tuple[str, int]:
    """(folder's name, version) of the next model called `name`. Raises ModelError for a name that cannot be."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,50}", name) or name in TIERS:
        raise ModelError(f"{name!r} cannot be a model's name: a to z, 0 to 9, - and _, and none of the shipped ones'")
    there = [_NUMBERED.fullmatch(said) for card in shelf.models(home) for said in (card.name, card.model)]
    used = [int(found[2]) for found in there if found and found[1] == name]
    version = max([numbers_in(home.models).get(name, 0), *used]) + 1
    return f"{name}-{version}", version


def settle(draft: Path, home: Home, name: str, version: int) -> None:
    """The draft becomes a model of the home. Its number is never given again, also when the model was deleted: mentions
    name it."""
    draft.rename(home.models / f"{name}-{version}")
    remember(home, {name: version})


def remember(home: Home, given: Mapping[str, int]) -> None:
    """These numbers, and those below them, are given to no model of these names."""
    known = numbers_in(home.models)
    changed = {**known, **{name: max(number, known.get(name, 0)) for name, number in given.items()}}
    if changed == known:
        return
    file = home.models / NUMBERS
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(changed), "utf-8")
    fresh.replace(file)


def numbers_in(folder: Path) -> dict[str, int]:
    """Name → the highest number that a model of that name had, as a folder of models keeps it."""
    try:
        told = json.loads((folder / NUMBERS).read_text("utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    found = told.items() if isinstance(told, dict) else ()
    return {name: number for name, number in found if type(number) is int and 0 < number < _MOST_NUMBERS}


@contextmanager
def draft(home: Home, folder: str) -> Iterator[Path]:
    """A place for what is no model yet; what still stands there in the end is taken away. One process at a time makes
    a model of one name: raises ModelError."""
    place = home.models / f".{folder}.draft"
    home.models.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        place.mkdir(mode=0o700)
    except FileExistsError:
        raise ModelError(
            f"{folder} is being made by another `clamor model` ({place}): wait for it, give this one another --name, "
            "or delete that folder if none is running"
        ) from None
    try:
        yield place / "model"
    finally:
        shutil.rmtree(place, ignore_errors=True)


def kept(home: Home, most: int) -> Kept:
    """The home's corrections, and up to `most` of its other posts. Of a home that is none: nothing."""
    if not home.settings_file.exists():
        return Kept([], [])
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            return labelled.of_home(connection, brands_of(opened), most)


def counted(home: Home) -> int:
    """The home's corrections."""
    with open_home(home, use="check") as opened:
        upgrade(opened.engine)
        with read(opened.engine) as connection:
            return labelled.corrections_in(connection)


def brands_of(opened: Opened) -> Sequence[Brand]:
    return opened.registry.current().brands


def stated_brands(home: Home) -> Sequence[Brand]:
    """Those of the home's files, where there is one."""
    if not home.settings_file.exists():
        return ()
    return load(home, IN_USE, use="check").content.stated.brands or ()


def sample(home: Home) -> tuple[list[Passage], bool]:
    """Up to COMPARED posts, and whether they are the home's."""
    posts = [Passage(one.text, one.targets[:1], one.lang) for one in kept(home, COMPARED).posts]
    if posts:
        return posts, True
    written = random.Random(1).sample(labelled.synthetic(), COMPARED)
    return [row.passage for row in written], False


def alike(new: Classifier, old: Classifier, head: str, posts: Sequence[Passage], of_home: bool) -> Alike:
    (mine, spent), (theirs, other_spent) = _timed(new, posts), _timed(old, posts)
    agreement = float((mine[head] == theirs[head]).mean()) if head in theirs else None
    return Alike(head, len(posts), of_home, agreement, len(posts) / spent, len(posts) / other_spent)


def check(classifier: Classifier) -> None:
    """Lets it read a few posts. Raises ModelError where it gives no labels of ours."""
    found = read_labels(classifier, [Passage(text) for text in _LINES])
    for head, labels in found.items():
        if not ((labels >= 0) & (labels < len(CLASSES[head]))).all():
            raise ModelError(f"model {classifier.model} gives no label for {head}")
    readings = classifier.read([Passage(text) for text in _LINES])
    for p in (readings.sentiment, readings.reputation, readings.intent, readings.detractor):
        if not np.isfinite(p).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-6):
            raise ModelError(f"model {classifier.model} gives probabilities that are none")


def put_in_force(home: Home, name: str) -> None:
    """Writes `understanding: model` into clamor.yaml; nothing else in it changes. Raises ModelError."""
    file = home.settings_file
    text = file.read_text("utf-8")
    changed = with_model(text, name)
    if changed is None:
        raise ModelError(
            f"{file} is written in a way that is not changed by a program: set `understanding: model: {name}`"
        )
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(changed, "utf-8")
    shutil.copymode(file, new)
    new.replace(file)


def with_model(text: str, name: str) -> str | None:
    """`text` of a clamor.yaml with this model, comments and all else as they were; None where that cannot be done."""
    whole = text if text.endswith("\n") else f"{text}\n"
    flow = re.search(r"^(understanding:[ \t]*\{)([^{}\n]*)\}", whole, re.MULTILINE)
    block = re.search(r"^understanding:[ \t]*(?:#.*)?\n((?:[ \t]+.*\n|[ \t]*#.*\n|[ \t]*\n)*)", whole, re.MULTILINE)
    if flow is not None:
        changed = _replaced(whole, flow, 2, _in_flow(flow[2], name))
    elif block is not None:
        changed = _replaced(whole, block, 1, _in_block(block[1], name))
    elif re.search(r"^understanding\b", whole, re.MULTILINE):
        return None
    else:
        changed = f"{whole.rstrip()}\n\nunderstanding:\n  model: {name}\n".lstrip("\n")
    changed = changed if text.endswith("\n") else changed.removesuffix("\n")
    return changed if _only_that(text, changed, name) else None


def _replaced(text: str, found: re.Match[str], group: int, by: str) -> str:
    return text[: found.start(group)] + by + text[found.end(group) :]


def _in_flow(held: str, name: str) -> str:
    changed, count = re.subn(r"\bmodel:[ \t]*[^,\s]+", f"model: {name}", held, count=1)
    return changed if count else f"model: {name}{', ' if held.strip() else ''}{held}"


def _in_block(lines: str, name: str) -> str:
    changed, count = re.subn(r"^([ \t]+model:[ \t]*)[^\s#]+", rf"\g<1>{name}", lines, count=1, flags=re.MULTILINE)
    if count:
        return changed
    indent = re.search(r"^[ \t]+(?=[^\s#])", lines, re.MULTILINE)
    return f"{indent[0] if indent else '  '}model: {name}\n{lines}"


def _only_that(before: str, after: str, name: str) -> bool:
    try:
        old, new = yaml.safe_load(before) or {}, yaml.safe_load(after)
    except yaml.YAMLError:
        return False
    if not isinstance(old, dict) or not isinstance(new, dict):
        return False
    held = old.get("understanding") or {}
    return isinstance(held, dict) and new == {**old, "understanding": {**held, "model": name}}


def _timed(classifier: Classifier, posts: Sequence[Passage]) -> tuple[dict[str, np.ndarray], float]:
    """Labels, and seconds of CPU."""
    check(classifier)
    start = time.process_time()
    said = read_labels(classifier, posts)
    return said, max(1e-9, time.process_time() - start)
