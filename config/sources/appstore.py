"""Reviews in Apple's App Store, by the public feed of each app and country."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from config.brands import Slug
from config.section import WebAddress
from config.sources.common import Collected
from config.units import Duration

MOST_FEEDS = 1_000

App = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,14}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]


class AppstoreSource(Collected):
    """Reviews of apps in Apple's App Store, one's own and others'. No account is needed."""

    kind: Literal["appstore"]
    """`appstore`: reviews of apps, as Apple's public feeds show them."""
    apps: Annotated[dict[App, tuple[Slug, ...]], Field(min_length=1, max_length=MOST_FEEDS)]
    """Number of an app, in quotes (the digits behind `id` in its address): the brands that its reviews belong to,
    whatever they say. `[]`: those that they name."""
    countries: Annotated[tuple[Country, ...], Field(min_length=1, max_length=200)]
    """Stores whose reviews are read, by two letters such as `us` or `es`: each store has its own."""
    interval: Annotated[Duration, Field(ge=50)] = 900_000
    """Between two rounds; each asks once at least for every app in every country."""
    look_back: Annotated[Duration, Field(ge=1_000, le=2_592_000_000)] = 259_200_000
    """How far behind the newest review a feed is read on once an hour: what Apple shows late is found."""
    max_lateness: Annotated[Duration, Field(ge=0)] = 2_700_000
    """Posts older than this when they arrive change numbers and cases but wake nobody."""
    url: WebAddress = "https://itunes.apple.com"
    """Address of the feeds, for a proxy."""

    @model_validator(mode="after")
    def _not_too_many(self) -> Self:
        feeds = len(self.apps) * len(set(self.countries))
        if feeds > MOST_FEEDS:
            raise ValueError(
                f"{len(self.apps)} apps in {len(set(self.countries))} countries are {feeds:,} feeds, "
                f"more than {MOST_FEEDS:,}: share them out to several sources"
            )
        return self
