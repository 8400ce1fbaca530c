"""A feed whose hub pushes: subscribed to, confirmed, renewed, left, and looked at seldom meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from config.sources.feeds import FeedsSource
from ingest.collector import Draft, Source
from ingest.cursors import SourceNotes
from ingest.networks.feeds import Feeds, push
from ingest.networks.feeds_entries import read_feed
from ingest.networks.feeds_hub import Hub, hub_of
from ingest.networks.feeds_pages import Pages
from ingest.push import Receiver
from ingest.setting import Setting
from ingest.taken import Taken
from stream.clock import DAY, HOUR, MINUTE, ManualClock
from stream.embedded import EmbeddedLog
from tests.ingest.conftest import Held
from tests.ingest.rounds import making
from tests.standins.feeds import FeedsStandIn
from tests.standins.server import Fault

SECRETS = {"SECRET": "the secret of a test", "FORMER": "the one of last year"}
WEBSUB: dict[str, Any] = {"websub": True, "secret_env": "SECRET", "private_addresses": True}


class Listening:
    """The collector and the web process of one source, each with what it knows by itself."""

    def __init__(self, site: FeedsStandIn, engine: Engine, log: EmbeddedLog, clock: ManualClock, **more: Any) -> None:
        self.site, self.clock, self._more = site, clock, more
        self._engine, self._log = engine, log
        self.cursor: str | None = None
        self._made: list[Any] = []
        self.begin()

    def begin(self, paths: tuple[str, ...] = ("/feed.rss",), **more: Any) -> None:
        """Anew, with other settings."""
        asked: dict[str, Any] = {**WEBSUB, **self._more, **more}
        public_url = asked.pop("public_url", "https://clamor.example.org")
        prefilter = asked.pop("prefilter", None)
        urls = tuple(self.site.url + path for path in paths)
        settings = FeedsSource(id="press", kind="feeds", urls=urls, **asked)

        def setting() -> Setting:
            return Setting(
                Source(id="press", network="feeds", max_lateness=HOUR), tuple, SECRETS.get, self.clock,
                public_url=public_url, notes=SourceNotes(self._engine, "press", self.clock.wall),
            )  # fmt: skip

        self.feeds = Feeds(settings, setting())
        self.receiver = Receiver(push(settings, setting()), self._log, Taken(self._engine), prefilter=prefilter)
        self._made += [self.feeds, self.receiver]

    def look(self, passes: int = 5 * MINUTE) -> list[Draft]:
        self.clock.advance(passes)
        found = list(self.feeds.collect(self.cursor))
        self.cursor = next((one.cursor for one in reversed(found) if one.cursor), self.cursor)
        return [draft for one in found for draft in one.drafts]

    def confirm(self, **more: str) -> str | None:
        query = self.site.verification(self.site.subscribed[-1], **more)
        return self.receiver.challenge(query, self.clock.wall())

    def told(self, last: int = 1, method: str = "sha1") -> tuple[int, dict[str, Any]]:
        asked = self.site.subscribed[-1]
        headers, body = self.site.told(asked, last, method)
        query = self.site.verification(asked)
        return self.receiver.handle(headers, body, self.clock.now(), self.clock.wall(), query)

    def close(self) -> None:
        for one in self._made:
            one.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FeedsStandIn.now())


@pytest.fixture
def site() -> Iterator[FeedsStandIn]:
    with FeedsStandIn() as site:
        site.hub_in = "feed"
        yield site


@pytest.fixture
def listening(
    site: FeedsStandIn, engine: Engine, log: EmbeddedLog, clock: ManualClock
) -> Iterator[Callable[..., Listening]]:
    with making(partial(Listening, site, engine, log, clock)) as make:
        yield make


@pytest.mark.parametrize("where", ["header", "feed"])
def test_a_hub_is_found_asked_and_confirmed_and_its_pushes_are_posts(
    site: FeedsStandIn, listening: Callable[..., Listening], held: Held, where: str
) -> None:
    site.hub_in = where
    press = listening()
    press.look()
    (asked,) = site.subscribed
    assert (asked["hub.mode"], asked["hub.topic"]) == (
        "subscribe", f"{site.url}/feed.rss{'?self' if where == 'header' else ''}"
    )  # fmt: skip
    assert asked["hub.callback"].startswith("https://clamor.example.org/api/webhooks/press?feed=")
    assert SECRETS["SECRET"] not in str(asked)
    assert press.confirm() == "an-echo-17"
    native = site.publish("Acme is in the news")
    assert press.told()[0] == 202
    (post,) = held.posts()
    assert (post.id, post.text, post.source_id) == (f"feeds:{native}", "Acme is in the news", "press")
    assert press.told()[1]["accepted"] == 1, "the answer of then"
    assert press.told(method="sha256")[1] == {"accepted": 1, "duplicates": 0, "rejected": []}
    assert len(held.posts()) == 1


def test_a_push_is_followed_by_a_look_where_pages_are_read(
    site: FeedsStandIn, listening: Callable[..., Listening], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the feed's words only."""
    monkeypatch.setattr(Pages, "check", lambda self: None)
    monkeypatch.setattr(Pages, "next", lambda self, until: None)
    press = listening(full_text=True)
    press.look()
    press.confirm()
    press.look()
    asked = site.asked("/feed")
    press.look()
    assert site.asked("/feed") == asked
    native = site.publish("Acme is in the news")
    press.told()
    assert [draft.native_id for draft in press.look()] == [native]
    asked = site.asked("/feed")
    press.look()
    assert site.asked("/feed") == asked, "once for each push"


def test_a_feed_that_is_pushed_is_looked_at_seldom_and_one_that_is_not_as_before(
    site: FeedsStandIn, listening: Callable[..., Listening]
) -> None:
    press = listening()
    press.look()
    site.publish("before the hub has confirmed")
    assert len(press.look()) == 1
    press.confirm()
    press.look()
    site.publish("a push that was lost")
    asked = site.asked("/feed")
    assert [len(press.look()) for _ in range(11)] == [0] * 11
    assert site.asked("/feed") == asked
    assert [draft.text for draft in press.look(HOUR)] == ["a push that was lost"]


def test_a_lease_is_renewed_before_it_ends_and_a_hub_that_confirms_nothing_is_not_pressed(
    site: FeedsStandIn, listening: Callable[..., Listening]
) -> None:
    press = listening()
    for _ in range(10):
        press.look()
    assert len(site.subscribed) == 1
    press.look(HOUR)
    assert len(site.subscribed) == 2
    press.confirm(**{"hub.lease_seconds": "14400"})
    for _ in range(9):
        press.look(20 * MINUTE)
    assert len(site.subscribed) == 3
    assert press.confirm(**{"hub.lease_seconds": "864000"}) == "an-echo-17"
    for _ in range(7):
        press.look(DAY)
    assert len(site.subscribed) == 3
    press.look(DAY)
    assert len(site.subscribed) == 4


def test_what_is_not_listened_to_any_more_is_left(site: FeedsStandIn, listening: Callable[..., Listening]) -> None:
    press = listening()
    press.begin(("/feed.rss", "/feed.atom"))
    press.look()
    assert len(site.subscribed) == 2
    stays = site.verification(site.subscribed[0])
    press.begin(("/feed.rss",))
    press.look()
    asked = site.subscribed[-1]
    assert (asked["hub.mode"], asked["hub.topic"]) == ("unsubscribe", f"{site.url}/feed.atom")
    assert press.confirm() == "an-echo-17"
    assert press.confirm(**{"hub.mode": "subscribe"}) is None
    assert press.told()[0] == 403
    assert press.receiver.challenge({**stays, "hub.mode": "unsubscribe"}, press.clock.wall()) is None
    press.look()
    assert len(site.subscribed) == 3
    press.begin(("/feed.rss",), websub=False)
    press.look()
    assert (site.subscribed[-1]["hub.mode"], len(site.subscribed)) == ("unsubscribe", 4)
    press.look()
    assert len(site.subscribed) == 4


def test_a_stranger_confirms_and_pushes_nothing(
    site: FeedsStandIn, listening: Callable[..., Listening], held: Held
) -> None:
    press = listening()
    press.look()
    for wrong in ({"key": "0" * 32}, {"feed": "0" * 16}, {"hub.topic": "https://elsewhere.example/"}, {"key": "é"}):
        assert press.confirm(**wrong) is None
    site.publish("Acme")
    headers, body = site.told(site.subscribed[-1])
    query = site.verification(site.subscribed[-1])
    now = press.clock.now()
    for signature in ("", "sha1=00", "md5=00", headers["X-Hub-Signature"][:-1] + "0é"):
        forged = {**headers, "X-Hub-Signature": signature}
        assert press.receiver.handle(forged, body, now, now, query)[0] == 403
    assert press.receiver.handle(headers, body, now, now, {**query, "key": "0" * 32})[0] == 403
    assert press.receiver.handle(headers, body, now, now)[0] == 403
    assert held.posts() == []


def test_a_hub_that_denies_has_granted_nothing(site: FeedsStandIn, listening: Callable[..., Listening]) -> None:
    press = listening()
    press.look()
    press.confirm()
    assert press.confirm(**{"hub.mode": "denied"}) == ""
    press.look()
    site.publish("polled as before")
    assert len(press.look()) == 1


@pytest.mark.parametrize("lacks", [{"websub": False}, {"public_url": ""}, {"secret_env": None}, {"secret_env": "NONE"}])
def test_nothing_is_subscribed_to_where_a_hub_could_not_call_or_sign(
    site: FeedsStandIn, listening: Callable[..., Listening], lacks: dict[str, Any]
) -> None:
    press = listening(**lacks)
    press.look()
    site.publish("polled")
    assert len(press.look()) == 1
    assert site.subscribed == []


def test_a_secret_that_is_being_replaced_still_counts(
    site: FeedsStandIn, listening: Callable[..., Listening], held: Held
) -> None:
    press = listening(secret_env="FORMER")
    press.look()
    press.begin(secret_env="SECRET", former_secret_env="FORMER")
    assert press.confirm() == "an-echo-17"
    site.publish("Acme")
    assert press.told()[0] == 202
    assert len(held.posts()) == 1


def test_of_what_a_hub_sends_only_what_may_be_about_a_brand_is_kept_and_what_is_old_wakes_nobody(
    site: FeedsStandIn, listening: Callable[..., Listening], held: Held
) -> None:
    press = listening(prefilter=lambda text: "Acme" in text)
    press.look()
    old = press.clock.now() - 9 * DAY
    site.publish("Acme long ago", at=old)
    site.publish("of somebody else")
    site.publish("Acme today")
    assert press.told(last=50)[1]["accepted"] == 2
    assert [(post.text, post.event_time <= old + 1_000) for post in held.posts()] == [
        ("Acme long ago", True), ("Acme today", False)
    ]  # fmt: skip


def test_half_a_feed_is_a_dead_letter(site: FeedsStandIn, listening: Callable[..., Listening], held: Held) -> None:
    press = listening()
    press.look()
    site.publish_raw("<item>" + "<" * 10)
    assert press.told()[0] == 202
    assert len(held.dead()) == 1


def test_a_hub_that_fails_costs_nothing(site: FeedsStandIn, listening: Callable[..., Listening]) -> None:
    press = listening()
    site.misbehave(Fault("status", only="/hub", status=500))
    press.look()
    site.publish("polled")
    assert len(press.look()) == 1
    press.look(HOUR)
    assert len(site.subscribed) == 1


def test_a_feed_read_over_tls_is_not_subscribed_to_without() -> None:
    body = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><id>x</id><link rel="hub" href="http://hub.example.org/"/>'
        b'<link rel="self" href="https://news.example.org/f"/><entry><id>1</id><title>t</title></entry></feed>'
    )
    url = "https://news.example.org/feed"
    found = read_feed(body, url)
    assert hub_of(url, url, {}, found) == Hub("https://hub.example.org/", "https://news.example.org/f")
    assert hub_of(url, url, {"link": "<javascript:1>; rel=hub"}, found._replace(hub="")) is None
