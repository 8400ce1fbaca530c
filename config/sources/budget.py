"""What a source may use up: caps that people set, and what the network documents of its prices and quotas."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints

from config.aspects import Slug
from config.section import Section
from config.units import Duration

Per: TypeAlias = Literal["day", "month"]


class Costs(NamedTuple):
    """What asking a network costs, as its documentation says. A network's class of settings has its own as `costs`;
    people may set other figures in the section `budget`."""

    unit: str = "units"
    """What one unit of `Delivery.cost` is, in the plural: `posts read`, `quota units`."""
    most: int = 0
    """Most units that one delivery can cost; 0: asking costs none. So much is reserved before it is asked for."""
    per_post: int = 0
    """Units that each post received costs; 0: what is paid is the asking."""
    price: float | None = None
    """Of one unit; None: the network takes no money."""
    currency: str = "USD"
    units: int | None = None
    """Its quota of units; None: it has none."""
    units_per: Per = "day"
    zone: str = "UTC"
    """Where its days and months begin."""
    requests: int | None = None
    """So many in any `window`; None: it names no number."""
    window: int = 900_000


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone: write a name such as America/Los_Angeles or UTC") from None
    return name


class Budget(Section):
    """What the source may use up. As a cap comes near, competitors are left out first, then categories, then own
    brands; brands with an open incident are asked for to the end."""

    money: float | None = Field(default=None, gt=0, lt=1_000_000_000)
    """Most money in a day or month, in `currency`. Empty: no cap; what is spent is counted."""
    money_per: Per = "month"
    """Whether `money` is for a day or a month."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    """In which `money` and `price` are written."""
    price: float | None = Field(default=None, gt=0, lt=10_000)
    """Of one unit (a post read, where the network bills posts). Empty: as the network documents it."""
    first_day: int = Field(default=1, ge=1, le=28)
    """Day of the month on which a month of the bill begins."""
    units: int | None = Field(default=None, ge=1, le=1_000_000_000_000)
    """Most units of the network's quota in a day or month. Empty: as the network documents it."""
    units_per: Per | None = None
    """Whether `units` is for a day or a month. Empty: as the network counts."""
    zone: Annotated[str, AfterValidator(_time_zone)] | None = None
    """Time zone in which days and months begin. Empty: the network's."""
    requests: int | None = Field(default=None, ge=1, le=1_000_000_000)
    """Most requests in any `window`. Empty: as the network documents it."""
    window: Annotated[Duration, Field(ge=1_000, le=86_400_000)] | None = None
    """Time that `requests` is for. Empty: the network's."""
    brands: dict[Slug, Annotated[float, Field(gt=0, lt=1)]] = Field(default_factory=dict)
    """Brand: the part of `money` and of `units` that it may use up at most, 0.4 for two fifths."""
    fill_after_cap: bool = False
    """Whether the time for which a brand was left out by a cap is asked for later, once, when its budget has room: that
    later period pays for it, as much as it would have cost then."""


def unfit(budget: Budget, costs: Costs) -> str:
    """What is wrong with a budget at a network of such costs, with the way out after a colon; empty: nothing."""
    priced = budget.price or costs.price
    if budget.money is not None and priced is None:
        return "a cap of money needs the price of a unit, and this network has none: write `price:`, or cap `units`"
    if budget.price is None and costs.price is not None and budget.currency != costs.currency:
        return (
            f"the network's price is in {costs.currency}, the cap in {budget.currency}: "
            f"write the cap in {costs.currency}, or the price of a unit in {budget.currency} as `price:`"
        )
    if budget.brands and budget.money is None and budget.units is None and costs.units is None:
        return "parts for brands need something to be part of: set `money` or `units`"
    return ""
