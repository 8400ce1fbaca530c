"""Incidents and severe posts are told to whoever is on call, and to all where nobody is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mail_home import ANA, BEN, SETTINGS, START, MailHome, settle
from msgspec.structs import replace

from config.teams import Team
from database.engine import write
from routing.incidents import book
from routing.incidents.book import Evidence, Word
from routing.incidents.levels import Signal, Standing
from routing.mail.mailbox import MailboxTransport
from routing.people_to_tell import Person
from routing.rota import at_work, told_now
from stream.clock import DAY, HOUR

EVA = Person(id="eva", name="Eva Sol", email="eva@example.org", queues=frozenset({"support"}))
LOUD = Evidence(START, (Signal("negative@x", 60, 412, 3.25, 9.0, 4.2, 0.998),))
WEEK = {"rotation": ["ben", "ana"], "begins": "2026-09-21"}


def team(on_call: dict[str, object], **more: object) -> Team:
    return Team.model_validate(
        {"id": "press", "name": "Press", "zone": "UTC", "hours": {"mon": ["09:00-18:00"]}, "on_call": on_call, **more}
    )


class Story:
    def __init__(self, folder: Path) -> None:
        self.teams: tuple[Team, ...] = (team(WEEK, queues=["pr"]),)
        self.home = MailHome(folder, [ANA, BEN, EVA], replace(SETTINGS, teams=lambda: self.teams, chain=("eva",)))
        self.mailer = self.home.mailer(MailboxTransport(folder / "mail" / "alerts.mbox"))
        with write(self.home.engine) as connection:
            standing = Standing("crisis", START - HOUR, START, START)
            self.id = book.open_incident(connection, "acme", standing, LOUD, START)

    def tell(self, word: Word, step: int = 0) -> list[str]:
        """Who got a mail of it."""
        before = len(self.home.mails())
        with write(self.home.engine) as connection:
            book.tell(connection, self.id, "acme", word, step, self.home.clock.at)
        settle(self.mailer, self.home)
        return sorted(person for person, *_ in self.home.mails()[before:])


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.home.close()


def test_one_is_on_call_and_the_chain_comes_after(story: Story) -> None:
    assert story.tell("crisis") == ["ben"]
    assert story.tell("still", 1) == ["eva"]


def test_who_was_told_that_it_began_is_told_that_it_is_over(story: Story) -> None:
    assert story.tell("warning") == ["ben"]
    story.home.clock.advance(7 * DAY)
    assert story.tell("crisis") == ["ana"]
    assert story.tell("over") == ["ana", "ben"]


def test_a_severe_post_wakes_whoever_is_on_call(story: Story) -> None:
    story.home.severe(brand="bakery")
    settle(story.mailer, story.home)
    assert [person for person, *_ in story.home.mails()] == ["ben"]
    story.home.severe(queue="support")
    settle(story.mailer, story.home)
    assert sorted(person for person, *_ in story.home.mails()) == ["ana", "ben", "eva"], "no rota serves that queue"


def test_a_hole_in_the_rota_is_nobody_s_silence(story: Story) -> None:
    story.teams = (team({"shifts": [{"days": ["mon"], "hours": "09:00-10:00", "people": ["ben"]}]}),)
    assert story.tell("crisis") == ["ana", "ben"]


def test_a_change_of_the_rota_counts_at_once(story: Story) -> None:
    assert story.tell("crisis") == ["ben"]
    story.teams = (team({"rotation": ["ana"], "begins": "2026-09-21"}),)
    assert story.tell("still") == ["ana"]


def test_several_teams_have_one_each(story: Story) -> None:
    teams = (team(WEEK), team({"rotation": ["eva"], "begins": "2026-09-21"}, id="night", brands=["bakery"]))
    assert at_work(teams, "acme", "pr", START) == {"ben"}
    assert at_work(teams, "bakery", "pr", START) == {"ben", "eva"}
    assert [one.id for one in told_now(teams, [ANA], "acme", "pr", START)] == ["ana"], "ben is nobody's colleague more"
