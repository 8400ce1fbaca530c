"""One incident for one matter of several brands: found by its cause, told once, split by a person."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from mail_home import BEN, SETTINGS, START, MailHome
from sqlalchemy import Connection
from test_incident_mail import LOUD, Story, text

from database.engine import read, rows, write
from routing import silences
from routing.incidents import book, matters, telling
from routing.incidents.another import Another
from routing.incidents.clock import IncidentClock
from routing.incidents.common import author_in
from routing.incidents.levels import Limits, Standing
from routing.incidents.matters import Comparing
from routing.incidents.telling import Telling
from routing.mail.mailbox import MailboxTransport
from routing.people_to_tell import Person
from routing.silences import Silence
from stream.clock import HOUR, MINUTE

BAKER = Person(id="bea", name="Bea", email="bea@example.org", brands=frozenset({"bakery"}))
PILOT = Person(id="pat", name="Pat", email="pat@example.org", brands=frozenset({"acme"}))


class Two(Story):
    """Acme Air and the Old Bakery; Ben watches both, Bea and Pat one each."""

    def __init__(self, folder: Path) -> None:
        settings = msgspec.structs.replace(SETTINGS, url="https://clamor.example", chain=("eva",))
        self.home = MailHome(folder, [BEN, BAKER, PILOT], settings)
        self.path = folder / "mail" / "alerts.mbox"
        self.mailer = self.home.mailer(MailboxTransport(self.path))
        self.comparing = Comparing(self.home.engine, lambda connection: None)

    def begins(self, brand: str, state: str = "crisis") -> int:
        with write(self.home.engine) as connection:
            return self.begins_in(connection, brand, state)

    def begins_in(self, connection: Connection, brand: str, state: str = "crisis") -> int:
        standing = Standing(state, START - HOUR, START, START)
        return book.open_incident(connection, brand, standing, LOUD, self.home.clock.at)

    def storm(self, brand: str, words: str, posts: int = 8, first: int = 0) -> None:
        for n in range(first, first + posts):
            self.home.mention(f"{words}, says reader {n}", brand=brand)

    def tells(self) -> None:
        """As the clock does: compare what is fresh, then tell what is due."""
        self.comparing.step(self.home.clock.at)
        with write(self.home.engine) as connection:
            matter: dict[int, list[book.Incident]] = {}
            for one in book.listed(connection, all=False, most=100)[::-1]:
                matter.setdefault(one.matter, []).append(one)
            for first in matter.values():
                strands = book.strands(connection, first[0])
                telling.tell(connection, strands, Telling(chain=1), self.home.clock.at)

    def find(self, id: int) -> book.Incident:
        with read(self.home.engine) as connection:
            return book.find(connection, id)

    def subjects(self, person: Person) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails(person)]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Two]:
    made = Two(tmp_path)
    yield made
    made.home.close()


PALM = "the palm oil of their suppliers burns the rainforest https://paper.example/palm-oil-report"


def both(story: Two) -> tuple[int, int]:
    story.storm("acme", PALM)
    story.storm("bakery", PALM, first=20)
    return story.begins("acme"), story.begins("bakery")


def test_two_brands_with_one_cause_are_one_matter_and_each_person_is_told_once(story: Two) -> None:
    first, second = both(story)
    story.tells()
    assert story.find(second).part_of == first
    assert [len(story.mails(one)) for one in (BEN, BAKER, PILOT)] == [1, 1, 1]
    assert "Acme Air" in story.subjects(BEN)[0]
    assert "The same matter at Old Bakery: crisis." in " ".join(text(story.mails(BEN)[0]).split())


def test_who_knows_of_it_by_one_brand_gets_no_mail_of_each_post_about_the_other(story: Two) -> None:
    both(story)
    for _ in range(10):
        story.home.mention(PALM, brand="bakery", cluster=7)
    story.tells()
    assert len(story.mails(BEN)) == 1
    story.home.severe(PALM, brand="bakery", cluster=7)
    assert [len(story.mails(one)) for one in (BEN, BAKER)] == [1, 1]


def test_who_watches_one_brand_reads_of_that_one_alone(story: Two) -> None:
    both(story)
    story.tells()
    for person, own, other in ((BAKER, "Old Bakery", "Acme Air"), (PILOT, "Acme Air", "Old Bakery")):
        (mail,) = story.mails(person)
        assert own in str(mail["Subject"])
        assert other not in _whole(mail)


def test_another_cause_in_the_same_hour_is_another_matter(story: Two) -> None:
    story.storm("acme", "the crew left us at the gate in the rain https://paper.example/crew")
    story.storm("bakery", "mouldy bread again in the morning box https://food.example/mould", first=20)
    story.begins("acme"), story.begins("bakery")
    story.tells()
    assert [one.part_of for one in (story.find(1), story.find(2))] == [None, None]
    assert len(story.mails(BEN)) == 2


def test_who_looks_after_one_brand_looks_after_the_matter(story: Two) -> None:
    first, second = both(story)
    story.tells()
    with write(story.home.engine) as connection:
        book.acknowledge(connection, second, "bea", START)
    assert story.find(first).acknowledged_by == "bea"
    with write(story.home.engine) as connection, pytest.raises(ValueError, match="bea looks after"):
        book.acknowledge(connection, first, "ben", START)
    story.home.clock.advance(3 * HOUR)
    story.tells()
    assert len(story.mails(BEN)) == 1


def test_nobody_answers_and_the_chain_hears_of_the_matter_once(story: Two) -> None:
    both(story)
    story.tells()
    story.home.clock.advance(16 * MINUTE)
    story.tells()
    words = [(why, step) for why, step in _alerts(story) if why == "still"]
    assert words == [("still", 1)]


def test_a_brand_that_joins_later_is_told_to_its_own_people_alone(story: Two) -> None:
    story.storm("acme", PALM)
    story.begins("acme")
    story.tells()
    assert len(story.mails(BEN)) == 1
    story.storm("bakery", PALM, first=20)
    story.begins("bakery", "warning")
    story.home.clock.advance(6 * MINUTE)
    story.tells()
    assert [len(story.mails(one)) for one in (BEN, BAKER, PILOT)] == [1, 1, 1]


def test_the_end_is_told_when_it_is_over_at_all_brands_and_once(story: Two) -> None:
    first, second = both(story)
    story.tells()
    assert len(story.mails(BEN)) == 1
    for id, brand in ((first, "acme"), (second, "bakery")):
        with write(story.home.engine) as connection:
            now = story.home.clock.at
            book.move(connection, book.find(connection, id), Standing("over"), book.Evidence(), now)
            assert telling.all_clear(connection, {brand}, now) == (0 if id == first else 2)
        story.home.clock.advance(MINUTE)
    assert [len(story.mails(one)) for one in (BEN, BAKER, PILOT)] == [2, 2, 2]


def test_the_chain_is_not_told_again_when_the_first_brand_is_over(story: Two) -> None:
    first, _ = both(story)
    story.tells()
    story.home.clock.advance(16 * MINUTE)
    story.tells()
    assert ("still", 1) in _alerts(story)
    with write(story.home.engine) as connection:
        held = book.find(connection, next(one.id for one in book.strands(connection, book.find(connection, first))))
        book.move(connection, held, Standing("over"), book.Evidence(), story.home.clock.at)
    story.home.clock.advance(16 * MINUTE)
    story.tells()
    assert [step for why, step in _alerts(story) if why == "still" and step > 0] == [1]


def test_a_person_splits_it_and_it_stays_split(story: Two) -> None:
    first, second = both(story)
    story.tells()
    with write(story.home.engine) as connection:
        assert matters.split(connection, second, START, "ana", "another cause") == [first]
    story.home.clock.advance(10 * MINUTE)
    story.comparing.step(story.home.clock.at)
    Comparing(story.home.engine, lambda connection: None).step(story.home.clock.at)
    assert (story.find(first).part_of, story.find(second).part_of) == (None, None)
    with read(story.home.engine) as connection:
        (tie,) = matters.ties(connection, first)
        events = [event.detail for event in book.events(connection, second) if event.change == "split"]
    assert (tie.state, tie.person, events) == ("split", "ana", ["another cause"])
    assert "link" in tie.common.kinds
    with write(story.home.engine) as connection:
        matters.join(connection, second, first, START, "ben")
    assert story.find(second).part_of == first


def test_the_first_of_three_leaves_and_the_others_stay_one(story: Two) -> None:
    ids = [story.begins(brand) for brand in ("acme", "bakery", "cafe")]
    with write(story.home.engine) as connection:
        matters.join(connection, ids[0], ids[1], START)
        matters.join(connection, ids[1], ids[2], START)
        matters.split(connection, ids[0], START, "ana")
    assert [story.find(id).part_of for id in ids] == [None, None, ids[1]]


def test_what_is_over_or_one_already_is_not_joined(story: Two) -> None:
    first, second = story.begins("acme"), story.begins("bakery")
    with write(story.home.engine) as connection:
        matters.join(connection, first, second, START)
        with pytest.raises(ValueError, match="one matter already"):
            matters.join(connection, first, second, START)
        with pytest.raises(book.NoSuchIncident):
            matters.join(connection, first, 99, START)


def test_first_mails_wait_until_two_storms_were_compared(story: Two) -> None:
    both(story)
    with read(story.home.engine) as connection:
        live = book.listed(connection, all=False, most=10)
    assert story.comparing.waits(live, START) == {1, 2}
    assert story.comparing.waits(live, START + MINUTE) == set(), "though no comparison came about"
    story.comparing.step(START)
    assert story.comparing.waits(live, START) == set()
    assert Comparing(story.home.engine, lambda connection: None).waits(live[:1], START) == set()


def test_what_was_joined_before_anybody_was_told_waits_for_no_comparison(story: Two) -> None:
    """By a person while it was watched, or by a process that was killed before it could tell."""
    first, second = both(story)
    with write(story.home.engine) as connection:
        matters.join(connection, first, second, START, "ana")
    story.comparing.step(START)
    with read(story.home.engine) as connection:
        live = book.listed(connection, all=False, most=10)
    assert story.comparing.waits(live, START) == set()


def test_who_silenced_a_warning_of_one_brand_is_told_of_a_crisis_of_the_other(story: Two) -> None:
    first, second = story.begins("acme", "warning"), story.begins("bakery", "warning")
    with write(story.home.engine) as connection:
        matters.join(connection, first, second, START, "ana")
    story.tells()
    with write(story.home.engine) as connection:
        now = story.home.clock.at
        book.silence(connection, first, "ben", now + 4 * HOUR, now)
        held = book.find(connection, second)
        book.move(connection, held, Standing("crisis", held.since, now, now), LOUD, now)
    story.tells()
    assert [why for why, _ in _alerts(story)] == ["warning", "warning", "crisis"]


def test_a_brand_that_joins_a_silenced_matter_is_told_to_its_own_people(story: Two) -> None:
    first = story.begins("acme", "warning")
    story.tells()
    with write(story.home.engine) as connection:
        now = story.home.clock.at
        book.silence(connection, first, "pat", now + 4 * HOUR, now)
    second = story.begins("bakery", "warning")
    with write(story.home.engine) as connection:
        matters.join(connection, first, second, now)
    story.tells()
    assert [len(story.mails(one)) for one in (BEN, BAKER, PILOT)] == [1, 1, 1]


def test_what_somebody_split_is_joined_by_no_third_and_by_no_comparison_under_way(story: Two) -> None:
    ids = [story.begins(brand) for brand in ("acme", "bakery", "cafe")]
    with write(story.home.engine) as connection:
        matters.join(connection, ids[0], ids[1], START)
        matters.split(connection, ids[1], START, "ana")
        with pytest.raises(ValueError, match="not one matter"):
            matters.join(connection, ids[0], ids[1], START)
        matters.join(connection, ids[0], ids[2], START)
        with pytest.raises(ValueError, match="not one matter"):
            matters.join(connection, ids[1], ids[2], START)


def test_what_is_over_and_waited_for_the_other_is_told_when_they_are_split(story: Two) -> None:
    first, second = both(story)
    story.tells()
    with write(story.home.engine) as connection:
        now = story.home.clock.at
        book.move(connection, book.find(connection, first), Standing("over"), book.Evidence(), now)
        assert telling.all_clear(connection, {"acme"}, now) == 0
        matters.split(connection, second, now, "ana")
        matters.join(connection, story.begins_in(connection, "cafe"), second, now, "ana")
        matters.split(connection, second, now, "ana")
    assert [why for why, _ in _alerts(story) if why == "over"] == ["over"]


def test_a_brand_that_is_watched_no_more_keeps_nobody_waiting_for_the_end(story: Two) -> None:
    first, _ = both(story)
    story.tells()
    clock = IncidentClock(
        story.home.engine, lambda connection: None, false_alarms_a_month=1.0, limits=Limits(), tells=Telling()
    )
    now = story.home.clock.at
    with write(story.home.engine) as connection:
        book.move(connection, book.find(connection, first), Standing("over"), book.Evidence(), now)
    clock.step({"acme": "own"}, now + MINUTE, now + MINUTE)
    assert [why for why, _ in _alerts(story) if why == "over"] == ["over", "over"]


def test_no_link_asks_for_one_of_the_chain_who_was_told_by_way_of_another_brand(story: Two) -> None:
    first, _ = both(story)
    story.tells()
    assert "Tell the next one" in text(story.mails(BAKER)[0])
    with write(story.home.engine) as connection:
        book.escalate(connection, first, "ana", 1, story.home.clock.at)
    story.home.clock.advance(50 * MINUTE)
    with write(story.home.engine) as connection:
        for one in book.listed(connection, all=False, most=2):
            book.tell(connection, one.id, one.brand, "still", -1, story.home.clock.at)
    assert "Tell the next one" not in text(story.mails(BAKER)[-1])


def test_the_next_of_the_chain_is_the_next_of_the_matter(story: Two) -> None:
    """Where a mail about one brand comes back and somebody was told of the other."""
    first, second = both(story)
    story.tells()
    with write(story.home.engine) as connection:
        book.escalate(connection, first, "ana", 1, story.home.clock.at)
    story.mails(BEN)
    with write(story.home.engine) as connection:
        sql = "SELECT i.mail FROM mail_item i JOIN alert a ON a.id = i.alert WHERE a.incident = ? LIMIT 1"
        ((mail,),) = rows(connection, sql, (second,))
        assert not book.tell_next(connection, mail, "bea", 1, story.home.clock.at)


def test_an_account_and_its_handle_are_one_person() -> None:
    marks = frozenset({("author", 9), ("author", 4), ("link", 2)})
    assert author_in(marks, 7) == author_in(frozenset(sorted(marks, reverse=True)), 7) == 4
    assert author_in({("link", 2)}, 7) == -7


def test_brands_that_are_told_one_after_the_other_while_no_mail_leaves_make_one_mail(story: Two) -> None:
    first = story.begins("acme")
    story.tells()
    story.home.clock.advance(MINUTE)
    with write(story.home.engine) as connection:
        second = story.begins_in(connection, "bakery", "warning")
        matters.join(connection, first, second, story.home.clock.at, "ana")
    story.tells()
    assert len({at for (at,) in _rows(story, "SELECT created_at FROM alert")}) == 2
    assert [len(story.mails(one)) for one in (BEN, BAKER, PILOT)] == [1, 1, 1]


def test_the_numbers_that_are_kept_hold_no_word(story: Two) -> None:
    both(story)
    story.tells()
    with read(story.home.engine) as connection:
        kept = rows(connection, "SELECT evidence FROM incident_tie")
    assert "palm" not in str(kept)
    assert "paper.example" not in str(kept)


def test_another_matter_of_a_brand_in_an_open_incident_is_told_once_an_hour(story: Two) -> None:
    story.storm("acme", "the crew left us at the gate in the rain https://paper.example/crew", 12)
    story.begins("acme")
    another = Another(story.home.engine, lambda connection: None)

    def look() -> list[str]:
        with read(story.home.engine) as connection:
            live = book.listed(connection, all=False, most=10)
        another.step(live, story.home.clock.at)
        return [why for why, _ in _alerts(story)]

    story.home.clock.advance(MINUTE)
    story.tells()
    assert len(story.mails(PILOT)) == 1
    assert look() == ["crisis"]
    story.home.clock.advance(6 * MINUTE)
    story.storm("acme", "the crew left others at the gate as well https://paper.example/crew", 30, first=40)
    assert look() == ["crisis"]  # the same matter goes on
    story.home.clock.advance(6 * MINUTE)
    story.storm("acme", "my card was charged twice by their new shop https://money.example/twice", 14, first=90)
    assert look() == ["crisis", "another"]
    mail = story.mails(PILOT)[-1]
    assert mail["Subject"] == "Another matter · Acme Air"
    assert "Beside the incident about Acme Air" in " ".join(text(mail).split())
    assert "money.example" in text(mail)
    story.home.clock.advance(6 * MINUTE)
    story.storm("acme", "my card was charged twice by their new shop https://money.example/twice", 14, first=120)
    assert look() == ["crisis", "another"]


def test_who_silenced_an_incident_is_told_of_another_matter_and_who_silenced_the_brand_is_not(story: Two) -> None:
    story.storm("acme", "the crew left us at the gate in the rain https://paper.example/crew", 12)
    id = story.begins("acme")
    story.home.clock.advance(MINUTE)
    story.tells()
    another, now = Another(story.home.engine, lambda connection: None), story.home.clock.at
    of_all = Silence(0, "acme", "", None, True, "we know", "ana", now, now, now + HOUR, "", 0, "UTC", None, "")
    with write(story.home.engine) as connection:
        book.silence(connection, id, "ana", now + 4 * HOUR, now)
        silences.add(connection, of_all._replace(incident=id, until=now + 4 * HOUR))
        brand = silences.add(connection, of_all)

    def look() -> list[str]:
        story.home.clock.advance(6 * MINUTE)
        with read(story.home.engine) as connection:
            live = book.listed(connection, all=False, most=10)
        another.step(live, story.home.clock.at)
        return [why for why, _ in _alerts(story)]

    look()
    story.storm("acme", "my card was charged twice by their new shop https://money.example/twice", 14, first=90)
    assert look() == ["crisis"]
    with write(story.home.engine) as connection:
        silences.end(connection, brand.id, "ana", story.home.clock.at)
    assert look() == ["crisis", "another"]


def _alerts(story: Two) -> list[tuple[str, int]]:
    return [
        (why, step) for why, step in _rows(story, "SELECT why, step FROM alert WHERE kind = 'incident' ORDER BY id")
    ]


def _rows(story: Two, sql: str) -> list[Any]:
    with read(story.home.engine) as connection:
        return rows(connection, sql)


def _whole(mail: EmailMessage) -> str:
    return text(mail) + text(mail, "html")
