"""A database on a PostgreSQL server: where it is, how one gets in, and what its connections are set to.

Writers follow one another as they do on SQLite, by an advisory lock that a transaction takes first and that ends with
it. So what is decided from what was read is decided from what stands, and rows are numbered in the order of commits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from database.faults import DatabaseUnusable, in_words, name_of

WAIT_MS = 10_000
"""How long a writer waits for another one, and a thread for a connection of its process, before it says so."""
STATEMENT_MS = 60_000
"""How long a statement may take, migrations aside."""
STUCK_MS = 20_000
"""A writer that has begun and says nothing for so long is thrown out by the server: others wait for it, and whoever
follows a dead one has to within 30 s."""
COPIED = 16
"""So many rows or more are written by COPY, which has to be begun and ended."""
STATEMENTS = 400
"""Prepared ones that a connection keeps: those of a batch of routing, with and without empty values."""
KEPT, MOST = 5, 15
"""Connections of one process: so many stay open, so many there are at most."""
OLDEST = 15
"""Major version of PostgreSQL that the tests run on."""
WRITERS = 0x436C616D6F72
"""Name of the writers' lock: `Clamor` in ASCII. Advisory locks are those of one database."""


def _none() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Server:
    """One database on one server. Its password is asked for at each connection, so that it can be changed while the
    program runs, and stands in nothing that is ever shown."""

    host: str | None
    """Name or address, or the folder of its socket, which begins with `/`. None: as libpq finds it."""
    name: str | None
    user: str | None = None
    port: int | None = None
    password: Callable[[], str | None] = field(default=_none, repr=False, compare=False)
    tls: bool = True
    """The server's name and certificate are checked. Nothing is encrypted over a socket's folder."""
    certificates: str | None = None
    """File with the certificates to trust. None: the system's."""

    @property
    def url(self) -> URL:
        """Without the password."""
        return URL.create("postgresql+psycopg", self.user, None, self.host, self.port, self.name)

    def engine(self) -> Engine:
        """Raises DatabaseUnusable where the driver is not installed."""
        if not self.tls:
            return engine_of(self.url, self.password, {"sslmode": "disable"})
        trusted = {"sslmode": "verify-full", "sslrootcert": self.certificates or "system"}
        return engine_of(self.url, self.password, trusted)


def engine_of(url: URL, password: Callable[[], str | None], more: dict[str, Any]) -> Engine:
    """Of a URL without a password; `more` goes to libpq as it is."""
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            pool_pre_ping=True,
            pool_size=KEPT,
            max_overflow=MOST - KEPT,
            pool_timeout=WAIT_MS / 1000,
            use_native_hstore=False,
            connect_args={**_CONNECTING, **more},
        )
    except ModuleNotFoundError as error:
        raise DatabaseUnusable(
            f"PostgreSQL needs {error.name}, which is not installed: pip install 'clamor[postgres]'"
        ) from error

    def say_password(dialect: object, record: object, arguments: object, named: dict[str, Any]) -> None:
        given = password()
        if given is not None:
            named["password"] = given

    event.listen(engine, "do_connect", say_password)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def given_in(url: URL) -> Callable[[], str | None]:
    """The password of a URL that has one."""
    text = None if url.password is None else str(url.password)
    return lambda: text


_CONNECTING: dict[str, Any] = {
    "connect_timeout": 10,
    "application_name": "clamor",
    "client_encoding": "utf8",
    "gssencmode": "disable",
    "target_session_attrs": "read-write",
    # Whichever side is gone without a word, the other one finds out before a lease has run out.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "options": " ".join(
        f"-c {setting}"
        for setting in (
            "timezone=UTC",
            f"statement_timeout={STATEMENT_MS}",
            f"lock_timeout={WAIT_MS}",
            f"idle_in_transaction_session_timeout={10 * STATEMENT_MS}",
            "tcp_keepalives_idle=10",
            "tcp_keepalives_interval=5",
            "tcp_keepalives_count=3",
        )
    ),
}


def _prepare(connection: Any, _: object) -> None:
    for kind, dumper in _dumpers().items():
        connection.adapters.register_dumper(kind, dumper)
    connection.prepared_max = STATEMENTS


@cache
def _dumpers() -> dict[type, type[Any]]:
    from psycopg.types.numeric import Int8Dumper
    from psycopg.types.string import StrDumperUnknown

    class WithoutNul(StrDumperUnknown):
        """PostgreSQL's text cannot hold U+0000. What comes in is cleaned of it; a question with it finds nothing."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\ufffd") if "\0" in obj else obj)

    # By itself psycopg sends 7 as smallint and 70,000 as integer: each mixture would be a statement of its own.
    return {int: Int8Dumper, str: WithoutNul}


def _begin(connection: Connection) -> None:
    """READ COMMITTED sees what was committed before a statement began, so also what the writer before this one wrote:
    under a stricter level the wait for the lock would look at the past already."""
    if connection.get_execution_options().get("clamor_write") == "alone":
        connection.exec_driver_sql(_TAKE_TURN)


_TAKE_TURN = (
    f"SELECT pg_advisory_xact_lock({WRITERS}), set_config('idle_in_transaction_session_timeout', '{STUCK_MS}', true)"
)


@lru_cache(maxsize=256)
def as_copy(sql: str) -> str | None:
    """The COPY that does what a plain INSERT of all its values does, at a fraction of the cost; None for any other
    statement."""
    found = _PLAIN_INSERT.fullmatch(sql)
    return f"COPY {found[1]} ({found[2]}) FROM STDIN" if found is not None else None


_PLAIN_INSERT = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\) VALUES \(\?(?:, \?)*\)")


def copy_in(cursor: Any, copying: str, values: Sequence[tuple[Any, ...]]) -> int:
    """Rows written, in their order."""
    with cursor.copy(copying) as copy:
        for row in values:
            copy.write_row(row)
    written: int = cursor.rowcount
    return written


def reading(connection: Connection) -> Connection:
    """The connection, for a transaction that only reads, all of one moment."""
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def unhurried(connection: Connection) -> None:
    """Let this transaction's statements take as long as they need: for migrations."""
    for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        connection.exec_driver_sql(f"SET LOCAL {limit} = 0")


def refuse_unfit(connection: Connection) -> None:
    """Raises DatabaseUnusable for a server that is too old, or a database that cannot hold every character."""
    asked = "SELECT current_setting('server_version_num'), current_setting('server_encoding')"
    version, encoding = connection.exec_driver_sql(asked).one()
    name = name_of(connection.engine)
    if int(version) // 10_000 < OLDEST:
        raise DatabaseUnusable(f"{name} is PostgreSQL {int(version) // 10_000}: take {OLDEST} or newer")
    if encoding != "UTF8":
        raise DatabaseUnusable(
            f"{name} holds text as {encoding}, which lacks most characters: make it anew by "
            "`CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`"
        )


def size(connection: Connection) -> int:
    """Bytes of the database on the server's disk, indexes and what is deleted and not yet written over included."""
    found: int = connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    return found


def give_free(engine: Engine, tables: Sequence[str]) -> None:
    """Let the place of deleted rows be written over. A table that somebody else holds is left for the next time."""
    with in_words(engine), engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET statement_timeout = 0")
        try:
            for table in tables:
                connection.exec_driver_sql(f"VACUUM (SKIP_LOCKED) {table}")
        finally:
            connection.exec_driver_sql("RESET statement_timeout")
