"""The settings of a log on Apache Kafka."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from config.section import EnvName, Section, Text
from config.units import Duration


def _server(text: str) -> str:
    """Raises ValueError; never repeats an address, which may hold a password."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535 or any(sign in host for sign in "/@, "):
        raise ValueError("not a broker's address: write host:port, such as kafka-1.example.org:9093")
    return text


Server = Annotated[str, StringConstraints(max_length=260), AfterValidator(_server)]


class KafkaEngine(Section):
    """The cluster, where the log is of kind `kafka`. Needs the extra `kafka`."""

    servers: Annotated[tuple[Server, ...], Field(max_length=50)] = ()
    """Some of the brokers, `host:port` each; they name the others."""
    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "clamor"
    """What the brokers call this program in their logs and quotas."""
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = "clamor."
    """Goes before the names of topics and groups: `clamor.posts`. Settled at first start; another for each home that
    shares the cluster."""
    replication: int | None = Field(default=None, ge=1, le=15)
    """On how many brokers each record is kept, for topics that Clamor makes. Empty: as the brokers have it set."""
    security: Literal["tls", "none"] = "tls"
    """`tls`, or `none` (only on this machine or a trusted network)."""
    certificates: Text | None = None
    """File with the certificates to trust, in the home unless absolute. Empty: the system's."""
    client_certificate: Text | None = None
    """File with the certificate that Clamor shows, for brokers that ask for one."""
    client_key: Text | None = None
    """File with the key of `client_certificate`."""
    client_key_password_env: EnvName | None = None
    """NAME of the environment variable (or of the line in secrets.env) that holds the key's password."""
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    """How Clamor logs in, where there is a `user`. `PLAIN` sends the password as it is: only over tls."""
    user: Text | None = None
    """Login name. Empty: no login."""
    password_env: EnvName | None = None
    """NAME of the environment variable (or of the line in secrets.env) that holds the password."""
    session: Annotated[Duration, Field(ge=6_000, le=300_000)] = 10_000
    """A process that was not heard of for so long loses its partitions to the others."""
    patience: Annotated[Duration, Field(ge=2_000, le=120_000)] = 15_000
    """How long an answer may take, the election of a new leader included, before a batch is tried again."""

    @model_validator(mode="after")
    def _pairs_are_whole(self) -> KafkaEngine:
        if (self.user is None) != (self.password_env is None):
            raise ValueError("user and password_env belong together: set both or neither")
        if (self.client_certificate is None) != (self.client_key is None):
            raise ValueError("client_certificate and client_key belong together: set both or neither")
        return self
