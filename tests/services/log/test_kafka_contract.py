"""The log on Kafka keeps the contract, unchanged, on a real broker."""

from __future__ import annotations

from tests.services.needs import library

library("kafka", "kafka")

from log_contract import LogContract  # noqa: E402


class TestKafkaLog(LogContract):
    """`place` is the one of conftest.py."""
