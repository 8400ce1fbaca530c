"""Promise 6, no alert storm: what is told, to whom, how often, and that the rest arrives counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from mailbox import mbox
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_home import ANA, BEN, SETTINGS, START, MailHome, settle

from database.engine import read, write
from routing.alerts import Told, risk_level, worse
from routing.incidents import book
from routing.incidents.book import Evidence
from routing.incidents.levels import Standing
from routing.mail.mailbox import MailboxTransport
from routing.mail.transport import Delivery, Outgoing
from routing.mail_status import mail_status
from routing.mailer import Mailer
from routing.named import named
from routing.operations import raise_operations, resolve_operations
from routing.people_to_tell import Person
from stream.clock import DAY, HOUR, MINUTE


class Place:
    """A home whose mails go into a mailbox file."""

    def __init__(self, folder: Path, people: list[Person]) -> None:
        self.home = MailHome(folder, people)
        self.path = folder / "mail" / "alerts.mbox"
        self.mailer: Mailer = self.home.mailer(MailboxTransport(self.path))

    def settle(self, later: int = 0) -> None:
        self.home.clock.advance(later)
        settle(self.mailer, self.home)

    def mails(self) -> list[EmailMessage]:
        """What lies in the mailbox, as a mail program reads it."""
        if not self.path.exists():
            return []
        with_file = mbox(self.path, create=False)
        try:
            read_back = [message_from_bytes(m.as_bytes(), policy=policy.default) for m in with_file]
        finally:
            with_file.close()
        return [m for m in read_back if isinstance(m, EmailMessage)]

    def subjects(self, person: Person = ANA) -> list[str]:
        return [str(m["Subject"]) for m in self.mails() if person.email in str(m["To"])]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, [BEN])
    yield made
    made.home.close()


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


# --- told once, until it worsens ----------------------------------------------------------------------------------


def test_a_case_is_told_again_only_when_it_worsens() -> None:
    before = Told(risk_level(72, SETTINGS.risk_steps), "support", 3)
    assert not worse(before, before)
    assert not worse(before._replace(level=before.level - 1, mentions=7), before)
    assert not worse(before._replace(queue="sales"), before)
    assert worse(before._replace(level=risk_level(85, SETTINGS.risk_steps)), before)
    assert worse(before._replace(queue="pr"), before)
    assert worse(before._replace(mentions=8), before)
    assert worse(before, None)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_a_growing_case_is_told_a_bounded_number_of_times(sizes: list[int]) -> None:
    told, mails = None, 0
    for size in sorted(sizes):
        now = Told(3, "pr", size)
        if worse(now, told):
            told, mails = now, mails + 1
    assert mails <= 9, "twice as many each time: 400 is reached in nine steps"


def test_the_same_case_sends_no_second_mail_until_it_worsens(place: Place) -> None:
    home = place.home
    case = home.case(7)
    for _ in range(3):
        home.alert(home.mention(case_id=case), case_id=case)
        place.settle(MINUTE)
    assert len(place.subjects(BEN)) == 1
    home.alert(home.mention(case_id=case, risk=90), case_id=case, risk=90)
    place.settle(MINUTE)
    assert len(place.subjects(BEN)) == 2
    home.case(7, mentions=6)
    home.alert(home.mention(case_id=case, risk=70), case_id=case, risk=70)
    place.settle(MINUTE)
    assert len(place.subjects(BEN)) == 3
    assert len({str(mail["References"]) for mail in place.mails()}) == 1, "mail programs show them as one thread"


def test_a_case_that_was_merged_into_one_that_people_know_is_no_news(place: Place) -> None:
    home = place.home
    home.case(1)
    home.alert(home.mention(case_id=1), case_id=1)
    place.settle()
    home.case(2)
    with write(home.engine) as connection:
        named(connection, "UPDATE cases SET merged_into = 1 WHERE id = 2 RETURNING id")
    home.alert(home.mention(case_id=1), case_id=2)
    place.settle(MINUTE)
    assert len(place.subjects(BEN)) == 1


def test_each_person_gets_only_the_brands_and_queues_they_are_configured_for(place: Place) -> None:
    home = place.home
    cara = Person(id="cara", name="Cara", email="cara@example.org", brands=frozenset({"bakery"}))
    home.people = [ANA, BEN, cara]
    home.severe(queue="support", brand="acme")
    home.severe(queue="pr", brand="acme")
    home.severe(queue="support", brand="bakery")
    place.settle()
    assert [len(place.subjects(person)) for person in (ANA, BEN, cara)] == [3, 1, 1]


def test_an_alert_that_nobody_is_configured_for_is_kept_and_counted(place: Place) -> None:
    place.home.severe(queue="sales")
    place.settle()
    assert mail_status(place.home.engine, place.home.clock.now()).unheard == 1


# --- the hourly limit ----------------------------------------------------------------------------------------------


def test_a_strike_day_of_5000_complaints_is_six_mails_and_one_summary(place: Place) -> None:
    home = place.home
    home.people = [ANA]
    _many_severe(home, 5_000)
    place.settle()
    assert len(place.subjects()) == 6
    place.settle(30 * MINUTE)
    assert len(place.subjects()) == 6, "the rest waits until the hour is over"
    place.settle(30 * MINUTE)
    assert len(place.subjects()) == 7
    summary = text_of(place.mails()[-1])
    assert "4.994" in str(place.mails()[-1]["Subject"])
    for row in ("3.996 · Queja · Acme Air · Comunicación · Risk is 70 or more", "998 · Queja · Old Bakery · Atención"):
        assert row in summary, summary
    assert summary.count("Riesgo 99") == 5, "the worst five"
    place.settle(10 * HOUR)
    assert len(place.subjects()) == 7, "told once"


def _many_severe(home: MailHome, count: int) -> None:
    """Complaints, each with a case of its own, one in five about the bakery; the last five are the worst."""
    for n in range(count):
        brand, queue = ("acme", "pr") if n < 6 or n % 5 else ("bakery", "support")
        risk = 99 if n >= count - 5 else 75
        home.stage_severe(brand=brand, queue=queue, risk=risk, intent="complaint", rule="strike")
    home.write_staged()


def test_after_a_summary_single_mails_come_again(place: Place) -> None:
    home = place.home
    for _ in range(8):
        home.severe()
        place.settle(MINUTE)
    assert len(place.subjects(BEN)) == 6
    place.settle(HOUR)
    assert "2 more severe posts" in place.subjects(BEN)[-1]
    home.severe()
    place.settle(HOUR)
    assert len(place.subjects(BEN)) == 8
    assert "risk 80" in place.subjects(BEN)[-1]


def test_what_must_always_come_does_not_count_against_the_limit(place: Place) -> None:
    home = place.home
    for _ in range(7):
        home.severe()
    place.settle()
    assert len(place.subjects(BEN)) == 6
    with write(home.engine) as connection:
        standing = Standing(state="crisis", since=START, seen=START)
        book.tell(
            connection, book.open_incident(connection, "acme", standing, Evidence(), START), "acme", "crisis", 0, START
        )
    home.alert(None, kind="chain_test", why="")
    home.alert(home.mention(), kind="found_late")
    place.settle()
    place.settle(2 * MINUTE)
    assert len(place.subjects(BEN)) == 9
    assert any("CRISIS" in subject for subject in place.subjects(BEN))


class Moody(MailboxTransport):
    """A server that is away at times."""

    away = False

    def send(self, mail: Outgoing) -> Delivery:
        return Delivery("down", "away") if self.away else super().send(mail)


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.booleans()), min_size=1, max_size=14),
    st.integers(1, 4),
)
def test_whatever_comes_nobody_gets_more_than_the_limit_and_every_alert_is_told_once(
    events: list[tuple[int, int, bool]], limit: int
) -> None:
    """`events`: (minutes that pass, alerts that come, whether the server is there)."""
    with TemporaryDirectory() as folder:
        person = Person(id="eve", name="Eve", email="eve@example.org", max_mails_per_hour=limit)
        home = MailHome(Path(folder), [person])
        transport = Moody(Path(folder) / "m.mbox")
        mailer = home.mailer(transport)
        alerts = 0
        for minutes, count, there in events:
            transport.away = not there
            home.clock.advance(minutes * MINUTE)
            for _ in range(count):
                home.stage_severe()
            home.write_staged()
            alerts += count
            settle(mailer, home)
        transport.away = False
        for _ in range(20):
            home.clock.advance(20 * MINUTE)
            settle(mailer, home)
        with read(home.engine) as connection:
            sent = named(connection, "SELECT id, ended_at FROM mail WHERE state = 'sent' ORDER BY ended_at")
            told = named(
                connection, "SELECT i.alert FROM mail_item i JOIN mail m ON m.id = i.mail WHERE m.state = 'sent'"
            )
            left = named(connection, "SELECT id FROM mail WHERE state NOT IN ('sent', 'dropped')")
        home.close()
        times = [row.ended_at for row in sent]
        assert all(sum(1 for t in times if at - HOUR < t <= at) <= limit for at in times)
        assert not left
        assert Counter(row.alert for row in told) == Counter(range(1, alerts + 1))


# --- found late, deleted, old --------------------------------------------------------------------------------------


def test_what_a_gap_brought_late_is_one_mail_that_names_the_gap(place: Place) -> None:
    home = place.home
    home.gap("forum-search", START - 3 * HOUR, START - HOUR, "backfilled")
    for n in range(4):
        home.alert(home.late_mention("forum-search", START - 2 * HOUR + n * MINUTE), kind="found_late")
        place.settle(20_000)
    assert not place.mails(), "the gap is still bringing posts"
    place.settle(2 * MINUTE)
    (mail,) = place.mails()
    assert "found late: 4 severe posts" in str(mail["Subject"])
    assert "forum-search: 2026-09-21 11:13 UTC to 2026-09-21 13:13 UTC" in text_of(mail)


def test_a_post_that_was_deleted_is_never_mailed(place: Place) -> None:
    n = place.home.severe("I take this back")
    place.home.delete(n)
    place.settle()
    assert not place.mails()
    assert place.home.mails()[0][2:] == ("dropped", "the post was deleted before the mail left")


def test_a_deleted_post_is_neither_shown_in_a_summary_nor_counted(place: Place) -> None:
    home = place.home
    for n in range(9):
        place_n = home.severe(f"complaint number {n}", risk=75 + n)
        if n == 8:
            home.delete(place_n)
    place.settle()
    place.settle(HOUR)
    summary = place.mails()[-1]
    assert "2 more severe posts" in str(summary["Subject"])
    assert "1 of them was deleted since" in text_of(summary)
    assert "complaint number 8" not in text_of(summary)


def test_when_the_post_is_deleted_the_worst_that_is_left_of_its_case_is_told(place: Place) -> None:
    home = place.home
    case = home.case(3, mentions=2)
    first = home.mention("deleted before the mail", case_id=case)
    home.alert(first, case_id=case)
    home.mention("the other one stays", case_id=case, risk=78)
    home.delete(first)
    place.settle()
    (mail,) = place.mails()
    assert "the other one stays" in text_of(mail)
    assert "deleted before the mail" not in text_of(mail)


def test_a_case_whose_mail_was_dropped_is_news_again(place: Place) -> None:
    home = place.home
    case = home.case(3)
    first = home.mention(case_id=case)
    home.alert(first, case_id=case)
    home.delete(first)
    place.settle()
    home.alert(home.mention("and again", case_id=case), case_id=case)
    place.settle()
    assert len(place.mails()) == 1


# --- Clamor itself ---------------------------------------------------------------------------------------------------


def test_a_trouble_of_clamor_is_told_once_until_it_is_over(place: Place) -> None:
    home = place.home
    ops = Person(id="ops", name="Ops", email="ops@example.org", queues=frozenset({"sales"}), operations=True)
    home.people = [ANA, ops]

    def trouble() -> bool:
        with write(home.engine) as connection:
            return raise_operations(connection, "disk:data", "disk", "9 % of the disk is free", home.clock.now())

    assert [trouble() for _ in range(3)] == [True, False, False]
    place.settle()
    assert [str(mail["To"]) for mail in place.mails()] == ["Ops <ops@example.org>"]
    assert "9 % of the disk is free" in text_of(place.mails()[0])
    with write(home.engine) as connection:
        assert resolve_operations(connection, "disk:data", home.clock.now())
    assert not trouble(), "back within the hour"
    with write(home.engine) as connection:
        resolve_operations(connection, "disk:data", home.clock.now())
    home.clock.advance(2 * HOUR)
    assert trouble()
    place.settle()
    assert len(place.mails()) == 2


def test_records_of_mails_are_forgotten_after_their_time(place: Place) -> None:
    home = place.home
    home.severe()
    place.settle()
    place.settle(60 * DAY)
    assert len(place.mails()) == 1
    place.settle(31 * DAY)
    with read(home.engine) as connection:
        left = [
            named(connection, f"SELECT COUNT(*) AS n FROM {t}")[0].n for t in ("mail", "mail_item", "told", "alert")
        ]
    assert left == [0, 0, 0, 0]
    assert not place.mails(), "nor does the mailbox file keep them"
