"""Key figures: kept with what causes them, taken back with it, and right within what their page says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route_home import DAY, MINUTE, NOW, RouteHome, passed, reading, said

from config.people import Person
from config.teams import Deadline
from database.engine import many, read, write
from routing import counts, erasure
from routing.casework import Change, Merge, Reopen, Resolve, Split, Undo, Wait, work
from routing.held_of import Account, held_of
from routing.incidents import book
from routing.incidents.book import Evidence
from routing.incidents.levels import Standing
from routing.kpi import kept
from routing.kpi.asked import Asked, By, Figures, figures
from routing.kpi.measures import ACCURACY, WITHIN, bucket, quantile, span_of

HOUR = 60 * MINUTE
KINDS = {"acme": "own", "brisa": "own", "rival": "competitor", "flights": "category"}
ANGRY = reading(intent="complaint", detractor=2)
GLAD = reading(intent="praise", reputation="positive")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path, durable=False)
    people = (Person(id="ana", name="ana", email="ana@example.org"),)
    home.registry.in_force = home.registry.in_force._replace(people=people)
    home.work._desk.adopt(home.registry.in_force)
    yield home
    home.close()


def do(home: RouteHome, change: Change, now: int, case: int = 1) -> int:
    return work(home.engine, home.work._desk, case, change, "ana", now).case


def asked(home: RouteHome, *by: By, **wanted: Any) -> list[Figures]:
    span = {"since": NOW - 400 * DAY, "until": NOW + 400 * DAY}
    with read(home.engine) as connection:
        return figures(connection, Asked(by=by, **{**span, **wanted}), KINDS)


def whole(home: RouteHome) -> dict[str, Any]:
    """What is not nothing, over all."""
    found = asked(home)
    if not found:
        return {}
    (one,) = found
    values = {name: getattr(one, name) for name in Figures.__struct_fields__}
    return {name: value for name, value in values.items() if value not in ("", None, 0)}


def reckoned_anew(home: RouteHome) -> None:
    """The sums are those that measuring everything anew would give."""
    both = (
        "(SELECT * FROM kpi_day UNION ALL SELECT day, brand, queue, network, measure, bucket, value FROM kpi_delta) s"
    )
    sql = (
        f"SELECT day, brand, queue, network, measure, bucket, sum(value) FROM {both} "
        "GROUP BY day, brand, queue, network, measure, bucket HAVING sum(value) != 0 ORDER BY 1, 2, 3, 4, 5, 6"
    )
    before = home.sql(sql)
    with write(home.engine) as connection:
        for table in ("kpi_day", "kpi_delta", "kpi_added"):
            many(connection, f"DELETE FROM {table} WHERE 1 = ?", [(1,)])
    behind: kept.Behind | None = kept.Behind()
    while behind is not None:
        behind = kept.catch_up(home.engine, NOW + DAY, behind)
    assert home.sql(sql) == before


def test_a_case_is_measured_from_its_first_post_to_its_end(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    assert whole(home) == {"cases": 1, "mentions": 1}
    home.take(said("2", reading(speaker="own"), author="us", reply_to="x:1", at=NOW + HOUR), now=NOW + HOUR)
    do(home, Resolve("paid"), NOW + 5 * HOUR)
    found = whole(home)
    assert (found["answered"], found["resolved"]) == (1, 1)
    assert abs(found["response_median"] - HOUR) <= ACCURACY * HOUR
    assert abs(found["resolution_p90"] - 5 * HOUR) <= ACCURACY * 5 * HOUR
    do(home, Reopen("came back"), NOW + 6 * HOUR)
    assert "resolved" not in whole(home)
    do(home, Resolve("paid again"), NOW + 8 * HOUR)
    again = whole(home)["resolution_median"]
    assert abs(again - 7 * HOUR) <= ACCURACY * 7 * HOUR, "for an hour it was over"
    reckoned_anew(home)


def test_time_that_waits_for_the_customer_is_no_time_of_ours(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    do(home, Wait(), NOW + HOUR)
    home.take(said("2", reading(), author="ann", reply_to="x:1", at=NOW + 21 * HOUR), now=NOW + 21 * HOUR)
    do(home, Resolve(), NOW + 22 * HOUR)
    found = whole(home)["resolution_median"]
    assert abs(found - 2 * HOUR) <= ACCURACY * 2 * HOUR


def test_a_deleted_post_takes_back_what_its_case_had_added(home: RouteHome) -> None:
    home.take(said("1", ANGRY, author="ann"), said("2", reading("brisa"), author="bob"))
    do(home, Resolve(), NOW + HOUR)
    assert [(one.brand, one.cases, one.detractors) for one in asked(home, "brand")] == [("acme", 1, 1), ("brisa", 1, 0)]
    home.take(passed("1", "deleted", NOW + 2 * HOUR), now=NOW + 2 * HOUR)
    home.take(passed("2", "deleted", NOW + 2 * HOUR), now=NOW + 2 * HOUR)
    assert whole(home) == {}
    reckoned_anew(home)


def test_what_expired_was_there_all_the_same(home: RouteHome) -> None:
    home.take(said("1", ANGRY, author="ann"), said("2", reading(), author="bob"))
    do(home, Resolve(), NOW + HOUR)
    before = whole(home)
    erasure.expire(home.engine, home.work._desk, NOW + DAY, NOW + 100 * DAY)
    assert home.sql("SELECT DISTINCT state FROM mention") == [("expired",)]
    assert whole(home) == before


def test_merges_splits_and_what_undoes_them_leave_nothing_behind(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"), said("2", reading(), author="bob"))
    before = whole(home)
    assert before == {"cases": 2, "mentions": 2}
    do(home, Merge(2), NOW + HOUR)
    assert whole(home)["cases"] == 1
    do(home, Undo(), NOW + 2 * HOUR)
    assert whole(home) == before
    home.take(said("3", reading(), author="bob", reply_to="x:2", at=NOW + 1))
    split = do(home, Split(("x:3#acme",)), NOW + 3 * HOUR, case=2)
    assert whole(home)["cases"] == 3
    do(home, Undo(), NOW + 4 * HOUR, case=split)
    assert whole(home)["cases"] == 2
    reckoned_anew(home)


def test_a_raised_case_counts_in_its_queue_alone(home: RouteHome) -> None:
    home.take(said("1", reading(), author="ann"))
    scandal = reading(intent="public_issue", detractor=2, terms=(("severity", 60),))
    home.take(said("2", scandal, author="ann", reply_to="x:1", at=NOW + 1))
    assert [(one.queue, one.cases) for one in asked(home, "queue")] == [("pr", 1)]
    assert asked(home, "queue", queues=frozenset({"support"})) == []
    reckoned_anew(home)


def test_deadlines_are_kept_or_missed(home: RouteHome) -> None:
    deadline = Deadline.model_validate(
        {"id": "std", "first_response": {"normal": "4h"}, "resolution": {"normal": "9h"}}
    )
    home.registry.in_force = home.registry.in_force._replace(deadlines=(deadline,), deadlines_revision=(1, 1))
    home.work._desk.adopt(home.registry.in_force)
    home.take(said("1", reading(), author="ann"))
    home.take(said("2", reading(speaker="own"), author="us", reply_to="x:1", at=NOW + HOUR), now=NOW + HOUR)
    assert (whole(home)["deadlines"], whole(home)["deadlines_kept"]) == (1, 1.0)
    do(home, Resolve(), NOW + 10 * HOUR)
    assert (whole(home)["deadlines"], whole(home)["deadlines_kept"]) == (2, 0.5)
    do(home, Reopen(), NOW + 11 * HOUR)
    assert whole(home)["deadlines"] == 1
    reckoned_anew(home)


def test_a_detractor_who_speaks_well_later_is_won_back_until_it_is_unsaid(home: RouteHome) -> None:
    home.take(said("1", ANGRY, author="ann"), said("2", ANGRY, author="bob"))
    home.take(said("0", GLAD, author="ann", at=NOW - HOUR))
    do(home, Resolve(), NOW + HOUR)
    do(home, Resolve(), NOW + HOUR, case=2)
    assert "spoke_well" not in whole(home)
    later = NOW + 3 * DAY
    home.take(said("3", reading("brisa", intent="praise", reputation="positive"), author="ann", at=later), now=later)
    assert "spoke_well" not in whole(home), "of another brand"
    home.take(said("4", GLAD, author="ann", at=later), said("5", GLAD, author="ann", at=later + 1), now=later)
    assert (whole(home)["detractors"], whole(home)["spoke_well"]) == (2, 0.5)
    home.take(passed("4", "deleted", later + 2), now=later + 2)
    assert whole(home)["spoke_well"] == 0.5, "there is another"
    home.take(said("5", ANGRY, author="ann", text="no, it is bad", kind="edited", at=later + 3, edited_at=later + 3,
                   event_time=later + 1), now=later + 3)  # fmt: skip
    assert "spoke_well" not in whole(home)


def test_what_was_said_well_and_only_expired_was_said_all_the_same(home: RouteHome) -> None:
    home.take(said("1", ANGRY, author="ann"))
    do(home, Resolve(), NOW + HOUR)
    home.take(said("2", GLAD, author="ann", at=NOW + DAY), now=NOW + DAY)
    erasure.expire(home.engine, home.work._desk, NOW + 2 * DAY, NOW + 3 * DAY)
    assert (whole(home)["detractors"], whole(home)["spoke_well"]) == (1, 1.0)
    home.take(passed("2", "deleted", NOW + 4 * DAY), now=NOW + 4 * DAY)
    assert "spoke_well" not in whole(home)


def test_the_export_of_a_person_says_in_which_case_they_count_as_a_detractor(home: RouteHome) -> None:
    home.take(said("1", ANGRY, author="ann"), said("2", reading(), author="ann", at=NOW + 1))
    do(home, Resolve(), NOW + HOUR)
    with read(home.engine) as connection:
        held = held_of(connection, [Account("x", "ann", "ann")], ())
    assert [(case.id, case.detractor) for case in held.cases] == [(1, True), (2, False)]


def test_who_was_a_detractor_is_forgotten_after_ninety_days_and_the_sum_stays(home: RouteHome) -> None:
    home.take(said("1", ANGRY, author="ann"))
    do(home, Resolve(), NOW + HOUR)
    home.take(said("2", GLAD, author="ann", at=NOW + DAY), now=NOW + DAY)
    with write(home.engine) as connection:
        kept.let_go(connection, NOW + 2 * HOUR + WITHIN)
    assert home.sql("SELECT * FROM kpi_detractor") == home.sql("SELECT * FROM kpi_praise") == []
    assert (whole(home)["detractors"], whole(home)["spoke_well"]) == (1, 1.0)
    late = NOW + WITHIN + DAY
    home.take(said("3", GLAD, author="ann", at=late), now=late)
    assert whole(home)["spoke_well"] == 1.0
    erasure.expire(home.engine, home.work._desk, NOW + DAY + 1, NOW + 400 * DAY)
    assert home.sql("SELECT count(*) FROM mention WHERE state = 'expired'") == [(2,)]
    assert (whole(home)["detractors"], whole(home)["spoke_well"]) == (1, 1.0), "also when their texts expire"


def test_incidents_that_people_were_told_of_count_and_what_they_proved_to_be(home: RouteHome) -> None:
    made = []
    for n in range(3):
        with write(home.engine) as connection:
            made.append(book.open_incident(connection, "acme", Standing("warning", NOW, NOW, NOW), Evidence(), NOW))
            if n < 2:
                book.tell(connection, made[-1], "acme", "warning", 0, NOW)
                book.tell(connection, made[-1], "acme", "crisis", 0, NOW)
            book.move(connection, book.find(connection, made[-1]), Standing("over"), Evidence(), NOW)
    assert (whole(home)["incidents"], "incidents_real" in whole(home)) == (2, False)
    with write(home.engine) as connection:
        book.prove(connection, made[0], "ana", "real", NOW)
        book.prove(connection, made[1], "ana", "real", NOW)
        book.prove(connection, made[1], "ana", "false", NOW)
    assert (whole(home)["incidents_asked"], whole(home)["incidents_real"]) == (2, 0.5)
    reckoned_anew(home)


def test_share_of_voice_is_of_brands_and_not_of_categories(home: RouteHome) -> None:
    for n in range(6):
        home.take(said(f"a{n}", GLAD, author=f"a{n}"))
    for n in range(2):
        home.take(said(f"r{n}", reading("rival", "other"), author=f"r{n}", network="reddit"))
        home.take(said(f"f{n}", reading("flights", "other"), author=f"f{n}"))
    for _ in range(2):
        voices = {one.brand: one.voice for one in asked(home, "brand")}
        assert voices == {"acme": 0.75, "rival": 0.25, "flights": None}
        while counts.fold(home.engine):
            pass
    (acme,) = asked(home, "brand", "week", brands=frozenset({"acme"}))
    assert (acme.mentions, acme.voice) == (6, 0.75)
    assert acme.since is not None
    assert (acme.since // DAY + 3) % 7 == 0, "a week begins on Monday"
    home.take(passed("a0", "deleted", NOW + 1))
    assert {one.brand: one.mentions for one in asked(home, "brand")} == {"acme": 5, "rival": 2, "flights": 2}


def test_folding_changes_no_figure(home: RouteHome) -> None:
    home.take(*(said(f"{n}", reading(), author=f"a{n}") for n in range(40)))
    for case in range(1, 20):
        do(home, Resolve(), NOW + case * HOUR, case=case)
    before = asked(home, "day", "brand", "queue", "network")
    assert kept.fold(home.engine) > 0
    assert asked(home, "day", "brand", "queue", "network") == before
    do(home, Reopen(), NOW + 20 * HOUR, case=3)
    assert kept.fold(home.engine) > 0
    assert kept.fold(home.engine) == 0
    reckoned_anew(home)


def test_quantiles_are_right_within_two_in_a_hundred() -> None:
    dice = random.Random(3)
    spans = sorted(round(dice.lognormvariate(15, 2)) + 1_000 for _ in range(5_000))
    counted: dict[int, int] = {}
    for span in spans:
        counted[bucket(span)] = counted.get(bucket(span), 0) + 1
    for part in (0.1, 0.5, 0.9, 0.99):
        true = spans[int(part * (len(spans) - 1))]
        assert abs((quantile(counted, part) or 0) - true) <= ACCURACY * true + 1
    assert quantile({}, 0.5) is None
    assert span_of(bucket(0)) == 1_000
