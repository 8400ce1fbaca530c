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
from index.elastic_errors import (
    BLOCKED,
    NO_INDEX,
    PASSING,
    TOO_LARGE,
    closed,
    field_of,
    outcomes,
    speaking,
    told,
    types,
)
from index.elastic_state import SWEEP, SWEPT_WITHIN, State, make
from index.refusals import Refusal
from stream.clock import passed
from stream.records import Mention, Millis

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
    last: dict[str, int]
    """Of each request the document that it wrote last into each index, by key, and its version: when these are found,
    all are."""
    later: list[Exception]
    """Why some of it has to be tried again; empty where all is done."""


class Writer:
    """One batch at a time."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State) -> None:
        self._client, self._cluster, self._state = client, cluster, state
        self._lock = threading.Lock()
        self._homes: set[str] = set()
        self._durable: dict[str, int] = {}
        """Of a batch that is to be tried again: what was written of it, by key, and the version."""
        self._log: int | None = None
        self._closed: set[str] = set()
        """Months whose index was found closed."""

    def write(self, entries: Sequence[Entry], now: Millis, log: int | None = None) -> Written:
        """All that can be written is durable on return, but for what `later` tells of.

        `log`, as of `Claims`: while it is the same, and not None, what was written of a batch that is tried again
        stands where it was written. Raises Transient, IndexUnusable.
        """
        with self._lock:
            if log is None or log != self._log:
                self._durable.clear()
            self._log = log
            written = Written([], [], [], {}, [])
            self._open_closed(now)
            for month in dict.fromkeys(entry.home for entry in entries):
                if month not in self._homes:
                    self._ensure_home(month)
            waiting = [entry for entry in entries if self._durable.get(entry.key, -1) < entry.version]
            for part in _parts(waiting):
                try:
                    self._send(part, written)
                except Exception as error:
                    # What the requests before it wrote is to be told as well.
                    written.later.append(error)
                    break
            if not written.later and not written.refused:
                self._durable.clear()
            return written

    def forget(self) -> None:
        """After indices were deleted or rebuilt: each is looked for again before it is written to."""
        with self._lock:
            self._homes.clear()
            self._durable.clear()

    def _send(self, part: Sequence[Entry], written: Written) -> None:
        try:
            with speaking(self._cluster.where, "write"):
                answered = outcomes(self._bulk(part), len(part))
        except _TooLarge:
            self._send_less(part, written)
            return
        seen: set[str] = set()
        last: dict[str, Entry] = {}
        for entry, done in zip(part, answered, strict=True):
            if self._take(entry, done, written, seen):
                last[entry.home] = entry
        written.last.update((entry.key, entry.version) for entry in last.values())
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

    def _take(self, entry: Entry, done: dict[str, Any], written: Written, seen: set[str]) -> bool:
        """Whether it was written by this request."""
        status, error = done["status"], done.get("error") or {}
        if status < 300:
            self._durable[entry.key] = entry.version
            if len(self._durable) > REMEMBERED:
                self._durable.clear()
            if entry.mention.state != "live":
                written.gone.extend([entry.mention] if entry.mention.gone_since else [])
            elif done.get("result") == "created":
                written.new.append(entry.mention)
            return True
        if status == 409:
            seen.add(self._home(entry.home))
            return False
        kinds = set(types(error))
        if NO_INDEX in kinds:
            # Deleted by retention, or taken by a rebuild, since we looked: it is made again by the next try.
            self._homes.discard(entry.home)
            self._state.forget()
            written.later.append(told(self._cluster.where, "write", 503, error))
        elif status in PASSING or BLOCKED in kinds or status in (401, 403):
            if closed(error):
                self._closed.add(entry.home)
            written.later.append(told(self._cluster.where, "write", status, error))
        else:
            written.refused.append(_refusal(entry, status, error))
        return False

    def _send_less(self, part: Sequence[Entry], written: Written) -> None:
        """A proxy before the cluster takes less at once."""
        if len(part) == 1:
            reason = f"its document of {len(part[0].source)} bytes is more than the cluster takes in one request"
            written.refused.append(Refusal(part[0].mention.id, part[0].mention.revision, reason, "too_large"))
            return
        middle = len(part) // 2
        self._send(part[:middle], written)
        self._send(part[middle:], written)

    def _open_closed(self, now: Millis) -> None:
        """Who closed them, to delete them, has died before that: they are opened again, else they would stay so."""
        if not self._closed:
            return
        began = self._state.last(SWEEP)
        if began is not None and not passed(began, now, SWEPT_WITHIN):
            return
        with speaking(self._cluster.where, "open an index again"):
            for month in sorted(self._closed):
                self._client.options(ignore_status=404).indices.put_settings(
                    index=self._home(month), settings={"index.blocks.write": None}
                )
        self._closed.clear()

    def _home(self, month: str) -> str:
        return self._cluster.names.home(month)

    def _ensure_home(self, month: str) -> None:
        """Its index is the one to be written to under its alias, and a cluster lets no second one be that: of two
        processes that make it at once, in whatever generation, one has to try again."""
        names = self._cluster.names
        with speaking(self._cluster.where, "make an index"):
            there = self._client.indices.exists_alias(name=names.home(month))
        if not there:
            self._state.forget()
            index = names.index_of(month, self._state.opened().generation)
            aliases: dict[str, dict[str, Any]] = {names.home(month): {"is_write_index": True}, names.read: {}}
            with speaking(self._cluster.where, "make an index"):
                make(self._client, index, self._cluster.shape.mappings(), self._cluster.shape.settings(), aliases)
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
