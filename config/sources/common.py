"""What sources of every kind share."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from config.brands import Slug
from config.section import Section
from config.sources.budget import Budget, Costs, unfit
from config.units import Duration


class AnySource(Section):
    """What every source has."""

    id: Slug
    """Stands in posts and in the coverage ledger: never change it."""
    brands: tuple[Slug, ...] = ()
    """Brands that every post of this source belongs to, whatever its text says (an own page, a review page)."""
    access: Slug = "public"
    """Who may read its posts: `public`, or a name of your own for a private source."""
    max_lateness: Annotated[Duration, Field(ge=0)] = 900_000
    """Posts older than this when they arrive change numbers and cases but wake nobody."""


class Collected(AnySource):
    """What every source has that Clamor asks itself."""

    costs: ClassVar[Costs] = Costs()
    """What the network documents of its prices and quotas."""

    listen_for: tuple[Slug, ...] = ()
    """Brands that are asked for here. Empty: all."""
    timeout: Annotated[Duration, Field(ge=100, le=300_000)] = 30_000
    """How long the network may take for an answer, or a connection for its beginning."""
    budget: Budget = Budget()
    """What it may use up: money, quota units, requests."""

    def documented(self) -> Costs:
        """`costs`, as far as these settings say otherwise."""
        return self.costs

    @field_validator("budget")
    @classmethod
    def _fits_the_network(cls, budget: Budget) -> Budget:
        if why := unfit(budget, cls.costs):
            raise ValueError(why)
        return budget
