"""What a process needs to start: the engine part of `clamor.yaml`, each setting with its default.

`CLAMOR_API__PORT=8100` in the environment goes before `api: port:` in the file, and so for every setting here.
`python -m config.reference` writes the JSON Schema for editors and the tables of docs/configuration.md.
"""

from __future__ import annotations

import json
import os
from email.utils import parseaddr
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.aspects import Slug
from config.channels import Channel
from config.content import ImportPart
from config.kafka import KafkaEngine
from config.section import Address, EnvName, Port, Section, Sender, Text
from config.units import Duration, Size, format_duration, format_size

ENV_PREFIX = "CLAMOR_"
Device = Literal["cpu", "cuda"]
"""Where a model computes."""
HOUR = 3_600_000
DAY = 24 * HOUR


def _not_an_address(value: object) -> object:
    """An address in the place of `kafka` is not repeated: it may hold a password."""
    if isinstance(value, str) and ":" in value:
        raise ValueError("an address does not belong here: write `kind: kafka`, and its brokers into `kafka: servers`")
    return value


def _store_kind(value: object) -> object:
    """Names what was meant; never repeats an address, which may hold a password."""
    if isinstance(value, str):
        if "://" in value:
            raise ValueError("an address stands in `hosts`: write `kind: elasticsearch` here")
        if value.casefold() in ("elastic", "es", "opensearch"):
            raise ValueError("write embedded, or elasticsearch")
    return value


def _as_section(value: object) -> object:
    """`database: sqlite`, as earlier releases wrote it. Never repeats an address, which may hold a password."""
    if value == "sqlite":
        return {"kind": "sqlite"}
    if isinstance(value, str) and ("://" in value or value.casefold().startswith("postgres")):
        raise ValueError(
            "not written as an address: write `kind: postgres` below it, then host, name, user and password_env"
        )
    return value


def _rising(steps: tuple[int, ...]) -> tuple[int, ...]:
    if list(steps) != sorted(set(steps)):
        raise ValueError("not in rising order: write each step once, the lowest first")
    return steps


class LogEngine(Section):
    """The log: posts and what was understood of them, on their way."""

    kind: Annotated[Literal["embedded", "kafka"], BeforeValidator(_not_an_address)] = "embedded"
    """`embedded`: a SQLite file in the data folder. `kafka`: the cluster that `kafka` names."""
    fsync: Literal["full", "normal"] = "full"
    """Of the embedded log. `full`: what is accepted survives a power cut. `normal`: it survives the death of any
    process, but a power cut may take the last moments; faster on slow disks."""
    partitions: int = Field(default=4, ge=1, le=64)
    """Into how many partitions a topic is cut: the most nlp workers that can share the load. Settled at first start."""
    retention: Annotated[Duration, Field(ge=3_600_000, le=7 * DAY)] = 6 * DAY
    """How long records are kept, from 1h to 7d: a deleted post's text is gone from the disk after it."""
    retention_bytes: Annotated[Size, Field(ge=10_000_000)] | None = None
    """Size, at least 10MB, above which a topic's oldest records go before their time. Empty: no limit."""
    kafka: KafkaEngine = KafkaEngine()

    @model_validator(mode="after")
    def _has_brokers(self) -> LogEngine:
        if self.kind == "kafka" and not self.kafka.servers:
            raise ValueError("kind is kafka and no broker is named: write `kafka: {servers: [host:port]}` beside it")
        return self


def _cluster_address(text: str) -> str:
    """The text, when it is the address of a node, or of what stands before a cluster, without a login."""
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not text.isprintable() or " " in text or any(sign in text for sign in "@?#"):
        raise ValueError("not an address: write https://search.example.org:9200, and no login in it")
    return text


ClusterAddress = Annotated[str, StringConstraints(max_length=500), AfterValidator(_cluster_address)]


class StoreEngine(Section):
    """The search store."""

    kind: Annotated[Literal["embedded", "elasticsearch"], BeforeValidator(_store_kind)] = "embedded"
    """`embedded`: SQLite FTS5 in the data folder. `elasticsearch`: a cluster of version 8 or 9, reached at `hosts`;
    needs the extra `elastic`."""
    hosts: tuple[ClusterAddress, ...] = ()
    """Addresses of one Elasticsearch cluster, with port, without a login."""
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] = "clamor"
    """How all indices and aliases in the cluster begin: the key or user needs rights on `prefix-*` only."""
    api_key_env: EnvName | None = None
    """NAME of the environment variable (or of the line in secrets.env) that holds the API key, as the cluster encoded
    it."""
    user: Text | None = None
    """Login name, where there is no API key. Empty: no login."""
    password_env: EnvName | None = None
    """NAME of the environment variable (or of the line in secrets.env) that holds the login's password."""
    certificates: Text | None = None
    """File with the certificates to trust, in the home unless absolute. Empty: those of the public authorities."""
    shards: int = Field(default=1, ge=1, le=64)
    """Into how many shards a month's index is cut; for indices that are made from now on."""
    replicas: int = Field(default=1, ge=0, le=5)
    """Copies of each shard on other nodes; for indices that are made from now on. 0 on a cluster of one node."""
    timeout: Annotated[Duration, Field(ge=100, le=300_000)] = 10_000
    """How long a search may take in the cluster."""
    analysers: Literal["clamor", "builtin"] = "clamor"
    """`clamor`: words are found by the stems of the embedded index. `builtin`: and by the cluster's own analysers for
    English and Spanish, where it has them. A change takes a `clamor reindex`."""

    @model_validator(mode="after")
    def _can_be_reached(self) -> StoreEngine:
        if self.kind == "embedded":
            return self
        if not self.hosts:
            raise ValueError("hosts is missing: name the cluster's addresses, such as https://search.example.org:9200")
        if (self.user is None) != (self.password_env is None):
            raise ValueError("user and password_env belong together: set both or neither")
        if self.api_key_env is not None and self.user is not None:
            raise ValueError("api_key_env and user are two logins: keep one of them")
        if self.certificates is not None and any(host.startswith("http://") for host in self.hosts):
            raise ValueError("certificates are of no use to http://: write https:// in hosts, or delete certificates")
        return self


class DatabaseEngine(Section):
    """The database: mentions, cases, decisions, cursors, mails, and the configuration in force."""

    kind: Literal["sqlite", "postgres"] = "sqlite"
    """`sqlite`: a file in the data folder. `postgres`: a database of a PostgreSQL server, 15 or newer, for stages on
    several machines; needs the extra `postgres`."""
    host: Text | None = None
    """Of `postgres`: name or address of the server, or the folder of its socket."""
    port: Port = 5432
    """Port of the server."""
    name: Text = "clamor"
    """Name of the database; it is there already, and of encoding UTF8."""
    user: Text | None = None
    """Login name, best the owner of the database. Empty: the user of this machine that runs Clamor."""
    password_env: EnvName | None = None
    """NAME of the environment variable (or of the line in secrets.env) that holds the password."""
    security: Literal["tls", "none"] = "tls"
    """`tls`: encrypted, and the server's certificate is checked. `none`: only on this machine or a trusted network."""
    certificates: Text | None = None
    """File with the certificates to trust, in the home unless absolute. Empty: the system's."""

    @model_validator(mode="after")
    def _server_is_named(self) -> DatabaseEngine:
        if self.kind == "postgres" and self.host is None:
            raise ValueError("the server is not named: write its `host`")
        return self


class Engines(Section):
    """Where records, mentions and cases are kept."""

    log: LogEngine = LogEngine()
    store: StoreEngine = StoreEngine()
    database: Annotated[DatabaseEngine, BeforeValidator(_as_section)] = DatabaseEngine()


class Processes(Section):
    """How the work is spread over this machine."""

    nlp_workers: int | None = Field(default=None, ge=1, le=64)
    """Processes that understand posts. Empty: one for each core, at most one for each partition of the log."""


class Overload(Section):
    """The valve: what happens when posts that are news come faster than the model reads."""

    auto: bool = True
    """The linear model reads them until it has caught up, and the model in force reads them anew when there is room.
    No: they wait."""
    opens_at: Annotated[Duration, Field(ge=1_000, le=3_600_000)] = 30_000
    """How long a live or gap-filled post has waited in the log when the linear model takes over."""
    closes_at: Annotated[Duration, Field(ge=100, le=3_600_000)] = 5_000
    """Below which wait the model in force reads again."""

    @model_validator(mode="after")
    def _closes_below(self) -> Overload:
        if self.closes_at >= self.opens_at:
            raise ValueError("closes_at must be below opens_at, else the valve would flutter")
        return self


class Understanding(Section):
    """How posts are read."""

    model: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "fast"
    """`fast`, `accurate` or `linear`, which are shipped, or the name of a folder under models/ in the home."""
    device: Device = "cpu"
    """Where it computes: `cpu`, or `cuda`, an NVIDIA GPU, in half precision. That needs the extra `gpu`."""
    overload: Overload = Overload()


class Api(Section):
    """The web address of pages and API."""

    host: Text = "127.0.0.1"
    """Address to listen on. The default is reached from this machine only."""
    port: Port = 8800
    """Port to listen on."""
    public_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")] | None = None
    """How people reach it, as `clamor run` names it. Empty: http://host:port."""

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")


class Mail(Section):
    """How alerts leave. Without `host`, mails are written as files into `mailbox`."""

    host: Text | None = None
    """SMTP server. Empty: nothing is sent, mails go to `mailbox`."""
    port: Port = 587
    """Port of the SMTP server."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` (usual on 587), `tls` (usual on 465), or `none` (only on this machine or a trusted network)."""
    user: Text | None = None
    """Login name. Empty: no login."""
    password_env: EnvName | None = None
    """NAME of the environment variable (or of the line in secrets.env) that holds the password."""
    sender: Sender = Field(default="Clamor <clamor@localhost>", alias="from")
    """Who the mails are from."""
    reply_to: Address | None = None
    """Where answers to the mails go. Empty: to `from`."""
    timeout: Annotated[Duration, Field(ge=1_000, le=300_000)] = 15_000
    """How long the server may take for the connection and for each answer."""
    give_up_after: Annotated[Duration, Field(ge=60_000, le=30 * DAY)] = 3 * DAY
    """How long a mail is tried again while the server does not take it."""
    certificates: Text | None = None
    """File with the certificates to trust, in the home unless absolute. Empty: the system's."""
    mailbox: Text = "mail"
    """Folder of clamor.mbox, the file that mails go to when there is no `host`; in the home unless absolute."""

    @property
    def from_name(self) -> str:
        return parseaddr(self.sender)[0] or "Clamor"

    @property
    def from_address(self) -> str:
        return parseaddr(self.sender)[1]

    @model_validator(mode="after")
    def _login_is_whole(self) -> Mail:
        if (self.user is None) != (self.password_env is None):
            raise ValueError("user and password_env belong together: set both or neither")
        if self.host is None and self.user is not None:
            raise ValueError("user is set but host is not: name the SMTP server, or delete user and password_env")
        return self


class Alerts(Section):
    """Limits on what wakes people."""

    max_mails_per_hour: int = Field(default=6, ge=1, le=1000)
    """For one person; what exceeds it arrives as one summary. A person's own setting goes before it."""
    monthly_test: bool = False
    """Whether a test, marked as one, goes to all whom an incident can wake on the first working day of a month, by mail
    and every channel; who does not click within a day is told of."""
    worse_at: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], AfterValidator(_rising)] = (40, 55, 70, 85)
    """Risk at which a case counts as worse: a case that was told is told again only when it crosses one."""


class Cases(Section):
    """Which cases are taken for one matter."""

    join_at: float = Field(default=0.99, ge=0.5, le=1.0)
    """So certain it has to be that two cases are one matter before they are joined without a person: of a hundred joins
    at the least certain, one may be wrong, and `clamor case undo` takes it back. 1.0: never, people are only asked."""


class Incidents(Section):
    """When the counts of a brand are so unusual that people are told."""

    enabled: bool = True
    """Whether brands are watched at all."""
    false_alarms_a_month: float = Field(default=1.0, gt=0, lt=100)
    """For each brand: how many warnings that prove to be nothing you bear. The fewer, the later a slow rise is seen."""
    crisis_posts: int = Field(default=30, ge=2, le=100_000)
    """Hurtful posts beyond the expected ones, within an hour, that make a warning a crisis."""
    calm_after: Annotated[Duration, Field(ge=10 * 60_000, le=7 * DAY)] = 2 * HOUR
    """What was not unusual for so long is over."""
    repeat_after: Annotated[Duration, Field(ge=10 * 60_000, le=7 * DAY)] = HOUR
    """A crisis that nobody looks after is told again."""
    escalate_to: tuple[Slug, ...] = Field(default=(), max_length=10)
    """Ids of people who are told of a crisis one after another while nobody looks after it."""
    escalate_after: Annotated[Duration, Field(ge=60_000, le=DAY)] = 15 * 60_000
    """How long each of them, and before them the people of the brand, have to say that they look after it."""


class Retention(Section):
    """How long what is stored stays."""

    posts: Annotated[Duration, Field(ge=DAY)] = 400 * DAY
    """Text and author of mentions, from their arrival here, however old they were then; afterwards only their counts
    remain."""
    networks: dict[Slug, Annotated[Duration, Field(ge=HOUR)]] = Field(
        default_factory=lambda: {"linkedin": 47 * HOUR, "yelp": 23 * HOUR}
    )
    """Network: the same, for its posts, where it is less. LinkedIn lets nobody keep what its members write for longer
    than 48 hours, Yelp's public terms say 24; an hour is left for taking it away. Whoever writes this replaces the
    whole list: keep what stands in it."""
    ids: Annotated[Duration, Field(ge=DAY)] = 30 * DAY
    """Id, parent and author (no text) of every post, from its latest arrival here, so that replies find what they
    answer."""
    mails: Annotated[Duration, Field(ge=DAY)] = 90 * DAY
    """The record of which mails were sent (references, no texts)."""
    coverage: Annotated[Duration, Field(ge=DAY)] = 400 * DAY
    """What was asked for, received and missed (the coverage ledger); after a day or two a source's complete rows become
    one a day."""


class Logging(Section):
    """What the processes say about themselves, on standard error; never a post's text."""

    format: Literal["console", "json"] = "console"
    """`console` for people, `json` for programs, one object a line."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe that is written."""


class EnginePart(Section):
    """The settings that a process reads at its start; a change takes effect at the next one."""

    data: Text = "data"
    """Folder of the databases, in the home unless absolute. On a local disk."""
    engines: Engines = Engines()
    processes: Processes = Processes()
    understanding: Understanding = Understanding()
    api: Api = Api()
    mail: Mail = Mail()
    alerts: Alerts = Alerts()
    cases: Cases = Cases()
    incidents: Incidents = Incidents()
    channels: Annotated[tuple[Channel, ...], Field(max_length=50)] = ()
    """Ways beside mail: people and teams name them."""
    retention: Retention = Retention()
    logging: Logging = Logging()

    @property
    def nlp_workers(self) -> int:
        """The setting, or how many cores this process may use, but no more than can have work."""
        if self.processes.nlp_workers is not None:
            return self.processes.nlp_workers
        affinity = getattr(os, "sched_getaffinity", None)
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        return min(cores, self.engines.log.partitions)


class Settings(EnginePart, BaseSettings):
    """The engine part with the environment laid over it."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


class ClamorYaml(EnginePart, ImportPart):
    """The whole of `clamor.yaml`."""


def json_schema() -> str:
    """JSON Schema (draft 2020-12) of clamor.yaml, as text."""
    schema = ClamorYaml.model_json_schema(by_alias=True)
    schema["title"] = "clamor.yaml"
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    _tidy(schema)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: Any) -> None:
    """Defaults with their units; no titles that only repeat the key."""
    if isinstance(schema, list):
        for item in schema:
            _tidy(item)
        return
    if not isinstance(schema, dict):
        return
    units = {"span of time": format_duration, "size": format_size}
    kind = next((part["title"] for part in (schema, *schema.get("anyOf", ())) if part.get("title") in units), None)
    if kind and isinstance(schema.get("default"), int):
        schema["default"] = units[kind](schema["default"])
    if isinstance(schema.get("title"), str) and schema["title"] not in (*units, "clamor.yaml"):
        del schema["title"]
    for key, value in schema.items():
        if key != "default":
            _tidy(value)
