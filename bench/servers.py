"""Kafka, Elasticsearch and PostgreSQL for the benchmarks: started here, on the machine that is measured, and ended with
the program. They are those of the tests (`tests/services`), but for PostgreSQL, which flushes to the disk."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.pipeline import home_in
from tests.services.engines import PASSWORD_NAME, Engines, engines

if TYPE_CHECKING:
    from tests.services.kafka_server import KafkaServer

DURABLE = ("fsync=on", "full_page_writes=on", "shared_buffers=256MB", "max_wal_size=1GB")


def started() -> Engines:
    """Ends the program with a sentence where one of them cannot be had here."""
    try:
        return engines(*DURABLE, measured=True)
    except pytest.skip.Exception as why:
        raise SystemExit(str(why)) from None


def broker() -> KafkaServer:
    """Kafka without the other two, which would take memory and time from it."""
    from tests.services.kafka_server import KafkaServer, Missing

    folder = Path(tempfile.mkdtemp(prefix="clamor-kafka-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        server = KafkaServer(folder)
    except Missing as why:
        raise SystemExit(str(why)) from None
    atexit.register(server.kill)
    server.start()
    return server


def big_home(folder: Path, servers: Engines, model: str, *, webhook: bool = False, partitions: int = 4) -> Path:
    """A home on them, with a database, topics and indices of its own."""
    home = home_in(folder, webhook)
    settings = home / "clamor.yaml"
    more = (
        servers.settings(servers.database(), partitions)
        + f"understanding: {{model: {model}, overload: {{auto: no}}}}\n"
    )
    settings.write_text(settings.read_text(encoding="utf-8") + more, encoding="utf-8")
    secrets = home / "secrets.env"
    secrets.touch(mode=0o600)
    secrets.write_text(f"{PASSWORD_NAME}={servers.postgres.password}\n", encoding="utf-8")
    return home


def cpu(servers: Engines) -> dict[str, float]:
    """Seconds of CPU of each server so far, what has ended among its processes left out."""
    found = {}
    for name, server in (
        ("kafka", servers.kafka),
        ("elasticsearch", servers.elastic),
        ("postgresql", servers.postgres),
    ):
        launched = server._process
        assert launched is not None
        main = psutil.Process(launched.pid)
        used = 0.0
        for process in [main, *main.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            used += times.user + times.system
            if process is main:
                used += times.children_user + times.children_system
        found[name] = used
    return found


def about() -> str:
    """The machine and the servers, for the head of a table."""
    return f"{os.cpu_count()} cores for everything, the servers included (1 broker, 1 node, 1 database)"
