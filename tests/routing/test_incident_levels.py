"""Promises of the states of an incident: quick to rise, slow to fall, never by praise, never by three posts."""

from __future__ import annotations

import random
from collections.abc import Iterable

from routing.incidents.clock import stepped
from routing.incidents.levels import Limits, Signal, Standing, level, step
from routing.incidents.panels import Panels
from stream.clock import MINUTE

LIMITS = Limits(crisis_posts=30, ease_after=60 * MINUTE, calm_after=120 * MINUTE)


def signal(series: str, observed: float, expected: float = 1.0, surprise: float = 2.0) -> Signal:
    return Signal(series, 15, observed, expected, expected * 3, surprise, 0.99)


def passed(levels: Iterable[int], standing: Standing | None = None, begins: int = 0) -> list[Standing]:
    found = [standing or Standing()]
    for minute, rank in enumerate(levels, begins):
        found.append(step(found[-1], rank, minute * MINUTE, LIMITS))
    return found[1:]


def test_what_crosses_no_threshold_is_calm() -> None:
    assert level([signal("negative", 500, surprise=0.9), signal("all", 900, surprise=0.2)], LIMITS) == 0


def test_a_rise_of_praise_is_watched_and_no_more() -> None:
    assert level([signal("all", 5_000), signal("all@x", 5_000), signal("all:praise", 5_000)], LIMITS) == 1


def test_three_hurtful_posts_where_none_were_are_no_warning() -> None:
    assert level([signal("negative", 3, 0.001, 4.0)], LIMITS) == 1
    assert level([signal("negative", 5, 0.001, 4.0)], LIMITS) == 2


def test_a_crisis_takes_many_posts_and_more_than_the_threshold() -> None:
    assert level([signal("negative", 100, surprise=1.2)], LIMITS) == 2
    assert level([signal("negative", 25, surprise=3.0)], LIMITS) == 2
    assert level([signal("negative@reddit", 40, surprise=3.0)], LIMITS) == 3


def test_calls_against_the_brand_weigh_more() -> None:
    assert level([signal("severe", 7, 0.1, 3.0)], LIMITS) == 3


def test_a_state_is_taken_up_once_it_has_held() -> None:
    states = [one.state for one in passed([0, 3, 3, 3, 3])]
    assert states == ["calm", "watch", "warning", "crisis", "crisis"]
    assert passed([0, 3, 3, 3])[-1].since == 1 * MINUTE


def test_a_hole_ends_nothing() -> None:
    """Else a collector that is cut off for two hours sends the all-clear."""
    standing = passed([0, 3, 3, 3])[-1]
    for minute in range(4, 604):
        standing = step(standing, 0, minute * MINUTE, LIMITS, unheard=MINUTE)
    assert standing.state == "crisis"
    heard = passed([0] * 121, standing, 604)
    assert [one.state for one in heard][58:60] == ["crisis", "warning"]
    assert [one.state for one in heard].index("over") == 119
    half = standing
    for minute in range(604, 604 + 200):
        half = step(half, 0, minute * MINUTE, LIMITS, unheard=MINUTE // 2)
    assert half.state == "warning", "what was heard in part counts in part"


def test_one_minute_is_no_warning() -> None:
    assert [one.state for one in passed([2, *[0] * 20, 2])] == ["watch"] * 22


def test_minutes_without_a_post_do_not_hold_a_slow_rise_back() -> None:
    assert passed([2, 0, 0, 0, 2])[-1].state == "warning"


def test_a_crisis_eases_and_ends_only_after_a_while() -> None:
    standing = passed([3, 3, 3])[-1]
    eased = passed([2] * 59, standing, 3)
    assert {one.state for one in eased} == {"crisis"}
    assert passed([2], eased[-1], 62)[-1].state == "warning"
    quiet = passed([0] * 119, standing, 3)
    assert quiet[58].state == "crisis"
    assert quiet[-1].state == "warning"
    assert passed([0], quiet[-1], 122)[-1].state == "over"


def test_what_comes_back_in_time_is_the_same_matter() -> None:
    standing = passed([3, 3, 3] + [0] * 100, begins=1)[-1]
    again = passed([3, 3, 3], standing, 104)[-1]
    assert (again.state, again.since) == ("crisis", MINUTE)


def test_it_lasts_as_long_as_something_is_unusual() -> None:
    standing = passed([2, 2] + [1] * 1_000)[-1]
    assert standing.state == "warning"


def test_the_fifth_storm_in_a_row_is_told_like_the_first_though_nobody_answered() -> None:
    dice, panels, standing = random.Random(7), Panels(1.0), Standing()
    panels.begin("acme")
    begins, every, storms = 1440 + 720, 480, 5
    worst: list[set[str]] = [set() for _ in range(storms)]
    for minute in range(begins + storms * every):
        into = (minute - begins) % every if minute >= begins else every
        posts = (3 if into < 60 else 0) + (dice.random() < 0.05)
        signals = panels.update(minute, {"acme": {"all": posts, "negative": posts}} if posts else {})
        if minute >= begins:
            standing = stepped(panels, "acme", standing, signals.get("acme", []), minute, Limits())
            worst[(minute - begins) // every].add(standing.state)
            standing = Standing() if standing.state == "over" else standing
    assert [states & {"crisis", "over"} for states in worst] == [{"crisis", "over"}] * storms
