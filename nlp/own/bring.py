"""Makes a model of ours of a Hugging Face one that classifies texts: it says one head, upon a model of the shelf.

Weights are read from safetensors only, and no code that comes with a model is run. Needs the extra `own`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nlp.composed import BASE, FORMAT, KIND, ONNX, TOKENIZER, TORCH, Imported
from nlp.own.foreign import Mapped, first_line, look_through, short, taken

MOST_PIECES = 128
_LENGTHS = (2, 3, 7, 20, 60)
_ALIKE = 1e-3
"""Of a logit: how far the exported graph may be from the module."""
_ROUNDED_ALIKE = 0.98
"""Share of the texts that the 8-bit weights must give the same label as the module."""
_REMADE = re.compile(r"(?:^|\.)(?:position_ids|token_type_ids|inv_freq|original_inv_freq)$")
"""What is no weight: a module makes it anew, whatever the files hold."""
_NAMED = 3


class Brought(NamedTuple):
    runs: str
    """8-bit ONNX, ONNX, or torch."""
    why: str
    """Why it is not 8-bit ONNX; empty where it is."""


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
    held = draft / TORCH
    held.mkdir()
    for file in taken(source):
        shutil.copyfile(file, held / file.name)
    with _quiet():
        model = _module(held, len(labels))
        _tokenizer(held, draft / TOKENIZER)
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
        shutil.rmtree(held)
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
            f"the model in {source} cannot read a post ({type(error).__name__}: {first_line(error)}): "
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
        return Brought("torch", f"it cannot be exported to ONNX ({type(error).__name__}: {first_line(error)})")
    try:
        _round(whole, draft / ONNX)
        said = Imported(draft, {**card, "runs": "onnx"}).logits(texts)
        alike = float((said.argmax(axis=1) == wanted.argmax(axis=1)).mean()) if len(texts) else 1.0
        if alike >= _ROUNDED_ALIKE:
            whole.unlink()
            return Brought("8-bit ONNX", "")
        why = f"in 8 bits it gives only {alike:.0%} of the posts the same label"
    except Exception as error:
        why = f"it cannot be rounded to 8 bits ({type(error).__name__}: {first_line(error)})"
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
        raise ValueError(f"the model cannot be read ({type(error).__name__}: {first_line(error)})") from None
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
            f"the model has no {TOKENIZER}, and none can be made ({type(error).__name__}: {first_line(error)})"
        ) from None


def look_at_pieces(source: Path, tokenizer: Path, rows: int | None) -> None:
    """Raises ValueError where the tokenizer gives a piece that a model of so many rows does not know; None: it has no
    rows."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer

    try:
        numbers = Tokenizer.from_file(str(tokenizer)).get_vocab(with_added_tokens=True)
    except Exception as error:
        raise ValueError(f"the {TOKENIZER} of the model in {source} cannot be read ({first_line(error)})") from None
    piece, number = max(numbers.items(), key=lambda one: one[1], default=("", -1))
    if rows is not None and number >= rows:
        raise ValueError(
            f"the tokenizer of the model in {source} gives {short(piece)} the number {number}, and the model knows "
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
