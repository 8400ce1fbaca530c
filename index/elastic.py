"""The store on Elasticsearch: every mention in an index a month, searched under one alias.

Any number of processes write and search. The store is a projection: it may be thrown away and rebuilt from SQL. A
mention that was written is found within a second (the cluster's `refresh_interval`), which is measured; what `apply`
returned for is durable. Connections belong to the process that opened them: make a store after a fork, not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from index import elastic_query, elastic_rebuild, search
from index.cursor import seal, unsealed
from index.elastic_answers import After, Answers
from index.elastic_client import Cluster, connect
from index.elastic_documents import key, prepare
from index.elastic_errors import speaking
from index.elastic_fence import Fence, Fenced
from index.elastic_measured import Measured
from index.elastic_state import State
from index.elastic_upkeep import Upkeep
from index.elastic_write import Writer
from index.embedded import MAX_LIMIT
from index.erasure import Erasing
from index.highlight import highlights
from index.latency import HIDDEN, SEARCHABLE
from index.refusals import NotIndexed
from index.search import Order
from index.standing import Standing
from index.visibility import sees
from query.fields import FIELDS
from query.tree import Node
from stream.clock import DAY, HOUR, MINUTE, Clock, WallClock, passed
from stream.latency import Latency
from stream.ports import AccessScope, Commit, Count, Facet, Histogram, Hit, OffsetConflict, Page
from stream.records import Decided, Mention, Millis

__all__ = ["Cluster", "ElasticStore"]

ERASE_EVERY: Millis = 3 * DAY
"""Merges that take erased texts off the disk are asked for so often, well within the week that is promised."""


class ElasticStore:
    """A `stream.ports.Store` in the indices of `cluster`."""

    def __init__(self, cluster: Cluster, clock: Clock | None = None, *, erase_every: Millis = ERASE_EVERY) -> None:
        """`clock` is the one that stamps arrivals in the log. Nothing is sent before the first question."""
        self.cluster, self._clock, self._erase_every = cluster, clock or WallClock(), erase_every
        self._client = connect(cluster)
        self._state = State(self._client, cluster)
        self._writer = Writer(self._client, cluster, self._state)
        self._answers = Answers(self._client, cluster)
        self._upkeep = Upkeep(self._client, cluster, self._state, self._clock)
        self._measured = Measured(self._client, cluster, self._state, self._clock)
        self._looked: Millis = 0

    # --- writing ---

    def apply(self, decided: Sequence[Decided], commits: Sequence[Commit], epoch: str, now: Millis) -> None:
        """As `Store.apply`: the highest (epoch, revision) of each mention wins, what is not live is hidden and erased.

        The offsets move once the mentions are durable; nothing is written where they are known to stand elsewhere.
        Raises OffsetConflict, OffsetOutside, Transient (down, busy, its disk full), IndexUnusable, and NotIndexed
        where some can never be written: then the rest of them is, and the offsets stand where they were.
        """
        try:
            claims = self._state.claims(commits, epoch)
            entries, refused = prepare(decided, now)
            self._state.opened()
            written = self._writer.write(entries, now, claims.log)
            self._measured.wrote(written)
            if written.later:
                raise written.later[0]
            refused += written.refused
            if refused:
                raise NotIndexed(refused)
            self._state.commit(claims.held, epoch)
        except Fenced as fenced:
            self._end(fenced.fence)
            raise

    def offsets(self, topic: str, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        """Stored offsets of `topic`; a partition without one is left out. Raises OffsetOutside: another log's."""
        return self._state.offsets(topic, partitions, epoch)

    def standing(self) -> Standing:
        """What is stored of the log's offsets, whatever log they are of."""
        return self._state.standing()

    def adopt(self, epoch: str, offsets: Mapping[tuple[str, int], int]) -> None:
        """Go on at `offsets` of the log `epoch`, while no indexer runs."""
        if (fence := self._state.fenced()) is not None:
            elastic_rebuild.end(self._client, self.cluster, self._state, fence)
        self._state.adopt(epoch, offsets)

    def rebuild(
        self, decided: Iterable[Decided], epoch: str, offsets: Mapping[tuple[str, int], int] | None = None
    ) -> int:
        """Build the indices anew and put them in place at once; searches go on meanwhile. Returns mentions read.

        `offsets` as of `EmbeddedStore.rebuild`. Raises IndexUnusable where another rebuild is under way.
        """
        read = elastic_rebuild.rebuild(
            self._client, self.cluster, self._state, decided, epoch, offsets or {}, self._clock
        )
        self._writer.forget()
        return read

    def idle(self, now: Millis) -> None:
        """Between batches: look for what was written, store what was measured, take a step of erasure, delete what past
        months left empty. Raises OffsetConflict once after the store was rebuilt: the offsets are others then."""
        self._measured.look(now)
        self._measured.store(now)
        self._look_for_a_rebuild(now)
        self.erase_step(now)
        if self._upkeep.sweep(now):
            self._writer.forget()

    def erase_step(self, now: Millis) -> bool:
        """Has the cluster take erased texts off its disks, where it is time; it needs no further step for that."""
        self._upkeep.erase(now, self._erase_every)
        return False

    def refresh(self) -> None:
        """Let what was written be found at once: for tests and tools, a cluster does it by itself every second."""
        self._state.ready()
        names = self.cluster.names
        with speaking(self.cluster.where, "refresh"):
            self._client.indices.refresh(index=[names.state, f"{names.read}*"], ignore_unavailable=True)

    def _look_for_a_rebuild(self, now: Millis) -> None:
        if not passed(self._looked, now, MINUTE):
            return
        self._looked = now
        if (fence := self._state.fenced()) is not None:
            self._end(fence)
        if self._state.was_rebuilt():
            self._writer.forget()
            raise OffsetConflict(f"{self.cluster.where} was rebuilt: the log is read on from where that began")

    def _end(self, fence: Fence) -> None:
        """Where who put it up had time enough, and did not."""
        if passed(fence.at, self._clock.wall(), elastic_rebuild.ENDED_WITHIN):
            elastic_rebuild.end(self._client, self.cluster, self._state, fence)
            self._writer.forget()

    # --- reading ---

    def search(
        self, query: Node, scope: AccessScope, *, limit: int = 20, cursor: str | None = None, order: Order = "newest"
    ) -> Page:
        """A page of mentions. Pages do not shift when mentions come in; `relevance` shows the first 10,000 hits.

        Raises BadCursor, ValueError (limit, order, a query that nests too deeply), QueryTooSlow, Transient,
        IndexUnusable.
        """
        _within_limit("limit", limit)
        if order not in search.ORDERS:
            raise ValueError(f"no order is called {order!r}: {', '.join(search.ORDERS)}")
        meant = self._read(query, scope)
        secret = self._state.opened().secret
        after = unsealed(After, cursor, query, order, secret) if cursor is not None else None
        found = self._answers.page(query, meant, order, after, limit + 1)
        hits = tuple(Hit(mention, highlights(query, mention)) for mention, _ in found[:limit])
        return Page(hits, seal(found[limit - 1][1], query, order, secret) if len(found) > limit else None)

    def count(self, query: Node, scope: AccessScope, *, exact: bool = True) -> Count:
        """How many mentions; always to the last one, which costs the cluster little."""
        self._state.opened()
        return self._answers.count(self._read(query, scope))

    def facets(
        self, query: Node, scope: AccessScope, fields: Sequence[str], *, size: int = 10, exact: bool = False
    ) -> list[Facet]:
        """The commonest values of each field; estimated where the shards' answers leave a doubt, unless `exact`. Risk
        is counted in steps of ten."""
        _within_limit("size", size)
        for field in fields:
            if field not in FIELDS or FIELDS[field].kind == "time":
                raise ValueError(f"values of {field!r} cannot be counted: take a field that is not a time")
        self._state.opened()
        return self._answers.facets(self._read(query, scope), fields, size, exact=exact)

    def histogram(self, query: Node, scope: AccessScope, interval: Millis, *, exact: bool = False) -> Histogram:
        """Mentions per interval (milliseconds, counted from 1970); intervals without any are left out."""
        if interval < 1:
            raise ValueError(f"an interval of {interval} ms: it must be 1 or more")
        self._state.opened()
        return self._answers.histogram(self._read(query, scope), interval)

    def get(self, mention_id: str, scope: AccessScope) -> Mention | None:
        """The mention, where it is live and `scope` covers it."""
        self._state.opened()
        mention = self._answers.one(key(mention_id))
        return mention if mention is not None and sees(scope, mention) else None

    def everything(self, query: Node, scope: AccessScope) -> Iterator[Mention]:
        """All that is meant as it stands when the reading begins, the oldest first, however long it takes."""
        self._state.opened()
        return self._answers.everything(self._read(query, scope))

    def latency(self, now: Millis, span: Millis = HOUR) -> Latency:
        """Arrival → found by a search, of the mentions that came within `span` before `now`, whoever indexed them."""
        return self._measured.latency(SEARCHABLE, now, span)

    def hidden(self, now: Millis, span: Millis = HOUR) -> Latency:
        """Delete → found no more, of the mentions that were hidden within `span` before `now`."""
        return self._measured.latency(HIDDEN, now, span)

    def size(self) -> int:
        """Bytes that it takes in the cluster, on all nodes."""
        return self._upkeep.size()

    def erasing(self) -> Erasing:
        """How far the erasure of texts from the cluster's disks is."""
        return self._upkeep.erasing()

    def close(self) -> None:
        self._client.close()

    def __repr__(self) -> str:
        return f"ElasticStore({self.cluster.where})"

    def _read(self, query: Node, scope: AccessScope) -> elastic_query.Body:
        return elastic_query.read(query, scope, builtin=self.cluster.shape.builtin)


def _within_limit(name: str, value: int) -> None:
    if not 1 <= value <= MAX_LIMIT:
        raise ValueError(f"{name} is {value}: it must lie between 1 and {MAX_LIMIT}")
