"""When something is due: monotone in when it began, never in closed time, additive over pauses, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.teams import Deadline, Team
from routing.calendars import (
    ALWAYS,
    Calendar,
    after_open,
    calendar_of,
    instant,
    is_open,
    open_between,
    open_spans,
    public_holidays,
    spans_of,
)
from routing.deadlines import Pause, Target, calendars_for, deadline_for, due, target_of

HOUR, DAY = 3_600_000, 86_400_000
OFFICE = {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


def team(id: str = "madrid", zone: str = "Europe/Madrid", **values: Any) -> Team:
    return Team.model_validate({"id": id, "name": id, "zone": zone, "hours": OFFICE, **values})


MADRID, BOGOTA = team(), team("bogota", "America/Bogota")
ZONES = ("Europe/Madrid", "America/Bogota", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kolkata")


def at(text: str) -> int:
    """UTC unless it says otherwise."""
    found = datetime.fromisoformat(text)
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1_000)


def business(hours: float) -> Target:
    return Target("business", round(hours * HOUR))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    def span(closes_next_day: bool) -> tuple[int, int]:
        opens = draw(st.integers(0, 1_380))
        return opens, draw(st.integers(opens + 60, 1_440 + (600 if closes_next_day else 0)))

    week = [tuple(span(draw(st.booleans())) for _ in range(draw(st.integers(0, 2)))) for _ in range(7)]
    if not any(week):
        week[draw(st.integers(0, 6))] = (span(False),)
    return Calendar(draw(st.sampled_from(ZONES)), tuple(week))


MOMENTS = st.integers(at("2026-01-01") // 60_000, at("2027-01-01") // 60_000).map(lambda minute: minute * 60_000)
LENGTHS = st.integers(1, 20 * 60).map(lambda minutes: minutes * 60_000)
SEVERAL = st.lists(calendars(), min_size=1, max_size=3).map(tuple)


@settings(max_examples=60, deadline=None)
@given(SEVERAL, MOMENTS, st.integers(0, 7 * DAY), LENGTHS)
def test_what_begins_later_is_never_due_earlier(among: tuple[Calendar, ...], start: int, later: int, span: int) -> None:
    assert after_open(among, start, span) <= after_open(among, start + later, span)


@settings(max_examples=60, deadline=None)
@given(SEVERAL, MOMENTS, LENGTHS)
def test_a_business_target_is_due_while_somebody_works(among: tuple[Calendar, ...], start: int, span: int) -> None:
    end = after_open(among, start, span)
    assert is_open(among, end - 1), "or as the day ends"
    assert open_between(among, start, end) == span


@settings(max_examples=60, deadline=None)
@given(SEVERAL, MOMENTS, LENGTHS, LENGTHS)
def test_two_spans_one_after_the_other_are_as_long_as_their_sum(
    among: tuple[Calendar, ...], start: int, first: int, second: int
) -> None:
    assert after_open(among, after_open(among, start, first), second) == after_open(among, start, first + second)


@settings(max_examples=60, deadline=None)
@given(SEVERAL, MOMENTS, LENGTHS, st.lists(st.tuples(LENGTHS, LENGTHS), max_size=3))
def test_pauses_put_off_what_was_left_and_nothing_else(
    among: tuple[Calendar, ...], start: int, span: int, gaps: list[tuple[int, int]]
) -> None:
    pauses, now = [], start
    for before, length in gaps:
        pauses.append(Pause(now + before, now + before + length))
        now = pauses[-1].until or 0
    end = due(start, Target("business", span), among, pauses)
    assert end is not None
    worked = open_between(among, start, end) - sum(
        open_between(among, min(p.since, end), min(p.until or end, end)) for p in pauses
    )
    assert worked == span
    assert not any(p.since < end <= (p.until or end) - 1 and is_open(among, end) for p in pauses)


@settings(max_examples=60, deadline=None)
@given(calendars(), MOMENTS, st.integers(0, 7 * DAY), st.integers(1, 10))
def test_working_days_are_monotone_and_end_with_a_day_on_which_somebody_works(
    one: Calendar, start: int, later: int, days: int
) -> None:
    wanted = Target("days", days)
    end, other = due(start, wanted, (one,)), due(start + later, wanted, (one,))
    assert end is not None
    assert other is not None
    assert start < end <= other
    assert spans_of(one, datetime.fromtimestamp((end - 1) / 1_000, _zone(one)).date()) or _gap(one)


def _zone(calendar: Calendar) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(calendar.zone)


def _gap(calendar: Calendar) -> bool:
    """Where the hours of a day may lie in the hour that the clocks skip, or the day is none at all."""
    return calendar.zone in ("Europe/Madrid", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo")


@pytest.mark.parametrize(
    ("opened", "hours", "end"),
    [
        ("2026-11-27T10:00+01:00", 2, "2026-11-27T12:00+01:00"),
        ("2026-11-27T17:00+01:00", 2, "2026-11-30T10:00+01:00"),
        ("2026-11-28T12:00+01:00", 1, "2026-11-30T10:00+01:00"),
        ("2026-11-27T17:00+01:00", 1, "2026-11-27T18:00+01:00"),
        ("2026-11-27T03:00+01:00", 9, "2026-11-27T18:00+01:00"),
    ],
)
def test_business_hours_are_those_of_the_team(opened: str, hours: float, end: str) -> None:
    assert due(at(opened), business(hours), [calendar_of(MADRID)]) == at(end)


def test_a_queue_that_follows_the_sun_is_open_while_one_of_its_teams_is() -> None:
    both = calendars_for([MADRID, BOGOTA], "acme", "support")
    friday = at("2026-11-27T17:30+01:00")
    assert due(friday, business(3), both) == at("2026-11-27T20:30+01:00"), "Bogotá works until midnight of Madrid"
    assert due(friday, business(7), both) == at("2026-11-30T09:30+01:00")
    assert [(b, e) for (b, e), _ in zip(open_spans(both, at("2026-11-30T00:00+01:00")), range(1), strict=False)] == [
        (at("2026-11-30T09:00+01:00"), at("2026-11-30T18:00-05:00"))
    ]


def test_hours_of_the_clock_pass_at_night_as_well() -> None:
    assert due(at("2026-11-27T22:00"), Target("calendar", 4 * HOUR), []) == at("2026-11-28T02:00")
    assert after_open(ALWAYS, 5, 7) == 12


def test_where_nobody_works_who_would_count_nothing_is_due() -> None:
    assert due(0, business(1), []) is None
    off = frozenset(date.fromordinal(date(2026, 1, 1).toordinal() + n) for n in range(900))
    assert due(at("2026-01-02"), business(1), [calendar_of(MADRID)._replace(days_off=off)]) is None


def test_working_days_do_not_count_the_day_on_which_it_began() -> None:
    madrid = calendar_of(team(days_off=["2026-12-08"]))
    assert due(at("2026-12-04T08:00+01:00"), Target("days", 1), [madrid]) == at("2026-12-08T00:00+01:00"), "Monday"
    assert due(at("2026-12-04T23:59+01:00"), Target("days", 2), [madrid]) == at("2026-12-10T00:00+01:00")


def test_a_day_at_whose_end_the_clock_stands_still_is_no_working_day() -> None:
    madrid, opened = calendar_of(MADRID), at("2026-11-23T10:00+01:00")
    pause = Pause(at("2026-11-24T10:00+01:00"), at("2026-11-26T10:00+01:00"))
    assert due(opened, Target("days", 2), [madrid]) == at("2026-11-26T00:00+01:00")
    assert due(opened, Target("days", 2), [madrid], [pause]) == at("2026-11-28T00:00+01:00")
    assert due(opened, Target("days", 2), [madrid], [Pause(pause.since, None)]) is None


def test_while_a_clock_stands_still_nothing_is_due_unless_it_was_up_before() -> None:
    madrid, opened = [calendar_of(MADRID)], at("2026-11-23T10:00+01:00")
    assert due(opened, business(2), madrid, [Pause(opened + HOUR, None)]) is None
    assert due(opened, business(2), madrid, [Pause(opened + 3 * HOUR, None)]) == opened + 2 * HOUR


def test_an_hour_that_the_clocks_skip_is_no_open_time_and_one_that_comes_twice_is_two() -> None:
    night = calendar_of(team(hours={"sun": ["02:00-03:00"]}))
    assert spans_of(night, date(2026, 3, 29)) == (), "02:00 to 03:00 does not come on that day in Madrid"
    ((begin, end),) = spans_of(night, date(2026, 10, 25))
    assert end - begin == 2 * HOUR
    early = calendar_of(team(hours={"sun": ["01:30-02:30"]}))
    assert spans_of(early, date(2026, 3, 29)) == ((at("2026-03-29T00:30"), at("2026-03-29T01:00")),)
    assert instant("Europe/Madrid", date(2026, 3, 29), 150, last=False) == at("2026-03-29T01:00")


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    night = calendar_of(team(hours={"fri": ["22:00-06:00"]}))
    assert spans_of(night, date(2026, 11, 27)) == ((at("2026-11-27T21:00"), at("2026-11-28T05:00")),)
    assert is_open([night], at("2026-11-28T04:59"))
    assert not is_open([night], at("2026-11-28T05:00"))


def test_public_holidays_of_a_country_and_of_its_part_are_days_off() -> None:
    pytest.importorskip("holidays")
    assert date(2026, 12, 25) in public_holidays("ES", 2026)
    madrid = calendar_of(team(holidays="ES-MD"))
    assert spans_of(madrid, date(2026, 12, 25)) == ()
    assert due(at("2026-12-24T17:00+01:00"), business(2), [madrid]) == at("2026-12-28T10:00+01:00")
    with pytest.raises(LookupError, match="ZZ"):
        public_holidays("ES-ZZ", 2026)
    elsewhere = calendar_of(team(holidays="ES-ZZ"))
    assert spans_of(elsewhere, date(2026, 12, 25)) != (), "no case waits for a region that nobody knows any more"


def test_a_case_has_the_deadline_that_a_rule_names_else_the_first_that_fits() -> None:
    plain = Deadline.model_validate({"id": "plain", "queues": ["support"], "resolution": {"normal": "3 working days"}})
    law = Deadline.model_validate({"id": "law", "only_by_rule": True, "first_response": {"high": "4h business"}})
    assert deadline_for([law, plain], "acme", "support") == plain
    assert deadline_for([law, plain], "acme", "support", "law") == law
    assert deadline_for([law, plain], "acme", "pr") is None
    assert deadline_for([law, plain], "acme", "support", "gone") == plain, "a rule may name one that was taken away"
    assert target_of(plain, "resolution", "normal") == Target("days", 3)
    assert target_of(plain, "resolution", "low") is None
    assert target_of(law, "first_response", "high") == Target("business", 4 * HOUR)
