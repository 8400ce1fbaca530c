"""TikTok's API for Business: an account of your own."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from config.section import EnvName, WebAddress
from config.sources.budget import Costs
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration, Size

OpenId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{6,128}$")]


class TiktokSource(Swept):
    """A TikTok account of your own: its posts, comments and answers, and what names it elsewhere."""

    costs: ClassVar[Costs] = Costs(requests=40, window=60_000)

    kind: Literal["tiktok"]
    """`tiktok`: an account of your own."""
    account: OpenId
    """`open_id` of the account, which came with its first token."""
    client_id_env: EnvName
    """NAME of the variable that holds the number of your app (App ID)."""
    client_secret_env: EnvName
    """NAME of the variable with the app's secret. It also verifies the pushes to `/api/webhooks/ID`."""
    refresh_token_env: EnvName
    """NAME of the variable with the refresh token that came when the account agreed: access tokens are got with it, and
    each newer one that TikTok gives in its place is kept in the database."""
    mentions: bool = True
    """Whether posts and comments of others that name the account with @ are listened to: the app needs the permission
    Mentions, and the account has to be a Business Account."""
    hashtags: bool = False
    """Whether posts with the brand hashtags that are enabled for the account are listened to."""
    keep_hidden: bool = False
    """Whether comments that are hidden stay. TikTok does not say who hid them, you, its moderators or the writer by
    their privacy settings: so they go, unless you say otherwise."""
    follow: Annotated[int, Field(ge=1, le=100)] = 20
    """How many of the newest posts are followed for new comments; each is a request in every round."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "12h"), ("7d", "2d"), ("30d", "10d"), ("400d", "90d"))
    """How often posts are looked up again to learn whether they were deleted, hidden or edited, by their age. Comments
    are asked for by thirty, those of each post apart."""
    interval: Annotated[Duration, Field(ge=50)] = 120_000
    """Between two rounds of asking."""
    url: WebAddress = "https://business-api.tiktok.com/open_api/v1.3"
    """Where the API is asked; another one only for a proxy."""
    max_body: Annotated[Size, Field(ge=1_000, le=50_000_000)] = 1_000_000
    """Pushes above this are refused."""
