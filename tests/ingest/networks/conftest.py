"""Stand-ins, and collectors of them, that the tests of several files ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any

import pytest

from clamor.networks import make
from config.sources import RedditSource
from ingest.collector import Source
from ingest.networks.reddit import Reddit
from ingest.setting import Setting
from ingest.wanted import wanted
from stream.clock import WallClock
from tests.ingest.networks.reddit_rounds import ACME, SECRETS
from tests.ingest.rounds import making
from tests.standins.reddit import RedditStandIn
from tests.standins.x import XStandIn


@pytest.fixture
def x() -> Iterator[XStandIn]:
    with XStandIn(heartbeat=0.1, youngest=-5) as standin:
        yield standin


@pytest.fixture
def reddit() -> Iterator[RedditStandIn]:
    with RedditStandIn() as reddit:
        yield reddit


@pytest.fixture
def collector(reddit: RedditStandIn) -> Iterator[Callable[..., Reddit]]:
    def collector(
        *,
        secrets: Mapping[str, str] = SECRETS,
        allowed: Callable[[str], bool] = lambda brand: True,
        stop: Event | None = None,
        access: str = "public",
        **settings: Any,
    ) -> Reddit:
        settings = {
            "subreddits": ("acme",),
            "search": False,
            "comments": False,
            "interval": "100ms",
            "shortest_interval": "50ms",
        } | settings
        section = RedditSource(
            id="source",
            kind="reddit",
            client_id_env="ID",
            client_secret_env="SECRET",
            username="ana-writes",
            url=reddit.url,
            login_url=reddit.url,
            access=access,
            **settings,
        )
        setting = Setting(
            source=Source(id="source", network="reddit", access=access),
            wanted=lambda: wanted([ACME]),
            secret=secrets.get,
            clock=WallClock(),
            stop=stop or Event(),
            allowed=allowed,
        )
        one = make(section, setting)
        assert isinstance(one, Reddit)
        return one

    with making(collector) as asks:
        yield asks
