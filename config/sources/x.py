"""X (Twitter): posts that match the brands, as they are written, and what is found by searching."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from config.brands import Slug
from config.section import EnvName, WebAddress
from config.sources.budget import Costs
from config.sources.common import LookAgain, Swept, looks
from config.units import Duration

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class XSource(Swept):
    """Posts on X that match the brands: the filtered stream, holes filled by search. Every post read costs money."""

    costs: ClassVar[Costs] = Costs(unit="posts read", most=100, per_post=1, price=0.005)

    kind: Literal["x"]
    """`x`: the filtered stream and the search of X."""
    token_env: EnvName
    """NAME of the environment variable (or of the line in secrets.env) that holds the app's Bearer Token."""
    url: WebAddress = "https://api.x.com"
    """The API's address."""
    reposts: bool = False
    """Whether pure reposts are asked for as well: each is paid for like a post, and only counts reach."""
    own_posts: bool = True
    """Whether posts by a brand's own `accounts` are asked for."""
    exclude: bool = True
    """Whether X already leaves out posts that hold one of a brand's `exclude` phrases anywhere, the post that they
    quote included. `false`: they are read and paid for, and Clamor decides by how near the phrase stands."""
    languages: Annotated[tuple[Language, ...], Field(max_length=20)] = ()
    """Only posts that X takes for one of these languages (`es`, `en`, `ca`, …). Empty: all, also those of which X does
    not know the language."""
    rules: int = Field(default=1_000, ge=1, le=100_000)
    """How many rules the plan allows on the stream, those of other programs included."""
    rule_length: int = Field(default=1_024, ge=128, le=4_096)
    """Characters of a rule that the plan allows."""
    query_length: int = Field(default=512, ge=128, le=4_096)
    """Characters of a search query that the plan allows."""
    full_archive: bool = False
    """Whether holes and history are searched for in the full archive, which not every plan has, and not only in the
    last seven days."""
    backfill_minutes: int = Field(default=0, ge=0, le=5)
    """Minutes that the stream repeats when it is connected again; only Enterprise plans have them. Holes are searched
    for in any case."""
    compliance: bool = False
    """Whether X's compliance streams are listened to as well, which only Enterprise plans have: posts that are deleted,
    withheld or hidden, and accounts that are deleted, suspended or protected, are taken away as soon as X tells of it,
    and not when they are looked up again."""
    rule_tag: Slug = "clamor"
    """How the tags of our rules begin. Rules with other tags are left alone; two installations on one token need
    different ones."""
    rules_every: Annotated[Duration, Field(ge=50)] = 60_000
    """How often the rules are compared with the brands and with what the budget allows."""
    silence: Annotated[Duration, Field(ge=100, le=600_000)] = 30_000
    """A stream of which nothing is heard for so long counts as lost. X sends a sign of life every 20 seconds."""
    search_lag: Annotated[Duration, Field(ge=0, le=3_600_000)] = 30_000
    """How old a post has to be to be found by search: holes are asked for when so much time has passed."""
    refused_wait: Annotated[Duration, Field(ge=10, le=3_600_000)] = 60_000
    """The first wait after X refused a connection because there is another one; it doubles up to 16 times as much."""
    withheld_in: Annotated[tuple[Country, ...], Field(max_length=50)] = ()
    """Countries whose law holds here: a post that X withholds in one of them is taken away as if it were deleted."""
    look_again: tuple[LookAgain, ...] = looks(("24h", "24h"), ("7d", "72h"), ("30d", "15d"))
    """How often posts are looked up again to learn whether they were deleted or edited, by their age. By
    `sweep: lookup` every look at a post that is there is paid for."""
    sweep: Literal["lookup", "batch"] = "lookup"
    """How deletes are asked for. `lookup`: 100 posts a request, which brings edits and reach too, and every post found
    counts as read. `batch`: compliance jobs of up to 10,000 posts, which bring deletes alone."""

    def documented(self) -> Costs:
        """A page of the full archive has five times as many posts."""
        return self.costs._replace(most=500) if self.full_archive else self.costs
