"""Building the store anew from SQL, in indices of a new generation, while searches go on in the old ones.

Once the new ones are whole, a fence stands before the offsets that says all that is left to do. Whoever put it up does
that at once; where it is cut short, whoever finds the fence does it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from elasticsearch import Elasticsearch

from index.elastic_client import Cluster
from index.elastic_documents import prepare
from index.elastic_errors import speaking
from index.elastic_fence import Fence
from index.elastic_state import State, make
from index.elastic_write import Writer
from index.files import IndexUnusable
from stream.clock import MINUTE, Clock, passed
from stream.ports import Transient
from stream.records import Decided, Millis

BATCH = 1_000
REBUILD = "rebuild"
DEAD_AFTER: Millis = 10 * MINUTE
"""A rebuild that said nothing for so long is taken for dead, and what it left is swept."""
SAYS_EVERY: Millis = MINUTE
ENDED_WITHIN: Millis = MINUTE
"""A fence that is older is ended by whoever finds it."""

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

    While the aliases move no indexer can advance, and afterwards it finds its offset at `offsets`. What was cut short
    there by an earlier one is ended first. Raises IndexUnusable where another rebuild is under way.
    """
    if (left := state.fenced()) is not None:
        end(client, cluster, state, left)
    if not state.due(REBUILD, clock.wall(), DEAD_AFTER):
        raise IndexUnusable(
            f"{cluster.where}: it is being rebuilt by another process: wait for that to end, or, where it died, for "
            f"{DEAD_AFTER // MINUTE} minutes"
        )
    builder = _Builder(client, cluster, state, secrets.token_hex(3))
    try:
        _remove(client, cluster, _unfinished(client, cluster))
        read = _fill(builder, decided, state, clock)
    except BaseException:
        with suppress(Transient, IndexUnusable):
            _remove(client, cluster, sorted(builder.made))
            state.begun(REBUILD, 0)
        raise
    # From here on the only way is forward: of a request without an answer nobody knows whether it was heard.
    fence = Fence(
        builder.generation,
        tuple(sorted(builder.made)),
        epoch,
        tuple((topic, partition, following) for (topic, partition), following in sorted(offsets.items())),
        clock.wall(),
    )
    try:
        state.fence(fence)
    except BaseException:
        with suppress(Transient, IndexUnusable):
            state.begun(REBUILD, 0)
        raise
    end(client, cluster, state, fence)
    return read


def end(client: Elasticsearch, cluster: Cluster, state: State, fence: Fence) -> None:
    """Put in place what stands behind the fence; to do it twice changes nothing. Raises Transient where it is not there
    any more: then what there was goes on."""
    if state.fenced() != fence:
        return
    if _put_in_place(client, cluster, fence):
        state.rebuilt(fence.generation)
        state.adopt(fence.epoch, fence.by_partition)
        _remove(client, cluster, left_over(client, cluster))
        state.begun(REBUILD, 0)
        return
    state.unfence(fence)
    state.begun(REBUILD, 0)
    raise Transient(
        f"{cluster.where}: rebuilt indices are not there any more, and the old ones stay in place: give `clamor "
        "reindex` once more"
    )


def left_over(client: Elasticsearch, cluster: Cluster) -> list[str]:
    """Indices of ours that no alias leads to: a rebuild took them out of use, and did not live to delete them."""
    with speaking(cluster.where, "look for what a rebuild left"):
        found = client.indices.get_alias(index=f"{cluster.names.read}-*", allow_no_indices=True)
        return sorted(index for index, about in found.items() if not about["aliases"] and cluster.names.parts(index))


def clear(client: Elasticsearch, cluster: Cluster, state: State, clock: Clock) -> None:
    """Delete what dead rebuilds left: texts stand in there that nobody reaches, and that no delete would reach."""
    unfinished = _unfinished(client, cluster)
    said = state.last(REBUILD)
    if unfinished and state.fenced() is None and (said is None or passed(said, clock.wall(), DEAD_AFTER)):
        _remove(client, cluster, unfinished)
    _remove(client, cluster, left_over(client, cluster))


class _Builder(Writer):
    """Writes into indices that no alias of the store leads to yet."""

    def __init__(self, client: Elasticsearch, cluster: Cluster, state: State, generation: str) -> None:
        super().__init__(client, cluster, state)
        self.generation = generation
        self.made: dict[str, str] = {}
        """Month by index."""

    def _home(self, month: str) -> str:
        return self._cluster.names.building(month, self.generation)

    def _ensure_home(self, month: str) -> None:
        index = self._cluster.names.index_of(month, self.generation)
        with speaking(self._cluster.where, "make an index"):
            aliases: dict[str, Any] = {self._home(month): {}}
            make(self._client, index, self._cluster.shape.mappings(), self._cluster.shape.settings(), aliases)
        self.made[index] = month
        self._homes.add(month)


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
    written = builder.write(entries, now)
    for refusal in refused + written.refused:
        logger.error("mention_not_indexed", mention=refusal.mention_id, why=refusal.reason)
    if written.later:
        raise written.later[0]


def _put_in_place(client: Elasticsearch, cluster: Cluster, fence: Fence) -> bool:
    """All aliases move in one step, unless they did before; false where some of the new indices are gone."""
    names, actions = cluster.names, list[dict[str, Any]]()
    with speaking(cluster.where, "put the rebuilt indices in place"):
        found = client.indices.get_alias(index=f"{names.read}-*", allow_no_indices=True)
        aliases = {index: sorted(about["aliases"]) for index, about in found.items()}
        present = [index for index in fence.indices if aliases.get(index)]
        moving = [index for index in present if any(map(names.is_building, aliases[index]))]
        if fence.indices and (not present or (moving and len(present) < len(fence.indices))):
            return False
        if moving:
            client.indices.refresh(index=moving)
        for index, there in aliases.items():
            parts = names.parts(index)
            if parts is None or parts[1] == fence.generation or any(map(names.is_building, there)):
                continue
            actions += [{"remove": {"index": index, "alias": alias}} for alias in there]
        for index in moving:
            parts = names.parts(index)
            assert parts is not None
            actions += [{"remove": {"index": index, "alias": alias}} for alias in aliases[index]]
            actions.append({"add": {"index": index, "alias": names.read}})
            actions.append({"add": {"index": index, "alias": names.home(parts[0]), "is_write_index": True}})
        if actions:
            client.indices.update_aliases(actions=actions)
    return True


def _unfinished(client: Elasticsearch, cluster: Cluster) -> list[str]:
    """Indices of rebuilds that are under way, or died."""
    with speaking(cluster.where, "look for what a rebuild left"):
        found = client.indices.get_alias(index=f"{cluster.names.read}-*", allow_no_indices=True)
        return sorted(index for index, about in found.items() if any(map(cluster.names.is_building, about["aliases"])))


def _remove(client: Elasticsearch, cluster: Cluster, indices: list[str]) -> None:
    with speaking(cluster.where, "remove what is of no more use"):
        for index in indices:
            client.options(ignore_status=404).indices.delete(index=index)
