"""A credential that comes to its end is told of ahead: by mail, at 14, 7, 3 and 1 days and at the end, once each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from living import NOW, Living, settled_home
from prometheus_client.parser import text_string_to_metric_families
from smtp_server import SmtpServer

from clamor.chores import Watch
from clamor.commands.source_list import _trouble
from clamor.commands.status import _credentials
from clamor.endings import left, nearness
from clamor.metrics import metrics
from clamor.sources import standings
from clamor.status import status
from ingest.collector import NEVER
from ingest.standing import CollectorStanding, Standings
from routing.mail.words import words
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import Millis

CONFIGURATION = """\
brands:
  - {{id: acme, name: Acme Air}}
sources:
  - {{id: page, kind: facebook, page: "123", token_env: CLAMOR_TEST_TOKEN}}
people:
  - {{id: ana, name: Ana Example, email: ana@example.org, operations: true}}
  - {{id: luis, name: Luis Ejemplo, email: luis@example.org, operations: true, language: es}}
  - {{id: ben, name: Ben Example, email: ben@example.org}}
mail: {{host: 127.0.0.1, port: {port}, security: none}}
understanding: {{model: linear}}
"""
END: Millis = NOW + 30 * DAY


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


@pytest.fixture
def living(tmp_path: Path, server: SmtpServer) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home", CONFIGURATION.format(port=server.port))) as living:
        yield living


def told(living: Living, ends_at: Millis | None = END) -> None:
    """As the process does that collects."""
    Standings(living.opened.engine).add(
        [
            CollectorStanding(
                source_id="page", process="one", state="listening", looked_at=living.clock.wall(), ends_at=ends_at,
                since=living.clock.now(), reached_at=living.clock.now(),
            )
        ]
    )  # fmt: skip


def looked(living: Living, *watches: Watch) -> None:
    for watch in watches or (Watch(living.opened),):
        watch.step()
    living.mailer.step(living.clock.now())


def open_keys(living: Living) -> set[str]:
    return {key for (key,) in living.sql("SELECT key FROM operation_alert WHERE resolved_at IS NULL")}


def test_people_are_told_ahead_once_each_over_restarts_and_by_several_processes(
    living: Living, server: SmtpServer
) -> None:
    found = []
    for still in (20 * DAY, 14 * DAY, 13 * DAY, 7 * DAY, 3 * DAY, 30 * HOUR, 23 * HOUR, HOUR, 0, -DAY):
        living.clock.advance(END - still - living.clock.at)
        told(living)
        before = len(server.mails)
        looked(living, Watch(living.opened), Watch(living.opened))
        looked(living)
        found += [still] * (len({mail.recipient for mail in server.mails[before:]}) == 2)
        assert len(server.mails) - before in (0, 2), "each of the two who look after Clamor has one mail"
    assert found == [14 * DAY, 7 * DAY, 3 * DAY, 23 * HOUR, 0]
    assert {mail.recipient for mail in server.mails} == {"ana@example.org", "luis@example.org"}
    assert open_keys(living) & {"credential:page:0", "credential:page:1"} == {"credential:page:0"}


def test_a_machine_whose_clock_is_a_little_behind_does_not_tell_of_the_level_before_once_more(
    living: Living, server: SmtpServer
) -> None:
    ahead, behind = Watch(living.opened), Watch(living.opened)
    for still in (14 * DAY, 7 * DAY, 3 * DAY):
        living.clock.advance(END - still - living.clock.at)
        told(living)
        looked(living, ahead)
        living.clock.advance(-2 * SECOND)
        looked(living, behind)
        living.clock.advance(4 * SECOND)
        looked(living, behind, ahead)
    assert len(server.mails) == 3 * 2
    assert {key for key in open_keys(living) if key.startswith("credential:")} == {"credential:page:3"}


def test_the_mail_says_what_to_do_in_the_readers_language(living: Living, server: SmtpServer) -> None:
    living.clock.advance(END - 9 * DAY - living.clock.at)
    told(living)
    looked(living)
    mails = {mail.recipient: mail for mail in server.mails}
    assert mails["ana@example.org"].subject == "Clamor needs you: a credential comes to its end"
    assert mails["luis@example.org"].subject == "Clamor le necesita: una credencial caduca"
    english = "".join(mails["ana@example.org"].message.get_body(("plain",)).get_content().split("\n"))  # type: ignore[union-attr]
    spanish = "".join(mails["luis@example.org"].message.get_body(("plain",)).get_content().split("\n"))  # type: ignore[union-attr]
    assert "the credential of source page ends in 9 days" in english
    assert "docs/networks/facebook.md" in english
    assert "la credencial de la fuente page caduca en 9 días" in spanish
    for still in (9 * DAY, 30 * HOUR, 61 * MINUTE, 5 * MINUTE, -1):
        living.clock.advance(END - still - living.clock.at)
        looked(living)
    whys = {why for (why,) in living.sql("SELECT why FROM alert WHERE kind = 'credential'")}
    assert len(whys) >= 3
    assert all(words("es").knows(why) for why in whys)


@pytest.mark.parametrize("now_known", [END + 60 * DAY, NEVER])
def test_a_new_credential_ends_the_warning_and_is_itself_told_of_in_time(
    living: Living, server: SmtpServer, now_known: Millis
) -> None:
    living.clock.advance(END - 3 * DAY - living.clock.at)
    told(living)
    looked(living)
    told(living, now_known)
    looked(living)
    assert not any(key.startswith("credential:") for key in open_keys(living))
    living.clock.advance(END + 58 * DAY - living.clock.at)
    told(living)
    told(living, now_known)
    looked(living)
    assert (len(server.mails) > 2) == (now_known != NEVER)


def test_a_process_that_does_not_know_yet_leaves_what_is_known(living: Living) -> None:
    told(living)
    told(living, None)
    (one,) = standings(living.opened)
    assert (one.ends_at, one.ends_in) == (END, 30 * DAY)
    told(living, NEVER)
    (one,) = standings(living.opened)
    assert (one.ends_at, one.ends_in) == (None, None)


def test_status_list_and_metrics_tell_how_long_it_counts(living: Living) -> None:
    living.clock.advance(END - 9 * DAY - HOUR - living.clock.at)
    told(living)
    found = status(living.opened)["sources"]
    assert _credentials(found) == "page ends in 9 days"
    (one,) = standings(living.opened)
    assert _trouble(one) == "its credential ends in 9 days"
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics(living.opened).decode())
        for sample in family.samples
        if sample.labels.get("source") == "page"
    }
    assert samples["clamor_source_credential_left_seconds"] == (9 * DAY + HOUR) / 1_000


@pytest.mark.parametrize(
    ("still", "said", "level"),
    [
        (15 * DAY, "ends in 15 days", None),
        (14 * DAY, "ends in 14 days", 14),
        (2 * DAY, "ends in 2 days", 3),
        (2 * DAY - 1, "ends in 47 hours", 3),
        (DAY, "ends in 24 hours", 1),
        (HOUR, "ends in 1 hour", 1),
        (HOUR - 1, "ends within the hour", 1),
        (0, "has ended", 0),
        (-DAY, "has ended", 0),
    ],
)
def test_how_long_is_said_in_days_then_in_hours(still: Millis, said: str, level: int | None) -> None:
    assert (left(still), nearness(still)) == (said, level)
