"""The topics of Kafka as the log needs them: made where they are missing, checked where they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from kafka import KafkaAdminClient
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType

from stream.clock import HOUR, MINUTE
from stream.kafka_clients import KafkaSettings
from stream.ports import DEAD_LETTER, LogUnusable, TopicSpec
from stream.records import Millis

logger = structlog.get_logger(__name__)

LONGEST_KEY = 1_024
"""Characters."""
OVERHEAD = 8_192
"""Bytes that a batch of one record may need beside key and value; a character of a key may need four."""
SEGMENT: Millis = 6 * HOUR
SHORTEST_SEGMENT: Millis = MINUTE
LARGEST_SEGMENT, SMALLEST_SEGMENT = 1 << 30, 1 << 20
NO_SUCH_TOPIC = 3

FIXED: Mapping[str, str] = {"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}
"""What a topic that is there has to have already: it changes what the records in it mean."""


class Topic(NamedTuple):
    name: str
    """As the cluster calls it."""
    id: str
    """Another one after it was made anew."""
    partitions: int


def largest(settings: KafkaSettings, topic: str) -> int:
    """Bytes of key and value that a record of the topic may have."""
    return settings.max_record if topic != DEAD_LETTER else 2 * settings.max_record + 16 * LONGEST_KEY


def find(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, Topic]:
    """Those that are there. Raises what the library raises: a topic that is not ready yet, or that we may not see."""
    found = {}
    for topic in admin.describe_topics(list(names)):
        if topic["error_code"] == NO_SUCH_TOPIC:
            continue
        if topic["error_code"]:
            raise kafka_errors.for_code(topic["error_code"])(f"topic {topic['name']}")
        found[topic["name"]] = Topic(topic["name"], str(topic["topic_id"]), len(topic["partitions"]))
    return found


def ensure(admin: KafkaAdminClient, settings: KafkaSettings, spec: TopicSpec) -> Topic:
    """The topic of that specification, made or with its retention adopted.

    Raises ValueError where the partitions would change, LogUnusable where it is not as it must be and may not be
    changed, and what the library raises.
    """
    name = settings.prefix + spec.name
    there = find(admin, [name]).get(name)
    if there is None:
        _make(admin, settings, spec, name)
        there = find(admin, [name]).get(name)
    if there is None:
        raise kafka_errors.LeaderNotAvailableError(f"topic {name} was made and this broker does not know it yet")
    if there.partitions != spec.partitions:
        raise ValueError(
            f"topic {name!r} of Kafka at {settings.where} has {there.partitions} partitions and the settings ask for "
            f"{spec.partitions}: a key would change its partition; keep the number or choose another prefix"
        )
    _check(admin, settings, spec, name)
    return there


def wanted(settings: KafkaSettings, spec: TopicSpec) -> dict[str, str]:
    """The topic's configuration, but for what is FIXED. A limit on its size is shared by its partitions."""
    share = -1 if spec.retention_bytes is None else max(1, spec.retention_bytes // spec.partitions)
    segment = LARGEST_SEGMENT if share < 0 else min(LARGEST_SEGMENT, max(SMALLEST_SEGMENT, share // 4))
    return {
        "retention.ms": str(spec.retention),
        "retention.bytes": str(share),
        # Only whole segments go, so that these decide how much longer than its retention a text may stay.
        "segment.ms": str(min(SEGMENT, max(SHORTEST_SEGMENT, spec.retention // 4))),
        "segment.bytes": str(segment),
        "max.message.bytes": str(largest(settings, spec.name) + OVERHEAD),
    }


def _make(admin: KafkaAdminClient, settings: KafkaSettings, spec: TopicSpec, name: str) -> None:
    configs = {**FIXED, **wanted(settings, spec)}
    if settings.replication is not None:
        # One copy may be away. What was acknowledged is on more than one even then where there are three.
        configs["min.insync.replicas"] = str(max(1, settings.replication - 1))
    asked = {"num_partitions": spec.partitions, "replication_factor": settings.replication or -1, "configs": configs}
    try:
        admin.create_topics({name: asked}, wait_for_metadata=True)
        logger.info("topic_made", topic=name, partitions=spec.partitions)
    except kafka_errors.TopicAlreadyExistsError:
        # Another process was faster.
        admin.wait_for_topics([name], timeout_ms=settings.patience)


def _check(admin: KafkaAdminClient, settings: KafkaSettings, spec: TopicSpec, name: str) -> None:
    asked = wanted(settings, spec)
    found = _configuration(admin, name, [*FIXED, *asked])
    if not found:
        raise LogUnusable(
            f"the configuration of topic {name!r} of Kafka at {settings.where} may not be read, so that nobody knows "
            "how long it keeps a text: give this user the right DescribeConfigs on it"
        )
    for key, value in FIXED.items():
        if found.get(key) != value:
            raise LogUnusable(
                f"topic {name!r} of Kafka at {settings.where} has {key}={found.get(key)}, Clamor needs {value}: "
                f"delete the topic, or set it with kafka-configs --alter --topic {name} --add-config {key}={value}"
            )
    if int(found.get("max.message.bytes") or 0) >= int(asked["max.message.bytes"]):
        del asked["max.message.bytes"]
    news = {key: value for key, value in asked.items() if found.get(key) != value}
    if news:
        _alter(admin, settings, name, news)


def _configuration(admin: KafkaAdminClient, name: str, keys: Sequence[str]) -> dict[str, str | None]:
    asked = ConfigResource(ConfigResourceType.TOPIC, name, list(keys))
    told: dict[str, Any] = admin.describe_configs([asked], config_filter="all")
    return {key: config["value"] for key, config in told.get("topic", {}).get(name, {}).items()}


def _alter(admin: KafkaAdminClient, settings: KafkaSettings, name: str, news: Mapping[str, str]) -> None:
    asked = ConfigResource(ConfigResourceType.TOPIC, name, dict(news))
    told: dict[str, Any] = admin.alter_configs([asked], raise_on_unknown=False)
    result = told.get("topic", {}).get(name)
    if result != "OK":
        settings_of_it = ",".join(f"{key}={value}" for key, value in sorted(news.items()))
        raise LogUnusable(
            f"topic {name!r} of Kafka at {settings.where} may not be changed ({result}): give this user the right "
            f"AlterConfigs on it, or set it with kafka-configs --alter --topic {name} --add-config {settings_of_it}"
        )
    logger.info("topic_changed", topic=name, **{key.replace(".", "_"): value for key, value in news.items()})
