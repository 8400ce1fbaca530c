"""Reviews of one's own apps in Google Play, by the developer's API."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from config.brands import Slug
from config.section import EnvName, WebAddress
from config.sources.budget import Costs
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration

Package = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$", max_length=100)
]


class GoogleplaySource(Swept):
    """Reviews of your own apps in Google Play, and what you answered."""

    costs: ClassVar[Costs] = Costs(requests=200, window=3_600_000)
    """For each app; here for the source, whatever it has
    (https://support.google.com/googleplay/android-developer/contact/review_apiqr)."""

    kind: Literal["googleplay"]
    """`googleplay`: reviews of your own apps."""
    apps: Annotated[dict[Package, tuple[Slug, ...]], Field(min_length=1, max_length=100)]
    """Package name of an app, such as com.acme.app: the brands that its reviews belong to, whatever they say. `[]`:
    those that they name."""
    key_env: EnvName
    """NAME of the variable that holds the JSON file with the key of a service account, whole."""
    interval: Annotated[Duration, Field(ge=50)] = 600_000
    """Between two rounds; each asks once at least for every app."""
    look_back: Annotated[Duration, Field(ge=1_000, le=604_800_000)] = 86_400_000
    """How far behind the newest review a list is read on once an hour: what Google shows late is found, and so are your
    answers."""
    max_lateness: Annotated[Duration, Field(ge=0)] = 1_800_000
    """Posts older than this when they arrive change numbers and cases but wake nobody."""
    look_again: tuple[LookAgain, ...] = looks(("7d", "2d"), ("30d", "10d"), ("400d", "90d"))
    """How often reviews are looked up again to learn whether they were deleted or edited, by their age: each is a
    request."""
    url: WebAddress = "https://androidpublisher.googleapis.com"
    """Address of the API, for a proxy."""
    token_url: WebAddress = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    """Where the key is traded for an access token; another one only for a proxy."""
