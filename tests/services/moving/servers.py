"""Where three real servers are, and a home's part of each."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.engine import make_url

from tests.places import new_database
from tests.services import postgres_server


class Servers(NamedTuple):
    kafka: str
    elastic: str

    def engines(self, folder: Path) -> tuple[str, dict[str, str]]:
        """The section `engines` of a home that has a part of each for itself, and its secrets."""
        name = make_url(new_database(folder, filled=False)).database
        server, prefix = postgres_server.server(), f"m{uuid4().hex[:8]}"
        text = f"""\
engines:
  log: {{kind: kafka, partitions: 6, kafka: {{servers: ['{self.kafka}'], prefix: '{prefix}.', security: none}}}}
  store: {{kind: elasticsearch, hosts: ['{self.elastic}'], prefix: {prefix}, replicas: 0}}
  database: {{kind: postgres, host: 127.0.0.1, port: {server.port}, name: {name}, user: {postgres_server.USER},
    security: none, password_env: CLAMOR_TEST_DATABASE}}
"""
        return text, {"CLAMOR_TEST_DATABASE": server.password}
