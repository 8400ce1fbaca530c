"""A real Kafka: one broker for all tests that do it no harm, and others that a test may kill."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from kafka_place import KafkaPlace

    from tests.services.kafka_server import KafkaServer

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1] / "stream")]

StartKafka = Callable[..., "KafkaServer"]


def new_server(folder: Path, overrides: Mapping[str, str] | None = None) -> KafkaServer:
    from tests.services.kafka_server import KafkaServer, Missing
    from tests.services.needs import missing

    try:
        server = KafkaServer(folder, overrides)
    except Missing as error:
        missing(str(error))
    try:
        server.start()
    except BaseException:
        server.kill()
        raise
    return server


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One for all tests that do it no harm."""
    server = new_server(tmp_path_factory.mktemp("kafka"))
    yield server
    server.stop()


@pytest.fixture
def start_kafka(tmp_path: Path) -> Iterator[StartKafka]:
    """Starts one that the test may kill, with settings of its own."""
    started: list[KafkaServer] = []

    def start(**overrides: str) -> KafkaServer:
        named = {key.replace("_", "."): value for key, value in overrides.items()}
        started.append(new_server(tmp_path / f"kafka-{len(started)}", named))
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def place(broker: KafkaServer) -> KafkaPlace:
    """A log of its own for each test."""
    from kafka_place import KafkaPlace

    return KafkaPlace(broker.address, f"p{uuid4().hex[:8]}.")
