"""A cap is never exceeded, however many ask at once; as it comes near, the least urgent are left out first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import Engine

from config.sources import Collected
from config.sources.budget import Costs
from database.engine import read, rows
from ingest.budget import Budgets, SourceBudget, spent_of
from ingest.caps import Cap, Rate, caps, left_out, room
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, ManualClock

NOW = 1_795_000_000_000
WANTED = (
    Wanted(brand="burning", kind="competitor", urgent=True),
    Wanted(brand="acme", kind="own"),
    Wanted(brand="flights", kind="category"),
    Wanted(brand="zephyr", kind="competitor"),
)
_numbers = count()


class Billed(Collected):
    """A network that bills each post read, a hundred of them a request."""

    kind: Literal["billed"] = "billed"
    costs: ClassVar[Costs] = Costs(unit="posts read", most=100, price=0.005)


class Rationed(Collected):
    """A network with a quota a day, at midnight Pacific time, and some requests a window."""

    kind: Literal["rationed"] = "rationed"
    costs: ClassVar[Costs] = Costs(
        unit="quota units", most=100, units=10_000, zone="America/Los_Angeles", requests=30, window=MINUTE
    )


def billed(**budget: Any) -> Billed:
    return Billed.model_validate({"id": f"x{next(_numbers)}", "budget": budget})


def rationed(**budget: Any) -> Rationed:
    return Rationed.model_validate({"id": f"y{next(_numbers)}", "budget": budget})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def open_budget(engine: Engine, clock: ManualClock) -> Callable[[Collected], SourceBudget]:
    def open_budget(source: Collected, wanted: Sequence[Wanted] = WANTED) -> SourceBudget:
        found = Budgets(engine, clock).of(source, lambda: wanted)
        assert found is not None
        return found

    return open_budget


def used(engine: Engine, source: Collected, brand: str = "") -> float:
    return next((one.used for one in spent_of(engine, source, NOW) if one.brand == brand), 0.0)


# --- never exceeded ------------------------------------------------------------------------------------------------

_step = st.tuples(
    st.sampled_from(["ask", "ask", "ask", "die", "leave"]),
    st.integers(0, 1),
    st.sampled_from([None, "", "acme", "zephyr", "burning"]),
    st.integers(0, 100),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_step, max_size=60), cap=st.integers(1, 900))
def test_two_processes_together_never_spend_more_than_the_cap(
    engine: Engine, clock: ManualClock, steps: list[Any], cap: int
) -> None:
    """Each asks in its turn, gets an answer of any cost, and may be killed between."""
    source = billed(money=cap * 0.005, brands={"acme": 0.5})

    def opened() -> SourceBudget:
        found = Budgets(engine, clock).of(source, lambda: WANTED)
        assert found is not None
        return found

    processes = [opened(), opened()]
    of_all = of_acme = 0
    for what, who, brand, cost in steps:
        purse = processes[who]
        if what == "die":
            processes[who] = opened()
        elif what == "leave":
            purse.leave()
        elif purse.wait(source.id, NOW, brand) == 0 and (not brand or purse.allowed(brand)):
            of_all += cost
            of_acme += cost if brand == "acme" else 0
            purse.spent(source.id, cost, 1, NOW, brand or "")
        assert of_all <= cap
        assert of_acme <= cap // 2
        assert used(engine, source) >= of_all * 0.005 - 1e-9, "nothing is forgotten, also by a kill"
        assert used(engine, source) <= cap * 0.005 + 1e-9, "what is reserved stays within the cap as well"


def test_many_threads_of_several_processes_stay_within_the_cap(
    kept_in: str, engine: Engine, open_budget: Callable[..., SourceBudget]
) -> None:
    source = billed(money=20.0)
    spent: list[int] = []

    def work(seed: int) -> None:
        purse = open_budget(source)
        for n in range(40):
            if purse.wait(source.id, NOW) == 0:
                cost = (seed * 31 + n * 17) % 101
                spent.append(cost)
                purse.spent(source.id, cost, 1, NOW)
        purse.leave()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert sum(spent) <= 4_000
    assert sum(spent) >= 4_000 - 6 * 100, "and they use it up, but for less than a request each"
    assert used(engine, source) == pytest.approx(sum(spent) * 0.005)


def test_a_cost_above_what_was_foreseen_is_recorded_in_truth(
    kept_in: str, engine: Engine, open_budget: Callable[..., SourceBudget]
) -> None:
    source = billed(money=1.0)
    purse = open_budget(source)
    assert purse.wait(source.id, NOW) == 0
    purse.spent(source.id, 250, 1, NOW, "acme")
    assert used(engine, source) == used(engine, source, "acme") == 1.25
    assert purse.wait(source.id, NOW) == -1


def test_a_network_without_a_cap_is_counted_and_never_stopped(
    kept_in: str, engine: Engine, open_budget: Callable[..., SourceBudget]
) -> None:
    source = billed()
    purse = open_budget(source)
    for _ in range(20):
        assert purse.wait(source.id, NOW) == 0
        purse.spent(source.id, 100, 1, NOW, "acme")
    purse.leave()
    (whole, acme) = spent_of(engine, source, NOW)
    assert (whole.used, whole.limit, whole.share, whole.left_out) == (10.0, None, None, ())
    assert (acme.brand, acme.used) == ("acme", 10.0)


# --- who is left out ------------------------------------------------------------------------------------------------


@given(limit=st.integers(1, 10**12), request=st.integers(0, 10**6))
def test_the_less_urgent_are_always_left_out_before_the_more_urgent(limit: int, request: int) -> None:
    rooms = [room(limit, who, request) for who in ("competitor", "category", "own", "urgent")]
    assert rooms == sorted(rooms)
    assert rooms[-1] == limit
    if limit >= 2 * request:
        assert limit - rooms[2] >= request, "a brand in an incident can still be asked for once the others cannot"


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cap=st.integers(1_000, 2_000), costs=st.lists(st.integers(40, 100), min_size=60, max_size=60))
def test_brands_drop_out_in_the_order_of_their_urgency(
    engine: Engine, clock: ManualClock, cap: int, costs: list[int]
) -> None:
    source = billed(money=cap * 0.005)
    purse = Budgets(engine, clock).of(source, lambda: WANTED)
    assert purse is not None
    still, dropped = [one.brand for one in reversed(WANTED)], []
    for cost in costs:
        if purse.wait(source.id, NOW) < 0:
            break
        out = [brand for brand in still if not purse.allowed(brand)]
        dropped += out
        still = [brand for brand in still if brand not in out]
        if not still:
            break
        purse.spent(source.id, cost, 1, NOW, still[0])
    assert dropped == ["zephyr", "flights", "acme", "burning"][: len(dropped)]
    assert "acme" in dropped


def test_a_part_of_ones_own_stops_one_brand_and_no_other(
    kept_in: str, engine: Engine, open_budget: Callable[..., SourceBudget]
) -> None:
    source = billed(money=10.0, brands={"acme": 0.1})
    purse = open_budget(source)
    for _ in range(2):
        assert purse.wait(source.id, NOW) == 0
        assert purse.allowed("acme")
        purse.spent(source.id, 100, 1, NOW, "acme")
    assert not purse.allowed("acme")
    assert purse.allowed("zephyr")
    acme = next(one for one in spent_of(engine, source, NOW) if one.brand == "acme")
    assert (acme.used, acme.limit, acme.level) == (1.0, 1.0, 100)
    assert "brand acme" in acme.told


# --- periods -------------------------------------------------------------------------------------------------------


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        ("2026-07-01T06:59:59", "2026-06-30T07:00", "2026-07-01T07:00"),
        ("2026-07-01T07:00:00", "2026-07-01T07:00", "2026-07-02T07:00"),
        ("2026-03-08T12:00:00", "2026-03-08T08:00", "2026-03-09T07:00"),
        ("2026-11-01T12:00:00", "2026-11-01T07:00", "2026-11-02T08:00"),
    ],
)
def test_a_day_is_that_of_the_networks_calendar_also_when_clocks_change(now: str, since: str, until: str) -> None:
    (cap,) = caps(Rationed(id="y").budget, Rationed.costs)
    assert cap.period(at(now)) == (at(since), at(until))


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        ("2026-01-09T00:00", "2025-12-10T00:00", "2026-01-10T00:00"),
        ("2026-01-10T00:00", "2026-01-10T00:00", "2026-02-10T00:00"),
        ("2026-12-31T00:00", "2026-12-10T00:00", "2027-01-10T00:00"),
    ],
)
def test_a_month_begins_on_the_day_of_the_bill(now: str, since: str, until: str) -> None:
    (cap,) = caps(billed(money=1, first_day=10).budget, Billed.costs)
    assert cap.period(at(now)) == (at(since), at(until))


def test_a_new_period_begins_with_nothing_used(
    kept_in: str, engine: Engine, open_budget: Any, clock: ManualClock
) -> None:
    source = billed(money=1.0, money_per="day")
    purse = open_budget(source)
    assert purse.wait(source.id, clock.wall()) == 0
    purse.spent(source.id, 200, 1, clock.wall())
    assert purse.wait(source.id, clock.wall()) == -1
    clock.advance(DAY)
    assert purse.wait(source.id, clock.wall()) == 0
    (today,) = spent_of(engine, source, clock.now())
    assert (today.used, today.level) == (0.5, 50), "the next request is reserved"


# --- requests in a window -------------------------------------------------------------------------------------------


def test_in_no_window_are_more_requests_made_than_allowed_by_all_processes_together(
    kept_in: str, open_budget: Any, clock: ManualClock
) -> None:
    source = rationed(requests=7)
    processes = [open_budget(source), open_budget(source)]
    made: list[int] = []
    for turn in range(120):
        wait = processes[turn % 2].wait(source.id, clock.wall())
        if wait == 0:
            made.append(clock.wall())
            processes[turn % 2].spent(source.id, 1, 1, clock.wall())
            clock.advance(turn * 37 % 900)
        else:
            assert 0 < wait <= MINUTE * 1.1
            clock.advance(min(wait, 5_000))
    assert len(made) > 20
    for start in made:
        assert sum(start <= one < start + MINUTE for one in made) <= 7
    assert made[-1] - made[0] < (len(made) / 7 + 1) * 1.11 * MINUTE + 5 * 5_000, "and hardly fewer"


def test_a_request_that_was_made_ready_long_ago_counts_when_it_is_made(open_budget: Any, clock: ManualClock) -> None:
    source = rationed(requests=2)
    purse = open_budget(source)
    for _ in range(2):
        assert purse.wait(source.id, clock.wall()) == 0
        purse.spent(source.id, 1, 1, clock.wall())
    clock.advance(HOUR)
    assert purse.wait(source.id, clock.wall()) == 0
    clock.advance(30_000)
    assert purse.wait(source.id, clock.wall()) == 0, "the same request, waited for until now"
    purse.spent(source.id, 1, 1, clock.wall())
    assert purse.wait(source.id, clock.wall()) == 0
    purse.spent(source.id, 1, 1, clock.wall())
    assert purse.wait(source.id, clock.wall()) > 30_000


def test_a_rate_waits_for_the_oldest_that_is_in_the_way() -> None:
    rate = Rate(3, MINUTE)
    assert rate.wait({NOW: 2}, NOW) == 0
    assert rate.wait({NOW: 3}, NOW) == MINUTE + rate.part
    assert rate.wait({NOW - 30_000: 1, NOW: 2}, NOW) == MINUTE + rate.part - 30_000


# --- what people are told -------------------------------------------------------------------------------------------


def test_levels_are_reached_once_and_kept_through_the_period(kept_in: str, engine: Engine, open_budget: Any) -> None:
    source, levels = billed(money=10.0), []
    purse = open_budget(source)
    for _ in range(25):
        if purse.wait(source.id, NOW, "acme") == 0:
            purse.spent(source.id, 90, 1, NOW, "acme")
        levels.append(spent_of(engine, source, NOW)[0].level)
    assert list(dict.fromkeys(levels)) == [0, 50, 80, 100]
    assert levels == sorted(levels)
    whole = spent_of(engine, source, NOW)[0]
    assert whole.left_out == ("competitor", "category", "own")
    assert whole.told == f"source {source.id} has used up 9.50 USD of 10.00 USD of this month"


def test_rows_of_windows_that_are_over_are_let_go(engine: Engine, open_budget: Any, clock: ManualClock) -> None:
    source = rationed()
    purse = open_budget(source)
    for _ in range(200):
        assert purse.wait(source.id, clock.wall()) == 0
        purse.spent(source.id, 0, 1, clock.wall())
        clock.advance(10_000)
    with read(engine) as connection:
        kept = rows(
            connection, "SELECT used FROM budget_used WHERE source_id = ? AND measure = 'requests'", (source.id,)
        )
    assert len(kept) < 30


# --- settings ------------------------------------------------------------------------------------------------------


class Free(Collected):
    kind: Literal["free"] = "free"


@pytest.mark.parametrize(
    ("kind", "budget", "words"),
    [
        (Free, {"money": 10}, "needs the price of a unit"),
        (Billed, {"money": 10, "currency": "EUR"}, "price is in USD"),
        (Billed, {"brands": {"acme": 0.5}}, "set `money` or `units`"),
        (Billed, {"money": 10, "brands": {"acme": 1.5}}, "less than 1"),
        (Billed, {"zone": "Mars"}, "not a time zone"),
        (Billed, {"first_day": 31}, "28"),
        (Billed, {"money": 0}, "greater than 0"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(kind: type[Collected], budget: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        kind.model_validate({"id": "a", "budget": budget})


def test_what_people_set_goes_before_what_the_network_documents() -> None:
    assert caps(Free(id="a").budget, Free.costs) == ()
    (quota,) = caps(rationed(units=500).budget, Rationed.costs)
    assert (quota.limit, quota.per, quota.unit) == (500, "day", "quota units")
    euros, units = caps(
        billed(money=3, currency="EUR", price=0.006, units=1_000, units_per="month").budget, Billed.costs
    )
    assert (euros.limit, euros.price, euros.unit) == (3_000_000, 6_000, "EUR")
    assert (units.limit, units.per) == (1_000, "month")


def test_whom_there_is_no_room_for() -> None:
    assert left_out(0, 1_000, 10) == []
    assert left_out(795, 1_000, 10) == ["competitor"]
    assert left_out(941, 1_000, 10) == ["competitor", "category", "own"]
    assert left_out(1_000, 1_000, 10) == ["competitor", "category", "own", "urgent"]
    assert isinstance(caps(billed(money=1).budget, Billed.costs)[0], Cap)
