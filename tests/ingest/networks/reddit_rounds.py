"""What a collector of Reddit is asked for, round by round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from config.brands import Brand
from ingest.collector import Delivery, Draft
from ingest.networks.reddit import Reddit
from tests.standins.reddit import CLIENT_ID, CLIENT_SECRET, PASSWORD, RedditStandIn

ACME = Brand(id="acme", name="Acme", handles=("@AcmeHelp",), accounts=("reddit:AcmeSupport",))
SECRETS = {"ID": CLIENT_ID, "SECRET": CLIENT_SECRET, "PASSWORD": PASSWORD}
Asks = Callable[..., Reddit]
"""The fixture `collector`: a collector of the stand-in; what a test sets differently it names."""


class Round:
    """What one round brought."""

    def __init__(self, collector: Reddit, cursor: str | None = None) -> None:
        self.cursor = cursor
        self.deliveries: list[Delivery] = []
        for delivery in collector.collect(cursor):
            self.deliveries.append(delivery)
            self.cursor = delivery.cursor or self.cursor

    @property
    def drafts(self) -> list[Draft]:
        return [draft for delivery in self.deliveries for draft in delivery.drafts]

    @property
    def names(self) -> list[str]:
        return sorted(draft.native_id for draft in self.drafts)

    @property
    def missing(self) -> list[tuple[str, int | None, str]]:
        return [(one.query, one.missed, one.reason) for one in self.deliveries if one.missed != 0]


def burst(reddit: RedditStandIn, count: int, **more: Any) -> list[str]:
    return sorted(reddit.publish(f"Acme {n}", **more) for n in range(count))
