"""YouTube: videos and the comments below them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from config.section import EnvName, WebAddress
from config.sources.budget import Costs
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration

Channel = Annotated[str, StringConstraints(pattern=r"^(UC[\w-]{22}|@[\w.·-]{1,100})$")]
Video = Annotated[str, StringConstraints(pattern=r"^[\w-]{11}$")]


class YoutubeSource(Swept):
    """Comments and videos of watched channels, of single videos, and of videos that a search by brand finds: by the
    YouTube Data API v3, with an API key."""

    costs: ClassVar[Costs] = Costs(unit="quota units", most=100, units=10_000, zone="America/Los_Angeles")

    kind: Literal["youtube"]
    """`youtube`: videos and their comments."""
    key_env: EnvName
    """NAME of the environment variable (or of the line in secrets.env) that holds the API key."""
    channels: Annotated[tuple[Channel, ...], Field(max_length=100)] = ()
    """Channels whose videos and comments are followed, as `@handle` or by id (`UC…`): your own, or others."""
    videos: Annotated[tuple[Video, ...], Field(max_length=200)] = ()
    """Single videos whose comments are followed: the 11 signs behind `watch?v=`."""
    uploads: bool = True
    """New videos of the channels are posts themselves, with title and description."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "24h"), ("30d", "7d"), ("400d", "30d"))
    """How often posts are looked up again to learn whether they were deleted or edited, by their age: 50 a request, a
    unit each. YouTube wants its data refreshed or deleted every 30 days."""
    interval: Annotated[Duration, Field(ge=50)] = 300_000
    """Between two rounds. A channel is asked for new comments in each, an old video seldom."""
    watch_for: Annotated[Duration, Field(ge=3_600_000)] = 2_592_000_000
    """How long the comments of a video are followed that a search found, and how long the reach of a new one is."""
    look_back: Annotated[Duration, Field(ge=0)] = 604_800_000
    """How old comments may be that are listed again now and then, for edits and for answers to them."""
    look_back_every: Annotated[Duration, Field(ge=50)] = 21_600_000
    """Between two such looks."""
    searches_per_day: int = Field(default=24, ge=0, le=10_000)
    """Searches by brand, shared by all brands; 0: none. Google allows 100 a day."""
    units_per_search: int = Field(default=1, ge=0, le=100)
    """What a search takes from `units_per_day`: write 100 where your project's quota still counts it so."""
    units_per_day: int = Field(default=10_000, ge=100, le=1_000_000_000)
    """Quota units of the key's project that this source may use up between midnight and midnight, Pacific time."""
    url: WebAddress = "https://www.googleapis.com/youtube/v3"
    """Address of the API, for a proxy."""

    def documented(self) -> Costs:
        return self.costs._replace(units=self.units_per_day)

    def units_a_day(self) -> int:
        """Over which the rounds spread what they ask: `units_per_day`, or the cap of a day where that is lower."""
        cap = self.budget.units if self.budget.units_per != "month" else None
        return self.units_per_day if cap is None else min(self.units_per_day, cap)
