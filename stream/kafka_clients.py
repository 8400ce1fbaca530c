"""How a client of Kafka is made from the settings, and what its errors mean to a stage."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from kafka import KafkaConsumer
from kafka import errors as kafka_errors
from kafka.net.selector import NetworkSelector
from pydantic import SecretStr

from stream.clock import MINUTE, SECOND
from stream.kafka_connections import Connections
from stream.ports import LogUnusable, Transient
from stream.records import Millis

# The library writes keys and values of records, and its settings with the password, at its lower levels, and a line a
# second while a broker is away. What counts of it reaches our own log as an error that is raised.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

Mechanism: TypeAlias = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
Made = TypeVar("Made")
Answer = TypeVar("Answer")

RECONNECT_AFTER: Millis = SECOND
"""Longest wait between two tries to reach a broker; the library's own would keep the first record waiting 16 s."""
IDLE: Millis = 9 * MINUTE
SHORTEST_SLEEP = 0.1
REFUSED_SECONDS = 1.0


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    ca: Path | None = None
    """Certificates to trust; None: the system's."""
    certificate: Path | None = None
    """Our own, with its chain, for brokers that ask for one."""
    key: Path | None = None
    key_password: SecretStr | None = None
    check_name: bool = True


class Login(msgspec.Struct, frozen=True, kw_only=True):
    mechanism: Mechanism
    user: str
    password: SecretStr


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    servers: tuple[str, ...]
    """host:port of some brokers; the others are learnt from them."""
    client_id: str = "clamor"
    prefix: str = ""
    """Goes before the name of every topic and group, where other programs share the cluster."""
    replication: int | None = None
    """Copies of each record; None: what the brokers have as their default."""
    tls: Tls | None = None
    login: Login | None = None
    max_record: int = 1_000_000
    """Bytes of key and value of one record (a dead letter may have twice as many, since it wraps one)."""
    session: Millis = 10 * SECOND
    """A member of a group that was not heard of for so long loses its partitions."""
    batch_limit: Millis = 5 * MINUTE
    """A member that does not come back for records for so long leaves its group. New members wait for it until then."""
    patience: Millis = 15 * SECOND
    """How long an answer may take, a new leader's election included, before it is Transient."""
    quiet: Millis = 3 * SECOND
    """How long no record may come before a member asks whether the brokers are there."""

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("no broker is named: set `engines: log: kafka: servers`")

    @property
    def where(self) -> str:
        return ", ".join(self.servers)


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """What every kind of client needs. It holds secrets: never log it."""
    tls, login = settings.tls, settings.login
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.servers),
        "client_id": settings.client_id,
        "security_protocol": ("SASL_" if login else "") + ("SSL" if tls else "PLAINTEXT"),
        "bootstrap_timeout_ms": settings.patience,
        "request_timeout_ms": settings.patience,
        "reconnect_backoff_max_ms": RECONNECT_AFTER,
        "connections_max_idle_ms": max(IDLE, 2 * settings.patience),
    }
    if tls is not None:
        options |= {
            "ssl_check_hostname": tls.check_name,
            "ssl_cafile": _name(tls.ca),
            "ssl_certfile": _name(tls.certificate),
            "ssl_keyfile": _name(tls.key),
            "ssl_password": tls.key_password.get_secret_value() if tls.key_password else None,
        }
    if login is not None:
        options |= {
            "sasl_mechanism": login.mechanism,
            "sasl_plain_username": login.user,
            "sasl_plain_password": login.password.get_secret_value(),
        }
    return options


def made(kind: Callable[..., Made], settings: KafkaSettings, options: Mapping[str, Any]) -> Made:
    """A client of that kind. Raises Transient where no broker answers, LogUnusable where none lets us in.

    A constructor that gives up leaves a thread and sockets behind, so that they are closed here. It says only that it
    found no broker, so that the connections are asked why.
    """
    plain = KafkaConsumer.DEFAULT_CONFIG["kafka_client"]
    opened: list[tuple[Any, Connections]] = []

    def client(**configuration: Any) -> Any:
        net = NetworkSelector(**configuration)
        connections = Connections(net, **configuration)
        each = plain(net, connections, **configuration)
        opened.append((each, connections))
        return each

    try:
        with speaking(settings, "connect"):
            whole = kind(**connection(settings), **options, kafka_client=client)
    except BaseException as error:
        causes = [cause for _, connections in opened for cause in connections.causes or ()]
        for each, _ in opened:
            with suppress(Exception):
                each.close()
        if isinstance(error, Transient) and causes:
            raise told(settings, "connect", _worst(causes)) from error
        raise
    for _, connections in opened:
        connections.causes = None
    return whole


def shut(consumer: KafkaConsumer, within: Millis) -> None:
    """Never raises. A consumer that could not leave its group keeps its thread and sockets, unless they are closed."""
    try:
        consumer.close(autocommit=False, timeout_ms=within)
    except Exception:
        with suppress(Exception):
            consumer._client.close()


class Door:
    """Makes clients of one kind for those who hold a lock meanwhile. For a second after no broker answered it says so
    without trying: else those who wait for the lock would find out one after the other, each for as long."""

    def __init__(self, kind: Callable[..., Any], settings: KafkaSettings, options: Mapping[str, Any]) -> None:
        self._kind, self._settings, self._options = kind, settings, options
        self._closed_until, self._words = 0.0, ""

    def open(self) -> Any:
        """As `made`."""
        if time.monotonic() < self._closed_until:
            raise Transient(self._words)
        try:
            return made(self._kind, self._settings, self._options)
        except Transient as error:
            self._closed_until, self._words = time.monotonic() + REFUSED_SECONDS, str(error)
            raise


def _worst(causes: Sequence[BaseException]) -> BaseException:
    """One that a person has to mend, else the last."""
    return next((cause for cause in causes if isinstance(cause, tuple(_FOR_A_PERSON))), causes[-1])


# --- errors --------------------------------------------------------------------------------------------------------

PASSING: tuple[type[BaseException], ...] = (
    kafka_errors.RetriableError,
    # A node that is just being replaced, and a client that was closed while it waited.
    kafka_errors.UnknownBrokerIdError,
    kafka_errors.BrokerNotAvailableError,
    kafka_errors.IllegalStateError,
    kafka_errors.StaleControllerEpochError,
    ConnectionError,
    TimeoutError,
)

_FILES = "look at the paths of `certificates`, `client_certificate` and `client_key` in `engines: log: kafka`"
_LOGIN = "look at `user`, `password_env` and `mechanism` of `engines: log: kafka`"
_FOR_A_PERSON: Mapping[type[BaseException], str] = {
    kafka_errors.AuthorizationError: "give this user the right to it",
    kafka_errors.SaslAuthenticationFailedError: _LOGIN,
    kafka_errors.UnsupportedSaslMechanismError: _LOGIN,
    kafka_errors.IllegalSaslStateError: _LOGIN,
    kafka_errors.UnsupportedVersionError: "Clamor needs brokers of Kafka 2.8 or newer",
    kafka_errors.KafkaConfigurationError: "see docs/kafka.md",
    kafka_errors.CorruptRecordError: "a record is damaged on the broker's disk: see docs/kafka.md",
    kafka_errors.InvalidSessionTimeoutError: "the brokers do not allow a session of this length",
    kafka_errors.InconsistentGroupProtocolError: "another program uses this group: set another `prefix`",
    kafka_errors.GroupMaxSizeReachedError: "the brokers allow no more members in a group",
    kafka_errors.PolicyViolationError: "the cluster has a rule against it: ask who runs it",
    kafka_errors.InvalidReplicationFactorError: "lower `replication`: there are too few brokers",
    kafka_errors.InvalidConfigurationError: "see docs/kafka.md for what topics need",
    kafka_errors.SecurityDisabledError: "the brokers ask for no login: leave `user` empty",
    FileNotFoundError: _FILES,
    PermissionError: _FILES,
}


@contextmanager
def speaking(settings: KafkaSettings, what: str) -> Iterator[None]:
    """Turns the library's errors into the log's: LogUnusable where a person has to act, else Transient."""
    try:
        yield
    # KeyError: the library's own slip about a partition that has no leader at the moment.
    except (kafka_errors.KafkaError, OSError, RuntimeError, KeyError) as error:
        raise told(settings, what, error) from error


def told(settings: KafkaSettings, what: str, error: BaseException) -> Transient | LogUnusable:
    """What to raise for an error of the library while trying to `what`."""
    said = f"{type(error).__name__}: {str(error)[:300]}".rstrip(": ")
    for kind, advice in _FOR_A_PERSON.items():
        if isinstance(error, kind):
            return LogUnusable(f"Kafka at {settings.where} refuses to {what} ({said}): {advice}")
    return Transient(f"Kafka at {settings.where} did not {what} ({said}): it is tried again and nothing is lost")


def insist(settings: KafkaSettings, what: str, ask: Callable[[], Answer], again: Callable[[], None]) -> Answer:
    """The answer. What passes, such as the move of a leader, is asked again until patience ends; `again` is called
    before, to drop a client whose knowledge is out of date. Raises as `speaking` does, and what `ask` raises itself."""
    deadline = time.monotonic() + settings.patience / SECOND
    while True:
        try:
            return ask()
        except PASSING as error:
            again()
            if time.monotonic() >= deadline:
                raise told(settings, what, error) from error
        except (kafka_errors.KafkaError, OSError, RuntimeError) as error:
            again()
            raise told(settings, what, error) from error
        except Exception:
            # Of a client in which a thread has died, each further question would raise the same.
            again()
            raise
        time.sleep(SHORTEST_SLEEP)


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)
