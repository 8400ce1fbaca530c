"""What the cluster keeps: the names of its indices, their mapping, and which index is a mention's home.

An index a month, found under two aliases: `clamor-mentions-2026-09` is what is written to, `clamor-mentions` is what is
read. External versions hold only within one index, so a mention's home is chosen once, by the month of its first
revision. The indices themselves carry a generation in their names, so that a rebuilt one takes over the aliases.

Nothing in here needs more than what every managed cluster gives: no scripts, no ingest, no analyser but `whitespace`,
since `query.text` alone analyses, for all stores. Where the cluster has them and the settings ask for it, its analysers
`english` and `spanish` read the texts as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from query.fields import FIELDS
from stream.records import Millis

FIRST, LAST = 202001, 204912
"""Months with an index of their own; all before share one, and so do all after, whatever dates an import claims."""
BEFORE, AFTER = "before", "after"

KEYWORD: dict[str, Any] = {"type": "keyword"}
WHOLE: dict[str, Any] = {"type": "long"}
_KINDS = {"keyword": KEYWORD, "number": WHOLE, "time": WHOLE, "flag": {"type": "boolean"}}

FIRST_ONLY = ("author", "id")
"""Fields of several values of which people are shown the first."""

PROPERTIES: dict[str, Any] = {
    "key": KEYWORD,
    "live": {"type": "boolean"},
    "at": WHOLE,
    "access": KEYWORD,
    "text": {"type": "text", "analyzer": "whitespace"},
    "stems": {"type": "text", "analyzer": "whitespace", "index_options": "freqs"},
    "f": {"dynamic": "strict", "properties": {name: _KINDS[field.kind] for name, field in FIELDS.items()}},
    "first": {"dynamic": "strict", "properties": {name: {"type": "keyword", "index": False} for name in FIRST_ONLY}},
    "record": {"type": "object", "enabled": False},
}
"""`key`: the document's id. `live`: false for a tombstone, which holds nothing but both and `at`, when it was written.
`access`: the label as it is, in its case. `text`: the analyser's surfaces, `stems`: all their stems. `f`: the values of
the query language's fields, as `query.document` reads them. `record`: the mention as JSON, never looked into."""

MAPPINGS: dict[str, Any] = {"dynamic": "strict", "properties": PROPERTIES}
"""All of a document is kept: to keep `record` alone costs the node a fifth more, since it takes each document apart for
that, and keeps the whole beside until all copies have it (docs/performance.md)."""


BUILT_IN: Mapping[str, str] = {"words.en": "english", "words.es": "spanish"}
"""Fields that the cluster's own analysers make of `text`, by name."""


def with_built_in(mappings: dict[str, Any]) -> dict[str, Any]:
    """A mapping that has BUILT_IN beside; documents and what is kept of them stay the same."""
    read = {
        name.partition(".")[2]: {"type": "text", "analyzer": analyser, "index_options": "freqs", "norms": False}
        for name, analyser in BUILT_IN.items()
    }
    properties = mappings["properties"]
    more = {
        "text": {**properties["text"], "copy_to": list(BUILT_IN)},
        "words": {"dynamic": "strict", "properties": read},
    }
    return {**mappings, "properties": {**properties, **more}}


def layout(mappings: dict[str, Any]) -> str:
    """A digest that tells a mapping from any other: one with a field more or less is another."""
    return hashlib.blake2b(json.dumps(mappings, sort_keys=True).encode(), digest_size=4).hexdigest()


STATE_MAPPINGS: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "kind": KEYWORD,
        "at": WHOLE,
        "next": WHOLE,
        "value": {"type": "object", "enabled": False},
    },
}
"""Of the index beside the mentions: offsets, the log they are of, what was measured, what was last tidied when."""


_MONTH = rf"\d{{4}}-\d{{2}}|{BEFORE}|{AFTER}"


class Names(NamedTuple):
    """All begin with the prefix, so that one right on `prefix-*` is enough."""

    prefix: str

    @property
    def read(self) -> str:
        """Alias of all mentions."""
        return f"{self.prefix}-mentions"

    @property
    def state(self) -> str:
        return f"{self.prefix}-state"

    def home(self, month: str) -> str:
        """Alias of the one index that holds the mentions of `month`."""
        return f"{self.read}-{month}"

    def index_of(self, month: str, generation: str) -> str:
        return f"{self.read}-{month}-{generation}"

    def building(self, month: str, generation: str) -> str:
        """Alias of an index that is not whole yet, and that nothing is read from."""
        return f"{self.prefix}-building-{generation}-{month}"

    def is_building(self, alias: str) -> bool:
        return alias.startswith(f"{self.prefix}-building-")

    def month(self, alias: str) -> str | None:
        """The month whose home this alias is; None for another alias."""
        found = re.fullmatch(rf"{re.escape(self.read)}-({_MONTH})", alias)
        return found[1] if found else None

    def parts(self, index: str) -> tuple[str, str] | None:
        """(month, generation) of an index of ours; None for one that somebody else made."""
        found = re.fullmatch(rf"{re.escape(self.read)}-({_MONTH})-([0-9a-f]+)", index)
        return (found[1], found[2]) if found else None


class Shape(NamedTuple):
    """How an index is cut, copied and read for words."""

    shards: int = 1
    replicas: int = 1
    analysers: Literal["clamor", "builtin"] = "clamor"

    @property
    def builtin(self) -> bool:
        return self.analysers == "builtin"

    def mappings(self) -> dict[str, Any]:
        return with_built_in(MAPPINGS) if self.builtin else MAPPINGS

    def layout(self) -> str:
        """Indices of another one are rebuilt, never converted: what they hold was not read for this."""
        return layout(self.mappings())

    def settings(self) -> dict[str, Any]:
        """A deleted text leaves the disk with the next merge that is asked for, however few of its neighbours did.
        Documents lie in the order of a page, the newest first, so that a search for one ends with its last hit."""
        return {
            "index": {
                "sort": {"field": ["f.created", "key"], "order": ["desc", "desc"]},
                "number_of_shards": self.shards,
                "number_of_replicas": self.replicas,
                "refresh_interval": "1s",
                "merge": {"policy": {"expunge_deletes_allowed": 0}},
            }
        }

    def state_settings(self) -> dict[str, Any]:
        return {"index": {"number_of_shards": 1, "number_of_replicas": self.replicas}}


def home(yyyymm: int, event_time: Millis) -> str:
    """`2026-09`, BEFORE or AFTER: by the month that routing settled, else by the mention's time."""
    month = yyyymm or _month(event_time)
    if month < FIRST:
        return BEFORE
    return AFTER if month > LAST else f"{month // 100:04}-{month % 100:02}"


def ended(month: str) -> Millis | None:
    """When a month was over; None for the one that never is."""
    if month == AFTER:
        return None
    year, number = (FIRST // 100, FIRST % 100) if month == BEFORE else (int(month[:4]), int(month[5:]) + 1)
    start = datetime(year + (number - 1) // 12, (number - 1) % 12 + 1, 1, tzinfo=UTC)
    return int(start.timestamp()) * 1_000


def _month(time: Millis) -> int:
    if not _EARLIEST <= time < _LATEST:
        return 0 if time < _EARLIEST else LAST + 1
    moment = datetime.fromtimestamp(time / 1_000, UTC)
    return moment.year * 100 + moment.month


_EARLIEST = int(datetime(FIRST // 100, 1, 1, tzinfo=UTC).timestamp()) * 1_000
_LATEST = int(datetime(LAST // 100 + 1, 1, 1, tzinfo=UTC).timestamp()) * 1_000
