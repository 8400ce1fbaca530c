"""Mails are foreseen as the mailer would send them: told once until it worsens, six an hour, the rest in a summary."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from route_home import RouteHome

from database.engine import many, rows, write
from routing.alerts import Pending
from routing.foreseen import Foreseen, foreseen
from routing.people_to_tell import MailSettings, Person
from routing.planner import plan_pending
from stream.clock import HOUR, MINUTE, SECOND

NOW = 1_790_000_000_000
ANA = Person(id="ana", name="Ana", email="ana@example.org")
SETTINGS = MailSettings(from_address="clamor@example.org")


def alert(number: int, at: int = NOW, subject: int = 0, **fields: object) -> Pending:
    made = Pending(number, "mention", subject or number, "acme", "pr", 60, 1, at)
    return made._replace(**fields)


def left(found: Foreseen) -> list[tuple[str, str, int, int]]:
    """(person, kind, seconds since NOW, alerts)"""
    return [(mail.person, mail.kind, (mail.at - NOW) // SECOND, mail.alerts) for mail in found.mails]


def test_a_matter_is_told_once_until_it_worsens() -> None:
    alerts = [
        alert(1, NOW, 7), alert(2, NOW + SECOND, 7, mentions=2), alert(3, NOW + 2 * SECOND, 7, mentions=6),
        alert(4, NOW + 3 * SECOND, 7, mentions=7, risk=90),
    ]  # fmt: skip
    found = foreseen(alerts, [ANA], SETTINGS)
    assert left(found) == [("ana", "alert", 0, 1), ("ana", "alert", 2, 1), ("ana", "alert", 3, 1)]
    assert dict(found.outcomes) == {"mailed": 3, "quiet": 1}


def test_what_exceeds_six_an_hour_is_one_summary_an_hour_after_the_first() -> None:
    found = foreseen([alert(n, NOW + n * MINUTE) for n in range(1, 31)], [ANA], SETTINGS)
    singles = [("ana", "alert", n * 60, 1) for n in range(1, 7)]
    assert left(found) == [*singles, ("ana", "summary", 3660, 24)]


def test_each_has_a_limit_of_her_own_and_what_nobody_hears_is_counted() -> None:
    bea = Person(id="bea", name="Bea", email="b@example.org", max_mails_per_hour=2, queues=frozenset({"pr"}))
    alerts = [alert(n, NOW + n * SECOND, queue="pr" if n < 4 else "sales") for n in range(1, 5)]
    found = foreseen(alerts, [bea], SETTINGS)
    assert left(found) == [("bea", "alert", 1, 1), ("bea", "alert", 2, 1), ("bea", "summary", 3601, 1)]
    assert found.outcomes["nobody"] == 1


def test_what_was_found_late_goes_when_the_gap_has_been_quiet_for_a_minute() -> None:
    alerts = [alert(n, NOW + n * 10 * SECOND, kind="found_late") for n in range(3)]
    assert left(foreseen(alerts, [ANA], SETTINGS)) == [("ana", "found_late", 80, 3)]
    drops = [alert(n, NOW + n * 50 * SECOND, kind="found_late") for n in range(30)]
    assert left(foreseen(drops, [ANA], SETTINGS))[0] == ("ana", "found_late", 600, 13)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(3))
def test_the_planner_makes_the_same_mails_of_the_same_alerts(home: RouteHome, seed: int) -> None:
    """The mailer's own planner, step by step on its tables, with a server that takes every mail at once."""
    chance = random.Random(seed)
    people = [ANA, replace(ANA, id="bea", max_mails_per_hour=3), replace(ANA, id="cai", queues=frozenset({"sales"}))]
    alerts, at = [], NOW
    for number in range(1, 25):
        at += chance.choice((SECOND, MINUTE, 7 * MINUTE, 40 * MINUTE))
        risk, queue = chance.choice((30, 60, 90)), chance.choice(("pr", "support", "sales"))
        kind = chance.choice(("mention", "mention", "found_late"))
        alerts.append(alert(number, at, -chance.randrange(1, 15), kind=kind, risk=risk, queue=queue))
    made = []
    waiting = list(alerts)
    later = (0, MINUTE, 10 * MINUTE, HOUR, HOUR + MINUTE, 2 * HOUR, 3 * HOUR)
    for now in sorted({one.created_at + after for one in alerts for after in later}):
        with write(home.engine) as connection:
            while waiting and waiting[0].created_at == now:
                one = waiting.pop(0)
                row = (one.id, one.kind, -one.subject, one.brand, one.queue, one.risk, now, now)
                many(connection, _ALERT, [row])
        plan_pending(home.engine, people, SETTINGS, now, lambda _: None)
        with write(home.engine) as connection:
            for id, person, kind in rows(connection, "SELECT id, person, kind FROM mail WHERE state = 'pending'"):
                many(connection, "UPDATE mail SET state = 'sent', ended_at = ? WHERE id = ?", [(now, id)])
                told = rows(connection, "SELECT count(*) FROM mail_item WHERE mail = ?", (id,))[0][0]
                made.append((person, kind, told))
    found = foreseen(alerts, people, SETTINGS)
    assert sorted((mail.person, mail.kind, mail.alerts) for mail in found.mails) == sorted(made)
    assert all(mail.at <= at + 3 * HOUR for mail in found.mails)


_ALERT = (
    "INSERT INTO alert (id, kind, mention_n, brand, queue, risk, why, event_time, created_at) "
    "VALUES (?, ?, ?, ?, ?, ?, '', ?, ?)"
)
