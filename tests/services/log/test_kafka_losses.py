"""What a real Kafka removed before a group had done it is told, and where a group goes on a person may say."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from tests.services.needs import library

library("kafka", "kafka")

import pytest  # noqa: E402
from kafka_place import KafkaPlace, settings_for  # noqa: E402
from log_contract import commit_all, take  # noqa: E402

from stream.clock import DAY  # noqa: E402
from stream.kafka import KafkaLog  # noqa: E402
from stream.losses import Loss  # noqa: E402
from stream.ports import Append, LogUnusable, OffsetOutside, TopicSpec  # noqa: E402


@pytest.fixture
def losses() -> list[Loss]:
    return []


@pytest.fixture
def log(place: KafkaPlace, losses: list[Loss]) -> Iterator[KafkaLog]:
    log = KafkaLog(settings_for(place.argument), losses.append)
    yield log
    log.close()


@pytest.fixture
def topic(log: KafkaLog) -> str:
    name = f"t-{uuid4().hex[:8]}"
    log.ensure([TopicSpec(name, 1, DAY)])
    return name


def fill(log: KafkaLog, topic: str, count: int) -> None:
    log.append([Append(topic, "a", str(n).encode()) for n in range(count)])


def test_what_a_group_lost_while_it_stood_still_is_told_before_it_goes_on(
    place: KafkaPlace, log: KafkaLog, topic: str, losses: list[Loss]
) -> None:
    fill(log, topic, 10)
    consumer = log.consumer("g", topic)
    done = take(consumer, 4, at_most=4)
    commit_all(log, consumer, "g", done)
    consumer.close()
    place.remove_all(log, topic)
    fill(log, topic, 1)
    log.tell_loss("g", topic, 0, 4, log.bounds(topic)[0][0])
    (told,) = losses
    (record,) = take(log.consumer("g", topic), 1)
    assert losses == [told, told], "the same one, known by where it begins"
    assert (told.group, told.topic, told.partition, told.first, told.records) == ("g", topic, 0, 4, 6)
    assert (told.since, told.until) == (done[-1].time, record.time), "it lies between what was done and what is kept"
    assert record.offset == 10


def test_a_group_that_never_began_has_lost_nothing(
    place: KafkaPlace, log: KafkaLog, topic: str, losses: list[Loss]
) -> None:
    fill(log, topic, 10)
    place.remove_all(log, topic)
    fill(log, topic, 2)
    assert [record.offset for record in take(log.consumer("g", topic), 2)] == [10, 11]
    assert losses == []


def test_retention_that_overtakes_a_member_that_waits_is_told(
    place: KafkaPlace, log: KafkaLog, topic: str, losses: list[Loss]
) -> None:
    fill(log, topic, 3)
    consumer = log.consumer("g", topic)
    commit_all(log, consumer, "g", take(consumer, 3))
    # Long enough that no question is under way which the broker would still answer.
    assert consumer.stay(1.0)
    fill(log, topic, 5)
    place.remove_all(log, topic)
    fill(log, topic, 1)
    assert [record.offset for record in take(consumer, 1)] == [8]
    (loss,) = losses
    assert (loss.first, loss.records) == (3, 5)


def test_a_loss_that_cannot_be_kept_lets_nobody_go_on(place: KafkaPlace, topic: str, log: KafkaLog) -> None:
    def full(loss: Loss) -> None:
        raise OSError("no space left on device")

    strict = KafkaLog(settings_for(place.argument), full)
    fill(log, topic, 3)
    consumer = log.consumer("g", topic)
    commit_all(log, consumer, "g", take(consumer, 2, at_most=2))
    consumer.close()
    place.remove_all(log, topic)
    fill(log, topic, 1)
    with pytest.raises(OSError, match="no space"):
        take(strict.consumer("g", topic), 1)
    strict.close()
    assert len(take(log.consumer("g", topic), 1)) == 1


def test_where_a_group_goes_on_is_said_by_a_person_when_nobody_works_for_it(log: KafkaLog, topic: str) -> None:
    fill(log, topic, 10)
    log.move("g", topic, {0: 7})
    assert log.lag("g", topic) == 3
    consumer = log.consumer("g", topic)
    assert [record.offset for record in take(consumer, 3)] == [7, 8, 9]
    with pytest.raises(LogUnusable, match="stop every process"):
        log.move("g", topic, {0: 0})
    consumer.close()
    log.move("g", topic, {0: 1_000})
    beyond = log.consumer("g", topic)
    with pytest.raises(OffsetOutside, match="clamor offsets"):
        take(beyond, 1)
    beyond.close()
    log.move("g", topic, {0: log.bounds(topic)[0][0]})
    assert len(take(log.consumer("g", topic), 10)) == 10
