"""Between the program and its database nobody listens, and nobody else can pass for the server."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from database.engine import Server, open_database, read, rows
from stream.ports import Transient
from tests.services.needs import missing
from tests.services.postgres_server import USER, PostgresServer

pytestmark = pytest.mark.services


@pytest.fixture
def certificate(postgres: PostgresServer, tmp_path: Path) -> Iterator[Path]:
    """Of `localhost`, which the server has meanwhile."""
    made = _made(tmp_path / "server")
    _give(postgres, made)
    settings = {"ssl_cert_file": f"'{postgres.folder}/tls.crt'", "ssl_key_file": f"'{postgres.folder}/tls.key'"}
    for name, value in {**settings, "ssl": "on"}.items():
        postgres.admin(f"ALTER SYSTEM SET {name} = {value}")
    _reload(postgres, "on")
    yield made / "tls.crt"
    for name in ("ssl", *settings):
        postgres.admin(f"ALTER SYSTEM RESET {name}")
    _reload(postgres, "off")


def test_the_server_is_who_its_certificate_says(postgres: PostgresServer, certificate: Path, address: str) -> None:
    with connected(postgres, address, "localhost", str(certificate)) as encrypted:
        assert encrypted


@pytest.mark.parametrize("why", ["another name", "another certificate", "a system that knows neither"])
def test_a_server_that_cannot_prove_it_is_not_talked_to(
    postgres: PostgresServer, certificate: Path, address: str, tmp_path: Path, why: str
) -> None:
    host = "127.0.0.1" if why == "another name" else "localhost"
    trusted = {"another name": str(certificate), "another certificate": str(_made(tmp_path / "other") / "tls.crt")}
    with pytest.raises(Transient, match="cannot be reached"), connected(postgres, address, host, trusted.get(why)):
        pass


def test_without_certificates_on_the_server_nothing_is_sent_to_it(postgres: PostgresServer, address: str) -> None:
    with pytest.raises(Transient, match="cannot be reached"), connected(postgres, address, "localhost", None):
        pass


@contextmanager
def connected(postgres: PostgresServer, address: str, host: str, trusted: str | None) -> Iterator[bool]:
    name = make_url(address).database
    place = Server(host, name, USER, postgres.port, lambda: postgres.password, tls=True, certificates=trusted)
    engine = open_database(place)
    try:
        with read(engine) as connection:
            found = rows(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        yield bool(found[0][0])
    finally:
        engine.dispose()


def _made(folder: Path) -> Path:
    if shutil.which("openssl") is None:
        missing("no openssl on PATH, which makes the certificates")
    folder.mkdir()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    subprocess.run([*command, *more], check=True, capture_output=True)
    return folder


def _give(postgres: PostgresServer, made: Path) -> None:
    """The key belongs to the server's account, and to nobody else."""
    owner = postgres.folder.stat()
    for name in ("tls.crt", "tls.key"):
        target = postgres.folder / name
        shutil.copyfile(made / name, target)
        target.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(target, owner.st_uid, owner.st_gid)


def _reload(postgres: PostgresServer, wanted: str) -> None:
    postgres.admin("SELECT pg_reload_conf()")
    for _ in range(100):
        if postgres.admin("SHOW ssl") == [(wanted,)]:
            return
        time.sleep(0.05)
    pytest.fail(f"ssl did not become {wanted}")
