"""Meta's Graph API: a Facebook page, an Instagram account."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from config.section import EnvName
from config.sources.common import Swept
from config.units import Duration, Size

Number = Annotated[str, StringConstraints(pattern=r"^[1-9]\d{0,29}$")]
Version = Annotated[str, StringConstraints(pattern=r"^v[1-9]\d{0,2}\.\d{1,2}$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=500)]


class GraphSource(Swept):
    """What both have."""

    token_env: EnvName
    """NAME of the variable that holds the access token of the page (Facebook) or of a person with a task on it."""
    secret_env: EnvName | None = None
    """NAME of the variable with the app's secret: it signs every question, and the pushes to `/api/webhooks/ID` are
    verified by it. Empty: it is only asked."""
    verify_env: EnvName | None = None
    """NAME of the variable with a word of yours, at least 16 characters, that the app's webhook is set up with (Verify
    token)."""
    version: Version = "v26.0"
    """Of the Graph API."""
    url: Address = "https://graph.facebook.com"
    """Where the API is asked; another one only for a proxy."""
    follow: Annotated[int, Field(ge=1, le=100)] = 50
    """How many of the newest posts are followed for new comments."""
    interval: Annotated[Duration, Field(ge=50)] = 120_000
    """Between two rounds of asking; longer by itself where the API says that its limit is near."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = 2_000_000
    """Pushes above this are refused."""


class FacebookSource(GraphSource):
    """A Facebook page of your own: its posts and those of visitors, comments and answers, posts that tag it."""

    kind: Literal["facebook"]
    """`facebook`: a page of your own."""
    page: Number
    """Number of the page, in quotes (Page ID, under About, Page transparency)."""


class InstagramSource(GraphSource):
    """A professional Instagram account of your own: its posts, comments and answers, posts that tag or mention it."""

    kind: Literal["instagram"]
    """`instagram`: a professional account of your own."""
    account: Number
    """Number of the account, in quotes (`instagram_business_account` of the page that it is connected to)."""
