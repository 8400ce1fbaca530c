"""Programs that push posts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.brands import Slug
from config.section import EnvName
from config.sources.common import AnySource
from config.units import Duration, Size


class WebhookSource(AnySource):
    """Programs that send posts to `/api/webhooks/ID`, each body signed with HMAC-SHA256."""

    kind: Literal["webhook"]
    """`webhook`: other programs send posts."""
    network: Slug = "webhook"
    """Network of posts that name none."""
    secret_env: EnvName
    """NAME of the environment variable (or of the line in secrets.env) that holds the signing key, at least 16
    characters, as it stands."""
    former_secret_env: EnvName | None = None
    """NAME of the variable with the former signing key, which is taken as well while one replaces the other."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = 1_000_000
    """Bodies above this, from 1kB to 50MB, are refused."""
    max_posts: int = Field(default=1_000, ge=1, le=10_000)
    """Bodies with more posts are refused."""
    posts_per_minute: int = Field(default=60_000, ge=1, le=1_000_000)
    """What exceeds it is asked to come again later."""
    silent_after: Annotated[Duration, Field(ge=60_000)] | None = None
    """People are told when a source that has brought posts before brings none for so long while it is listened to.
    Empty: never, since only you know how often its posts come."""
