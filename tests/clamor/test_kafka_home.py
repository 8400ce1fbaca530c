"""A home whose clamor.yaml names a Kafka cluster: what the log is told, and what is said where it cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clamor.backup import BackupError, refuse_server
from clamor.clocks import set_pace
from clamor.kafka_log import kafka_settings, on_kafka, open_kafka
from clamor.opening import Opened
from config.home import Home, HomeError, prepare
from config.load import Configuration, load
from stream.embedded import EmbeddedLog

SETTINGS = """\
engines:
  log:
    kind: kafka
    kafka:
      servers: ['kafka-1.example.org:9093', 'kafka-2.example.org:9093']
      prefix: acme.
      replication: 3
      certificates: ca.pem
      mechanism: PLAIN
      user: listener
      password_env: KAFKA_PASSWORD
"""


def home(tmp_path: Path, secret: str = "hunter2 is not it") -> Configuration:
    (tmp_path / "clamor.yaml").write_text(SETTINGS)
    secrets = tmp_path / "secrets.env"
    secrets.touch(mode=0o600)
    secrets.write_text(f"KAFKA_PASSWORD={secret}\n" if secret else "")
    return load(Home.at(tmp_path), use="check")


def test_the_log_is_told_what_the_settings_say_and_shows_no_secret(tmp_path: Path) -> None:
    clients = pytest.importorskip("stream.kafka_clients", reason="kafka-python is not installed")
    settings = kafka_settings(home(tmp_path))
    assert settings.servers == ("kafka-1.example.org:9093", "kafka-2.example.org:9093")
    assert (settings.prefix, settings.replication) == ("acme.", 3)
    assert "hunter2" not in repr(settings)
    options = clients.connection(settings)
    assert options["security_protocol"] == "SASL_SSL"
    assert options["ssl_cafile"] == str(tmp_path / "ca.pem")
    assert options["ssl_check_hostname"] is True
    assert (options["sasl_mechanism"], options["sasl_plain_username"]) == ("PLAIN", "listener")
    assert options["sasl_plain_password"] == "hunter2 is not it"


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("stream.kafka_clients", reason="kafka-python is not installed")
    with pytest.raises(HomeError, match=r"KAFKA_PASSWORD.* is neither"):
        kafka_settings(home(tmp_path, ""))


def test_a_library_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("stream.kafka") or name.partition(".")[0] == "kafka"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kafka", None)
    with pytest.raises(HomeError, match=r"pip install 'clamor\[kafka\]'"):
        open_kafka(home(tmp_path))


def test_a_home_in_simulated_time_never_works_on_the_cluster_of_its_settings(tmp_path: Path) -> None:
    configuration = home(tmp_path)
    prepare(configuration.home)
    assert on_kafka(configuration)
    set_pace(configuration.home, 0, 60.0, replayed=True, sends=False)
    assert not on_kafka(configuration)
    with Opened(configuration) as opened:
        assert isinstance(opened.log, EmbeddedLog), "the posts of a replay come among nobody's"


def test_a_log_at_brokers_is_not_backed_up_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"the log is on Kafka at kafka-1\.example\.org:9093"):
        refuse_server(home(tmp_path).settings)
