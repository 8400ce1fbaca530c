"""A source of X that the tests change while it runs, and the texts that it brought."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event

from config.brands import Brand
from config.sources import XSource
from ingest.collector import Delivery, Source
from ingest.networks.x import XCollector, collector
from ingest.setting import Setting
from ingest.wanted import wanted
from stream.clock import WallClock
from tests.standins.x import TOKEN, XStandIn

ACME = Brand(id="acme", name="Acme", handles=("@acmehelp",))
OTHER = Brand(id="other", name="Other")


class Asking:
    """A source that listens for Acme, and what may change while it runs."""

    def __init__(self, x: XStandIn, **settings: object) -> None:
        self.brands: list[Brand] = [ACME]
        self.token: str | None = TOKEN
        self.capped: set[str] = set()
        self.stop = Event()
        self.settings = XSource.model_validate(
            {
                "kind": "x", "id": "source", "token_env": "X_TOKEN", "url": x.url, "search_lag": "0s",
                "refused_wait": "20ms", "silence": "20s", "rules_every": "50ms", **settings,
            }
        )  # fmt: skip
        self.setting = Setting(
            source=Source(id="source", network="x"),
            wanted=lambda: wanted(self.brands),
            secret=lambda name: self.token if name == "X_TOKEN" else None,
            clock=WallClock(),
            stop=self.stop,
            allowed=lambda brand: brand not in self.capped,
        )

    def collector(self) -> XCollector:
        return collector(self.settings, self.setting)


def texts(found: Iterable[Delivery]) -> list[str]:
    return [draft.text for delivery in found for draft in delivery.drafts]
