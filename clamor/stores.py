"""The search store that the settings name."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import SecretStr

from clamor.clocks import pace_of
from config.home import HomeError
from config.load import Configuration
from index.embedded import EmbeddedStore
from index.port import IndexStore
from stream.clock import Clock


def open_store(configuration: Configuration, clock: Clock) -> IndexStore:
    """Nothing is read or sent yet. Raises HomeError where a secret, a file or the client is not there."""
    path = index_file(configuration)
    return EmbeddedStore(path, clock) if path is not None else _elastic(configuration, clock)


def index_file(configuration: Configuration) -> Path | None:
    """The file of the embedded store; None where the store is on a cluster.

    A home that lives in simulated time has a file, whatever cluster its settings name: a replay's home is made from the
    settings of another one, in whose index nothing of those days may be written.
    """
    embedded = configuration.settings.engines.store.kind == "embedded"
    return configuration.home.index_db if embedded or pace_of(configuration.home) is not None else None


def _elastic(configuration: Configuration, clock: Clock) -> IndexStore:
    try:
        from index.elastic import Cluster, ElasticStore
        from index.elastic_mapping import Shape
    except ImportError as error:
        raise HomeError(
            f"`engines: store: kind: elasticsearch` needs its client, which is not installed ({error.name}): "
            "pip install 'clamor[elastic]'"
        ) from None
    store, home = configuration.settings.engines.store, configuration.home
    certificates = home.path(store.certificates) if store.certificates else None
    if certificates is not None:
        _readable(certificates)
    cluster = Cluster(
        hosts=store.hosts,
        prefix=store.prefix,
        api_key=_secret(configuration, store.api_key_env),
        user=store.user,
        password=_secret(configuration, store.password_env),
        certificates=str(certificates) if certificates else None,
        shape=Shape(store.shards, store.replicas, store.analysers),
        time_limit=store.timeout / 1_000,
    )
    return ElasticStore(cluster, clock)


def _readable(certificates: Path) -> None:
    if not certificates.is_file():
        raise HomeError(f"`engines: store: certificates` names {certificates}, and there is no such file")
    try:
        ssl.create_default_context(cafile=str(certificates))
    except OSError as error:
        raise HomeError(
            f"`engines: store: certificates` names {certificates}, which cannot be read as certificates in PEM form "
            f"({error.__class__.__name__})"
        ) from None


def _secret(configuration: Configuration, name: str | None) -> SecretStr | None:
    if name is None:
        return None
    found = configuration.secrets.get(name)
    if found is None:
        raise HomeError(
            f"{name} is neither in the environment nor in secrets.env: write {name}=… into secrets.env, or set it "
            "where Clamor is started"
        )
    return found
