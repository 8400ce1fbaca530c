"""A wiki that runs on MediaWiki."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.brands import Slug
from config.section import Text, WebAddress
from config.sources.common import Swept
from config.units import Duration

WIKIMEDIA = (
    "wikipedia.org", "wikimedia.org", "wiktionary.org", "wikidata.org", "wikisource.org", "wikiquote.org",
    "wikinews.org", "wikibooks.org", "wikivoyage.org", "wikiversity.org", "wikifunctions.org", "mediawiki.org",
)  # fmt: skip
"""Whose changes EventStreams tell."""
Namespace = Annotated[int, Field(ge=0, le=100_000)]


class MediawikiSource(Swept):
    """Changes of a wiki that write a brand's name into a page, and all changes of watched pages. No account is
    needed."""

    kind: Literal["mediawiki"]
    """`mediawiki`: recent changes of a wiki."""
    url: WebAddress
    """Address of the wiki's API, such as https://en.wikipedia.org/w/api.php. Its host stands in the ids of posts."""
    contact: Text
    """Address of a page or mailbox of whoever runs this: it stands in the User-Agent, as Wikimedia demands."""
    titles: Annotated[dict[Text, tuple[Slug, ...]], Field(max_length=500)] = Field(default_factory=dict)
    """Title of a watched page: the brands that its changes belong to, whatever they say."""
    words: bool = True
    """Whether changes of all other pages are read as well, and those kept that add a brand's name."""
    namespaces: Annotated[tuple[Namespace, ...], Field(min_length=1, max_length=50)] = (0, 1)
    """Numbers of the namespaces that are read: 0 are articles, 1 is what is said about them."""
    bots: bool = False
    """Whether changes by bots are read."""
    streaming: bool = False
    """Whether changes and deletes are heard as they are made, by Wikimedia's EventStreams. Wikis of Wikimedia only;
    `false`: the wiki is asked every `interval`."""
    streaming_url: WebAddress = "https://stream.wikimedia.org"
    """Where EventStreams are."""
    gather: Annotated[Duration, Field(ge=50, le=600_000)] = 2_000
    """What was heard is gathered for so long before its texts are asked for, 50 at a time."""
    silence: Annotated[Duration, Field(ge=100, le=3_600_000)] = 60_000
    """A stream of which nothing is heard for so long counts as lost. It tells of all wikis of Wikimedia, and is never
    silent."""
    remember: Annotated[Duration, Field(ge=86_400_000)] = 7_776_000_000
    """How long it is kept which posts belong to a page, so that its delete is understood: the stream names the page
    alone."""
    interval: Annotated[Duration, Field(ge=50)] = 60_000
    """Between two rounds, where nothing is streamed."""
    look_back: Annotated[Duration, Field(ge=1_000, le=86_400_000)] = 60_000
    """How far back each round reads once more: changes do not always appear in the order of their times."""
    max_lag: int = Field(default=5, ge=1, le=600)
    """Seconds that the wiki's databases may lag before it asks to wait (`maxlag`)."""

    @model_validator(mode="after")
    def _is_streamed(self) -> Self:
        host = urlsplit(self.url).hostname or ""
        known = any(host == one or host.endswith(f".{one}") for one in WIKIMEDIA)
        if self.streaming and not known and (urlsplit(self.streaming_url).hostname or "").endswith("wikimedia.org"):
            raise ValueError(
                f"{host} is no wiki of Wikimedia, and their stream tells of no other: leave `streaming` out, and it is "
                "asked every `interval`"
            )
        return self
