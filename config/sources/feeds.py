"""News and blogs, by their feeds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from config.brands import Slug
from config.section import EnvName
from config.sources.common import Collected
from config.units import Duration, Size

Feed = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=2_000, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?$")
]
"""Address of an RSS or Atom feed."""


class FeedsSource(Collected):
    """RSS and Atom feeds of news, blogs and of every network that offers them. No account is needed."""

    kind: Literal["feeds"]
    """`feeds`: RSS or Atom feeds."""
    urls: Annotated[tuple[Feed, ...], Field(min_length=1, max_length=500)]
    """Addresses of the feeds."""
    network: Slug = "feeds"
    """Network of their posts: give news and your own blog a source each where they are to be told apart."""
    every: Annotated[Duration, Field(ge=100, le=86_400_000)] = 300_000
    """Between two looks at a feed. One that says itself how long it stays fresh is asked no sooner, up to an hour."""
    max_lateness: Annotated[Duration, Field(ge=0)] = 3_600_000
    """Posts older than this when they arrive change numbers and cases but wake nobody. Feeds are late by nature: leave
    room for three times `every`."""
    private_addresses: bool = False
    """Whether feeds may lie in a private network, or redirect into one. Only for feeds of your own."""
    full_text: bool = False
    """Whether the pages behind entries are read too, once each and as their robots.txt allows: an entry then comes at
    once in the words of its feed, and a little later, as an edit, in those of its page. Needs `clamor[fulltext]`."""
    full_text_pause: Annotated[Duration, Field(ge=0, le=3_600_000)] = 2_000
    """Between two pages of one host. One whose robots.txt names a longer Crawl-delay is given that, up to an hour."""
    websub: bool = False
    """Whether to subscribe at the hubs that feeds name, which push new entries to `/api/webhooks/ID`. Needs
    `secret_env` and, under `api`, a `public_url` that hubs can reach."""
    secret_env: EnvName | None = None
    """NAME of the variable with a secret of at least 16 characters, from which each subscription's own is derived."""
    former_secret_env: EnvName | None = None
    """NAME of the variable with the former secret, which is taken as well while subscriptions are renewed."""
    every_pushed: Annotated[Duration, Field(ge=100, le=86_400_000)] = 3_600_000
    """Between two looks at a feed whose hub has confirmed that it pushes: in case that a push was lost."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = 10_000_000
    """Pushes above this are refused."""
