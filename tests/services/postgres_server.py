"""A real PostgreSQL server for the tests, in a folder of its own, gone with the process that started it.

Its binaries are those on PATH, or Debian's (`apt install postgresql`). Without them, or without the driver, tests that
need it are skipped with the reason; with CI=true they fail.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.services.needs import missing

OLDEST = 15
USER = "clamor"
READY_WITHIN = 30.0
EMPTY = "clamor_empty"
"""The template with all tables and nothing in them."""
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
    "max_connections=200",
    "deadlock_timeout=200ms",
    "log_min_messages=warning",
    "max_wal_size=256MB",
)


class PostgresServer:
    """Its databases are made by `create` and have names of their own; `address` is for `open_database`."""

    def __init__(self, binaries: Path, more: Sequence[str] = ()) -> None:
        """`more`: settings, `name=value`, that go before those of the tests."""
        self._binaries, self._owner, self._more = binaries, os.getpid(), more
        self._account = _account()
        self.folder = Path(tempfile.mkdtemp(prefix="clamor-pg-"))
        self.password = secrets.token_hex(8)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = 0
        self._made: list[str] = []
        atexit.register(self.remove)
        self._make()
        self.start()

    def address(self, database: str, password: str | None = None) -> str:
        return f"postgresql+psycopg://{USER}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str | None = None, more: str = "") -> str:
        """A database of its own; its address."""
        self._numbers += 1
        name = f"test_{self._numbers}"
        self.admin(f"CREATE DATABASE {name} {f'TEMPLATE {template}' if template else ''} {more}")
        self._made.append(name)
        return self.address(name)

    def drop_all(self) -> None:
        """Every database that `create` made, whoever is still connected to it."""
        while self._made:
            self.admin(f"DROP DATABASE IF EXISTS {self._made.pop()} WITH (FORCE)")

    def admin(self, sql: str) -> list[tuple[Any, ...]]:
        """As the superuser, outside of any transaction; rows where there are any."""
        import psycopg

        with psycopg.connect(self._libpq(), autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        settings = (*_SETTINGS, *self._more, f"port={self.port}")
        options = [part for setting in settings for part in ("-c", setting)]
        command = ["postgres", "-D", self.folder / "data", "-c", f"unix_socket_directories={self.folder}", *options]
        ends = time.monotonic() + READY_WITHIN
        while True:
            if self._process is None or self._process.poll() is not None:
                # After a kill it refuses to start for as long as processes of the one before use its memory.
                with (self.folder / "server.log").open("ab") as out:
                    self._process = self._run(command, out)
            if why := self._unready():
                if time.monotonic() > ends:
                    said = (self.folder / "server.log").read_text("utf-8", "replace")[-2_000:]
                    raise RuntimeError(f"PostgreSQL does not answer on port {self.port}: {why}\n{said}")
                time.sleep(0.1)
                continue
            return

    def _unready(self) -> str:
        """Why it cannot be worked with yet; empty where it can."""
        import psycopg

        try:
            psycopg.connect(self._libpq()).close()
        except psycopg.OperationalError as error:
            return str(error)
        return ""

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: at once and in order. SIGKILL: as by a crash; its processes follow it."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(READY_WITHIN)
            self._process = None

    def remove(self) -> None:
        if os.getpid() == self._owner and self.folder.exists():
            self.stop(signal.SIGQUIT)
            shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self) -> None:
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        said = self.folder / "password"
        said.write_text(self.password + "\n", "utf-8")
        if self._account is not None:
            os.chown(said, self._account.pw_uid, self._account.pw_gid)
        command = [
            "initdb", "-D", self.folder / "data", "-U", USER, "-A", "scram-sha-256", f"--pwfile={said}", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync",
        ]  # fmt: skip
        with (self.folder / "server.log").open("wb") as out:
            ended = self._run(command, out).wait(120)
        if ended != 0:
            raise RuntimeError(f"initdb failed: {(self.folder / 'server.log').read_text('utf-8', 'replace')[-2_000:]}")

    def _run(self, command: Sequence[str | Path], out: Any) -> subprocess.Popen[bytes]:
        """PostgreSQL refuses root: as root it runs under another account."""
        account: dict[str, Any] = {}
        if self._account is not None:
            account = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        program, *arguments = command
        return subprocess.Popen(
            [self._binaries / program, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "America/Bogota"},
            start_new_session=True, **account,
        )  # fmt: skip

    def _libpq(self) -> str:
        where = f"host=127.0.0.1 port={self.port} dbname=postgres gssencmode=disable"
        return f"{where} user={USER} password={self.password}"


@cache
def server(*more: str) -> PostgresServer:
    """The one of this process with these settings, started when it is first asked for. Skips, or fails in CI, where
    there is none."""
    if importlib.util.find_spec("psycopg") is None:
        missing("psycopg is not installed: pip install 'clamor[postgres]'")
    found = _binaries()
    if found is None:
        missing(f"no PostgreSQL {OLDEST} or newer on PATH or in /usr/lib/postgresql: apt install postgresql")
    made = PostgresServer(found, more)
    _fill(made)
    return made


def _fill(made: PostgresServer) -> None:
    import database.tables  # noqa: F401
    from database.base import metadata
    from database.engine import open_database, write

    made.admin(f"CREATE DATABASE {EMPTY}")
    engine = open_database(made.address(EMPTY))
    with write(engine) as connection:
        metadata.create_all(connection)
    engine.dispose()


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: _number(path.parent.name))[::-1]
    return next((folder for folder in folders if _version(folder / "postgres") >= OLDEST), None)


def _version(program: Path) -> int:
    if not os.access(program, os.X_OK):
        return 0
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return _number(said.partition(") ")[2])


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _account() -> pwd.struct_passwd | None:
    """None: the one that runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses root, and there is neither a user postgres nor nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
