"""Reddit: posts and comments of subreddits, and posts that a search for the brands finds."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from config.section import EnvName, WebAddress
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration

Subreddit = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9_]{1,20}|u_[A-Za-z0-9_-]{1,30})$")]
RedditName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{3,20}$")]


class RedditSource(Swept):
    """Posts and comments of subreddits, and posts found by searching all of Reddit for the brands."""

    kind: Literal["reddit"]
    """`reddit`: subreddits and searches on Reddit."""
    client_id_env: EnvName
    """NAME of the variable that holds the app's client id (reddit.com/prefs/apps)."""
    client_secret_env: EnvName
    """NAME of the variable that holds the app's secret."""
    username: RedditName
    """Reddit name of the person who answers for the app, without `u/`: Reddit wants it in every request."""
    password_env: EnvName | None = None
    """NAME of the variable that holds the password of `username`, for a script app that reads as that person. Empty: as
    the app alone, which sees what is public. What stands in private, restricted and employees' subreddits is brought
    only where `access` names who may read it here: while that is `public`, it is left out, and the ledger says so."""
    subreddits: Annotated[tuple[Subreddit, ...], Field(max_length=200)] = ()
    """Their posts are read whole, without `r/`; those that are about a brand are kept."""
    comments: bool = True
    """Whether the comments of the subreddits are read as well."""
    search: bool = True
    """Whether posts that name a brand are searched for everywhere. Reddit's search does not find comments."""
    interval: Annotated[Duration, Field(ge=50)] = 60_000
    """Between two rounds while it is quiet."""
    shortest_interval: Annotated[Duration, Field(ge=50)] = 5_000
    """Between two rounds while so much comes that a listing would overflow in `interval`."""
    most_scanned: int = Field(default=10_000, ge=0, le=100_000)
    """Where more came than a listing shows, so many ids of all of Reddit are asked for one by one, 100 a request, to
    find what fell out; 0: none, and the ledger says that some is missing."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "6h"), ("400d", "24h"))
    """How often posts are looked up again to learn whether they were deleted or edited, by their age: 100 a request.
    Reddit wants what was deleted there to be deleted within a day or two."""
    url: WebAddress = "https://oauth.reddit.com"
    """The API's address."""
    login_url: WebAddress = "https://www.reddit.com"
    """Where tokens are given out."""

    @property
    def open_only(self) -> bool:
        """It reads as a person, who may be let into private subreddits, and everybody may read here what it brings."""
        return self.password_env is not None and self.access == "public"

    @model_validator(mode="after")
    def _listens_somewhere(self) -> Self:
        if not self.subreddits and not self.search:
            raise ValueError("nothing to listen to: name `subreddits`, or set `search: true`")
        return self
