"""What is done between batches: erased texts leave the disk, empty months go, latencies are kept.

Each chore is begun by one process at a time, whichever asks first when it is due.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from elasticsearch import Elasticsearch

from index.elastic_client import Cluster
from index.elastic_errors import speaking
from index.elastic_mapping import ended
from index.elastic_state import State
from index.erasure import Erasing
from index.latency import HIDDEN, SEARCHABLE
from stream.clock import DAY, HOUR, MINUTE, passed
from stream.latency import KEPT, Latency, Stopwatch, latency_of
from stream.records import Millis

ERASE, SWEEP, FORGET = "erase", "sweep", "forget"
SWEEP_EVERY: Millis = 6 * HOUR
REMEMBERED: Millis = 30 * DAY
"""A tombstone keeps its index for so long: no revision that is older than it can still come from the log after that."""
MEASURED_EVERY: Millis = 5_000
DELETED_AT_ONCE = 1_000


class Upkeep:
    """Of one process."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State) -> None:
        self._client, self._cluster, self._state = client, cluster, state
        self._looked: dict[str, Millis] = {}

    def erase(self, now: Millis, every: Millis) -> bool:
        """Ask the cluster to merge what holds erased texts, where that was not done for `every`. It works by itself."""
        if not self._due(ERASE, now, every):
            return False
        with speaking(self._cluster.where, "erase"):
            if self._client.indices.exists_alias(name=self._cluster.names.read):
                self._client.indices.forcemerge(
                    index=self._cluster.names.read, only_expunge_deletes=True, wait_for_completion=False
                )
        return True

    def erasing(self) -> Erasing:
        """Of documents that were deleted or replaced and whose bytes still lie in some segment; since the last round
        at the earliest. Rounds never run out."""
        with speaking(self._cluster.where, "read erasures"):
            waiting = 0
            if self._client.indices.exists_alias(name=self._cluster.names.read):
                found = self._client.indices.stats(index=self._cluster.names.read, metric="docs")
                waiting = found["_all"]["primaries"]["docs"]["deleted"]
        return Erasing(waiting, self._state.last(ERASE) if waiting else None, 1_000)

    def sweep(self, now: Millis) -> list[str]:
        """Delete the indices of past months that hold no mention any more, nor a tombstone that is still needed.

        Their names. Mentions leave one by one before, when routing says that they expired.
        """
        if not self._due(SWEEP, now, SWEEP_EVERY):
            return []
        with speaking(self._cluster.where, "delete what is empty"):
            homes = self._client.indices.get_alias(index=f"{self._cluster.names.read}-*", allow_no_indices=True)
        gone = []
        for index, about in sorted(homes.items()):
            month = next(filter(None, map(self._cluster.names.month, about["aliases"])), None)
            over = ended(month) if month is not None else None
            if over is not None and over + REMEMBERED < now and self._swept(index, now):
                gone.append(index)
        return gone

    def _due(self, chore: str, now: Millis, every: Millis) -> bool:
        """The cluster is asked once a minute, however often a stage turns round."""
        if chore in self._looked and not passed(self._looked[chore], now, min(every, MINUTE)):
            return False
        self._looked[chore] = now
        return self._state.due(chore, now, every)

    def _swept(self, index: str, now: Millis) -> bool:
        """Nothing may come in between the look and the delete: who writes meanwhile is refused, and tries again."""
        with speaking(self._cluster.where, "delete what is empty"):
            if self._needed(index, now):
                return False
            self._client.indices.put_settings(index=index, settings={"index.blocks.write": True})
            self._client.indices.refresh(index=index)
            if self._needed(index, now):
                self._client.indices.put_settings(index=index, settings={"index.blocks.write": None})
                return False
            self._client.options(ignore_status=404).indices.delete(index=index)
        return True

    def _needed(self, index: str, now: Millis) -> bool:
        some = [{"term": {"live": True}}, {"range": {"at": {"gt": now - REMEMBERED}}}]
        found = self._client.search(
            index=index, query={"bool": {"should": some, "minimum_should_match": 1}}, size=0, terminate_after=1,
            track_total_hits=1, allow_partial_search_results=False,
        )  # fmt: skip
        total: int = found["hits"]["total"]["value"]
        return total > 0


class Measured:
    """Latencies of one process, kept where every process can read them."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State) -> None:
        self._client, self._cluster, self._state = client, cluster, state
        self._process = secrets.token_hex(4)
        self._watches = {SEARCHABLE: Stopwatch(), HIDDEN: Stopwatch()}
        self._minutes: dict[tuple[str, Millis], Counter[int]] = {}
        self._stored_at: Millis = 0

    def note(self, table: str, begun: Sequence[Millis], now: Millis) -> None:
        self._watches[table].note(begun, now)

    def store(self, now: Millis) -> None:
        """What was noted since, where the last time is a moment ago."""
        if now - self._stored_at < MEASURED_EVERY or not any(self._watches.values()):
            return
        self._state.opened()
        changed: set[tuple[str, Millis]] = set()
        for table, watch in self._watches.items():
            for minute, bucket, count in watch.rows():
                self._minutes.setdefault((table, minute), Counter())[bucket] += count
                changed.add((table, minute))
            watch.stored()
        lines: list[dict[str, Any]] = []
        for table, minute in sorted(changed):
            counted = sorted(self._minutes[table, minute].items())
            value = {"buckets": [{"bucket": bucket, "count": count} for bucket, count in counted]}
            lines.append({"index": {"_id": f"{table}/{minute}/{self._process}"}})
            lines.append({"kind": table, "at": minute, "value": value})
        with speaking(self._cluster.where, "store latencies"):
            self._client.bulk(index=self._cluster.names.state, operations=lines)
        self._stored_at = now
        self._minutes = {key: found for key, found in self._minutes.items() if key[1] > now - 2 * MINUTE}
        self._forget(now, sorted({table for table, _ in changed}))

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

    def _forget(self, now: Millis, tables: Sequence[str]) -> None:
        if not self._state.due(FORGET, now, HOUR):
            return
        old = [{"terms": {"kind": list(tables)}}, {"range": {"at": {"lt": now - KEPT}}}]
        index = self._cluster.names.state
        with speaking(self._cluster.where, "delete old latencies"):
            found = self._client.search(
                index=index, query={"bool": {"filter": old}}, size=DELETED_AT_ONCE, source=False
            )
            lines = [{"delete": {"_id": hit["_id"]}} for hit in found["hits"]["hits"]]
            if lines:
                self._client.bulk(index=index, operations=lines)
