"""Who is on call at a moment, whatever the clocks of the zone do that day, and what is wrong with a rota."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from config.home import Home
from config.load import check
from config.rota import OnCall, on_call, watches

MADRID = "Europe/Madrid"
WEEKS = OnCall.model_validate({"rotation": ["ana", "ben"], "begins": "2026-11-25", "hands_over": "mon 09:00"})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def who(rota: OnCall, text: str, zone: str = MADRID) -> tuple[str, ...]:
    return on_call(rota, zone, at(text))[0]


def test_a_week_in_turn_handed_over_by_the_clocks_of_the_team() -> None:
    assert who(WEEKS, "2026-11-30T07:59") == ("ana",), "08:59 in Madrid"
    assert who(WEEKS, "2026-11-30T08:00") == ("ben",)
    assert who(WEEKS, "2026-12-07T08:00") == ("ana",)
    assert who(WEEKS, "2026-11-16T08:00") == ("ben",), "before it begins the turn is as if it had"
    assert who(WEEKS, "2026-07-06T06:59") != who(WEEKS, "2026-07-06T07:00"), "in summer 09:00 is 07:00 UTC"


def test_a_hand_over_in_an_hour_that_comes_twice_happens_once() -> None:
    rota = WEEKS.model_copy(update={"hands_over": "sun 02:30"})
    around = watches(rota, MADRID, at("2026-10-24T12:00"), at("2026-10-26T12:00"))
    assert [(one.since, one.people) for one in around[1:]] == [(at("2026-10-25T00:30"), around[1].people)]
    assert around[0].people != around[1].people


def test_a_hand_over_in_an_hour_that_is_skipped_happens_an_hour_later() -> None:
    rota = WEEKS.model_copy(update={"hands_over": "sun 02:30"})
    around = watches(rota, MADRID, at("2027-03-27T12:00"), at("2027-03-29T12:00"))
    assert [one.since for one in around[1:]] == [at("2027-03-28T01:30")], "03:30 in Madrid"


def test_shifts_go_before_the_rotation_and_somebody_else_before_both() -> None:
    rota = OnCall.model_validate({
        "rotation": ["ana"], "begins": "2026-11-23",
        "shifts": [{"days": ["fri"], "hours": "22:00-06:00", "people": ["ben", "eva"]}],
        "instead": [
            {"since": "2026-11-27 23:00", "until": "2026-11-28 01:00", "people": ["tom"], "reason": "swapped"}
        ],
    })  # fmt: skip
    found = watches(rota, MADRID, at("2026-11-27T12:00"), at("2026-11-28T12:00"))
    assert [(one.people, one.why) for one in found] == [
        (("ana",), "rotation"), (("ben", "eva"), "shift"), (("tom",), "instead"), (("ben", "eva"), "shift"),
        (("ana",), "rotation"),
    ]  # fmt: skip
    assert found[2].reason == "swapped"
    assert found[3].until == at("2026-11-28T05:00")


def test_stretches_follow_one_another_without_a_gap() -> None:
    rota = WEEKS.model_copy(update={"rotation": (), "shifts": ()})
    shifts = OnCall.model_validate({"shifts": [{"days": ["mon", "tue"], "hours": "09:00-17:00", "people": ["ana"]}]})
    for one in (WEEKS, rota, shifts):
        found = watches(one, "America/Bogota", at("2026-11-01T00:00"), at("2027-04-01T00:00"))
        assert all(left.until == right.since for left, right in pairwise(found))
        assert (found[0].since, found[-1].until) == (at("2026-11-01T00:00"), at("2027-04-01T00:00"))
        for stretch in found:
            middle = stretch.since + (stretch.until - stretch.since) / 2
            last = stretch.until - timedelta(seconds=1)
            assert {on_call(one, "America/Bogota", moment)[0] for moment in (middle, last)} == {stretch.people}


HEAD = (
    "people: [{id: ana, name: Ana, email: ana@example.org}]\n"
    "teams:\n  - {id: press, name: Press, zone: Europe/Madrid, hours: {mon: ['09:00-18:00']}, on_call: ROTA}\n"
)


SWAPPED = "{rotation: [ana], begins: 2026-11-23, instead: [{people: [ana], reason: r, "


@pytest.mark.parametrize(
    ("rota", "path", "words"),
    [
        ("{rotation: [anna], begins: 2026-11-23}", "on_call.rotation[0]", "did you mean 'ana'"),
        ("{rotation: [ana]}", "on_call", "a rotation needs a day"),
        ("{}", "on_call", "nobody is on call"),
        ("{rotation: [ana], begins: 2026-11-23, hands_over: monday}", "on_call.hands_over", "write mon 09:00"),
        ("{rotation: [ana], begins: 2026-11-23, hands_over: sun 02:30}", "on_call.hands_over", "skip 02:30"),
        ("{shifts: [{days: [mon], hours: '09:00-17:00', people: [ana]}]}", "on_call", "nobody is on call from"),
        (
            f"{SWAPPED}since: 2027-03-28 02:10, until: 2027-03-28 09:00{'}]}'}",
            "on_call.instead[0].since",
            "skip this time",
        ),
        (
            f"{SWAPPED}since: 2027-01-02 02:10, until: 2027-01-01 09:00{'}]}'}",
            "on_call.instead[0]",
            "it ends before it begins",
        ),
    ],
)
def test_a_rota_that_is_wrong_is_found_at_its_line(
    make_home: Callable[..., Home], rota: str, path: str, words: str
) -> None:
    found = [one for one in check(make_home(HEAD.replace("ROTA", rota))) if "on_call" in (one.path or "")]
    assert [(one.line, one.path, words in f"{one.message} {one.advice}") for one in found] == [
        (3, f"teams[0].{path}", True)
    ], found
