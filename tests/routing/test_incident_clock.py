"""The incident clock on a database: what it tells, once, over restarts, and what it lets sleep."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from database.engine import many, open_database, read, rows, write
from routing.incidents import book
from routing.incidents.book import Incident
from routing.incidents.clock import IncidentClock
from routing.incidents.curve import curve_of
from routing.incidents.levels import Limits
from routing.incidents.telling import Telling
from stream.clock import DAY, MINUTE
from stream.ports import Transient
from tests.places import new_database

START = 1_790_000_000_000 // DAY * DAY
FIRST = START // MINUTE
ACME, X, COMPLAINT, PRAISE = 1, 2, 3, 4
DAYS = 4
"""Of quiet before a test begins."""
LATER = FIRST + DAYS * 1440


class Place:
    def __init__(self, folder: Path) -> None:
        self.engine = open_database(new_database(folder))
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        self.dice = random.Random(7)
        with write(self.engine) as connection:
            words = [
                (ACME, "brand", "acme"),
                (X, "network", "x"),
                (COMPLAINT, "intent", "complaint"),
                (PRAISE, "intent", "praise"),
            ]
            many(connection, "INSERT INTO dictionary (n, kind, value) VALUES (?, ?, ?)", words)
        self.clock = self.new_clock()

    def new_clock(self) -> IncidentClock:
        return IncidentClock(
            self.engine, lambda connection: None, false_alarms_a_month=1.0,
            limits=Limits(), tells=Telling(chain=1),
        )  # fmt: skip

    def count(self, minutes: Mapping[int, int], *, negative: bool = True) -> None:
        """Mentions by minute, in deltas as routers write them."""
        sql = (
            "INSERT INTO count_delta (brand, minute, network, intent, queue, mentions, negative, positive, detractors,"
            " severe, risk, own) VALUES (?, ?, ?, ?, 'support', ?, ?, ?, 0, 0, 0, 0)"
        )
        intent = COMPLAINT if negative else PRAISE
        values = [
            (ACME, minute, X, intent, n, n if negative else 0, 0 if negative else n)
            for minute, n in minutes.items()
            if n
        ]
        with write(self.engine) as connection:
            many(connection, sql, values)

    def quiet(self, first: int, until: int, each: float = 0.05) -> None:
        self.count({minute: int(self.dice.random() < each) for minute in range(first, until)})

    def go(
        self, until: int, clock: IncidentClock | None = None, *, routed: int | None = None, brands: str = "acme"
    ) -> None:
        """Up to `until` in one go."""
        clock = clock or self.clock
        now = until * MINUTE + 20_000
        while clock.step(dict.fromkeys(brands.split(), "own"), now, now if routed is None else routed * MINUTE).more:
            pass

    def live(self, first: int, until: int, clock: IncidentClock | None = None) -> None:
        for minute in range(first, until):
            self.go(minute + 1, clock)

    def hole(self, first: int, until: int) -> None:
        with write(self.engine) as connection:
            many(
                connection,
                "INSERT INTO coverage (source_id, query, part, since, until, state, asked, received, missed, reason,"
                " brands, recorded_at) VALUES ('s', '', 'p', ?, ?, 'gap', 1, 0, NULL, 'outage', '', 0)",
                [(first * MINUTE, until * MINUTE)],
            )

    def incidents(self) -> list[Incident]:
        with read(self.engine) as connection:
            return book.listed(connection, all=True, most=100)[::-1]

    def told(self) -> list[tuple[str, int]]:
        with read(self.engine) as connection:
            return rows(connection, "SELECT why, step FROM alert WHERE kind = 'incident' ORDER BY id")

    def sql(self, statement: str) -> list[Any]:
        with read(self.engine) as connection:
            return rows(connection, statement)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    made.quiet(FIRST, LATER)
    made.go(LATER)
    yield made
    made.engine.dispose()


def storm(minutes: int, most: int, begins: int = LATER) -> dict[int, int]:
    """Rises slowly to `most` a minute."""
    return {begins + n: round(most * (n + 1) / minutes) for n in range(minutes)}


def test_days_like_all_others_tell_nobody_anything(place: Place) -> None:
    assert place.told() == []


def test_a_slow_storm_is_a_warning_then_a_crisis_and_in_the_end_over(place: Place) -> None:
    attack = storm(120, 30)
    place.count(attack)
    place.live(LATER, LATER + 120)
    (incident,) = place.incidents()
    assert incident.state == "crisis"
    assert [word for word, _ in place.told() if word != "still"] == ["warning", "crisis"]
    told_at = [at for (at,) in place.sql("SELECT at FROM incident_event WHERE change = 'warning'")]
    seen = sum(n for minute, n in attack.items() if minute * MINUTE < told_at[0])
    assert seen <= 0.05 * sum(attack.values())
    with write(place.engine) as connection:
        book.acknowledge(connection, incident.id, "ana", (LATER + 120) * MINUTE)
    place.quiet(LATER + 120, LATER + 120 + 600)
    place.go(LATER + 120 + 600)
    assert place.incidents()[0].state == "over"
    assert [word for word, _ in place.told()][-1] == "over"
    assert sum(word == "over" for word, _ in place.told()) == 1


def test_the_curve_shows_what_was_usual_before_it_began(place: Place) -> None:
    place.count(storm(120, 30))
    place.live(LATER, LATER + 120)
    with read(place.engine) as connection:
        curve = curve_of(connection, "acme", "negative", (LATER - 600) * MINUTE, (LATER + 120) * MINUTE)
    before = [point for point in curve if point.at < LATER * MINUTE]
    assert sum(point.observed <= point.high for point in before) >= 0.9 * len(before)
    assert max(point.high for point in curve) < 20
    assert curve[-1].observed > 10 * curve[-1].high


def test_nobody_answers_the_chain_is_told_and_then_all_again(place: Place) -> None:
    place.count(storm(60, 10))
    place.live(LATER, LATER + 60)
    told = place.told()
    now = (LATER + 60) * MINUTE
    assert ("crisis", 0) in told
    for minute in range(60, 160):
        place.count({LATER + minute: 10})
        place.go(LATER + minute + 1)
    later = place.told()[len(told) :] if ("still", 1) not in told else place.told()
    assert ("still", 1) in later
    assert ("still", -1) in later
    with write(place.engine) as connection:
        book.acknowledge(connection, place.incidents()[0].id, "ana", now)
    count = len(place.told())
    for minute in range(160, 460):
        place.count({LATER + minute: 10})
        place.go(LATER + minute + 1)
    assert len(place.told()) == count


def test_a_viral_praise_wakes_nobody(place: Place) -> None:
    place.count(storm(60, 40), negative=False)
    place.live(LATER, LATER + 60)
    assert place.told() == []
    assert [one.state for one in place.incidents()] == ["watch"]


def test_three_posts_where_none_were_are_no_alarm(place: Place) -> None:
    place.count({LATER + 10: 1, LATER + 11: 1, LATER + 13: 1})
    place.live(LATER, LATER + 30)
    assert place.told() == []


def test_a_hole_that_is_filled_is_no_storm(place: Place) -> None:
    place.hole(LATER, LATER + 180)
    place.live(LATER, LATER + 190)
    place.quiet(LATER, LATER + 180, each=0.5)
    place.quiet(LATER + 180, LATER + 300)
    place.live(LATER + 190, LATER + 300)
    assert place.told() == []


def test_what_routing_has_not_reached_is_not_judged(place: Place) -> None:
    place.go(LATER + 60, routed=LATER + 5)
    ((judged,),) = place.sql("SELECT minute FROM watch_state WHERE brand = ''")
    assert judged == LATER + 5


def test_a_new_owner_goes_on_and_tells_nothing_twice(place: Place) -> None:
    place.count(storm(120, 6))
    place.live(LATER, LATER + 60)
    before = place.told()
    assert before
    other = place.new_clock()
    place.live(LATER + 60, LATER + 61, other)
    assert place.told() == before
    place.live(LATER + 61, LATER + 120, other)
    first = [word for word, step in place.told() if not step and word != "still"]
    assert first == ["warning", "crisis"]


def test_posts_that_are_deleted_take_their_weight_away(place: Place) -> None:
    place.count(storm(10, 4))
    place.live(LATER, LATER + 3)
    place.count({minute: -n for minute, n in storm(10, 4).items()})
    place.live(LATER + 3, LATER + 30)
    assert not any(word == "crisis" for word, _ in place.told())


def test_an_import_of_last_year_wakes_nobody(place: Place) -> None:
    place.count({FIRST - 400 * 1440 + n: 50 for n in range(60)})
    place.live(LATER, LATER + 30)
    assert place.told() == []


def test_a_silenced_incident_tells_nobody_until_it_is_worse(place: Place) -> None:
    place.count(storm(60, 10))
    place.live(LATER, LATER + 60)
    (incident,) = place.incidents()
    assert incident.state == "crisis"
    before = place.told()
    with write(place.engine) as connection:
        now = (LATER + 60) * MINUTE
        book.silence(connection, incident.id, "ana", now + 240 * MINUTE, now)
    place.count({LATER + 60 + n: 10 for n in range(200)})
    for minute in range(LATER + 60, LATER + 260, 10):
        place.go(minute + 1)
    assert place.told() == before


def test_a_warning_that_is_silenced_is_told_as_a_crisis(place: Place) -> None:
    id = 0
    place.count(storm(120, 20))
    for minute in range(LATER, LATER + 120):
        place.go(minute + 1)
        if not id and place.told():
            assert place.told() == [("warning", 0)]
            id = place.incidents()[0].id
            with write(place.engine) as connection:
                book.silence(connection, id, "ana", (minute + 241) * MINUTE, (minute + 1) * MINUTE)
    assert ("crisis", 0) in place.told()


def test_a_clock_that_starts_while_routing_lags_goes_on_once_it_does_not(place: Place) -> None:
    place.count(storm(120, 10))
    place.live(LATER, LATER + 30)
    other = place.new_clock()
    place.go(LATER + 31, other, routed=LATER + 5)
    place.live(LATER + 31, LATER + 60, other)
    assert ("crisis", 0) in place.told()


def test_a_database_that_is_away_for_a_moment_stops_no_clock(place: Place) -> None:
    place.count(storm(120, 10))
    place.live(LATER, LATER + 10)
    gone = True

    def guard(connection: object) -> None:
        if gone:
            raise Transient("locked")

    unlucky = IncidentClock(place.engine, guard, false_alarms_a_month=1.0, limits=Limits(), tells=Telling())
    for _ in range(3):
        with pytest.raises(Transient):
            place.go(LATER + 40, unlucky)
    gone = False
    place.live(LATER + 40, LATER + 60, unlucky)
    assert ("crisis", 0) in place.told()


def test_a_crisis_that_began_while_nobody_watched_is_told_when_somebody_does(place: Place) -> None:
    place.count(storm(60, 10) | {LATER + 60 + n: 10 for n in range(200)})
    place.go(LATER + 240)
    assert ("crisis", 0) in place.told()


def test_a_brand_that_is_no_longer_watched_has_no_incident(place: Place) -> None:
    place.count(storm(60, 10))
    place.live(LATER, LATER + 60)
    before = place.told()
    for minute in range(LATER + 60, LATER + 200, 10):
        place.go(minute, brands="other")
    assert [one.state for one in place.incidents()] == ["over"]
    assert place.told() == before


def test_an_incident_ends_though_what_is_known_of_its_brand_was_lost(place: Place) -> None:
    place.count(storm(60, 10))
    place.live(LATER, LATER + 60)
    with write(place.engine) as connection:
        many(connection, "UPDATE watch_state SET state = ? WHERE brand = 'acme'", [(b"of another version",)])
    other = place.new_clock()
    place.quiet(LATER + 60, LATER + 600)
    place.go(LATER + 600, other)
    assert [one.state for one in place.incidents()] == ["over"]


def test_a_restart_forgets_no_post_of_the_hour(place: Place) -> None:
    place.count({LATER + n: 3 for n in range(40)})
    place.live(LATER, LATER + 14)
    other = place.new_clock()
    place.live(LATER + 14, LATER + 40, other)
    assert ("crisis", 0) in place.told()


def test_a_clock_that_was_set_back_does_not_stop_the_watch(place: Place) -> None:
    other = place.new_clock()
    place.go(LATER - 600, other)
    attack = storm(60, 10, LATER - 600)
    place.count(attack)
    place.live(LATER - 600, LATER - 540, other)
    assert ("crisis", 0) in place.told()


def test_the_chain_hears_of_the_end_as_well(place: Place) -> None:
    place.count(storm(60, 10))
    for minute in range(LATER, LATER + 90):
        place.go(minute + 1)
    assert ("still", 1) in place.told()
    place.go(LATER + 600)
    assert place.told()[-1] == ("over", -1)


def test_a_post_that_comes_hours_late_judges_nothing_twice(place: Place) -> None:
    place.count(storm(60, 10))
    place.live(LATER, LATER + 60)
    before = place.told()
    for minute in range(LATER + 60, LATER + 70):
        place.go(minute + 1, routed=LATER - 300)
    place.live(LATER + 70, LATER + 72)
    assert [word for word, _ in place.told()].count("crisis") == 1
    assert place.told()[: len(before)] == before
