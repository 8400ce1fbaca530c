"""Opens the log on a real Kafka for the contract's tests, in whatever process."""

from __future__ import annotations

from kafka import KafkaAdminClient, TopicPartition

from stream.clock import SECOND
from stream.kafka import KafkaLog
from stream.kafka_clients import KafkaSettings
from stream.ports import Log

SESSION = 2 * SECOND
"""Short, so that a member that stands still is soon taken for dead; the server of the tests allows it."""


def settings_for(argument: str) -> KafkaSettings:
    """`host:port` or `host:port/prefix`."""
    server, _, prefix = argument.partition("/")
    return KafkaSettings(
        servers=(server,), prefix=prefix, session=SESSION, patience=10 * SECOND, batch_limit=30 * SECOND
    )


def open_kafka(argument: str) -> KafkaLog:
    return KafkaLog(settings_for(argument))


class KafkaPlace:
    opener = "kafka_place:open_kafka"

    def __init__(self, server: str, prefix: str = "") -> None:
        self.argument = f"{server}/{prefix}"

    def open(self) -> KafkaLog:
        return open_kafka(self.argument)

    def remove_all(self, log: Log, topic: str) -> None:
        """As retention does, at once: the oldest offset that is kept moves to the end."""
        assert isinstance(log, KafkaLog)
        name = log.topic(topic).name
        ends = {TopicPartition(name, partition): end for partition, (_, end) in log.bounds(topic).items()}
        admin = KafkaAdminClient(bootstrap_servers=list(log.settings.servers))
        try:
            admin.delete_records(ends)
        finally:
            admin.close()
