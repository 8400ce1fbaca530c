"""The shared sets as rows, and the table of text keys that keeps what is measured out of what is trained on."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nlp.normalise import normalise
from training.behaviour.suite import texts

SHARED = Path(os.environ.get("CLAMOR_SHARED", Path(__file__).resolve().parents[2] / "shared"))

_OURS = re.compile("[\ue000-\uf8ff]")
_GRAM = 6
_NEAR = 0.5
"""A text half of whose 6-grams of words stand in validation texts is a near copy of one."""


class Row(NamedTuple):
    text: str
    label: Any
    """A class's name; for our labels a mapping of the four."""
    set: str
    lang: str
    weight: float = 1.0
    brand: str = ""


def there() -> bool:
    return (SHARED / "data").is_dir() and (SHARED / "labels").is_dir()


def read(path: Path) -> Iterator[dict[str, Any]]:
    raw = path.read_bytes()
    for line in (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines():
        yield json.loads(line)


def data(name: str, part: str) -> Iterator[dict[str, Any]]:
    return read(SHARED / "data" / name / f"{part}.jsonl.gz")


def labels(part: str) -> Iterator[dict[str, Any]]:
    """Part: train, validation, or synthetic (the three files)."""
    if part == "synthetic":
        for path in sorted((SHARED / "labels").glob("synthetic-*.jsonl")):
            yield from read(path)
    else:
        yield from read(SHARED / "labels" / f"{part}.jsonl.gz")


def words(text: str) -> list[str]:
    """Words of letters and digits, lower case, without links and handles."""
    return re.findall(r"[^\W_]+", _OURS.sub(" ", normalise(text)).lower())


def key(text: str) -> bytes:
    """Identity of a text: its letters and digits."""
    return hashlib.blake2b("".join(words(text)).encode(), digest_size=8).digest()


@cache
def _conversations(stream: Path) -> dict[str, str]:
    """Id of each post of a set that is a stream of conversations → id of its conversation."""
    if not stream.exists():
        return {}
    return {str(one["id"]): one["conversation_id"] for one in read(stream) if "conversation_id" in one}


def conversation(record: Mapping[str, Any], name: str) -> str:
    """Of a record of a set, or of a label of one; empty where the set knows none."""
    held = _conversations(SHARED / "data" / name / "stream.jsonl.gz")
    return str(record.get("conversation_id") or held.get(str(record.get("id")), ""))


class Leakage:
    """Keys and 6-grams of every text that is measured on: of validation files, of data and labels, and of the suite;
    and the conversations in which one stands."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._grams: set[int] = set()
        self._conversations = {talk for row in labels("validation") if (talk := conversation(row, row["set"]))}
        self.texts = 0
        for path in sorted((SHARED / "data").glob("*/validation.jsonl.gz")):
            self._hold(record["text"] for record in read(path) if "text" in record)
        self._hold(record["text"] for record in labels("validation"))
        self._hold(one.text for one in texts())

    def holds(self, text: str) -> bool:
        """Whether `text`, or a near copy of it, is measured on."""
        found = words(text)
        if hashlib.blake2b("".join(found).encode(), digest_size=8).digest() in self._keys:
            return True
        grams = _grams(found)
        return bool(grams) and sum(gram in self._grams for gram in grams) >= _NEAR * len(grams)

    def bars(self, record: Mapping[str, Any], name: str) -> bool:
        """Whether this record of set `name` is measured on: its text, nearly so, or a turn of its conversation."""
        return conversation(record, name) in self._conversations or self.holds(record["text"])

    def _hold(self, texts: Iterator[str]) -> None:
        for text in texts:
            found = words(text)
            self.texts += 1
            self._keys.add(hashlib.blake2b("".join(found).encode(), digest_size=8).digest())
            self._grams.update(_grams(found))


def _grams(found: list[str]) -> list[int]:
    return [hash(tuple(found[at : at + _GRAM])) for at in range(len(found) - _GRAM + 1)]
