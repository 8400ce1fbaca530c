"""All three engines at once, each a real server of its own that a test may kill and start again."""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import tempfile
from functools import cache
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
    kafka:
      servers: ['{self.kafka.address}']
      prefix: '{name}.'
      replication: 1
      security: none
      session: 6s
      patience: 5s
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

    def all_up(self) -> None:
        """Starts what a test has left behind that failed."""
        for server in (self.kafka, self.elastic, self.postgres):
            if server._process is None:
                server.start()

    def database(self) -> str:
        """A new, empty one; its name."""
        return self.postgres.create().rpartition("/")[2]


@cache
def engines(*postgres_settings: str, measured: bool = False) -> Engines:
    """Those of this process, started when they are first asked for; `measured`, as of `Node`. Skips, or fails in CI,
    where one cannot be had."""
    for library, extra in (("kafka", "kafka"), ("elasticsearch", "elastic"), ("psycopg", "postgres")):
        if importlib.util.find_spec(library) is None:
            missing(f"{library} is not installed: pip install 'clamor[{extra}]'")
    from tests.services import kafka_server

    try:
        elastic_node.java_home(), elastic_node.distribution(), kafka_server.jars()
    except (elastic_node.Missing, kafka_server.Missing) as error:
        missing(str(error))
    postgres = postgres_server.server(*postgres_settings)
    folder = Path(tempfile.mkdtemp(prefix="clamor-kafka-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    kafka, node = kafka_server.KafkaServer(folder), Node(measured=measured)
    atexit.register(node.close)
    atexit.register(kafka.kill)
    kafka.start()
    node.start()
    return Engines(kafka, node, postgres)
