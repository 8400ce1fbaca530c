"""What is done between batches: erased texts leave the disk, empty months go.

Each chore is begun by one process at a time, whichever asks first when it is due.
"""

from __future__ import annotations

import time

from elasticsearch import Elasticsearch

from index.elastic_client import Cluster
from index.elastic_errors import speaking
from index.elastic_mapping import ended
from index.elastic_rebuild import clear
from index.elastic_state import SWEEP, SWEPT_WITHIN, State
from index.erasure import Erasing
from stream.clock import DAY, HOUR, MINUTE, SECOND, Clock, passed
from stream.records import Millis

ERASE = "erase"
SWEEP_EVERY: Millis = 6 * HOUR
REMEMBERED: Millis = 30 * DAY
"""A tombstone keeps its index for so long: no revision that is older than it can still come from the log after that."""
GIVEN_UP_AFTER: Millis = SWEPT_WITHIN // 5
"""A sweep deletes nothing any more after so long: what it has closed may be opened by another process soon."""


class Upkeep:
    """Of one process."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State, clock: Clock) -> None:
        self._client, self._cluster, self._state, self._clock = client, cluster, state, clock
        self._looked: dict[str, Millis] = {}

    def erase(self, now: Millis, every: Millis) -> bool:
        """Ask the cluster to merge what holds erased texts, where that was not done for `every`. It works by itself."""
        before = self._due(ERASE, now, every)
        if before is None:
            return False
        try:
            with speaking(self._cluster.where, "erase"):
                if self._client.indices.exists_alias(name=self._cluster.names.read):
                    self._client.indices.forcemerge(
                        index=self._cluster.names.read, only_expunge_deletes=True, wait_for_completion=False
                    )
        except Exception:
            # It was not begun: the next turn has to, whichever process takes it.
            self._state.begun(ERASE, before)
            raise
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

    def size(self) -> int:
        """Bytes on all nodes, copies included."""
        names = self._cluster.names
        with speaking(self._cluster.where, "read sizes"):
            found = self._client.indices.stats(index=[f"{names.state}*", f"{names.read}-*"], metric="store")
            taken: int = found["_all"].get("total", {}).get("store", {}).get("size_in_bytes", 0)
        return taken

    def sweep(self, now: Millis) -> list[str]:
        """Delete the indices of past months that hold no mention any more, nor a tombstone that is still needed, and
        what dead rebuilds left.

        Names of the months' indices. Mentions leave one by one before, when routing says that they expired.
        """
        if self._due(SWEEP, now, SWEEP_EVERY) is None:
            return []
        began = time.monotonic()
        clear(self._client, self._cluster, self._state, self._clock)
        with speaking(self._cluster.where, "delete what is empty"):
            homes = self._client.indices.get_alias(index=f"{self._cluster.names.read}-*", allow_no_indices=True)
            found = {index: list(about["aliases"]) for index, about in sorted(homes.items())}
        gone = []
        for index, aliases in found.items():
            month = next(filter(None, map(self._cluster.names.month, aliases)), None)
            over = ended(month) if month is not None else None
            if over is not None and over + REMEMBERED < now and self._swept(index, now, began):
                gone.append(index)
        return gone

    def _due(self, chore: str, now: Millis, every: Millis) -> Millis | None:
        """When it was begun before, where it is to be begun by this process now; 0: never. The cluster is asked once a
        minute, however often a stage turns round."""
        if chore in self._looked and not passed(self._looked[chore], now, min(every, MINUTE)):
            return None
        self._looked[chore] = now
        before = self._state.last(chore) or 0
        return before if self._state.due(chore, now, every) else None

    def _swept(self, index: str, now: Millis, began: float) -> bool:
        """Nothing may come in between the look and the delete: who writes meanwhile is refused, and tries again. Where
        this process dies between the two, a writer opens the index again."""
        with speaking(self._cluster.where, "delete what is empty"):
            if self._needed(index, now):
                return False
            deleted = False
            self._client.indices.add_block(index=index, block="write")
            try:
                self._client.indices.refresh(index=index)
                if not self._needed(index, now) and (time.monotonic() - began) * SECOND < GIVEN_UP_AFTER:
                    self._client.options(ignore_status=404).indices.delete(index=index)
                    deleted = True
            finally:
                if not deleted:
                    self._client.options(ignore_status=404).indices.put_settings(
                        index=index, settings={"index.blocks.write": None}
                    )
        return deleted

    def _needed(self, index: str, now: Millis) -> bool:
        some = [{"term": {"live": True}}, {"range": {"at": {"gt": now - REMEMBERED}}}]
        found = self._client.search(
            index=index, query={"bool": {"should": some, "minimum_should_match": 1}}, size=0, terminate_after=1,
            track_total_hits=1, allow_partial_search_results=False,
        )  # fmt: skip
        total: int = found["hits"]["total"]["value"]
        return total > 0
