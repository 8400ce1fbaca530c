"""A decided mention as the document that Elasticsearch keeps of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from index.elastic_mapping import FIRST_ONLY, home
from index.refusals import Refusal
from query.document import Document
from query.fields import FIELDS
from stream.records import Decided, Mention, Millis

REVISION_BITS = 40
EPOCH_BITS = 22
LONGEST_KEY = 400
"""Bytes; Elasticsearch takes 512 for an id."""
LONGEST_VALUE = 400
"""Characters of a keyword's value; a longer one is cut and told apart by a digest."""
LARGEST = 2**63 - 1

_encode = msgspec.json.Encoder().encode
record = msgspec.json.Decoder(Mention).decode
"""The mention in a document's `record.json`."""


class Entry(NamedTuple):
    """A mention made ready to be written."""

    key: str
    home: str
    version: int
    mention: Mention
    source: bytes
    """The document, as JSON on one line."""


def prepare(decided: Iterable[Decided], now: Millis) -> tuple[list[Entry], list[Refusal]]:
    """The highest revision of each mention, and those that cannot be written at all."""
    highest: dict[str, Decided] = {}
    for each in decided:
        other = highest.get(each.mention.id)
        if other is None or (each.epoch, each.mention.revision) > (other.epoch, other.mention.revision):
            highest[each.mention.id] = each
    entries, refused = [], []
    for each in highest.values():
        number = version(each.epoch, each.mention.revision)
        if number is None:
            reason = f"epoch {each.epoch} and revision {each.mention.revision} are beyond what a version can hold"
            refused.append(Refusal(each.mention.id, each.mention.revision, reason, "ValueError"))
        else:
            entries.append(_entry(each, number, now))
    return entries, refused


def version(epoch: int, revision: int) -> int | None:
    """(epoch, revision) as one number in the same order; None where they are too large or negative."""
    if not 0 <= epoch < 1 << EPOCH_BITS or not 0 <= revision < 1 << REVISION_BITS:
        return None
    return epoch << REVISION_BITS | revision


def key(mention_id: str) -> str:
    """The id of a mention's document: its own, or the beginning of it and a digest."""
    raw = mention_id.encode()
    if len(raw) <= LONGEST_KEY:
        return mention_id
    return raw[: LONGEST_KEY - 33].decode(errors="ignore") + "~" + hashlib.blake2b(raw, digest_size=16).hexdigest()


def cut(value: str) -> str:
    """A keyword's value as it is kept and asked for."""
    if len(value) <= LONGEST_VALUE:
        return value
    return value[:LONGEST_VALUE] + hashlib.blake2b(value.encode(), digest_size=8).hexdigest()


def _entry(decided: Decided, number: int, now: Millis) -> Entry:
    mention = decided.mention
    document = _document(mention) if mention.state == "live" else _tombstone(mention, now)
    return Entry(key(mention.id), home(decided.month, mention.event_time), number, mention, _encode(document))


def _tombstone(mention: Mention, now: Millis) -> dict[str, Any]:
    """What is gone keeps its place under its version, so that no older revision brings it back."""
    return {"key": key(mention.id), "live": False, "at": now}


def _document(mention: Mention) -> dict[str, Any]:
    read = Document(mention)
    fields = {name: _kept(value) for name in FIELDS if (value := read[name]) is not None}
    return {
        "key": key(mention.id),
        "live": True,
        "access": cut(mention.access),
        "text": " ".join(read.surfaces),
        "stems": " ".join([stem for found in read.title.stems + read.text.stems for stem in found]),
        "f": fields,
        "first": {name: fields[name][0] for name in FIRST_ONLY if name in fields},
        "record": {"json": _encode(mention).decode()},
    }


def _kept(value: tuple[str, ...] | float | bool) -> Any:
    if isinstance(value, tuple):
        return [cut(each) for each in value]
    return value if isinstance(value, bool) else max(-LARGEST, min(LARGEST, int(value)))
