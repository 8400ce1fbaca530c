"""Building the store anew from SQL, in indices of a new generation, while searches go on in the old ones."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from elasticsearch import Elasticsearch

from index.elastic_client import Cluster
from index.elastic_documents import prepare
from index.elastic_errors import speaking
from index.elastic_mapping import MAPPINGS, Names
from index.elastic_state import State, make
from index.elastic_write import Writer
from index.files import IndexUnusable
from stream.clock import MINUTE, Clock
from stream.records import Decided, Millis

BATCH = 1_000
REBUILD = "rebuild"
DEAD_AFTER: Millis = 10 * MINUTE
"""A rebuild that said nothing for so long is taken for dead, and what it left is swept."""
SAYS_EVERY: Millis = MINUTE

logger = structlog.get_logger(__name__)


def rebuild(
    client: Elasticsearch,
    cluster: Cluster,
    state: State,
    decided: Iterable[Decided],
    epoch: str,
    offsets: Mapping[tuple[str, int], int],
    clock: Clock,
) -> int:
    """Number of mentions read. As `EmbeddedStore.rebuild`: searches see the old indices until the new ones are whole.

    While the aliases move no indexer can advance, and afterwards it finds its offset at `offsets`. Where that is cut
    short, none can until the store is rebuilt once more. Raises IndexUnusable where another rebuild is under way.
    """
    if not state.due(REBUILD, clock.wall(), DEAD_AFTER):
        raise IndexUnusable(f"{cluster.where}: it is being rebuilt by another process: wait for that to end")
    builder, fenced = _Builder(client, cluster, state, secrets.token_hex(3)), False
    try:
        _remove(client, cluster, _left_by_the_dead(client, cluster))
        read = _fill(builder, decided, state, clock)
        state.fence(epoch)
        fenced = True
        old = _put_in_place(client, cluster, builder)
        state.rebuilt(builder.generation)
        state.adopt(epoch, offsets)
    except BaseException:
        left = _left_by_the_dead(client, cluster)
        if fenced and left:
            # The aliases have not moved: what there was goes on.
            state.unfence(epoch)
        _remove(client, cluster, left)
        state.begun(REBUILD, 0)
        raise
    _remove(client, cluster, old)
    state.begun(REBUILD, 0)
    return read


class _Builder(Writer):
    """Writes into indices that no alias of the store leads to yet."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State, generation: str) -> None:
        super().__init__(client, cluster, state)
        self.generation = generation
        self.made: dict[str, str] = {}
        """Month by index."""

    def _home(self, month: str) -> str:
        return f"{_building(self._cluster.names)}{self.generation}-{month}"

    def building(self, month: str) -> str:
        """Alias that the month's index has until it is put in place."""
        return self._home(month)

    def _ensure_home(self, month: str) -> None:
        index = self._cluster.names.index_of(month, self.generation)
        with speaking(self._cluster.where, "make an index"):
            aliases: dict[str, Any] = {self._home(month): {}}
            make(self._client, index, MAPPINGS, self._cluster.shape.settings(), aliases)
        self.made[index] = month
        self._homes.add(month)


def _building(names: Names) -> str:
    """How the aliases of indices that are not whole yet begin."""
    return f"{names.prefix}-building-"


def _fill(builder: Writer, decided: Iterable[Decided], state: State, clock: Clock) -> int:
    read, said, batch = 0, clock.wall(), list[Decided]()
    for each in decided:
        batch.append(each)
        read += 1
        if len(batch) == BATCH:
            _write(builder, batch, clock.now())
            batch.clear()
            if clock.wall() - said >= SAYS_EVERY:
                said = clock.wall()
                state.begun(REBUILD, said)
    _write(builder, batch, clock.now())
    return read


def _write(builder: Writer, batch: list[Decided], now: Millis) -> None:
    """One that cannot be written must not keep the others out of the new index: it stays in SQL, and is told."""
    entries, refused = prepare(batch, now)
    for refusal in refused + builder.write(entries).refused:
        logger.error("mention_not_indexed", mention=refusal.mention_id, why=refusal.reason)


def _put_in_place(client: Elasticsearch, cluster: Cluster, builder: _Builder) -> list[str]:
    """All aliases move in one step; the indices that they left."""
    names, actions = cluster.names, list[dict[str, Any]]()
    with speaking(cluster.where, "put the rebuilt indices in place"):
        if builder.made:
            client.indices.refresh(index=sorted(builder.made))
        found = client.indices.get_alias(index=f"{names.read}-*", allow_no_indices=True)
        old = {index: about["aliases"] for index, about in found.items() if index not in builder.made}
        for index, aliases in old.items():
            actions += [{"remove": {"index": index, "alias": alias}} for alias in aliases]
        for index, month in builder.made.items():
            actions.append({"remove": {"index": index, "alias": builder.building(month)}})
            actions += [{"add": {"index": index, "alias": alias}} for alias in (names.read, names.home(month))]
        if actions:
            client.indices.update_aliases(actions=actions)
    return sorted(old)


def _left_by_the_dead(client: Elasticsearch, cluster: Cluster) -> list[str]:
    with speaking(cluster.where, "look for what a rebuild left"):
        found = client.indices.get_alias(index=f"{cluster.names.read}-*", allow_no_indices=True)
    start = _building(cluster.names)
    return sorted(index for index, about in found.items() if any(alias.startswith(start) for alias in about["aliases"]))


def _remove(client: Elasticsearch, cluster: Cluster, indices: list[str]) -> None:
    with speaking(cluster.where, "remove what is of no more use"):
        for index in indices:
            client.options(ignore_status=404).indices.delete(index=index)
