"""Brings a Hugging Face model that classifies texts onto the shelf, as one head upon a model of ours.

Weights are read from safetensors only, and no code that comes with a model is run. Needs the extra `own`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from nlp.composed import BASE, FORMAT, KIND, ONNX, REPLACEABLE, TOKENIZER, TORCH, Imported
from nlp.encoder import HEADS
from nlp.shelf import IMPORTED, LARGEST, TAKEN

WEIGHTS = ".safetensors"
"""Never what could hold code or pickled objects."""
MOST_PIECES = 128
_LENGTHS = (2, 3, 7, 20, 60)
_ALIKE = 1e-3
"""Of a logit: how far the exported graph may be from the module."""
_ROUNDED_ALIKE = 0.98
"""Share of the texts that the 8-bit weights must give the same label as the module."""
_REMADE = re.compile(r"(?:^|\.)(?:position_ids|token_type_ids|inv_freq|original_inv_freq)$")
"""What is no weight: a module makes it anew, whatever the files hold."""
_NAMED = 3
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


class Brought(NamedTuple):
    runs: str
    """8-bit ONNX, ONNX, or torch."""
    why: str
    """Why it is not 8-bit ONNX; empty where it is."""


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
            f"{source} cannot be fetched ({type(error).__name__}: {_first_line(error)}): where there is no way "
            "to huggingface.co, fetch it elsewhere and give its folder"
        ) from None


def _is_taken(name: str) -> bool:
    """No file of a folder within, no dotfile of a file manager: what is taken can be backed up."""
    return name.endswith(IMPORTED) and TAKEN.fullmatch(name) is not None


def _taken(folder: Path) -> list[Path]:
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
        _look_at_size(folder, [file.stat().st_size for file in _taken(folder)])
    if not any(name.endswith(WEIGHTS) and _is_taken(name) for name in there):
        others = [name for name in sorted(there) if name.endswith((".bin", ".pt", ".pth", ".h5", ".ckpt"))]
        found = f"only {', '.join(others)}, which could run code when read" if others else "no weights"
        raise ValueError(f"{folder} has {found}: weights are read from safetensors only; convert them first")
    for name in ("config.json", "tokenizer_config.json"):
        if (folder / name).is_file() and "auto_map" in _json(folder / name):
            raise ValueError(f"{folder / name} asks for code that comes with the model: such models are not brought in")
    named = config.get("architectures") or ["of no architecture"]
    if not isinstance(named, list) or not isinstance(named[0], str):
        raise ValueError(f"{folder / 'config.json'}: architectures is a list of names, not {_short(named)}")
    if not named[0].endswith("ForSequenceClassification"):
        raise ValueError(f"the model in {folder} is {named[0]}: only …ForSequenceClassification classifies texts")
    if config.get("problem_type") not in (None, "single_label_classification"):
        raise ValueError(f"the model in {folder} is for {config['problem_type']}: its labels must exclude one another")
    return _classes(folder, config, mapped)


def _classes(folder: Path, config: Mapping[str, Any], mapped: Mapped) -> list[str]:
    told = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    if not isinstance(told, dict) or not all(_NUMBER.fullmatch(number) for number in told):
        raise ValueError(
            f"{folder / 'config.json'}: id2label is {_short(told)}: it takes the form "
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


def bring(
    source: Path, mapped: Mapped, base: Path, draft: Path, told: Mapping[str, Any], texts: Sequence[str]
) -> Brought:
    """Writes the model to `draft`: the imported head, and a copy of `base` beneath it.

    `told`: name, version, tier and bands of the card; `texts`: those on which the 8-bit weights are compared with the
    module. Raises ValueError naming what is wrong, ImportError where the extra `own` is not installed."""
    labels = look_through(source, mapped)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    shutil.copytree(base, draft / BASE)
    taken = draft / TORCH
    taken.mkdir()
    for file in _taken(source):
        shutil.copyfile(file, taken / file.name)
    with _quiet():
        model = _module(taken, len(labels))
        _tokenizer(taken, draft / TOKENIZER)
        look_at_pieces(source, draft / TOKENIZER, _rows(model))
    card: dict[str, Any] = {
        **told,
        "format": FORMAT, "kind": KIND, "head": mapped.head, "labels": labels, "temperature": mapped.temperature,
        "handles": mapped.handles, "links": mapped.links, "licence": mapped.licence, "runs": "torch",
        "pieces": _pieces(model.config),
    }  # fmt: skip
    with _quiet():
        brought = _exported(model, draft, card, texts, _said(source, draft, card, texts))
    card["runs"] = "torch" if brought.runs == "torch" else "onnx"
    if card["runs"] == "onnx":
        shutil.rmtree(taken)
    proven = list(_PROOF)
    logits = Imported(draft, card).logits(proven).round(5).tolist()
    card.update(exported=brought.runs, proof={"texts": proven, "logits": logits})
    (draft / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return brought


_PROOF = ("The delivery was two days late again.", "¡Qué bien atienden, gracias!", "ok")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars, and what others warn their own makers of."""
    from transformers.utils import logging as theirs

    theirs.disable_progress_bar()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        theirs.enable_progress_bar()


def _said(source: Path, draft: Path, card: Mapping[str, Any], texts: Sequence[str]) -> Any:
    """What the module says, which everything else is compared with."""
    try:
        return Imported(draft, card).logits(texts)
    except Exception as error:
        raise ValueError(
            f"the model in {source} cannot read a post ({type(error).__name__}: {_first_line(error)}): "
            "see whether its files belong together"
        ) from error


def _exported(model: Any, draft: Path, card: Mapping[str, Any], texts: Sequence[str], wanted: Any) -> Brought:
    """The best of 8-bit ONNX, ONNX and torch that says what the module says."""
    whole = draft / "whole.onnx"
    try:
        _export(model, whole)
        _compare(model, whole)
    except Exception as error:
        whole.unlink(missing_ok=True)
        return Brought("torch", f"it cannot be exported to ONNX ({type(error).__name__}: {_first_line(error)})")
    try:
        _round(whole, draft / ONNX)
        said = Imported(draft, {**card, "runs": "onnx"}).logits(texts)
        alike = float((said.argmax(axis=1) == wanted.argmax(axis=1)).mean()) if len(texts) else 1.0
        if alike >= _ROUNDED_ALIKE:
            whole.unlink()
            return Brought("8-bit ONNX", "")
        why = f"in 8 bits it gives only {alike:.0%} of the posts the same label"
    except Exception as error:
        why = f"it cannot be rounded to 8 bits ({type(error).__name__}: {_first_line(error)})"
    whole.rename(draft / ONNX)
    return Brought("ONNX", why)


def _module(folder: Path, labels: int) -> Any:
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(1)
    try:
        model, loaded = AutoModelForSequenceClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32,
            attn_implementation="eager", output_loading_info=True,
        )  # fmt: skip
    except Exception as error:
        raise ValueError(f"the model cannot be read ({type(error).__name__}: {_first_line(error)})") from None
    _look_at_weights(loaded)
    bad = [name for name, value in model.named_parameters() if not torch.isfinite(value).all()]
    if bad:
        raise ValueError(f"the model's {bad[0]} holds numbers that are not finite")
    if model.config.num_labels != labels:
        raise ValueError(f"the model has {model.config.num_labels} outputs and {labels} labels")
    return model.eval()


def _look_at_weights(loaded: Mapping[str, Any]) -> None:
    """Raises ValueError where transformers made up weights that the files lack, or have in another shape.

    `loaded`: what it says of the loading."""
    missing = {name for name in loaded.get("missing_keys", ()) if not _REMADE.search(name)}
    made_up = sorted(missing | {one[0] for one in loaded.get("mismatched_keys", ())})
    if made_up:
        some = ", ".join(made_up[:_NAMED]) + (f" and {len(made_up) - _NAMED} more" if len(made_up) > _NAMED else "")
        raise ValueError(
            f"the model's safetensors lack {some}, or have it in another shape: chance would stand in its place; take "
            "files of a model that was trained to classify, all of them, with the config.json that came with them"
        )


def _tokenizer(folder: Path, out: Path) -> None:
    """Its tokenizer as one file, converted where it has another form."""
    if (folder / TOKENIZER).is_file():
        shutil.copyfile(folder / TOKENIZER, out)
        return
    from transformers import AutoTokenizer

    try:
        AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False).backend_tokenizer.save(
            str(out)
        )
    except Exception as error:
        raise ValueError(
            f"the model has no {TOKENIZER}, and none can be made ({type(error).__name__}: {_first_line(error)})"
        ) from None


def look_at_pieces(source: Path, tokenizer: Path, rows: int | None) -> None:
    """Raises ValueError where the tokenizer gives a piece that a model of so many rows does not know; None: it has no
    rows."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    try:
        numbers = Tokenizer.from_file(str(tokenizer)).get_vocab(with_added_tokens=True)
    except Exception as error:
        raise ValueError(f"the {TOKENIZER} of the model in {source} cannot be read ({_first_line(error)})") from None
    piece, number = max(numbers.items(), key=lambda one: one[1], default=("", -1))
    if rows is not None and number >= rows:
        raise ValueError(
            f"the tokenizer of the model in {source} gives {_short(piece)} the number {number}, and the model knows "
            f"{rows} pieces: it is another model's; take the {TOKENIZER} that came with the weights"
        )


def _rows(model: Any) -> int | None:
    try:
        return int(model.get_input_embeddings().num_embeddings)
    except (AttributeError, NotImplementedError):  # of characters, or hashed
        return None


def _pieces(config: Any) -> int:
    """Of a text, at most; families of RoBERTa number places from behind the padding's."""
    places = int(getattr(config, "max_position_embeddings", 0) or 0)
    return min(MOST_PIECES, places - 2) if places > 2 else MOST_PIECES  # 0 or -1: it does not number places


def _export(model: Any, file: Path) -> None:
    import torch

    class Alone(torch.nn.Module):
        """One text, unpadded."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=torch.ones_like(input_ids)).logits

    longest = _pieces(model.config)
    ids = torch.arange(10)[None] % max(4, model.config.vocab_size - 4) + 3
    length = torch.export.Dim("length", min=2, max=longest)
    torch.onnx.export(
        Alone(), (ids,), str(file), dynamo=True, external_data=False, verbose=False, opset_version=18,
        input_names=["input_ids"], output_names=["logits"], dynamic_shapes={"input_ids": {1: length}},
    )  # fmt: skip


def _compare(model: Any, file: Path) -> None:
    """Raises ValueError where the graph and the module differ."""
    import torch

    from nlp.composed import onnx_run

    run, draw = onnx_run(file), np.random.default_rng(1)
    for length in (one for one in _LENGTHS if one <= _pieces(model.config)):
        ids = draw.integers(3, model.config.vocab_size, (1, length))
        with torch.no_grad():
            said = model(input_ids=torch.from_numpy(ids), attention_mask=torch.ones(1, length, dtype=torch.long)).logits
        if not np.abs(run(ids) - said.numpy()).max() <= _ALIKE:
            raise ValueError(f"the graph says something else of {length} pieces")


def _round(whole: Path, out: Path) -> None:
    """Weights of products to 7 bits a column, so that no processor's sum of two products overflows."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(whole), str(out), op_types_to_quantize=["MatMul", "Gemm"], per_channel=True, reduce_range=True,
        weight_type=QuantType.QInt8,
    )  # fmt: skip


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


def _short(value: Any) -> str:
    return repr(value)[:80]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
