"""The way to people is tested each month, and who does not say that it came is told of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from mailbox import mbox
from pathlib import Path

import pytest
from mail_home import ANA, BEN, SETTINGS, MailHome, settle
from msgspec.structs import replace

from database.engine import read, write
from routing import chain_test, links
from routing.chain_test import TrialStatus, monthly, trial_status
from routing.mail.mailbox import MailboxTransport
from routing.named import named
from routing.operations import open_troubles
from routing.people_to_tell import Channel, Person
from stream.clock import DAY, MINUTE
from stream.records import Millis

EVA = Person(id="eva", name="Eva Sol", email="eva@example.org", queues=frozenset({"support"}), operations=True)


def at(text: str) -> Millis:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_it_is_due_on_the_first_working_day_of_the_month() -> None:
    assert monthly(at("2026-11-27T00:00")) == ("2026-11", at("2026-11-02T10:00"))
    assert monthly(at("2026-12-01T00:00")) == ("2026-12", at("2026-12-01T10:00"))


class Story:
    def __init__(self, folder: Path) -> None:
        people = [replace(ANA, channels=("phone",)), BEN, EVA]
        settings = replace(
            SETTINGS,
            monthly_test=True,
            url="https://clamor.example",
            channels=(Channel(id="phone", tells=frozenset()),),
        )
        self.home = MailHome(folder, people, settings)
        self.path = folder / "mail" / "alerts.mbox"
        self.mailer = self.home.mailer(MailboxTransport(self.path))

    def at(self, moment: str) -> None:
        self.home.clock.advance(at(moment) - self.home.clock.now())
        settle(self.mailer, self.home)

    def mails(self, kind: str = "chain_test") -> list[tuple[str, str]]:
        with read(self.home.engine) as connection:
            sql = "SELECT person, channel FROM mail WHERE kind = ? ORDER BY person, channel"
            return [tuple(row) for row in named(connection, sql, (kind,))]

    def text(self, person: Person) -> str:
        box = mbox(self.path, create=False)
        found = [message_from_bytes(one.as_bytes(), policy=policy.default) for one in box]
        box.close()
        mails = [one for one in found if isinstance(one, EmailMessage) and person.email in str(one["To"])]
        part = mails[-1].get_body(("plain",))
        assert part is not None
        return f"{mails[-1]['Subject']}\n{part.get_content()}"


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.home.close()


def test_all_whom_an_incident_can_wake_get_one_by_every_way_once_a_month(story: Story) -> None:
    story.at("2026-10-01T09:59")
    assert story.mails() == []
    story.at("2026-10-01T10:00")
    assert story.mails() == [("ana", ""), ("ana", "phone"), ("ben", "")]
    story.mailer.close()
    story.mailer = story.home.mailer(MailboxTransport(story.path))
    story.at("2026-10-02T10:00")
    assert len(story.mails()) == 3
    story.at("2026-11-02T10:00")
    assert len(story.mails()) == 6
    assert story.text(BEN).startswith("TEST")
    assert story.text(ANA).startswith("PRUEBA")


def test_who_clicks_is_known_and_who_does_not_is_told_of(story: Story) -> None:
    story.at("2026-10-01T10:00")
    address = next(word for word in story.text(BEN).split() if "/act/" in word)
    with write(story.home.engine) as connection:
        links.follow(connection, address.rpartition("/")[2], story.home.clock.now() + MINUTE)
    asked = at("2026-10-01T10:00")
    assert trial_status(story.home.engine) == TrialStatus("2026-10", asked, 2, 1, ("ana",))
    story.at("2026-10-02T09:59")
    assert story.mails("operations") == []
    story.at("2026-10-02T10:01")
    assert story.mails("operations") == [("eva", "")]
    assert "ana did not confirm the test alert 2026-10" in " ".join(story.text(EVA).replace(">", "").split())
    story.at("2026-10-04T10:01")
    assert len(story.mails("operations")) == 1


def troubles(story: Story) -> set[str]:
    with read(story.home.engine) as connection:
        return open_troubles(connection, ("mail:",))


def test_that_somebody_did_not_click_is_over_once_they_do_or_are_asked_anew(story: Story) -> None:
    def click(person: Person) -> None:
        address = next(word for word in story.text(person).split() if "/act/" in word)
        with write(story.home.engine) as connection:
            links.follow(connection, address.rpartition("/")[2], story.home.clock.now())

    story.at("2026-10-01T10:00")
    story.at("2026-10-02T10:01")
    assert troubles(story) == {"mail:test:2026-10"}
    click(ANA)
    assert troubles(story) == {"mail:test:2026-10"}, "Ben has not"
    with write(story.home.engine) as connection:
        chain_test.begin(connection, "by hand", ["ben"], story.home.clock.now())
    story.at("2026-10-02T10:05")
    click(BEN)
    assert troubles(story) == set(), "a later test came to him"
    story.at("2026-11-02T10:00")
    story.at("2026-11-03T10:01")
    assert troubles(story) == {"mail:test:2026-11"}
    story.at("2026-12-01T10:00")
    assert troubles(story) == set()


def test_one_that_nothing_ran_for_is_left_out(story: Story) -> None:
    story.at("2026-10-07T10:00")
    assert story.mails() == []


def test_a_link_of_a_test_that_is_forgotten_says_so(story: Story) -> None:
    with pytest.raises(ValueError, match="not known any more"), write(story.home.engine) as connection:
        chain_test.confirm(connection, 9, "ana", DAY)
