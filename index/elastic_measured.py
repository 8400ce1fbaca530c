"""How long it takes until a cluster shows a mention, and until it shows one no more, by looking for it.

A mention is found with the next refresh after it was written, which the cluster does by itself. So of each request the
last document is looked for until it is found, between batches, and what came with it counts as found then.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from elasticsearch import Elasticsearch

from index.elastic_client import Cluster
from index.elastic_errors import outcomes, speaking
from index.elastic_state import State
from index.elastic_write import Written
from index.latency import HIDDEN, SEARCHABLE
from stream.clock import HOUR, MINUTE, Clock, passed
from stream.latency import KEPT, Latency, Stopwatch, latency_of
from stream.records import Millis

FORGET = "forget"
LOOK_EVERY: Millis = 100
LOOKED_FOR: Millis = MINUTE
"""What is not found after so long counts as found then: it may stand in an index that is there no more."""
SOUGHT_AT_ONCE = 500
STORED_EVERY: Millis = 5_000
DELETED_AT_ONCE = 1_000


class Unseen(NamedTuple):
    """What was written and is not found yet."""

    last: Mapping[str, int]
    """As of `Written.last`."""
    new: Sequence[Millis]
    gone: Sequence[Millis]
    """When what it shows, and what it hides, came."""
    since: Millis


class Measured:
    """Latencies of one process, kept where every process can read them."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State, clock: Clock) -> None:
        """`clock` is the one that stamps arrivals in the log."""
        self._client, self._cluster, self._state, self._clock = client, cluster, state, clock
        self._process = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._unseen: list[Unseen] = []
        self._looked: Millis = 0
        self._watches = {SEARCHABLE: Stopwatch(), HIDDEN: Stopwatch()}
        self._minutes: dict[tuple[str, Millis], Counter[int]] = {}
        self._changed: set[tuple[str, Millis]] = set()
        self._stored_at: Millis = 0

    def wrote(self, written: Written) -> None:
        """From now on it is looked for."""
        new = [mention.appended_at for mention in written.new]
        gone = [mention.gone_since for mention in written.gone]
        if new or gone:
            with self._lock:
                self._unseen.append(Unseen(dict(written.last), new, gone, self._clock.now()))

    def look(self, now: Millis) -> None:
        """Between batches: note what is found by now."""
        if not self._unseen or not passed(self._looked, now, LOOK_EVERY):
            return
        self._looked = now
        with self._lock:
            unseen = list(self._unseen)
        keys = list(dict.fromkeys(key for each in unseen for key in each.last))[:SOUGHT_AT_ONCE]
        with speaking(self._cluster.where, "look for what was written"):
            found = self._client.search(
                index=self._cluster.names.read, ignore_unavailable=True, allow_no_indices=True, size=len(keys),
                query={"bool": {"filter": [{"terms": {"key": keys}}]}}, version=True, source=False,
                track_total_hits=False,
            )  # fmt: skip
            versions: dict[str, int] = {hit["_id"]: hit["_version"] for hit in found["hits"]["hits"]}
        seen_at = self._clock.now()
        for each in unseen:
            shown = all(versions.get(key, -1) >= version for key, version in each.last.items())
            if shown or passed(each.since, seen_at, LOOKED_FOR):
                self._watches[SEARCHABLE].note(each.new, seen_at)
                self._watches[HIDDEN].note(each.gone, seen_at)
                with self._lock:
                    self._unseen.remove(each)

    def store(self, now: Millis) -> None:
        """What was noted since, where the last time is a moment ago. What cannot be stored is stored by a later try."""
        if not passed(self._stored_at, now, STORED_EVERY) or not (self._changed or any(self._watches.values())):
            return
        self._state.opened()
        for table, watch in self._watches.items():
            for minute, bucket, count in watch.rows():
                self._minutes.setdefault((table, minute), Counter())[bucket] += count
                self._changed.add((table, minute))
            watch.stored()
        lines: list[dict[str, Any]] = []
        for table, minute in sorted(self._changed):
            counted = sorted(self._minutes[table, minute].items())
            value = {"buckets": [{"bucket": bucket, "count": count} for bucket, count in counted]}
            lines.append({"index": {"_id": f"{table}/{minute}/{self._process}"}})
            lines.append({"kind": table, "at": minute, "value": value})
        with speaking(self._cluster.where, "store latencies"):
            answered = self._client.bulk(index=self._cluster.names.state, operations=lines)
            stored = all(done["status"] < 300 for done in outcomes(answered, len(self._changed)))
        self._stored_at = now
        if stored:
            self._changed.clear()
            self._minutes = {key: found for key, found in self._minutes.items() if key[1] > now - 2 * MINUTE}
            self._forget(now)

    def latency(self, table: str, now: Millis, span: Millis) -> Latency:
        """Of what ended within `span` before `now`, in all processes."""
        self._state.opened()
        meant = [{"term": {"kind": table}}, {"range": {"at": {"gt": now - span, "lte": now}}}]
        with speaking(self._cluster.where, "read latencies"):
            found = self._client.search(
                index=self._cluster.names.state, query={"bool": {"filter": meant}}, size=10_000, sort=[{"at": "desc"}]
            )
        counted: Counter[int] = Counter()
        for hit in found["hits"]["hits"]:
            for each in hit["_source"]["value"]["buckets"]:
                counted[each["bucket"]] += each["count"]
        return latency_of(sorted(counted.items()))

    def _forget(self, now: Millis) -> None:
        if not self._state.due(FORGET, now, HOUR):
            return
        old = [{"terms": {"kind": list(self._watches)}}, {"range": {"at": {"lt": now - KEPT}}}]
        index = self._cluster.names.state
        with speaking(self._cluster.where, "delete old latencies"):
            found = self._client.search(
                index=index, query={"bool": {"filter": old}}, size=DELETED_AT_ONCE, source=False
            )
            lines = [{"delete": {"_id": hit["_id"]}} for hit in found["hits"]["hits"]]
            if lines:
                self._client.bulk(index=index, operations=lines)
