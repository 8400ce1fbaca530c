"""The watch over counts: it wakes for a blow and for a slow start, and sleeps through holes, holidays and seasons."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from surge_series import DAY, STEP, begun, counts, minute_of, run

from routing.surge import Watch
from routing.surge_state import State

WEEKS = 21


@pytest.fixture(scope="module")
def learnt() -> tuple[State, ...]:
    """Series of 0.05, 2 and 60 posts a step that have seen three weeks."""
    watch = Watch(3, step=STEP)
    run(watch, np.hstack([counts(level, WEEKS, seed=9) for level in (0.05, 2.0, 60.0)]))
    return tuple(watch.save(number) for number in range(3))


def watching(learnt: tuple[State, ...]) -> Watch:
    watch = Watch(3, step=STEP)
    for number, state in enumerate(learnt):
        watch.load(number, state)
    return watch


def calm(days: int, seed: int = 5) -> np.ndarray:
    return np.hstack([counts(level, days, seed=seed) for level in (0.05, 2.0, 60.0)])


def test_a_blow_wakes_at_its_first_step_and_once(learnt: tuple[State, ...]) -> None:
    watch = watching(learnt)
    run(watch, calm(1), start=WEEKS * DAY)
    storm = calm(1, seed=6)[:8] + np.array([15.0, 30.0, 1200.0])
    readings = run(watch, storm, start=(WEEKS + 1) * DAY)
    assert readings[0].begins.all()
    assert begun(readings).tolist() == [1, 1, 1]
    assert all(one.lasts.all() for one in readings)
    assert (readings[0].probability >= 0.5).all()
    assert (readings[0].high < storm[0]).all()


def test_a_slow_start_is_seen_in_the_long_windows(learnt: tuple[State, ...]) -> None:
    watch = watching(learnt)
    values = calm(1)
    values[:, 2] *= np.linspace(1.0, 3.5, DAY)
    readings = run(watch, values, start=WEEKS * DAY)
    assert begun(readings)[2] >= 1
    assert next(number for number, one in enumerate(readings) if one.begins[2]) < DAY * 0.8


def test_an_hour_of_calm_ends_it_and_the_next_one_wakes_again(learnt: tuple[State, ...]) -> None:
    watch = watching(learnt)
    values = calm(4)
    values[DAY : DAY + 4, 2] += 500
    values[3 * DAY : 3 * DAY + 4, 2] += 700
    readings = run(watch, values, start=WEEKS * DAY)
    assert begun(readings)[2] == 2
    assert not readings[3 * DAY - 1].lasts[2]


def test_minutes_that_mean_nothing_hide_no_slow_start() -> None:
    """A series of which a robot says two hundred things at once, every other day or so, and then people talk."""
    watch, dice = Watch(1, step=STEP), np.random.default_rng(4)
    values = counts(8.0, WEEKS + 10, seed=6)
    mad = np.flatnonzero(dice.random(len(values)) < 1 / (1.5 * DAY))
    values[mad] += dice.integers(150, 210, (len(mad), 1))
    run(watch, values[: WEEKS * DAY])
    usual = run(watch, values[WEEKS * DAY :], start=WEEKS * DAY)
    assert begun(usual)[0] <= len(mad[mad >= WEEKS * DAY]) / 3
    talk = counts(8.0, 1, seed=7)
    talk[: DAY // 2] *= 3
    assert begun(run(watch, talk, start=(WEEKS + 10) * DAY))[0] == 1


def test_a_storm_that_nobody_called_real_is_what_is_usual_here(learnt: tuple[State, ...]) -> None:
    for said, told in ((False, 1), (True, 2)):
        watch, values = watching(learnt), calm(5)
        for day, posts in ((1, 700), (3, 600)):
            values[day * DAY : day * DAY + 4, 2] = posts
        first = run(watch, values[: DAY + 2], start=WEEKS * DAY)
        if said:
            watch.was_real(2)
        rest = run(watch, values[DAY + 2 :], start=WEEKS * DAY + DAY + 2)
        assert begun(first + rest)[2] == told


def test_three_posts_where_there_were_none_wake_nobody_and_a_dozen_does() -> None:
    for posts, wakes in ((3, 0), (12, 1)):
        watch = Watch(1, step=STEP)
        run(watch, np.zeros((14 * DAY, 1)))
        assert begun(run(watch, np.array([[float(posts)], [0.0]]), start=14 * DAY)) == wakes


def test_a_hole_is_no_calm_and_what_follows_it_no_surge(learnt: tuple[State, ...]) -> None:
    watch = watching(learnt)
    values = calm(3)
    before = run(watch, values[:DAY], start=WEEKS * DAY)[-1].expected
    hole = run(watch, values[DAY : DAY + 40] * 0, start=(WEEKS + 1) * DAY, cover=0.0)
    after = run(watch, values[DAY + 40 :], start=(WEEKS + 1) * DAY + 40)
    assert begun(hole + after).tolist() == [0, 0, 0]
    assert all((one.a_month == np.inf).all() for one in hole)
    level = [watch.save(number).numbers for number in range(3)]
    assert len(level) == 3
    assert (np.abs(np.log(after[-1].expected[1:] / before[1:])) < 0.5).all()


def test_half_of_a_step_covered_is_compared_with_half(learnt: tuple[State, ...]) -> None:
    whole, half = watching(learnt), watching(learnt)
    values = calm(2)
    full = run(whole, values, start=WEEKS * DAY)
    readings = run(half, np.floor(values / 2), start=WEEKS * DAY, cover=0.5)
    assert begun(readings).tolist() == [0, 0, 0]
    assert readings[-1].expected[2] == pytest.approx(full[-1].expected[2], rel=0.15)


def test_steps_left_out_are_a_hole(learnt: tuple[State, ...]) -> None:
    watch = watching(learnt)
    run(watch, calm(1), start=WEEKS * DAY)
    assert begun(run(watch, calm(1), start=(WEEKS + 4) * DAY)).tolist() == [0, 0, 0]


def test_a_step_is_judged_once(learnt: tuple[State, ...]) -> None:
    watch = watching(learnt)
    run(watch, calm(1), start=WEEKS * DAY)
    with pytest.raises(ValueError, match=r"was judged.*late\(\)"):
        watch.update(minute_of(WEEKS * DAY), np.zeros(3))


def test_late_posts_are_judged_with_the_next_step_and_deleted_ones_taken_back(learnt: tuple[State, ...]) -> None:
    first = (WEEKS + 1) * DAY
    values = calm(2)[DAY : DAY + 3]
    came = [values[0], values[0] + np.array([0, 0, 1500.0])]
    readings = []
    for row, later in zip(came, (1500.0, -1500.0), strict=True):
        watch = watching(learnt)
        run(watch, calm(1), start=WEEKS * DAY)
        watch.update(minute_of(first), row)
        watch.late(2, minute_of(first), later)
        readings.append(watch.update(minute_of(first + 1), values[1]))
    assert readings[0].begins[2]
    assert readings[1].evidence[2] < readings[0].evidence[2] / 3


def test_a_day_has_its_hours_and_no_step_where_they_are_learnt() -> None:
    watch = Watch(1, step=STEP)
    values = counts(40.0, 14)
    expected = np.array([one.expected[0] for one in run(watch, values)])
    assert np.abs(np.diff(np.log(expected[DAY:]))).max() < 0.3
    last = expected[-DAY:]
    assert last.max() / last.min() > 3


def test_a_holiday_like_a_sunday_wakes_nobody() -> None:
    """Two thirds of the posts come on working days; on the day off they come at other hours."""
    hours = np.arange(DAY) / DAY * 24
    work = np.where((hours > 8) & (hours < 18), 60.0, 10.0)
    off = np.where((hours > 18) & (hours < 23), 45.0, 8.0)
    dice = np.random.default_rng(3)
    days = [dice.poisson(off if number % 7 >= 5 else work).astype(float) for number in range(WEEKS)]
    watch = Watch(1, step=STEP)
    run(watch, np.concatenate(days)[:, None])
    start = WEEKS * DAY
    for number, value in enumerate(dice.poisson(off)):
        reading = watch.update(minute_of(start + number), np.array([float(value)]), 1.0, holiday=True)
        assert not reading.begins[0]
        assert reading.expected[0] < 60


def test_saved_and_loaded_it_goes_on_as_if_nothing_had_been(learnt: tuple[State, ...]) -> None:
    kept, values = watching(learnt), calm(2)
    run(kept, values[:DAY], start=WEEKS * DAY)
    states = [msgspec.msgpack.decode(msgspec.msgpack.encode(kept.save(n)), type=State) for n in range(3)]
    assert all(len(msgspec.msgpack.encode(one)) <= 4096 for one in states)
    again = watching(tuple(states))
    for one, other in zip(
        run(kept, values[DAY:], start=(WEEKS + 1) * DAY), run(again, values[DAY:], start=(WEEKS + 1) * DAY), strict=True
    ):
        assert (one.evidence == other.evidence).all()
        assert (one.probability == other.probability).all()


def test_a_state_of_other_steps_is_refused(learnt: tuple[State, ...]) -> None:
    with pytest.raises(ValueError, match=r"step 15 min.*step 60 min.*from its history"):
        Watch(1, step=60.0).load(0, learnt[0])


def test_the_setting_is_kept_over_calm_months() -> None:
    """60 series, two months each: false alarms within the Poisson band of 95 % around the setting."""
    series, months, bearable = 60, 1, 2.0
    watch = Watch(series, step=STEP, false_alarms_a_month=bearable)
    levels = np.exp(np.linspace(np.log(0.05), np.log(50.0), series))
    warm, judged = 14, 30 * months
    values = np.hstack([counts(level, warm + judged, seed=number) for number, level in enumerate(levels)])
    run(watch, values[: warm * DAY])
    alarms = begun(run(watch, values[warm * DAY :], start=warm * DAY)).sum()
    hoped = series * months * bearable
    assert alarms <= hoped + 1.96 * np.sqrt(hoped)
    assert alarms >= hoped / 4


def test_series_are_added_beside_those_that_are_watched(learnt: tuple[State, ...]) -> None:
    watch = watching(learnt)
    before = [watch.save(number) for number in range(3)]
    watch.grow(2)
    assert watch.series == 5
    assert [watch.save(number) for number in range(3)] == before
    assert watch.update(minute_of(WEEKS * DAY), np.ones(5)).expected.shape == (5,)


@pytest.mark.parametrize(("step", "bearable"), [(0.0, 1.0), (1.0, 0.0), (-5.0, 1.0)])
def test_settings_that_mean_nothing_are_refused(step: float, bearable: float) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        Watch(1, step=step, false_alarms_a_month=bearable)
