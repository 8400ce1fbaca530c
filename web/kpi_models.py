"""What the API answers about the teams' work."""

from __future__ import annotations

from pydantic import Field

from web.models import Model, Share, Time


class Figures(Model):
    """Key figures of one brand, queue, network and day or week; empty where it was not asked by that. Spans in
    milliseconds; null: nothing to reckon it from."""

    since: Time | None
    """First day, UTC."""
    brand: str = Field(examples=["aurelia"])
    queue: str
    network: str
    cases: int
    """Opened."""
    answered: int
    """Answered for the first time."""
    response_median: int | None = Field(examples=[480_000])
    response_p90: int | None
    resolved: int
    resolution_median: int | None
    resolution_p90: int | None
    deadlines: int
    """That were kept or missed, of first response and resolution."""
    deadlines_kept: Share | None
    incidents: int
    """That people were told of."""
    incidents_asked: int
    """Of these: of which somebody said in the end whether they were one."""
    incidents_real: Share | None
    """Of those that somebody said it of."""
    detractors: int
    """People who spoke against the brand in a case that was resolved, once a case."""
    spoke_well: Share | None
    """Of these: who spoke well of it within 90 days."""
    mentions: int | None
    """Null where it was asked by queue."""
    voice: Share | None
    """Share of the mentions of all brands that are no category; null for a token that is limited to brands."""


class Kpis(Model):
    rows: list[Figures]
    """By time, brand, queue and network."""
