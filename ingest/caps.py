"""What a source may use up and when: caps, their periods, and who is left out first. No clock, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from config.sources.budget import Budget, Costs, Per
from ingest.collector import Span
from ingest.wanted import Wanted
from stream.records import Millis

Measure: TypeAlias = Literal["money", "units"]
Rank: TypeAlias = Literal["competitor", "category", "own", "urgent"]

MICRO = 1_000_000
"""Money is kept in whole millionths of its currency: a price such as 0.005 adds up without an error."""
LEVELS = (50, 80, 100)
"""At so much per cent of a cap people are told."""
PARTS: Mapping[Rank, float] = {"competitor": 0.80, "category": 0.90, "own": 0.95, "urgent": 1.0}
"""Up to which part of a cap a brand is asked for; the last twentieth is kept for brands with an open incident."""
SLICES = 10
"""A window of requests is counted in so many parts: at most a tenth of it is waited longer than needed."""


class Cap(NamedTuple):
    """Of one source: how much of a measure may be used up in a day or month."""

    measure: Measure
    limit: int | None
    """In millionths of the currency, or in units; None: there is no cap, and what is used up is counted."""
    per: Per
    zone: str
    first_day: int
    price: int
    """What a unit of cost counts here."""
    unit: str
    """The currency, or what the units are."""
    brands: Mapping[str, float]

    def of(self, cost: int) -> int:
        return cost * self.price

    def of_brand(self, brand: str) -> int | None:
        """The brand's own cap; None: it has none."""
        part = self.brands.get(brand)
        return None if part is None or self.limit is None else int(self.limit * part)

    def period(self, now: Millis) -> Span:
        """The day or month that `now` is in, by the calendar of `zone`."""
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(now / 1000, zone).date()
        if self.per == "day":
            return Span(_midnight(today, zone), _midnight(today + timedelta(days=1), zone))
        first = today.replace(day=self.first_day)
        if first > today:
            first = _a_month(first, -1)
        return Span(_midnight(first, zone), _midnight(_a_month(first, 1), zone))

    def words(self, amount: int) -> str:
        """`12.34 USD`, `9,800 quota units`."""
        return f"{amount / MICRO:,.2f} {self.unit}" if self.measure == "money" else f"{amount:,} {self.unit}"


class Rate(NamedTuple):
    """At most `limit` requests in any time of length `window`."""

    limit: int
    window: Millis

    @property
    def part(self) -> Millis:
        return max(1, self.window // SLICES)

    def slice_of(self, now: Millis) -> Millis:
        return now - now % self.part

    def oldest(self, now: Millis) -> Millis:
        """Slices that begin later may hold requests of the last `window`."""
        return now - self.window - self.part

    def wait(self, made: Mapping[Millis, int], now: Millis) -> Millis:
        """How long until one more request may be made, when `made` says how many each slice holds; 0: now."""
        counted = sorted((since, n) for since, n in made.items() if since > self.oldest(now))
        too_many = sum(n for _, n in counted) + 1 - self.limit
        for since, n in counted:
            if too_many <= 0:
                break
            too_many -= n
            if too_many <= 0:
                return max(1, since + self.window + self.part - now)
        return 0


def caps(budget: Budget, costs: Costs) -> tuple[Cap, ...]:
    """What of a source is counted, and what is capped: what people set, else what the network documents."""
    found = []
    zone = budget.zone or costs.zone
    price = budget.price or costs.price
    if price is not None:
        limit, cost = None if budget.money is None else round(budget.money * MICRO), round(price * MICRO)
        found.append(
            Cap("money", limit, budget.money_per, zone, budget.first_day, cost, budget.currency, budget.brands)
        )
    units = budget.units or costs.units
    if units is not None or (price is None and costs.most):
        per = budget.units_per or costs.units_per
        found.append(Cap("units", units, per, zone, budget.first_day, 1, costs.unit, budget.brands))
    return tuple(found)


def rate(budget: Budget, costs: Costs) -> Rate | None:
    limit = budget.requests or costs.requests
    return None if limit is None else Rate(limit, budget.window or costs.window)


def rank(wanted: Wanted | None) -> Rank:
    """How long a brand is asked for; what is of no brand counts as an own one."""
    if wanted is None:
        return "own"
    return "urgent" if wanted.urgent else wanted.kind


def room(limit: int, who: Rank, request: int) -> int:
    """Up to how much of a cap brands of this rank may use up, when a request costs `request` at most: the urgent can
    always make one more, unless the cap is hardly worth one."""
    kept = 0 if who == "urgent" or limit < 2 * request else request
    return min(int(limit * PARTS[who]) if limit >= 2 * request else limit, limit - kept)


def level(used: int, limit: int | None) -> int:
    """The highest of LEVELS that was reached; 0: none."""
    return 0 if not limit else max((one for one in LEVELS if used * 100 >= limit * one), default=0)


def left_out(used: int, limit: int, request: int) -> Sequence[Rank]:
    """Whom there is no room for any more."""
    return [who for who in PARTS if used + request > room(limit, who, request)]


def _midnight(day: date, zone: ZoneInfo) -> Millis:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _a_month(first: date, by: int) -> date:
    months = first.year * 12 + first.month - 1 + by
    return date(months // 12, months % 12 + 1, first.day)
