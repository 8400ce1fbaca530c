"""Trustpilot: reviews of companies."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from config.section import EnvName, WebAddress
from config.sources.budget import Costs
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration, Size

Unit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")]


class TrustpilotSource(Swept):
    """Service reviews of companies on Trustpilot, and what the companies answer."""

    costs: ClassVar[Costs] = Costs(requests=833, window=300_000)

    kind: Literal["trustpilot"]
    """`trustpilot`: service reviews of companies."""
    units: Annotated[tuple[Unit, ...], Field(min_length=1, max_length=100)]
    """Numbers of the companies' pages (Business Unit IDs), 24 signs each, in quotes. Set `brands` to whose they are."""
    key_env: EnvName
    """NAME of the variable that holds the API key."""
    api_secret_env: EnvName | None = None
    """NAME of the variable with the secret of that key: then the private answers are asked for, which show a company
    its reviews that were reported as well. Empty: what anybody may see is asked for."""
    secret_env: EnvName | None = None
    """NAME of the variable with a word of yours, at least 16 characters, that stands in the address which Trustpilot's
    webhook calls: `/api/webhooks/ID?key=WORD`. Empty: it is only asked."""
    former_secret_env: EnvName | None = None
    """NAME of the variable with the former word, which is taken as well while one replaces the other."""
    interval: Annotated[Duration, Field(ge=50)] = 600_000
    """Between two rounds; each is one request for a company, and one more for each hundred reviews within
    `look_back`."""
    look_back: Annotated[Duration, Field(ge=1_000, le=2_592_000_000)] = 21_600_000
    """How far back each round reads once more, from the newest review of the last one: what is shown late is found. The
    newest hundred reviews are read in any case."""
    look_again: tuple[LookAgain, ...] = looks(("7d", "3d"), ("90d", "28d"), ("400d", "90d"))
    """How often reviews are looked up again to learn whether they were deleted or edited, by their age: each is a
    request. Those that their writers deleted are learnt from Trustpilot's list of deletions within `deletions`."""
    deletions: Annotated[Duration, Field(ge=50, le=604_800_000)] = 3_600_000
    """How often Trustpilot's list of what its writers deleted is asked for."""
    url: WebAddress = "https://api.trustpilot.com"
    """Where the API is asked; another one only for a proxy."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = 2_000_000
    """Pushes above this are refused."""
