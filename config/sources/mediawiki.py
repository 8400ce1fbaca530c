"""A wiki that runs on MediaWiki."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.brands import Slug
from config.section import Text, WebAddress
from config.sources.common import Swept
from config.units import Duration

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
    interval: Annotated[Duration, Field(ge=50)] = 60_000
    """Between two rounds."""
    look_back: Annotated[Duration, Field(ge=1_000, le=86_400_000)] = 60_000
    """How far back each round reads once more: changes do not always appear in the order of their times."""
    max_lag: int = Field(default=5, ge=1, le=600)
    """Seconds that the wiki's databases may lag before it asks to wait (`maxlag`)."""
