"""What brands will bring and cost at the sources that are asked, before they go live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Event
from typing import Any, NamedTuple

import msgspec
import numpy as np

from clamor import networks
from clamor.budgets import budget_of
from clamor.collecting import lacks, secret, source_of
from clamor.opening import Opened
from config.brands import Brand
from config.sources import Collected
from ingest.budget import SourceBudget, spent_of
from ingest.caps import MICRO, Cap, caps
from ingest.collector import Denied, Estimable, Interrupted, Sample, Unforeseeable
from ingest.forecast import MONTH_DAYS, Draws, Forecast, Interval, forecast, interval
from ingest.setting import Setting
from ingest.tokens import KeptTokens
from ingest.wanted import Wanted, wanted
from query.prefilter import compile_prefilter
from stream.clock import DAY
from stream.records import Millis

NOT_ASKED = "this network cannot be asked ahead how much a brand would bring"
NO_ROOM = "its budget leaves no room for a sample now"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """Of one brand at one source. Intervals hold the truth nine times in ten."""

    source: str
    brand: str
    hours: int
    """Sampled, the last ones."""
    sampled: int
    """Posts in them."""
    capped: bool
    """The network showed only a part: all numbers are lower bounds."""
    posts_per_day: Interval
    posts_per_month: Interval
    cost_per_day: Interval | None
    """In `unit`; None: the source counts no cost."""
    cost_per_month: Interval | None
    unit: str


class Unknown(NamedTuple):
    source: str
    brand: str
    why: str


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """When a cap would be reached by all that was sampled at its source, beginning now."""

    source: str
    brand: str
    """Whose part of the cap it is; empty: the source's."""
    measure: str
    cap: str
    """In words."""
    soonest: Millis | None
    """None: not in this period, with 95 in 100; the same for the others."""
    middle: Millis | None
    latest: Millis | None
    until: Millis
    """End of the period."""


class Estimate(msgspec.Struct, frozen=True):
    expected: tuple[Expected, ...]
    unknown: tuple[Unknown, ...]
    reached: tuple[Reached, ...]


class _One(NamedTuple):
    wanted: Wanted
    sample: Sample
    future: Forecast


def estimate(opened: Opened, sources: Iterable[Collected], brands: Sequence[Brand], only: Sequence[str]) -> Estimate:
    """Ask each source for a sample of each brand that it listens for (`only` these, where there are any). What the
    samples cost is counted in the sources' budgets."""
    expected: list[Expected] = []
    unknown: list[Unknown] = []
    reached: list[Reached] = []
    for source in sources:
        chosen = [one for one in wanted(brands, source.listen_for) if not only or one.brand in only]
        asked = [brand for brand in brands if brand.id in {one.brand for one in chosen}]
        found, missing = _sampled(opened, source, chosen, compile_prefilter(asked))
        unknown += missing
        priced = caps(source.budget, source.documented())
        expected += [_expected(source, priced, one) for one in found]
        reached += [one for cap in priced for one in _reached(opened, source, cap, found)]
    return Estimate(tuple(expected), tuple(unknown), tuple(reached))


def paid_sample(
    purse: SourceBudget | None, source: str, wall: Callable[[], Millis], collector: Estimable, one: Wanted
) -> Sample | None:
    """None: the budget leaves no room for it now. Raises what the collector raises."""
    # A rate that is used up for the moment says so as well: a command does not wait for a quarter of an hour.
    if purse is not None and purse.wait(source, wall(), one.brand) != 0:
        return None
    sample = collector.sample(one)
    if purse is not None:
        purse.spent(source, sample.cost, sample.asked, wall(), one.brand)
    return sample


def _sampled(
    opened: Opened, source: Collected, chosen: Sequence[Wanted], prefilter: Callable[[str], bool]
) -> tuple[list[_One], list[Unknown]]:
    setting = Setting(
        source=source_of(source),
        wanted=lambda: chosen,
        secret=lambda name: secret(opened, name),
        clock=opened.clock,
        stop=Event(),
        prefilter=prefilter,
        tokens=KeptTokens(opened.engine, opened.clock),
    )
    try:
        collector: Any = networks.make(source, setting)
    except Exception as fault:
        return [], [Unknown(source.id, one.brand, lacks(fault)) for one in chosen]
    try:
        if not isinstance(collector, Estimable):
            why = collector.unforeseeable if isinstance(collector, Unforeseeable) else NOT_ASKED
            return [], [Unknown(source.id, "", why)]
        return _ask(opened, source, collector, chosen)
    finally:
        collector.close()


def _ask(
    opened: Opened, source: Collected, collector: Estimable, chosen: Sequence[Wanted]
) -> tuple[list[_One], list[Unknown]]:
    found: list[_One] = []
    unknown: list[Unknown] = []
    purse = budget_of(opened, source, lambda: chosen)
    for one in chosen:
        try:
            sample = paid_sample(purse, source.id, opened.clock.wall, collector, one)
            if sample is None:
                unknown.append(Unknown(source.id, one.brand, NO_ROOM))
                continue
            found.append(_One(one, sample, forecast(sample.posts_by_hour, capped=sample.capped, seed=len(found))))
        except (Denied, Interrupted, ValueError) as fault:
            unknown.append(Unknown(source.id, one.brand, str(fault)))
        except Exception as fault:
            unknown.append(Unknown(source.id, one.brand, lacks(fault)))
    if purse is not None:
        purse.leave()
    return found, unknown


def _expected(source: Collected, priced: Sequence[Cap], one: _One) -> Expected:
    cap, future, capped = next(iter(priced), None), one.future, one.future.capped
    day = None if cap is None else interval(_cost(source, cap, one, future.day, 1), capped=capped)
    month = None if cap is None else interval(_cost(source, cap, one, future.month, MONTH_DAYS), capped=capped)
    return Expected(
        source=source.id,
        brand=one.wanted.brand,
        hours=len(one.sample.posts_by_hour),
        sampled=sum(one.sample.posts_by_hour),
        capped=capped,
        posts_per_day=interval(future.day, capped=capped),
        posts_per_month=interval(future.month, capped=capped),
        cost_per_day=day,
        cost_per_month=month,
        unit="" if cap is None else cap.unit,
    )


def _cost(source: Collected, cap: Cap, one: _One, posts: Draws, days: int) -> Draws:
    """In the cap's unit."""
    units = posts * source.documented().per_post + one.sample.per_day * days
    return units * cap.price / (MICRO if cap.measure == "money" else 1)


def _reached(opened: Opened, source: Collected, cap: Cap, found: Sequence[_One]) -> list[Reached]:
    now = opened.clock.wall()
    period = cap.period(now)
    spent = {one.brand: one for one in spent_of(opened.engine, source, now) if one.measure == cap.measure}
    told = []
    for brand in ("", *cap.brands):
        limit = cap.of_brand(brand) if brand else cap.limit
        of_it = [one for one in found if not brand or one.wanted.brand == brand]
        if limit is None or not of_it:
            continue
        # By the month's draws: what is left lasts for days rather than for one.
        a_day = sum((_cost(source, cap, one, one.future.month, MONTH_DAYS) for one in of_it), np.zeros(1)) / MONTH_DAYS
        scale = MICRO if cap.measure == "money" else 1
        left = max(0.0, limit / scale - (spent[brand].used if brand in spent else 0.0))
        latest, middle, soonest = np.quantile(a_day, [0.05, 0.5, 0.95])
        ends = [_when(left, float(one), now, period.until) for one in (soonest, middle, latest)]
        told.append(
            Reached(
                source=source.id, brand=brand, measure=cap.measure, cap=f"{cap.words(limit)} a {cap.per}",
                soonest=ends[0], middle=ends[1], latest=ends[2], until=period.until,
            )
        )  # fmt: skip
    return told


def _when(left: float, a_day: float, now: Millis, until: Millis) -> Millis | None:
    at = now + left / a_day * DAY if a_day > 0 else float("inf")
    return round(at) if at < until else None
