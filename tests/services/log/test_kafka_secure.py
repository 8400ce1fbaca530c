"""TLS and logins on a real Kafka, and what never gets into a log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.services.needs import library

library("kafka", "kafka")

import pytest  # noqa: E402
from log_contract import everything, take  # noqa: E402
from msgspec.structs import replace  # noqa: E402
from pydantic import SecretStr  # noqa: E402

from stream.clock import DAY, SECOND  # noqa: E402
from stream.kafka import KafkaLog  # noqa: E402
from stream.kafka_clients import KafkaSettings, Login, Tls  # noqa: E402
from stream.ports import Append, LogUnusable, TopicSpec, Transient  # noqa: E402
from tests.services.kafka_server import PASSWORD, USER, KafkaServer  # noqa: E402


def settings(broker: KafkaServer, mechanism: Any = "SCRAM-SHA-512", password: str = PASSWORD) -> KafkaSettings:
    return KafkaSettings(
        servers=(broker.secure_address,),
        prefix=f"s{uuid4().hex[:8]}.",
        tls=Tls(ca=broker.certificate),
        login=Login(mechanism=mechanism, user=USER, password=SecretStr(password)),
        patience=5 * SECOND,
    )


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"])
def test_the_log_works_over_tls_with_a_login(broker: KafkaServer, mechanism: str) -> None:
    log = KafkaLog(settings(broker, mechanism))
    log.ensure([TopicSpec("t", 2, DAY)])
    log.append([Append("t", "a", b"1")])
    assert [record.value for record in take(log.consumer("g", "t"), 1)] == [b"1"]
    assert len(everything(log, "t")) == 1
    log.close()


def test_a_wrong_password_needs_a_person_and_is_not_repeated(broker: KafkaServer) -> None:
    log = KafkaLog(settings(broker, password="hunter2"))
    with pytest.raises(LogUnusable, match="password_env") as caught:
        log.ensure([TopicSpec("t", 1, DAY)])
    assert "hunter2" not in str(caught.value)
    log.close()


def test_a_certificate_that_nobody_vouches_for_is_not_taken(broker: KafkaServer) -> None:
    log = KafkaLog(replace(settings(broker), tls=Tls()))
    with pytest.raises(Transient, match="certificate"):
        log.ensure([TopicSpec("t", 1, DAY)])
    log.close()


def test_a_file_of_certificates_that_is_not_there_is_named(broker: KafkaServer, tmp_path: Path) -> None:
    log = KafkaLog(replace(settings(broker), tls=Tls(ca=tmp_path / "nowhere.pem")))
    with pytest.raises(LogUnusable, match="paths of"):
        log.ensure([TopicSpec("t", 1, DAY)])
    log.close()


def test_neither_password_nor_text_is_logged_or_shown(broker: KafkaServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chosen = settings(broker)
    log = KafkaLog(chosen)
    log.ensure([TopicSpec("t", 1, DAY)])
    log.append([Append("t", "a", b"a post's own words")])
    take(log.consumer("g", "t"), 1)
    log.close()
    assert PASSWORD not in caplog.text
    assert "own words" not in caplog.text
    assert PASSWORD not in repr(chosen)
