"""A community that runs on Discourse."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from config.brands import Slug
from config.section import EnvName, Text
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration, Size

Community = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=500)]


def _number(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d{0,9}", text, re.ASCII):
        raise ValueError("not the number of a category: write it in quotes, such as '7' (it stands in its address)")
    return text


Category = Annotated[str, AfterValidator(_number)]


class DiscourseSource(Swept):
    """The posts of a community on Discourse: told of by its signed webhook, and asked for in case one is lost."""

    kind: Literal["discourse"]
    """`discourse`: a community that runs on Discourse."""
    url: Community
    """Address of the community, such as https://community.example.org. It stands in the ids of its posts."""
    key_env: EnvName | None = None
    """NAME of the variable that holds an API key. Empty: only what anybody may read is asked for."""
    user: Text = "system"
    """Whose eyes the API key reads with (Api-Username)."""
    secret_env: EnvName | None = None
    """NAME of the variable with the secret of the webhook that sends to `/api/webhooks/ID`, at least 16 characters.
    Empty: it is only asked."""
    former_secret_env: EnvName | None = None
    """NAME of the variable with the former secret, which is taken as well while one replaces the other."""
    categories: Annotated[tuple[Category, ...], Field(max_length=500)] = ()
    """Numbers of the categories that are listened to, in quotes. Empty: all that are public, and those in `private`."""
    private: Annotated[dict[Category, Slug], Field(max_length=500)] = Field(default_factory=dict)
    """Number of a category that not everybody may read: the label of who may read its posts here. Posts of a private
    category that is not named are left out."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "12h"), ("7d", "2d"), ("30d", "10d"), ("400d", "90d"))
    """How often posts are looked up again to learn whether they were deleted or edited, by their age: each is a
    request."""
    interval: Annotated[Duration, Field(ge=50)] = 60_000
    """Between two rounds of asking."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = 2_000_000
    """Pushes above this are refused."""
