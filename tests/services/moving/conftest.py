"""Three real servers at once: a home is moved to all of them. What is missing skips, or fails where CI=true."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
sys.path[:0] = [str(TESTS / "clamor"), str(TESTS)]

from tests.places import keeping  # noqa: E402
from tests.services import elastic_node  # noqa: E402
from tests.services.moving.servers import Servers  # noqa: E402
from tests.services.needs import library, missing  # noqa: E402


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    for name, extra in (("kafka", "kafka"), ("elasticsearch", "elastic"), ("psycopg", "postgres")):
        library(name, extra)
    from tests.services.kafka_server import KafkaServer, Missing

    node = elastic_node.Node()
    try:
        broker = KafkaServer(tmp_path_factory.mktemp("kafka"))
        node.start()
        broker.start()
    except (Missing, elastic_node.Missing) as why:
        node.close()
        missing(str(why))
    try:
        yield Servers(broker.address, node.address)
    finally:
        broker.stop()
        node.close()


@pytest.fixture
def places(servers: Servers) -> Iterator[Servers]:
    with keeping("postgres"):
        yield servers
