"""The transformer: a small multilingual encoder in 8 and 4 bits, read by ONNX Runtime on one thread.

A batch holds texts of one length only, so that nothing is padded, and every step of the graph works on each text by
itself (`nlp.own.graph`): what is read of a text does not depend on the texts beside it. Logits of texts read lately
are kept.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from nlp.classifier import SAID, Floats, Passage, Readings, mean_by_owner, softmax
from nlp.pieces import BEGIN, END, MOST, Ids, Pieces, passage_text
from stream.records import DETRACTOR_LEVELS, EMOTIONS, INTENTS, NO_YES, SENTIMENTS, TIERS, Tier

FORMAT = 1
TOKENS = 512
"""Pieces of a batch, at most: twice as many are hardly faster, and take 15 MB more."""
TEXTS_KEPT = 20_000

HEADS: Mapping[str, tuple[str, ...]] = {
    "sentiment": SENTIMENTS,
    "reputation": SENTIMENTS,
    "intent": INTENTS,
    "detractor": DETRACTOR_LEVELS,
    "act": NO_YES,
    "complaint": NO_YES,
    "emotion": EMOTIONS,
    "irony": NO_YES,
    "offensive": NO_YES,
}
"""Classes of every head that a model may have; NEEDED must be there."""
NEEDED = ("sentiment", "reputation", "intent", "detractor", "act")
BANDS = ("sentiment", "reputation", "intent", "detractor", "queue")
"""Heads that a card states a band for; it may for SAID too."""

HALF = "-half"
"""Behind the name and version of a model that reads in half precision: it may say something else."""

_TOLERANCE = 0.05
"""Of a logit: a processor that rounds otherwise stays far below, weights that were damaged do not."""
_HALF_TOLERANCE = 0.5
"""Of a logit in half precision, which rounds what comes out of a product: 0.05 apart for `fast-1`, 0.14 for
`accurate-1`."""

Logits: TypeAlias = npt.NDArray[np.float32]


class TransformerClassifier:
    """The port's implementation by an encoder: tiers `fast` and `accurate`."""

    def __init__(self, folder: Path, kept: int = TEXTS_KEPT, half: Rows | None = None) -> None:
        """`kept`: texts whose logits are remembered. `half`: the network of this folder in half precision, to read by.
        Raises FileNotFoundError or ValueError, both naming the folder."""
        card = read_card(folder)
        self.model = f"{card['name']}-{card['version']}"
        self.tier: Tier = card["tier"]
        self.bands: Mapping[str, float] = {
            name: float(card["bands"][name]) for name in (*BANDS, *SAID) if name in card["bands"]
        }
        self.priors: Mapping[str, Sequence[float]] = {
            name: head["prior"] for name, head in card["heads"].items() if "prior" in head
        }
        self.thresholds: Mapping[str, Mapping[str, float]] = {
            name: dict(zip(head["classes"], head["thresholds"], strict=True))
            for name, head in card["heads"].items()
            if "thresholds" in head
        }
        self._heads = _heads(card)
        self._pieces = Pieces(folder, card["pieces"])
        self._network: Rows = Network(folder)
        self._known = Known(kept)
        self._outputs = max(head.place.stop for head in self._heads.values())
        if not _apart(self._network, card["proof"], self._outputs) <= _TOLERANCE:
            raise ValueError(
                f"the model in {folder} does not say here what it said where it was made: fetch the model anew"
            )
        if half is not None:
            if not _apart(half, card["proof"], self._outputs) <= _HALF_TOLERANCE:
                raise ValueError(f"the model in {folder} says something else in half precision: set device: cpu")
            self.model, self._network = f"{self.model}{HALF}", half

    def read(self, passages: Sequence[Passage]) -> Readings:
        texts = [passage_text(one, target) for one in passages for target in one.targets]
        owner = np.repeat(np.arange(len(passages)), [len(one.targets) for one in passages])
        logits = self.logits(texts).astype(np.float64)
        of_target = {name: head.calibrated(logits) for name, head in self._heads.items()}
        of_text = {name: mean_by_owner(rows, owner, len(passages)) for name, rows in of_target.items()}
        return Readings(
            sentiment=softmax(of_text["sentiment"]),
            owner=owner,
            reputation=softmax(of_target["reputation"]),
            intent=softmax(of_target["intent"]),
            detractor=softmax(of_target["detractor"]),
            act=softmax(of_target["act"])[:, 1],
            complaint=softmax(of_text["complaint"])[:, 1] if "complaint" in of_text else None,
            emotion=1 / (1 + np.exp(-of_text["emotion"])) if "emotion" in of_text else None,
            irony=softmax(of_text["irony"])[:, 1] if "irony" in of_text else None,
            offensive=softmax(of_text["offensive"])[:, 1] if "offensive" in of_text else None,
        )

    def logits(self, texts: Sequence[str]) -> Logits:
        """[texts, outputs] of texts by `passage_text`; not calibrated."""
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        found = self._known.find(keys)
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            rows = dict(zip(new, self._network.logits(self._pieces.ids(list(new.values()))), strict=True))
            self._known.keep(rows)
            found.update(rows)
        return np.frombuffer(b"".join([found[key] for key in keys]), np.float32).reshape(len(keys), self._outputs)


class Head(NamedTuple):
    place: slice
    scale: float
    bias: Floats

    def calibrated(self, logits: Floats) -> Floats:
        out: Floats = logits[:, self.place] * self.scale + self.bias
        return out


class Rows(Protocol):
    def logits(self, texts: Sequence[Ids]) -> list[bytes]:
        """A row of float32 of each text, in order."""


class Network:
    """The graph of a folder, in one session on one thread."""

    def __init__(self, folder: Path) -> None:
        load_libraries()
        import onnxruntime as ort

        file = folder / "model.onnx"
        if not file.is_file():
            raise FileNotFoundError(f"no {file}: a model is a folder with card.json, model.onnx and tokenizer.json")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        try:
            self._session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ValueError(f"{file} cannot be read ({error}): fetch the model anew") from None

    def logits(self, texts: Sequence[Ids]) -> list[bytes]:
        """A row of float32 of each text, in order."""
        rows: list[bytes] = [b""] * len(texts)
        for batch in batches([len(ids) for ids in texts]):
            ids = np.stack([texts[number] for number in batch], axis=1).astype(np.int32)
            (logits,) = self._session.run(["logits"], {"ids": ids})
            for number, row in zip(batch, logits, strict=True):
                rows[number] = row.tobytes()
        return rows


class Known:
    """Rows of the texts read lately, by digest: a text itself is not held here."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: OrderedDict[bytes, bytes] = OrderedDict()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found = {}
        for key in keys:
            row = self._rows.get(key)
            if row is not None:
                self._rows.move_to_end(key)
                found[key] = row
        return found

    def keep(self, rows: Mapping[bytes, bytes]) -> None:
        self._rows.update(rows)
        while len(self._rows) > self._most:
            self._rows.popitem(last=False)


def load_libraries() -> None:
    """Import what every session and tokenizer needs, on one thread each. Done before a fork, its children share it."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # else it tells its maker of us, on a thread that no fork survives
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"
    import onnxruntime  # noqa: F401
    import tokenizers  # noqa: F401


def batches(lengths: Sequence[int], texts: int = 0) -> Iterator[list[int]]:
    """Numbers of texts of the same length, the shortest first, at most TOKENS pieces at once, or so many `texts`."""
    of_length: dict[int, list[int]] = {}
    for number, length in enumerate(lengths):
        of_length.setdefault(length, []).append(number)
    for length in sorted(of_length):
        step = texts or max(1, TOKENS // length)
        for at in range(0, len(of_length[length]), step):
            yield of_length[length][at : at + step]


def read_card(folder: Path) -> dict[str, Any]:
    """The card of the model in `folder`, looked through. Raises FileNotFoundError or ValueError, naming the folder."""
    try:
        card: dict[str, Any] = json.loads((folder / "card.json").read_text("utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no model in {folder}: a model is a folder with card.json, model.onnx and tokenizer.json"
        ) from None
    except ValueError as error:
        raise ValueError(f"the card of the model in {folder} is no JSON ({error}): fetch the model anew") from None
    if card.get("format") != FORMAT:
        raise ValueError(
            f"the model in {folder} has format {card.get('format')}, this program reads {FORMAT}: "
            "fetch the model of this version, or train it anew"
        )
    wrong = next(_wrong(card), "")
    if wrong:
        raise ValueError(f"the card of the model in {folder} {wrong}")
    return card


def _wrong(card: Mapping[str, Any]) -> Iterator[str]:
    for field in ("name", "version", "tier", "pieces", "heads", "bands", "proof"):
        if field not in card:
            yield f"has no {field}"
            return
    if card["tier"] not in TIERS:
        yield f"is of tier {card['tier']!r}, which is none of {', '.join(TIERS)}"
    if not isinstance(card["pieces"], int) or not 8 <= card["pieces"] <= MOST:
        yield f"says that {card['pieces']} pieces of a text are read: from 8 to {MOST} may be"
    for name in NEEDED:
        if name not in card["heads"]:
            yield f"has no head {name}"
    for name, head in card["heads"].items():
        if tuple(head["classes"]) != HEADS.get(name):
            yield f"has a head {name} of the classes {', '.join(head['classes'])}; this program knows {HEADS.get(name)}"
        if len(head.get("bias", head["classes"])) != len(head["classes"]):
            yield f"has the bias {head['bias']} for the head {name}: it takes one number a class"
        if "prior" in head and (len(head["prior"]) != len(head["classes"]) or not min(head["prior"]) >= 0):
            yield f"has the prior {head['prior']} for the head {name}: it takes one share a class"
        yield from _wrong_thresholds(name, head)
    for name in BANDS:
        if name not in card["bands"]:
            yield f"has no band for {name}"


def _wrong_thresholds(name: str, head: Mapping[str, Any]) -> Iterator[str]:
    if "thresholds" not in head:
        return
    if name not in SAID:
        yield f"has thresholds for the head {name}, whose classes exclude one another; {', '.join(SAID)} may have them"
    if len(head["thresholds"]) != len(head["classes"]) or not all(0 < one < 1 for one in head["thresholds"]):
        yield f"has the thresholds {head['thresholds']} for the head {name}: one a class, between 0 and 1"


def _heads(card: Mapping[str, Any]) -> dict[str, Head]:
    heads, start = {}, 0
    for name, head in card["heads"].items():
        end = start + len(head["classes"])
        bias = np.array(head.get("bias", [0.0] * (end - start)), np.float64)
        heads[name] = Head(slice(start, end), 1 / float(head.get("temperature", 1.0)), bias)
        start = end
    return heads


def _apart(network: Rows, proof: Mapping[str, Any], outputs: int) -> float:
    """How far what it says of the pieces that the card holds is from the logits that they gave where the model was
    made; infinite where they are of another number."""
    rows = network.logits([np.array([BEGIN, *ids, END], np.uint16) for ids in proof["pieces"]])
    made = np.array(proof["logits"], np.float32)
    said = np.frombuffer(b"".join(rows), np.float32)
    same = made.shape == (len(rows), outputs) and said.size == made.size
    return float(np.abs(said - made.ravel()).max()) if same else np.inf
