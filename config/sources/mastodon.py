"""Mastodon, by the streams and timelines of its instances."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from config.section import EnvName, Text
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration

Instance = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$")
]
"""Address of a server, without a path."""


class MastodonSource(Swept):
    """Public timelines of Mastodon's servers: hashtags, and all that a server knows."""

    kind: Literal["mastodon"]
    """`mastodon`: servers of Mastodon."""
    instances: Annotated[tuple[Instance, ...], Field(min_length=1, max_length=20)]
    """Servers that are asked. A post that several of them show is one post."""
    token_envs: dict[Text, EnvName] = Field(default_factory=dict)
    """Server: NAME of the environment variable with a token of an account there. Many servers show their timelines to
    nobody without one."""
    public: bool = False
    """Whether all public posts that a server knows are read, and those kept that may be about a brand."""
    hashtags: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    """Read besides the brands' own hashtags."""
    streaming: bool = True
    """Whether posts, edits and deletes are heard as they come. It needs a token of most servers. `false`: the timelines
    are asked every `interval`."""
    streaming_urls: dict[Text, Instance] = Field(default_factory=dict)
    """Server: address where it streams, if that is another site than its own. A host below its own is found by
    itself."""
    silence: Annotated[Duration, Field(ge=100, le=3_600_000)] = 60_000
    """A stream of which nothing is heard for so long counts as lost. Mastodon sends a sign of life every 15
    seconds."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "12h"), ("7d", "3d"), ("30d", "10d"))
    """How often posts are looked up again to learn whether they were deleted or edited, by their age: each is a
    request."""
    interval: Annotated[Duration, Field(ge=50, le=3_600_000)] = 30_000
    """Between two rounds, where nothing is streamed. A server answers 300 questions in five minutes and address."""
    look_back: Annotated[Duration, Field(ge=0, le=3_600_000)] = 300_000
    """What a cut missed is asked for from so much earlier on: posts of other servers arrive late. Where nothing is
    streamed, hashtags are read again so far in each round, and edits are found."""
    remember: Annotated[Duration, Field(ge=86_400_000)] = 7_776_000_000
    """How long it is kept which post a server means by its own number, so that its deletes are understood and posts of
    other servers can be looked up again."""
