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


class LookAgain(Section):
    """How often posts up to an age are looked up again on their network."""

    younger_than: Annotated[Duration, Field(gt=0)]
    """Age of a post, from its publication, up to which this step holds."""
    every: Annotated[Duration, Field(ge=100)]
    """Such a post is looked up once in so long, at least; most are when three quarters of it have passed."""


def looks(*steps: tuple[str, str]) -> tuple[LookAgain, ...]:
    """Of (age, span) as people write them: `("24h", "12h"), ("30d", "10d")`."""
    return tuple(LookAgain.model_validate({"younger_than": age, "every": every}) for age, every in steps)


class Swept(Collected):
    """What every source has whose network does not tell of deletes and edits by itself: each post that we hold is
    looked up again."""

    look_again: tuple[LookAgain, ...] = looks(("24h", "12h"), ("7d", "2d"), ("30d", "10d"), ("400d", "90d"))
    """How often posts are looked up again to learn whether they were deleted or edited, by their age; each look counts
    against the budget. Posts that are older than the last step are not looked up any more; `[]`: none is."""

    @field_validator("look_again")
    @classmethod
    def _by_age(cls, look_again: tuple[LookAgain, ...]) -> tuple[LookAgain, ...]:
        ages = [step.younger_than for step in look_again]
        if ages != sorted(set(ages)):
            raise ValueError("the ages do not rise: write the steps from the youngest posts to the oldest")
        return look_again
