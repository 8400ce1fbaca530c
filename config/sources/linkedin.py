"""LinkedIn: the page of an organisation that you administer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from config.section import EnvName, WebAddress
from config.sources.budget import Costs
from config.sources.common import LookAgain, Swept, looks
from config.sources.graph import Number
from config.units import Duration

Month = Annotated[str, StringConstraints(pattern=r"^20\d\d(0[1-9]|1[0-2])$")]

DEVELOPMENT = Costs(requests=100, window=86_400_000)
"""By one member in a day, and 500 by the app (https://learn.microsoft.com/en-us/linkedin/marketing/increasing-access)."""


class LinkedinSource(Swept):
    """The LinkedIn page of an organisation that you administer: its posts, comments on them and answers; posts that
    mention it."""

    kind: Literal["linkedin"]
    """`linkedin`: the page of an organisation that you administer."""
    organization: Number
    """Number of the organisation, in quotes (in the address of its page for administrators)."""
    token_env: EnvName | None = None
    """NAME of the variable that holds an access token of a member who administers the page; it lasts 60 days. Empty:
    the next three are set, which go before it."""
    client_id_env: EnvName | None = None
    """NAME of the variable with the app's client id."""
    client_secret_env: EnvName | None = None
    """NAME of the variable with the app's client secret."""
    refresh_token_env: EnvName | None = None
    """NAME of the variable with the member's refresh token, where LinkedIn gave the app one: access tokens are then got
    by it, for 365 days from the member's consent."""
    version: Month = "202609"
    """Of LinkedIn's API, year and month. LinkedIn switches each off after about a year; the source then says so."""
    tier: Literal["standard", "development"] = "standard"
    """Access tier of the app. `development` may not ask for several things at once, and 100 times a day at most."""
    follow: Annotated[int, Field(ge=1, le=50)] = 20
    """How many of the newest posts are followed for new comments."""
    mentions: bool = False
    """Whether posts of others that mention the page are asked for: it takes the permission rw_organization_admin."""
    reread: Annotated[Duration, Field(ge=100)] = 21_600_000
    """After so long all comments of a followed post are read again though their number is the same: one may have been
    deleted and another one written."""
    url: WebAddress = "https://api.linkedin.com"
    """Where the API is asked; another one only for a proxy."""
    login_url: WebAddress = "https://www.linkedin.com"
    """Where tokens are got; another one only for a proxy."""
    interval: Annotated[Duration, Field(ge=50)] = 300_000
    """Between two rounds of asking."""
    look_again: tuple[LookAgain, ...] = looks(("48h", "12h"), ("7d", "2d"), ("180d", "30d"))
    """How often posts are looked up again to learn whether they were deleted or edited, by their age; each look is one
    request. Whose text has expired (`retention: networks`) is not looked up any more; `[]`: none is."""

    @model_validator(mode="after")
    def _has_an_access(self) -> LinkedinSource:
        """By one token, or by all that is needed to get some."""
        lasting = (self.client_id_env, self.client_secret_env, self.refresh_token_env)
        if not all(lasting) and (any(lasting) or self.token_env is None):
            raise ValueError(
                "no whole access: set token_env, or client_id_env, client_secret_env and refresh_token_env "
                "(docs/networks/linkedin.md says how to get them)"
            )
        return self

    def documented(self) -> Costs:
        return DEVELOPMENT if self.tier == "development" else self.costs
