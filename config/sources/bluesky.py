"""Bluesky, by Jetstream."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from config.sources.common import LookAgain, Swept, looks
from config.units import Duration

Stream = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=500, pattern=r"^wss?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?$")
]
"""Address of a websocket."""
Api = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=500, pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?$")
]


class BlueskySource(Swept):
    """All public posts of Bluesky as they are written, those that name a brand kept. No account is needed."""

    kind: Literal["bluesky"]
    """`bluesky`: Bluesky's public stream of posts."""
    hosts: Annotated[tuple[Stream, ...], Field(min_length=1, max_length=20)] = (
        "wss://jetstream.us-east.bsky.network",
        "wss://jetstream.us-west.bsky.network",
        "wss://jetstream2.us-east.bsky.network/subscribe",
        "wss://jetstream1.us-west.bsky.network/subscribe",
    )
    """Jetstream instances, the next one asked when one fails. An address that ends in `/subscribe` is asked in version
    1 of its protocol, any other in version 2."""
    compress: bool = True
    """Whether an instance of version 2 is asked to send zstd frames: less to receive, a little more to compute."""
    silence: Annotated[Duration, Field(ge=5_000, le=3_600_000)] = 60_000
    """An instance that sends nothing for so long is left for the next one: all of Bluesky is never quiet."""
    api: Api = "https://public.api.bsky.app"
    """Where handles, threads and reach are looked up."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "12h"), ("7d", "3d"), ("30d", "10d"))
    """How often posts are looked up again, by their age: for their reach, and for deletes that the stream did not
    bring."""
    profiles_per_minute: Annotated[int, Field(ge=0, le=300)] = 60
    """Look-ups of authors, 25 each. A post whose author was not looked up comes with the account's DID alone."""
