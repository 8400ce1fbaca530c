"""A model of which one head is somebody else's: an imported classifier of texts says it, the base says all others.

The imported one reads every text by itself, so that what it says does not hang on the texts beside it (its 8-bit
products take one scale from all that they are given). It knows of no brand: where its head is towards a brand, it says
the same of all brands of a text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from nlp.classifier import Classifier, Floats, Passage, Readings, softmax
from nlp.encoder import BANDS, HEADS, TEXTS_KEPT, Known
from nlp.normalise import RAW_LIMIT
from stream.records import TIERS, Tier

FORMAT = 1
KIND = "composed"
BASE = "base"
"""The folder of the base within the model's."""
ONNX, TORCH = "imported.onnx", "imported"
"""The imported weights: a graph, or a Hugging Face folder that torch reads."""
TOKENIZER = "tokenizer.json"
REPLACEABLE = ("sentiment", "reputation", "intent", "complaint", "irony", "offensive")
OF_TARGET = ("reputation", "intent")
_TOLERANCE = 0.05

Value = TypeVar("Value")
Scores: TypeAlias = npt.NDArray[np.float32]
Run: TypeAlias = Callable[[npt.NDArray[np.int64]], Scores]
_handle, _link = re.compile(r"(?<![\w@])@\w+"), re.compile(r"https?://\S+|www\.\S+", re.IGNORECASE)


class ComposedClassifier:
    """The port's implementation by a base and an imported head."""

    def __init__(self, folder: Path, base: Classifier, kept: int = TEXTS_KEPT) -> None:
        """`base`: the classifier of the folder BASE in it. Raises FileNotFoundError or ValueError, both naming the
        folder; ImportError where it needs torch and that is not installed."""
        card = read_card(folder)
        self.model = f"{card['name']}-{card['version']}"
        self.tier: Tier = base.tier
        self._base, self._head = base, str(card["head"])
        self.bands: Mapping[str, float] = {
            **_without(base.bands, self._head),
            **{name: float(card["bands"][name]) for name in BANDS},
            **{name: float(band) for name, band in card["bands"].items() if name == self._head},
        }
        self.priors: Mapping[str, Sequence[float]] = _without(base.priors, self._head)
        self.thresholds: Mapping[str, Mapping[str, float]] = _without(base.thresholds, self._head)
        self._imported = Imported(folder, card, kept)
        self._imported.prove(card["proof"])

    def read(self, passages: Sequence[Passage]) -> Readings:
        found = self._base.read(passages)
        said = self._imported.probabilities([passage.text for passage in passages])
        if self._head in OF_TARGET:
            said = said[found.owner]
        changed: dict[str, Any] = {self._head: said if len(HEADS[self._head]) > 2 else said[:, 1]}
        return found._replace(**changed)


def _without(of_heads: Mapping[str, Value], head: str) -> dict[str, Value]:
    """What was stated for the head that is replaced holds no more."""
    return {name: value for name, value in of_heads.items() if name != head}


class Imported:
    """Texts in, probabilities of our classes out."""

    def __init__(self, folder: Path, card: Mapping[str, Any], kept: int = TEXTS_KEPT) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:
            raise ValueError(f"{folder / TOKENIZER} cannot be read ({error}): import the model anew") from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(int(card["pieces"]))
        self._folder = folder
        self._handles, self._links = card.get("handles"), card.get("links")
        self._scale = 1 / float(card.get("temperature", 1.0))
        classes = HEADS[card["head"]]
        self._turn = np.array([[float(label == one) for one in classes] for label in card["labels"]])
        self._run: Run = onnx_run(folder / ONNX) if card["runs"] == "onnx" else _torch(folder / TORCH)
        self._known = Known(kept)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """[texts, classes]; labels that mean the same class add up."""
        if not texts:
            return np.zeros((0, self._turn.shape[1]))
        out: Floats = softmax(self.logits(texts).astype(np.float64) * self._scale) @ self._turn
        return out

    def logits(self, texts: Sequence[str]) -> Scores:
        """[texts, labels of the imported model]; as other models do, it looks at RAW_LIMIT characters of a text."""
        masked = [self._masked(text[:RAW_LIMIT]) for text in texts]
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in masked]
        found = self._known.find(keys)
        rows = {
            key: self._row(text).tobytes()
            for key, text in dict(zip(keys, masked, strict=True)).items()
            if key not in found
        }
        self._known.keep(rows)
        found.update(rows)
        return np.frombuffer(b"".join([found[key] for key in keys]), np.float32).reshape(len(keys), len(self._turn))

    def prove(self, proof: Mapping[str, Any]) -> None:
        """Raises ValueError where it says something else than where it was imported."""
        said, made = self.logits(proof["texts"]), np.array(proof["logits"], np.float32)
        if said.shape != made.shape or not np.abs(said - made).max() <= _TOLERANCE:
            raise ValueError(
                f"the model in {self._folder} does not say here what it said where it was imported: import it anew"
            )

    def _masked(self, text: str) -> str:
        if self._links is not None:
            text = _put(self._links, _link, text)
        return _put(self._handles, _handle, text) if self._handles is not None else text

    def _row(self, text: str) -> Scores:
        ids = self._tokenizer.encode(text.encode("utf-8", "replace").decode()).ids
        if not ids:
            return np.zeros(len(self._turn), np.float32)
        row: Scores = self._run(np.array([ids], np.int64))[0].astype(np.float32)
        return row


def _put(words: str, pattern: re.Pattern[str], text: str) -> str:
    """`words` as they are, which the pattern's own `sub` would take for a template."""
    return pattern.sub(lambda _: words, text)


def read_card(folder: Path) -> dict[str, Any]:
    """The card of the model in `folder`, looked through. Raises FileNotFoundError or ValueError, naming the folder."""
    try:
        card: dict[str, Any] = json.loads((folder / "card.json").read_text("utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"no card.json in {folder}: import the model anew") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the card of the model in {folder} is no JSON ({error}): import the model anew") from None
    if card.get("kind") != KIND or card.get("format") != FORMAT:
        raise ValueError(f"the model in {folder} is of a format that this program does not read: import it anew")
    for field in ("name", "version", "tier", "head", "labels", "runs", "pieces", "bands", "proof"):
        if field not in card:
            raise ValueError(f"the card of the model in {folder} has no {field}")
    if card["tier"] not in TIERS or card["head"] not in REPLACEABLE:
        raise ValueError(f"the card of the model in {folder} names tier {card['tier']!r}, head {card['head']!r}")
    unknown = [label for label in card["labels"] if label not in HEADS[card["head"]]]
    if unknown:
        raise ValueError(f"the card of the model in {folder} names a class {unknown[0]!r} that {card['head']} lacks")
    return card


def onnx_run(file: Path) -> Run:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime as ort

    if not file.is_file():
        raise FileNotFoundError(f"no {file}: import the model anew")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(f"{file} cannot be read ({error}): import the model anew") from None

    def run(ids: npt.NDArray[np.int64]) -> Scores:
        out: Scores = session.run(["logits"], {"input_ids": ids})[0]
        return out

    return run


def _torch(folder: Path) -> Run:
    """Raises ImportError with the way out."""
    try:
        import torch
        from transformers import AutoModelForSequenceClassification
    except ImportError:
        raise ImportError(
            f"the imported model in {folder.parent} could not be exported and is read by torch, which is not "
            "installed: install the extra `own` (docs/models.md)"
        ) from None
    torch.set_num_threads(1)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
    ).eval()

    def run(ids: npt.NDArray[np.int64]) -> Scores:
        with torch.no_grad():
            text = torch.from_numpy(ids)
            out: Scores = model(input_ids=text, attention_mask=torch.ones_like(text)).logits.numpy()
        return out

    return run
