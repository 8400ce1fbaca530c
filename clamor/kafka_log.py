"""The log on Kafka as a home's settings say; the library is needed only where they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import SecretStr

from clamor.clocks import pace_of
from config.home import HomeError
from config.load import Configuration
from stream.losses import OnLoss

if TYPE_CHECKING:
    from stream.kafka import KafkaLog
    from stream.kafka_clients import KafkaSettings


def on_kafka(configuration: Configuration) -> bool:
    """Whether the home's log is a Kafka cluster.

    A home that lives in simulated time has a file, whatever its settings say: a record's time is the brokers' on Kafka,
    and a replay's home is made from the settings of another one, among whose posts none of those days may come.
    """
    return configuration.settings.engines.log.kind == "kafka" and pace_of(configuration.home) is None


def open_kafka(configuration: Configuration, on_loss: OnLoss | None = None) -> KafkaLog:
    """Connects with its first question. Raises HomeError where the extra is not installed, or a secret is missing."""
    try:
        from stream.kafka import KafkaLog
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "kafka":
            raise
        raise HomeError(
            f"{configuration.home.settings_file} has `engines: log: kind: kafka` and kafka-python is not installed: "
            "pip install 'clamor[kafka]'"
        ) from error
    return KafkaLog(kafka_settings(configuration), on_loss)


def kafka_settings(configuration: Configuration) -> KafkaSettings:
    """Raises HomeError where a secret is missing."""
    from stream.kafka_clients import KafkaSettings, Login, Tls

    kafka, home = configuration.settings.engines.log.kafka, configuration.home
    tls = login = None
    if kafka.security == "tls":
        key_password = None
        if kafka.client_key_password_env is not None:
            key_password = _secret(configuration, kafka.client_key_password_env)
        tls = Tls(
            ca=home.path(kafka.certificates) if kafka.certificates else None,
            certificate=home.path(kafka.client_certificate) if kafka.client_certificate else None,
            key=home.path(kafka.client_key) if kafka.client_key else None,
            key_password=key_password,
        )
    if kafka.user is not None and kafka.password_env is not None:
        password = _secret(configuration, kafka.password_env)
        login = Login(mechanism=kafka.mechanism, user=kafka.user, password=password)
    return KafkaSettings(
        servers=kafka.servers,
        client_id=kafka.client_id,
        prefix=kafka.prefix,
        replication=kafka.replication,
        tls=tls,
        login=login,
        session=kafka.session,
        patience=kafka.patience,
    )


def _secret(configuration: Configuration, name: str) -> SecretStr:
    found = configuration.secrets.get(name)
    if found is None:
        raise HomeError(
            f"{name}, which `engines: log: kafka` names, is neither in the environment nor in "
            f"{configuration.home.secrets_file}: write {name}=… there"
        )
    return found
