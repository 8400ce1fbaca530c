"""What other programs are told of an incident on topic `alerts`: each time that people are, once, without a text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_home import START, MailHome

from database.engine import many, read, rows, write
from routing.incidents import book
from routing.incidents.book import Evidence, Word
from routing.incidents.levels import Signal, Standing
from routing.relay import Relay
from stream.clock import DAY, HOUR
from stream.embedded import EmbeddedLog
from stream.ports import ALERTS, DECIDED, TopicSpec
from stream.records import Alert, decode

LOUD = Evidence(START, (Signal("negative@reddit", 60, 412, 3.25, 9.0, 4.2, 0.998),))


class Place:
    def __init__(self, folder: Path) -> None:
        self.home = MailHome(folder)
        self.log = EmbeddedLog(folder / "log.db", self.home.clock)
        self.log.ensure([TopicSpec(topic, 1, DAY) for topic in (ALERTS, DECIDED)])
        self.relay = Relay(self.home.engine, self.log, self.home.clock)
        standing = Standing("warning", START - HOUR, START, START)
        with write(self.home.engine) as connection:
            self.id = book.open_incident(connection, "acme", standing, LOUD, START)

    def tell(self, word: Word, step: int = 0) -> None:
        with write(self.home.engine) as connection:
            book.tell(connection, self.id, "acme", word, step, self.home.clock.at)

    def sent(self) -> list[Alert]:
        while self.relay.step():
            pass
        return [decode(Alert, record.value) for record in self.log.read(ALERTS, 0, 0, 100)]

    def close(self) -> None:
        self.relay.close()
        self.log.close()
        self.home.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def test_a_record_goes_with_every_time_that_people_are_told(place: Place) -> None:
    place.tell("warning")
    (first,) = place.sent()
    assert (first.kind, first.incident_id, first.word, first.state) == ("incident", place.id, "warning", "warning")
    assert (first.brand, first.queue, first.since) == ("acme", "pr", START - HOUR)
    assert first.why == "negative@reddit: 412 in 60 minutes, 3.2 expected (99 %)"
    assert (first.mention_id, first.case_id, first.acknowledged_by) == (None, None, None)
    with write(place.home.engine) as connection:
        book.acknowledge(connection, place.id, "ana", START)
    place.tell("crisis")
    assert [(one.word, one.acknowledged_by) for one in place.sent()] == [("warning", None), ("crisis", "ana")]
    assert place.relay.step() == 0, "what was sent is not sent again"


def test_a_record_and_the_mails_are_asked_for_in_one_transaction(place: Place) -> None:
    def cut_off() -> None:
        with write(place.home.engine) as connection:
            book.tell(connection, place.id, "acme", "crisis", 0, START)
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        cut_off()
    assert place.sent() == []
    with read(place.home.engine) as connection:
        assert rows(connection, "SELECT count(*) FROM alert") == [(0,)]


def test_records_of_incidents_hold_up_no_records_of_mentions(place: Place) -> None:
    place.tell("warning")
    n = place.home.mention("burnt again")
    place.tell("crisis")
    with write(place.home.engine) as connection:
        sql = "INSERT INTO outbox (kind, mention, queue, revision, at) VALUES ('decided', ?, 'pr', 1, ?)"
        many(connection, sql, [(n, START)])
    assert [one.word for one in place.sent()] == ["warning", "crisis"]
    assert len(place.log.read(DECIDED, 0, 0, 10)) == 1
    assert place.relay.pending() == 0
