"""Yelp: reviews of businesses, for who has an agreement with it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from config.section import EnvName, WebAddress
from config.sources.budget import Costs
from config.sources.common import Collected
from config.units import Duration

Business = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22}$")]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}_[A-Z]{2}$")]


class YelpSource(Collected):
    """Reviews of businesses on Yelp by its Private Reviews API, which is for contracted partners alone: what Yelp's
    Places API shows may not be analysed."""

    costs: ClassVar[Costs] = Costs(requests=5_000, window=86_400_000)

    kind: Literal["yelp"]
    """`yelp`: reviews of businesses, where Yelp has agreed to it."""
    businesses: Annotated[tuple[Business, ...], Field(min_length=1, max_length=500)]
    """Numbers of the businesses (Yelp business ids), 22 signs each, in quotes. Set `brands` to whose they are."""
    key_env: EnvName
    """NAME of the variable that holds the API key of the app that Yelp has opened for private reviews."""
    locales: Annotated[tuple[Locale, ...], Field(min_length=1, max_length=20)] = ("en_US",)
    """Whose languages' reviews are asked for, each by a request of its own."""
    interval: Annotated[Duration, Field(ge=50)] = 600_000
    """Between two rounds; each is one request for a business and locale."""
    look_back: Annotated[Duration, Field(ge=1_000, le=2_592_000_000)] = 259_200_000
    """How far before the newest review of the last round one may be written that is shown only now."""
    url: WebAddress = "https://api.yelp.com"
    """Where the API is asked; another one only for a proxy."""
