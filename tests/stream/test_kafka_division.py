"""What a member of a group on Kafka claims when it asks to join, and remembers; no broker is needed for that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("kafka", reason="kafka-python is not installed")

from kafka import TopicPartition
from kafka.coordinator.base import Generation
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment
from kafka.structs import MemberState

from stream.kafka_division import NO_GENERATION, Assignor, Coordinator


def claimed(assignor: Assignor) -> set[TopicPartition]:
    return set(assignor.parse_member_metadata(assignor.metadata({"posts"})).partitions)


def test_who_was_put_out_of_its_group_claims_nothing_of_what_it_held() -> None:
    present = [5]
    assignor = Assignor()
    assignor.present_generation = lambda: present[0]
    assignor.on_assignment(ConsumerProtocolAssignment(1, [("posts", [0, 2])], b""), 5)
    assert claimed(assignor) == {TopicPartition("posts", 0), TopicPartition("posts", 2)}
    present[0] = NO_GENERATION
    assert claimed(assignor) == set()
    present[0] = 6
    assert claimed(assignor) == set(), "nor later: it learns what it holds by the next division"


@pytest.fixture
def coordinator(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its group divides itself anew with each request to join."""
    found = object.__new__(Coordinator)
    found._generation, found.state, found.rejoining = Generation(1, "me", "p"), MemberState.STABLE, False

    async def join(self: Any) -> bytes:
        self.state = MemberState.REBALANCING
        self._generation = Generation(self._generation.generation_id + 1, "me", "p")
        return str(self._generation.generation_id).encode()

    async def complete(self: Any, *told: Any) -> None:
        self.state, self.rejoining = MemberState.STABLE, False

    monkeypatch.setattr(ConsumerCoordinator, "_do_join_and_sync_async", join)
    monkeypatch.setattr(ConsumerCoordinator, "_on_join_complete_async", complete)
    monkeypatch.setattr(ConsumerCoordinator, "need_rejoin", lambda self: False)
    return found


def join(coordinator: Any) -> bytes:
    return asyncio.run(coordinator._do_join_and_sync_async())


def test_what_a_division_brought_is_not_asked_for_again_before_it_was_taken_up(coordinator: Any) -> None:
    assert [join(coordinator) for _ in range(3)] == [b"2"] * 3
    asyncio.run(coordinator._on_join_complete_async(2, "me", "p", b"2"))
    assert join(coordinator) == b"3"


def test_what_a_division_brought_to_who_was_put_out_since_is_forgotten(coordinator: Any) -> None:
    assert join(coordinator) == b"2"
    coordinator._generation = Generation(NO_GENERATION, "", None)
    assert join(coordinator) == b"0"


def test_who_takes_part_in_a_division_goes_on_with_it_although_its_reason_is_gone(coordinator: Any) -> None:
    assert not coordinator.need_rejoin()
    coordinator.rejoining = True
    assert coordinator.need_rejoin()
