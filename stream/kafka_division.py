"""How a member of a group on Kafka takes part in the group's divisions, and what it hears of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.base import Generation
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.structs import MemberState

from stream.kafka_clients import KafkaSettings
from stream.records import Millis

FETCH_BYTES = 16 << 20
FETCH_WAIT: Millis = 250
"""How long a broker keeps a question when it has nothing: also how long a partition that is resumed may wait."""
NO_GENERATION = -1
BEFORE_IT_IS_KNOWN = 0


class Change(NamedTuple):
    kind: Literal["assigned", "revoked", "lost"]
    partitions: frozenset[int]


class Assignor(CooperativeStickyAssignor):
    """Claims nothing for a member that was put out: others may hold by now what it held. The library claims it, and
    tells no generation by which the leader would see how old the claim is."""

    def __init__(self) -> None:
        super().__init__()
        self.present_generation: Callable[[], int] = lambda: NO_GENERATION
        """Of the member that it is of: known once that is made."""

    def metadata(self, topics: Any) -> Any:
        """Runs on the library's own thread, for each request to join."""
        if self.present_generation() == NO_GENERATION:
            self.member_assignment = None
        return super().metadata(topics)


class Coordinator(ConsumerCoordinator):
    """A division that ended between two polls is taken up by the next one. The library forgets what it brought: it
    joins again, which divides the group anew for everybody, or, where a change of topics had been the reason, it takes
    part in nothing any more and says nothing (kafka-python 3.0.12)."""

    _brought: tuple[Generation, bytes] | None = None

    @classmethod
    def take_over(cls, client: KafkaConsumer) -> None:
        """Before the client takes part in anything: it makes its own, and asks nobody for another."""
        client._coordinator.__class__ = cls

    def need_rejoin(self) -> bool:
        return bool(self.rejoining or super().need_rejoin())

    async def _do_join_and_sync_async(self) -> bytes:
        if self._brought is not None and self.state is MemberState.REBALANCING:
            generation, kept = self._brought
            if generation is self._generation:
                return kept
        assignment: bytes = await super()._do_join_and_sync_async()
        self._brought = (self._generation, assignment)
        return assignment

    async def _on_join_complete_async(self, *arguments: Any) -> None:
        self._brought = None
        await super()._on_join_complete_async(*arguments)


class Listener(ConsumerRebalanceListener):
    """Runs on the library's own thread, where nothing may be asked of Kafka: it only writes down what happened.

    New partitions give no record before the member knows where to start.
    """

    def __init__(self, client: KafkaConsumer, changes: deque[Change]) -> None:
        self._client, self._changes = client, changes

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._note("assigned", assigned)
        self._client.pause(*assigned)
        for at in assigned:
            # Else the library would look for a place itself, and raise where it finds none.
            self._client.seek(at, BEFORE_IT_IS_KNOWN)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._note("revoked", revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._note("lost", lost)

    def _note(self, kind: Literal["assigned", "revoked", "lost"], partitions: Iterable[TopicPartition]) -> None:
        self._changes.append(Change(kind, frozenset(at.partition for at in partitions)))


def options(settings: KafkaSettings, group_id: str, assignor: Assignor) -> dict[str, Any]:
    """What the client of a member is made with."""
    return {
        "group_id": group_id,
        "enable_auto_commit": False,
        # What lies outside of the log is said, so that a loss is known; the library would go on elsewhere in silence.
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "session_timeout_ms": settings.session,
        "heartbeat_interval_ms": max(1, settings.session // 4),
        "max_poll_interval_ms": max(settings.batch_limit, settings.session),
        "partition_assignment_strategy": [assignor],
        "fetch_max_bytes": FETCH_BYTES,
        "fetch_max_wait_ms": FETCH_WAIT,
        "metrics_enabled": False,
    }
