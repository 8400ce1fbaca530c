"""What somebody silenced is told to nobody until it ends; a crisis goes through, unless they said otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mail_home import ANA, START, MailHome, settle
from test_incident_mail import LOUD

from database.engine import read, write
from routing import silences
from routing.incidents import book, telling
from routing.incidents.levels import Standing
from routing.incidents.telling import Telling
from routing.mail.mailbox import MailboxTransport
from routing.named import named
from routing.silences import NoSuchSilence, Silence
from stream.clock import DAY, HOUR, MINUTE
from stream.records import Millis


def silence(**values: object) -> Silence:
    told: dict[str, object] = {
        "id": 0, "brand": "acme", "query": "", "incident": None, "crisis": False, "reason": "we know", "person": "ana",
        "made_at": START, "since": START, "until": START + 4 * HOUR, "weekly": "", "length": 0, "zone": "UTC",
        "ended_at": None, "ended_by": "",
    }  # fmt: skip
    return Silence(**{**told, **values})  # type: ignore[arg-type]


class Story:
    def __init__(self, folder: Path) -> None:
        self.home = MailHome(folder, [ANA])
        self.mailer = self.home.mailer(MailboxTransport(folder / "mail" / "alerts.mbox"))

    def add(self, **values: object) -> Silence:
        with write(self.home.engine) as connection:
            return silences.add(connection, silence(**values))

    def incident(self, state: str) -> int:
        with write(self.home.engine) as connection:
            return book.open_incident(connection, "acme", Standing(state, START, START, START), LOUD, START)

    def told(self, id: int, later: Millis = 0) -> int:
        """As the clock asks each minute."""
        now = START + later
        with write(self.home.engine) as connection:
            held = book.find(connection, id)
            return telling.tell(
                connection, [held._replace(seen_at=now)], Telling(), now, silences.live(connection, now)
            )

    def becomes(self, id: int, state: str) -> None:
        with write(self.home.engine) as connection:
            held = book.find(connection, id)
            book.move(connection, held, Standing(state, START, START, START), LOUD, START + MINUTE)

    def history(self, id: int) -> list[tuple[str, str]]:
        with read(self.home.engine) as connection:
            return [(one.change, one.detail) for one in book.events(connection, id)]

    def outcomes(self) -> list[str]:
        settle(self.mailer, self.home)
        with read(self.home.engine) as connection:
            return [row.state for row in named(connection, "SELECT state FROM alert ORDER BY id")]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    yield made
    made.home.close()


def test_a_warning_waits_until_the_silence_ends(story: Story) -> None:
    number = story.add().id
    id = story.incident("warning")
    assert [story.told(id, minute * MINUTE) for minute in (0, 1, 2)] == [0, 0, 0]
    assert story.history(id).count(("withheld", f"warning, by silence {number}")) == 1
    assert story.told(id, 4 * HOUR) == 1


def test_a_crisis_goes_through_unless_it_is_silenced_too(story: Story) -> None:
    story.add()
    id = story.incident("warning")
    assert story.told(id) == 0
    story.becomes(id, "crisis")
    assert story.told(id, MINUTE) == 1
    story.add(crisis=True)
    assert story.told(id, 2 * HOUR) == 0, "nor is it told again"


def test_who_heard_of_a_crisis_through_a_silence_hears_that_it_is_over(story: Story) -> None:
    story.add()
    id = story.incident("crisis")
    assert story.told(id) == 1
    with write(story.home.engine) as connection:
        book.move(connection, book.find(connection, id), Standing("over"), LOUD, START + HOUR)
        quiet = silences.live(connection, START + HOUR)
        assert telling.all_clear(connection, ["acme"], START + HOUR, quiet) == 1


def test_the_end_of_a_crisis_that_was_silenced_as_well_is_told_to_nobody(story: Story) -> None:
    id = story.incident("crisis")
    assert story.told(id) == 1
    story.add(crisis=True)
    with write(story.home.engine) as connection:
        book.move(connection, book.find(connection, id), Standing("over"), LOUD, START + HOUR)
        quiet = silences.live(connection, START + HOUR)
        assert telling.all_clear(connection, ["acme"], START + HOUR, quiet) == 0


def test_only_what_it_is_about_is_silenced(story: Story) -> None:
    first = story.incident("warning")
    other = story.add(incident=first + 1)
    assert story.told(first) == 1
    with write(story.home.engine) as connection:
        silences.end(connection, other.id, "ana", START + MINUTE)
        with pytest.raises(ValueError, match="over already"):
            silences.end(connection, other.id, "ana", START + MINUTE)
        with pytest.raises(NoSuchSilence):
            silences.end(connection, 99, "ana", START)


def test_severe_posts_of_a_query_are_told_to_nobody(story: Story) -> None:
    story.add(brand="", query='"our own giveaway"')
    story.home.severe("I lost in our own giveaway, a scandal")
    story.home.severe("the plane left without us")
    assert story.outcomes() == ["silenced", "mailed"]


def test_severe_posts_of_a_brand_are_told_again_after_its_end(story: Story) -> None:
    story.add()
    story.home.severe()
    story.home.severe(brand="bakery")
    assert story.outcomes() == ["silenced", "mailed"]
    story.home.clock.advance(4 * HOUR)
    story.home.severe()
    assert story.outcomes() == ["silenced", "mailed", "mailed"]


def test_a_window_comes_every_week_by_the_clocks_of_its_zone() -> None:
    made = silence(weekly="sun 23:00", length=3 * HOUR, zone="Europe/Madrid", since=0, until=START + 999 * DAY)

    def covered(text: str) -> bool:
        return silences.covers(made, round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000))

    assert [covered(f"2026-11-{day}") for day in ("29T21:59", "29T22:00", "30T00:59", "30T01:00")] == [
        False, True, True, False,
    ]  # fmt: skip
    assert [covered(f"2026-07-{day}") for day in ("05T20:59", "05T21:00", "05T23:59", "06T00:00")] == [
        False, True, True, False,
    ]  # fmt: skip


def test_none_is_endless_and_there_are_not_endlessly_many(story: Story) -> None:
    with pytest.raises(ValueError, match="31 days"):
        story.add(until=START + 32 * DAY)
    with pytest.raises(ValueError, match="over before it begins"):
        story.add(until=START)
    with write(story.home.engine) as connection:
        for _ in range(silences.MOST):
            silences.add(connection, silence())
        with pytest.raises(ValueError, match="clamor silence end"):
            silences.add(connection, silence())
        silences.let_go(connection, START + 5 * HOUR)
        assert not silences.listed(connection, 10), "what people wrote goes with the posts of its time"
