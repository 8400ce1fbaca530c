"""Hacker News, by its search and its public items."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.section import WebAddress
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration


class HackernewsSource(Swept):
    """Stories and comments of Hacker News that name a brand. No account is needed."""

    kind: Literal["hackernews"]
    """`hackernews`: stories and comments that a search for the brands finds."""
    interval: Annotated[Duration, Field(ge=50)] = 60_000
    """Between two rounds; each asks once for every name of a brand."""
    look_back: Annotated[Duration, Field(ge=1_000, le=604_800_000)] = 10_800_000
    """How far back each round reads once more: what the search learns late is found, and edits are, which Hacker News
    allows for two hours."""
    most_scanned: int = Field(default=5_000, ge=0, le=100_000)
    """Where more was written in one second than a search shows, so many items are asked for one by one to find the
    rest; 0: none, and the ledger says that some is missing."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "12h"), ("7d", "2d"), ("30d", "10d"), ("400d", "90d"))
    """How often posts are looked up again to learn whether they were deleted, killed or edited, by their age: each is a
    request, and a comment's edit one more for each comment above it that is not known yet."""
    url: WebAddress = "https://hn.algolia.com/api/v1"
    """Address of the search, for a proxy."""
    items_url: WebAddress = "https://hacker-news.firebaseio.com/v0"
    """Address of the items, for a proxy."""
