"""What the API answers about incidents, field by field."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from web.models import Mention, Model, Share, Time


class IncidentSignal(Model):
    """What one series is like at the gravest minute, in the span that shows it best."""

    series: str = Field(examples=["negative@reddit"])
    """`all`, `negative`, `detractors` or `severe`; after `@` of one network, after `:` of one intent."""
    minutes: int
    observed: float
    expected: float
    high: float
    """Upper end of what is usual in such a span."""
    probability: Share
    """That something other than chance is behind it."""


class Incident(Model):
    """An unusual surge about a brand."""

    id: int
    brand: str = Field(examples=["aurelia"])
    state: str = Field(examples=["crisis"])
    """`watch`, `warning`, `crisis` or `over`."""
    worst: str
    """The gravest state that it was in."""
    since: Time
    """Event time of the first unusual minute."""
    seen_at: Time
    """Event time of the last unusual minute."""
    opened_at: Time
    state_at: Time
    """When it came into this state."""
    over_at: Time | None
    acknowledged_by: str | None
    """Who looks after it."""
    acknowledged_at: Time | None
    told_at: Time | None
    """When people were last told of it; null: never."""
    silent_until: Time | None
    proved: str | None
    """`real` or `false`, as somebody said in the end."""
    signals: list[IncidentSignal]
    """What is unusual, the most surprising first. Made of all posts: empty for a token that may not see all of them."""
    complete: Share | None
    """Part of what was asked for that was received at that minute; null for a token that may not see all posts."""


class IncidentPart(Model):
    """Something that a part of the rise has in common."""

    name: str = Field(examples=["reddit"])
    posts: int
    share: Share


class IncidentHeap(Model):
    """Near copies, or one thread."""

    name: str
    """Id of the thread; empty: near copies."""
    posts: int
    authors: int
    share: Share
    first: str
    """Id of the first post of them."""


class IncidentCause(Model):
    """What explains the rise, worked out now from the live posts that this token may see."""

    posts: int
    authors: int
    reach: int
    """Followers of these authors together, each once, as far as the networks tell."""
    networks: list[IncidentPart]
    intents: list[IncidentPart]
    words: list[IncidentPart]
    """That are new in it."""
    links: list[IncidentPart]
    authors_most: list[IncidentPart]
    """Who wrote most of it, as `network:handle`, where one wrote more than one post."""
    copies: list[IncidentHeap]
    threads: list[IncidentHeap]
    top: list[Mention]
    """The posts to read first."""


class IncidentPoint(Model):
    """A stretch of twenty minutes."""

    time: Time
    observed: float
    expected: float
    high: float


class IncidentEvent(Model):
    time: Time
    change: str = Field(examples=["acknowledged"])
    person: str
    """Empty: Clamor."""
    detail: str
    """Empty for a token that may not see all posts, where it holds numbers or what people wrote."""


class IncidentWithHistory(Incident):
    cause: IncidentCause
    curve: list[IncidentPoint]
    """Of the last twelve hours; empty for a token that may not see all posts."""
    history: list[IncidentEvent]
    """Oldest first."""
    matter: list[int]
    """Incidents of other brands that are the same matter, of those that this token may see: who looks after one looks
    after all."""


class IncidentPage(Model):
    incidents: list[Incident]
    cursor: int | None
    """Pass it back for the next page; null at the end."""


class Acknowledge(Model):
    by: str = Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$", examples=["ana"])
    """Id of the person who looks after it."""


class Prove(Model):
    by: str = Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$", examples=["ana"])
    proved: Literal["real", "false"]
    """`real`: it was one."""
