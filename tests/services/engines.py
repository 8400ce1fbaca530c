"""All three engines at once, each a real server of its own that a test may kill and start again."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.services import elastic_node, postgres_server
from tests.services.elastic_node import Node
from tests.services.needs import missing
from tests.services.postgres_server import USER, PostgresServer

if TYPE_CHECKING:
    from tests.services.kafka_server import KafkaServer

PASSWORD_NAME = "CLAMOR_DATABASE_PASSWORD"


class Engines(NamedTuple):
    kafka: KafkaServer
    elastic: Node
    postgres: PostgresServer

    def settings(self, name: str, partitions: int = 4) -> str:
        """The section `engines` of a clamor.yaml that names them; `name` is that of the database, and tells apart what
        several homes keep in the others."""
        return f"""\
engines:
  log:
    kind: kafka
    partitions: {partitions}
    kafka: {{servers: ['{self.kafka.address}'], prefix: '{name}.', replication: 1, security: none, patience: 5s}}
  store: {{kind: elasticsearch, hosts: ['{self.elastic.address}'], prefix: {name}, replicas: 0}}
  database:
    kind: postgres
    host: 127.0.0.1
    port: {self.postgres.port}
    name: {name}
    user: {USER}
    password_env: {PASSWORD_NAME}
    security: none
"""

    def database(self) -> str:
        """A new, empty one; its name."""
        return self.postgres.create().rpartition("/")[2]


@contextmanager
def started(folder: Path) -> Iterator[Engines]:
    """Skips, or fails in CI, where one of them cannot be had here."""
    for library, extra in (("kafka", "kafka"), ("elasticsearch", "elastic"), ("psycopg", "postgres")):
        if importlib.util.find_spec(library) is None:
            missing(f"{library} is not installed: pip install 'clamor[{extra}]'")
    from tests.services import kafka_server

    postgres = postgres_server.server()
    with ExitStack() as ended:
        ended.callback(postgres.drop_all)
        try:
            kafka = kafka_server.KafkaServer(folder / "kafka")
        except kafka_server.Missing as error:
            missing(str(error))
        ended.callback(kafka.kill)
        kafka.start()
        node = ended.enter_context(Node())
        try:
            node.start()
        except elastic_node.Missing as error:
            missing(str(error))
        yield Engines(kafka, node, postgres)
