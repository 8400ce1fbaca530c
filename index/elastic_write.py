"""How mentions reach Elasticsearch: bulk requests of bounded size, each document under its external version.

An older or equal version changes nothing (the cluster answers 409, which is as good as done). What a request was
answered for is durable: the cluster flushes its transaction log before it answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from elasticsearch import ApiError, Elasticsearch

from index.elastic_client import Cluster
from index.elastic_documents import Entry
from index.elastic_errors import BLOCKED, NO_INDEX, PASSING, TOO_LARGE, field_of, speaking, told, types
from index.elastic_mapping import MAPPINGS
from index.elastic_state import State, make
from index.refusals import Refusal
from stream.records import Mention

MOST = 500
"""Documents of a request."""
MOST_BYTES = 5_000_000
"""Bytes of a request, unless one document alone has more."""
PATIENCE = 60.0
"""Seconds that a request may take."""
REMEMBERED = 20_000
"""Documents of a batch that is tried again, of which it is known that they are durable."""

_ANSWERED = "errors,items.*.status,items.*.result,items.*.error"
_encode = msgspec.json.Encoder().encode


class Written(NamedTuple):
    """What a batch changed."""

    new: list[Mention]
    """Mentions that can be found and could not before."""
    gone: list[Mention]
    """Mentions that a delete took away."""
    refused: list[Refusal]


class Writer:
    """One batch at a time."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State) -> None:
        self._client, self._cluster, self._state = client, cluster, state
        self._lock = threading.Lock()
        self._homes: set[str] = set()
        self._durable: dict[str, int] = {}
        """Of a batch that is to be tried again: what was written of it, by key, and the version."""

    def write(self, entries: Sequence[Entry]) -> Written:
        """All that can be written is durable on return. Raises Transient where some of it has to be tried again, with
        the rest written; IndexUnusable."""
        with self._lock:
            written, later = Written([], [], []), list[Exception]()
            for entry in entries:
                if entry.home not in self._homes:
                    self._ensure_home(entry.home)
            waiting = [entry for entry in entries if self._durable.get(entry.key, -1) < entry.version]
            for part in _parts(waiting):
                self._send(part, written, later)
            if later:
                raise later[0]
            if not written.refused:
                self._durable.clear()
            return written

    def forget_homes(self) -> None:
        """After indices were deleted or rebuilt: each is looked for again before it is written to."""
        with self._lock:
            self._homes.clear()

    def _send(self, part: Sequence[Entry], written: Written, later: list[Exception]) -> None:
        try:
            with speaking(self._cluster.where, "write"):
                answer = self._bulk(part)
        except _TooLarge:
            self._send_less(part, written, later)
            return
        seen: set[str] = set()
        for entry, item in zip(part, answer["items"], strict=True):
            (done,) = item.values()
            self._take(entry, done, written, later, seen)
        if seen:
            # They may be of a request that was never answered: nobody said that these are on the disk.
            with speaking(self._cluster.where, "flush"):
                self._client.indices.flush(index=sorted(seen))

    def _bulk(self, part: Sequence[Entry]) -> Any:
        lines: list[bytes] = []
        for entry in part:
            where = {"_index": self._home(entry.home), "_id": entry.key}
            lines.append(_encode({"index": {**where, "version": entry.version, "version_type": "external"}}))
            lines.append(entry.source)
        try:
            return self._client.options(request_timeout=PATIENCE).bulk(
                operations=cast(Any, lines), require_alias=True, filter_path=_ANSWERED, timeout="30s"
            )
        except ApiError as error:
            if error.meta.status == TOO_LARGE:
                raise _TooLarge from None
            raise

    def _take(
        self, entry: Entry, done: dict[str, Any], written: Written, later: list[Exception], seen: set[str]
    ) -> None:
        status, error = done["status"], done.get("error") or {}
        if status < 300:
            self._durable[entry.key] = entry.version
            if len(self._durable) > REMEMBERED:
                self._durable.clear()
            if entry.mention.state != "live":
                written.gone.extend([entry.mention] if entry.mention.gone_since else [])
            elif done.get("result") == "created":
                written.new.append(entry.mention)
            return
        if status == 409:
            seen.add(self._home(entry.home))
            return
        kinds = set(types(error))
        if NO_INDEX in kinds:
            # Deleted by retention, or taken by a rebuild, since we looked: it is made again by the next try.
            self._homes.discard(entry.home)
            self._state.forget()
            later.append(told(self._cluster.where, "write", 503, error))
        elif status in PASSING or BLOCKED in kinds or status in (401, 403):
            later.append(told(self._cluster.where, "write", status, error))
        else:
            written.refused.append(_refusal(entry, status, error))

    def _send_less(self, part: Sequence[Entry], written: Written, later: list[Exception]) -> None:
        """A proxy before the cluster takes less at once."""
        if len(part) == 1:
            reason = f"its document of {len(part[0].source)} bytes is more than the cluster takes in one request"
            written.refused.append(Refusal(part[0].mention.id, part[0].mention.revision, reason, "too_large"))
            return
        middle = len(part) // 2
        self._send(part[:middle], written, later)
        self._send(part[middle:], written, later)

    def _home(self, month: str) -> str:
        return self._cluster.names.home(month)

    def _ensure_home(self, month: str) -> None:
        names, generation = self._cluster.names, self._state.opened().generation
        with speaking(self._cluster.where, "make an index"):
            if not self._client.indices.exists_alias(name=names.home(month)):
                aliases: dict[str, dict[str, Any]] = {names.home(month): {}, names.read: {}}
                index = names.index_of(month, generation)
                make(self._client, index, MAPPINGS, self._cluster.shape.settings(), aliases)
        self._homes.add(month)


class _TooLarge(Exception):
    pass


def _refusal(entry: Entry, status: int, error: dict[str, Any]) -> Refusal:
    kind = next(types(error), str(status))
    field = field_of(error)
    reason = f"the index does not take it ({kind}{f', field {field}' if field else ''})"
    return Refusal(entry.mention.id, entry.mention.revision, reason, kind)


def _parts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    size = 0
    for entry in entries:
        if part and (len(part) == MOST or size + len(entry.source) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(entry)
        size += len(entry.source)
    if part:
        yield part
