"""A Hugging Face model that is to be brought in: what its user says of it, where its files are, and what is refused.

Nothing here opens weights; only to fetch a model by its id takes more than the default install.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from nlp.composed import REPLACEABLE
from nlp.encoder import HEADS
from nlp.shelf import IMPORTED, LARGEST, TAKEN

WEIGHTS = ".safetensors"
"""Never what could hold code or pickled objects."""
_NUMBER = re.compile(r"[0-9]{1,6}")
_NOTHING = "tag:yaml.org,2002:null"
_TRUTHS = {"yes": "yes", "true": "yes", "on": "yes", "no": "no", "false": "no", "off": "no"}
"""What YAML takes for truth values, as the class that is meant."""
_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Mapped(NamedTuple):
    """What the user says of a model."""

    head: str
    labels: Mapping[str, str]
    """Label of the model → class of the head."""
    handles: str | None = None
    """What stands for a handle in the texts that it was trained on; None: the handle."""
    links: str | None = None
    temperature: float = 1.0
    licence: str = "not stated"


class _Words(yaml.BaseLoader):
    """Every value as it is written: a model's label may be `no`, `1` or `null`. None where nothing is written."""

    yaml_implicit_resolvers = {"": [(_NOTHING, re.compile(r"\Z"))]}  # noqa: RUF012 (as PyYAML has it)


_Words.add_constructor(_NOTHING, lambda loader, node: None)


def read_map(file: Path) -> Mapped:
    """Raises ValueError naming the file and the way out; OSError."""
    try:
        told = yaml.load(file.read_text("utf-8"), _Words)  # noqa: S506 (makes strings, lists and mappings alone)
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise ValueError(f"{file} is no YAML: {error}") from None
    if not isinstance(told, dict):
        raise ValueError(f"{file}: say which head the model gives, such as sentiment: {{LABEL_0: negative, …}}")
    heads = [name for name in told if name in HEADS]
    if len(heads) != 1 or heads[0] not in REPLACEABLE:
        raise ValueError(f"{file}: name one head, of {', '.join(REPLACEABLE)}; there is {', '.join(heads) or 'none'}")
    rest = {name: value for name, value in told.items() if name != heads[0]}
    unknown = sorted(str(name) for name in rest if name not in ("handles", "links", "temperature", "licence"))
    if unknown:
        raise ValueError(f"{file}: {unknown[0]} is not known; there are handles, links, temperature, licence")
    return _mapped(file, heads[0], told[heads[0]], rest)


def _mapped(file: Path, head: str, labels: Any, rest: Mapping[str, Any]) -> Mapped:
    if not isinstance(labels, dict) or not labels:
        raise ValueError(f"{file}: {head} maps the model's labels to {', '.join(HEADS[head])}")
    said = {_written(label): _class(one) for label, one in labels.items()}
    for label, one in said.items():
        if one not in HEADS[head]:
            raise ValueError(f"{file}: {head} has no class {one!r} (label {label}); there are {', '.join(HEADS[head])}")
    missing = [one for one in HEADS[head] if one not in said.values()]
    if missing:
        raise ValueError(f"{file}: no label means {missing[0]}: a head that never says it would not be one of ours")
    words = {name: rest[name] for name in ("handles", "links", "licence") if name in rest}
    for name, text in words.items():
        if not isinstance(text, str):
            what = "left empty" if text is None else f"{text!r}"
            raise ValueError(f'{file}: {name} is {what}: state a text, such as {name}: "x", or leave the line out')
    return Mapped(head, said, temperature=_temperature(file, rest.get("temperature", "1")), **words)


def _temperature(file: Path, said: Any) -> float:
    try:
        temperature = float(said)
    except (TypeError, ValueError):
        temperature = 0.0
    if not 0 < temperature < 100:
        raise ValueError(f"{file}: temperature is a number above 0 and below 100, not {_written(said)!r}")
    return temperature


def _class(said: Any) -> str:
    return _TRUTHS.get(_written(said).lower(), _written(said))


def _written(said: Any) -> str:
    return "" if said is None else str(said)


class Fetched(NamedTuple):
    folder: Path
    commit: str | None = None
    """Of an id: the commit that was fetched, whatever it was asked for by."""


def fetch(source: str, into: Path, revision: str | None, mapped: Mapped) -> Fetched:
    """The folder of `source`: it itself, or an id fetched to `into`: what is small first, and the weights where that is
    looked through. Raises ValueError with the way out."""
    if Path(source).is_dir():
        return Fetched(Path(source))
    if not _ID.fullmatch(source):
        raise ValueError(f"{source!r} is neither a folder nor an id of the form owner/name")
    with _from_the_hub(source):
        from huggingface_hub import HfApi

        told = HfApi().model_info(source, revision=revision, files_metadata=True, token=False)
    commit, there = told.sha or revision, {one.rfilename: one.size for one in told.siblings or ()}
    wanted = {name: size for name, size in there.items() if _is_taken(name)}
    for name, size in wanted.items():
        if size is None:
            raise ValueError(f"the Hub does not say how large {name} of {source} is: fetch it and give its folder")
    _look_at_size(source, [size or 0 for size in wanted.values()])
    weights = [name for name in wanted if name.endswith(WEIGHTS)]
    _download(source, [name for name in wanted if name not in weights], into, commit)
    look_through(into, mapped, list(there))
    _download(source, weights, into, commit)
    return Fetched(into, commit)


def _download(source: str, names: Sequence[str], into: Path, commit: str | None) -> None:
    with _from_the_hub(source):
        from huggingface_hub import hf_hub_download

        for name in names:
            hf_hub_download(source, name, revision=commit, token=False, local_dir=into)


@contextmanager
def _from_the_hub(source: str) -> Iterator[None]:
    """What goes wrong with the Hub as ValueError."""
    try:
        yield
    except ImportError:
        raise ValueError("fetching needs the extra `own`; or fetch the model yourself and give its folder") from None
    except Exception as error:
        raise ValueError(
            f"{source} cannot be fetched ({type(error).__name__}: {first_line(error)}): where there is no way "
            "to huggingface.co, fetch it elsewhere and give its folder"
        ) from None


def _is_taken(name: str) -> bool:
    """No file of a folder within, no dotfile of a file manager: what is taken can be backed up."""
    return name.endswith(IMPORTED) and TAKEN.fullmatch(name) is not None


def taken(folder: Path) -> list[Path]:
    """The files of the model in `folder` that are brought in, sorted."""
    return [file for file in sorted(folder.iterdir()) if _is_taken(file.name) and file.is_file()]


def _look_at_size(source: object, sizes: Iterable[int]) -> None:
    size = sum(sizes)
    if size > LARGEST:
        raise ValueError(
            f"the model in {source} has {size / 1e9:.1f} GB in {', '.join(IMPORTED)}: at most {LARGEST / 1e9:.0f} GB "
            "are brought in, as much as a backup holds; take a smaller one"
        )


def look_through(folder: Path, mapped: Mapped, there: Sequence[str] | None = None) -> list[str]:
    """The class of each of the model's labels, in its order. Raises ValueError for what is not brought in.

    `there`: the names of its files, where not all of them lie in `folder` yet."""
    config = _json(folder / "config.json")
    if there is None:
        there = [file.name for file in folder.iterdir()]
        _look_at_size(folder, [file.stat().st_size for file in taken(folder)])
    if not any(name.endswith(WEIGHTS) and _is_taken(name) for name in there):
        others = [name for name in sorted(there) if name.endswith((".bin", ".pt", ".pth", ".h5", ".ckpt"))]
        found = f"only {', '.join(others)}, which could run code when read" if others else "no weights"
        raise ValueError(f"{folder} has {found}: weights are read from safetensors only; convert them first")
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file() and "auto_map" in _json(folder / name):
            raise ValueError(f"{folder / name} asks for code that comes with the model: such models are not brought in")
    named = config.get("architectures") or ["of no architecture"]
    if not isinstance(named, list) or not isinstance(named[0], str):
        raise ValueError(f"{folder / 'config.json'}: architectures is a list of names, not {short(named)}")
    if not named[0].endswith("ForSequenceClassification"):
        raise ValueError(f"the model in {folder} is {named[0]}: only …ForSequenceClassification classifies texts")
    if config.get("problem_type") not in (None, "single_label_classification"):
        raise ValueError(f"the model in {folder} is for {config['problem_type']}: its labels must exclude one another")
    return _classes(folder, config, mapped)


def _classes(folder: Path, config: Mapping[str, Any], mapped: Mapped) -> list[str]:
    told = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    if not isinstance(told, dict) or not all(_NUMBER.fullmatch(number) for number in told):
        raise ValueError(
            f"{folder / 'config.json'}: id2label is {short(told)}: it takes the form "
            '{"0": "a label", "1": "another"}, by the number of the output'
        )
    named = {int(number): str(label) for number, label in told.items()}
    there = [named[number] for number in sorted(named)]
    for label in there:
        if label not in mapped.labels:
            raise ValueError(
                f"the model in {folder} has a label {label!r} that is not mapped; it has {', '.join(there)}"
            )
    for label in mapped.labels:
        if label not in there:
            raise ValueError(f"the model in {folder} has no label {label!r}; it has {', '.join(there)}")
    return [mapped.labels[label] for label in there]


def _json(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"no {file}: a Hugging Face model is a folder with config.json, *.safetensors, tokenizer.json"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no JSON ({error})") from None
    return told if isinstance(told, dict) else {}


def short(value: Any) -> str:
    return repr(value)[:80]


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
