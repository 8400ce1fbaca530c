"""What a member of a group on Kafka claims when it asks to join; no broker is needed for that."""

from __future__ import annotations

import pytest

pytest.importorskip("kafka", reason="kafka-python is not installed")

from kafka import TopicPartition
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from stream.kafka_division import NO_GENERATION, Assignor


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
