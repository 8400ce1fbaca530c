"""Topics on a real Kafka: made as the log needs them, or checked, and never made by a question."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from uuid import uuid4
from zlib import crc32

from tests.services.needs import library

library("kafka", "kafka")

import pytest  # noqa: E402
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition  # noqa: E402
from kafka.admin import ConfigResource, ConfigResourceType  # noqa: E402
from kafka_place import KafkaPlace, settings_for  # noqa: E402
from log_contract import everything, take  # noqa: E402
from msgspec.structs import replace  # noqa: E402

from stream.clock import DAY, HOUR  # noqa: E402
from stream.kafka import KafkaLog  # noqa: E402
from stream.ports import (  # noqa: E402
    DEAD_LETTER,
    DECIDED,
    MENTIONS,
    POSTS,
    Append,
    Commit,
    Consumer,
    LogUnusable,
    RecordTooLarge,
    TopicSpec,
    Transient,
)
from tests.services.kafka_server import KafkaServer  # noqa: E402

PATIENCE = 30.0


@pytest.fixture
def log(place: KafkaPlace) -> Iterator[KafkaLog]:
    log = place.open()
    yield log
    log.close()


@pytest.fixture
def admin(broker: KafkaServer) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    yield admin
    admin.close()


def name() -> str:
    return f"t-{uuid4().hex[:8]}"


def configuration(admin: KafkaAdminClient, topic: str) -> dict[str, str]:
    asked = ConfigResource(ConfigResourceType.TOPIC, topic)
    told = admin.describe_configs([asked], config_filter="all")["topic"][topic]
    return {key: found["value"] for key, found in told.items()}


def test_a_topic_is_made_with_what_the_log_needs(log: KafkaLog, admin: KafkaAdminClient) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 3, 2 * DAY, 40_000_000)])
    found = configuration(admin, log.topic(topic).name)
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["cleanup.policy"] == "delete"
    assert found["retention.ms"] == str(2 * DAY)
    assert int(found["retention.bytes"]) == 40_000_000 // 3, "a limit on a topic's size is shared by its partitions"
    assert int(found["segment.ms"]) == 6 * HOUR, "what is removed goes by whole segments"
    assert int(found["segment.bytes"]) <= int(found["retention.bytes"])


def test_new_retention_is_adopted(log: KafkaLog, admin: KafkaAdminClient) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 1, 2 * DAY)])
    log.ensure([TopicSpec(topic, 1, DAY, 80_000_000)])
    found = configuration(admin, log.topic(topic).name)
    assert (found["retention.ms"], found["retention.bytes"]) == (str(DAY), "80000000")


def test_partitions_of_a_topic_cannot_change(log: KafkaLog) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 2, DAY)])
    with pytest.raises(ValueError, match=r"has 2 partitions and the settings ask for 3"):
        log.ensure([TopicSpec(topic, 3, DAY)])


def test_partitions_that_a_topic_was_given_meanwhile_are_named(log: KafkaLog, admin: KafkaAdminClient) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 2, DAY)])
    admin.create_partitions({log.topic(topic).name: 3})
    member = log.consumer("g", topic)
    with pytest.raises(LogUnusable, match=r"was given partitions \[2\] while Clamor ran.*engines: log: partitions"):
        take(member, 1)
    member.close()


@pytest.mark.parametrize(("key", "value"), [("cleanup.policy", "compact"), ("message.timestamp.type", "CreateTime")])
def test_a_topic_whose_records_would_mean_something_else_is_refused(
    log: KafkaLog, admin: KafkaAdminClient, key: str, value: str
) -> None:
    topic = name()
    others = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"} | {key: value}
    full = log.settings.prefix + topic
    admin.create_topics({full: {"num_partitions": 1, "replication_factor": 1, "configs": others}})
    with pytest.raises(LogUnusable, match=rf"{key}={value}.*kafka-configs --alter --topic {full}"):
        log.ensure([TopicSpec(topic, 1, DAY)])


def test_too_few_brokers_for_the_copies_is_said(place: KafkaPlace) -> None:
    log = KafkaLog(replace(settings_for(place.argument), replication=3))
    with pytest.raises(LogUnusable, match="too few brokers"):
        log.ensure([TopicSpec(name(), 1, DAY)])
    log.close()


def test_several_processes_may_make_the_same_topics_at_once(place: KafkaPlace) -> None:
    specs = [TopicSpec(name(), 2, DAY) for _ in range(3)]
    logs = [place.open() for _ in range(3)]
    errors: list[BaseException] = []

    def make(log: KafkaLog) -> None:
        try:
            log.ensure(specs)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=make, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {log.partitions(spec.name) for log in logs for spec in specs} == {2}
    for log in logs:
        log.close()


def test_no_question_about_a_topic_makes_it(log: KafkaLog, admin: KafkaAdminClient) -> None:
    """The broker of these tests makes every topic that anybody asks for; ours ask so that it does not."""
    topic = name()
    for ask in (
        lambda: log.append([Append(topic, "a", b"")]),
        lambda: log.consumer("g", topic),
        lambda: log.bounds(topic),
        lambda: log.read(topic, 0, 0, 1),
        lambda: log.offset_at(topic, 0, 0),
        lambda: log.committed("g", topic),
    ):
        with pytest.raises(ValueError, match=topic):
            ask()
    assert log.settings.prefix + topic not in admin.list_topics()


def test_a_topic_that_is_deleted_while_it_is_used_stops_its_stages_and_stays_deleted(
    log: KafkaLog, admin: KafkaAdminClient
) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 1, DAY)])
    log.append([Append(topic, "a", b"")])
    consumer = log.consumer("g", topic)
    take(consumer, 1)
    full = log.topic(topic).name
    admin.delete_topics([full])
    with pytest.raises(LogUnusable, match=rf"{full}.* was deleted"):
        log.append([Append(topic, "a", b"")])
    with pytest.raises(LogUnusable, match=rf"{full}.* was deleted"):
        until_it_raises(consumer)
    assert full not in admin.list_topics()


def until_it_raises(consumer: Consumer) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            consumer.poll(10, 0.2)
        except Transient:
            continue


def test_the_epoch_is_another_one_when_a_topic_was_made_anew(log: KafkaLog, admin: KafkaAdminClient) -> None:
    log.ensure([TopicSpec(topic, 1, DAY) for topic in (POSTS, MENTIONS, DECIDED)])
    before = log.epoch()
    log.ensure([TopicSpec(name(), 1, DAY)])
    assert log.epoch() == before, "a topic that a later release adds changes nothing"
    full = log.topic(MENTIONS).name
    admin.delete_topics([full])
    wait_until(lambda: full not in admin.list_topics())
    assert log.epoch() != before
    log.ensure([TopicSpec(MENTIONS, 1, DAY)])
    assert log.epoch() != before
    assert len(log.epoch()) < 64


def test_a_dead_letter_may_wrap_the_largest_record(log: KafkaLog) -> None:
    log.ensure([TopicSpec(DEAD_LETTER, 1, DAY)])
    largest = bytes(2 * log.settings.max_record)
    ((partition, offset),) = log.append([Append(DEAD_LETTER, "k" * 1_024, largest)])
    assert log.read(DEAD_LETTER, partition, offset, 1)[0].value == largest
    assert len(take(log.consumer("g", DEAD_LETTER), 1)[0].value) == len(largest)


def test_a_bound_that_was_lowered_in_the_cluster_is_the_records_fault(log: KafkaLog, admin: KafkaAdminClient) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 1, DAY)])
    full = log.topic(topic).name
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, full, {"max.message.bytes": "2000"})])
    with pytest.raises(RecordTooLarge, match=r"max\.message\.bytes"):
        log.append([Append(topic, "a", bytes(10_000))])
    assert len(log.append([Append(topic, "a", b"small")])) == 1


def test_what_ends_a_transaction_is_no_record_that_waits(broker: KafkaServer, log: KafkaLog) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 1, DAY)])
    full = log.topic(topic).name
    producer = KafkaProducer(bootstrap_servers=broker.address, transactional_id=topic)
    producer.init_transactions()
    for number, whole in enumerate((True, False, True)):
        producer.begin_transaction()
        producer.send(full, key=b"k", value=str(number).encode(), partition=0).get(timeout=10)
        (producer.commit_transaction if whole else producer.abort_transaction)()
    producer.close()
    wait_until(lambda: log.bounds(topic)[0][1] == 6)
    assert [record.value for record in everything(log, topic)] == [b"0", b"2"], "what was taken back is not read"
    consumer = log.consumer("g", topic)
    records = take(consumer, 2)
    consumer.commit([Commit(topic, 0, 0, records[-1].offset + 1)])
    wait_until(lambda: log.lag("g", topic) == 0)


def test_a_transaction_that_is_open_keeps_what_is_behind_it_waiting_and_is_no_fault(
    broker: KafkaServer, place: KafkaPlace
) -> None:
    log = KafkaLog(replace(settings_for(place.argument), quiet=200))
    topic = name()
    log.ensure([TopicSpec(topic, 1, DAY)])
    consumer = log.consumer("g", topic)
    producer = KafkaProducer(bootstrap_servers=broker.address, transactional_id=topic)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(log.topic(topic).name, key=b"k", value=b"open", partition=0).get(timeout=10)
    log.append([Append(topic, "a", b"behind")])
    for _ in range(10):
        assert consumer.poll(10, 0.2) == []
    assert log.lag("g", topic) == 0, "nobody can read it yet"
    producer.commit_transaction()
    assert [record.value for record in take(consumer, 2)] == [b"open", b"behind"]
    producer.close()
    log.close()


def test_a_key_has_the_partition_that_the_embedded_log_gives_it(log: KafkaLog) -> None:
    """So that the records of a home keep their partitions when it moves."""
    topic = name()
    log.ensure([TopicSpec(topic, 7, DAY)])
    keys = ["", "x:1", "ñandú", "bluesky:at://did:plc:abc/app.bsky.feed.post/3k"]
    places = log.append([Append(topic, key, b"") for key in keys])
    assert [partition for partition, _ in places] == [crc32(key.encode()) % 7 for key in keys]


def test_retention_that_overtook_a_group_lets_it_go_on_with_what_is_left(
    place: KafkaPlace, log: KafkaLog, admin: KafkaAdminClient
) -> None:
    topic = name()
    log.ensure([TopicSpec(topic, 1, DAY)])
    log.append([Append(topic, "a", str(n).encode()) for n in range(10)])
    admin.delete_records({TopicPartition(log.topic(topic).name, 0): 6})
    consumer = log.consumer("g", topic)
    records = take(consumer, 4)
    assert [record.offset for record in records] == [6, 7, 8, 9]
    consumer.commit([Commit(topic, 0, 0, 10)])
    assert log.lag("g", topic) == 0


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)
