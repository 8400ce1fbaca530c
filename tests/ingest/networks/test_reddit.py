"""Reddit keeps what every collector promises; what goes wrong there costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

import pytest

from config.sources import RedditSource
from ingest.collector import Interrupted
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.networks.reddit import Reddit
from ingest.patience import Backoff
from ingest.runner import Runner
from query.prefilter import compile_prefilter
from stream.clock import WallClock
from stream.embedded import EmbeddedLog
from tests.ingest.collecting import running, until
from tests.ingest.contract import Contract
from tests.ingest.networks.reddit_rounds import ACME, Asks, Round, burst
from tests.standins.reddit import CLIENT_ID, CLIENT_SECRET, OVERLOADED, RedditStandIn
from tests.standins.server import Fault

# --- what every collector promises ---


class SubredditCase:
    """A subreddit that is read whole."""

    edits = deletes = "sweep"
    fills = True
    first = "/r/"
    uncounted = ("/api/v1/access_token",)
    firehose = True
    subreddits: tuple[str, ...] = ("acme",)

    def __init__(self, reddit: RedditStandIn) -> None:
        self.standin = self.reddit = reddit

    def settings(self) -> RedditSource:
        return RedditSource(
            id="source",
            kind="reddit",
            client_id_env="REDDIT_ID",
            client_secret_env="REDDIT_SECRET",
            username="ana-writes",
            subreddits=self.subreddits,
            comments=False,
            search=not self.subreddits,
            interval="60ms",
            shortest_interval="50ms",
            # On a slow machine all of the soak's posts come between two rounds.
            most_scanned=100_000,
            url=self.reddit.url,
            login_url=self.reddit.url,
        )

    def secrets(self) -> Mapping[str, str]:
        return {"REDDIT_ID": CLIENT_ID, "REDDIT_SECRET": CLIENT_SECRET}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.reddit.publish(text, at=at, author=author)

    def publish_malformed(self) -> None:
        self.reddit.put(self.reddit.publish("Acme", more={"created_utc": "yesterday"}), "strange")

    def edit(self, native_id: str, text: str) -> None:
        self.reddit.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.reddit.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        return self.reddit.truth()


class SearchCase(SubredditCase):
    """A brand that is searched for everywhere."""

    first = "/search"
    firehose = False
    subreddits = ()


class TestSubreddits(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self, reddit: RedditStandIn) -> SubredditCase:
        reddit.allowed = 10**6
        return SubredditCase(reddit)


class TestSearches(Contract):
    burst = 1_200

    @pytest.fixture
    def case(self, reddit: RedditStandIn) -> SearchCase:
        reddit.allowed = 10**6
        return SearchCase(reddit)


def test_every_request_of_a_round_stands_in_the_ledger(reddit: RedditStandIn, collector: Asks) -> None:
    one = collector(comments=True, search=True, subreddits=("acme", "acmefans"))
    first = Round(one)
    burst(reddit, 320)
    second = Round(one, first.cursor)
    told = sum(delivery.asked for each in (first, second) for delivery in each.deliveries)
    assert told == reddit.asked("/") - reddit.asked("/api/v1/access_token")


# --- what goes wrong ---


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=503, body=OVERLOADED, only="/r/"),
        Fault("status", status=429, headers={"Retry-After": "7"}, only="/r/"),
        Fault("cut", only="/r/"),
        Fault("half", only="/r/"),
        Fault("garbage", only="/r/"),
        Fault("garbage", only="/api/v1/"),
        Fault("status", status=500, body=OVERLOADED, only="/api/v1/"),
        Fault("status", body=b'{"kind": "Listing"}', status=200, only="/r/"),
    ],
)
def test_what_passes_interrupts_and_loses_nothing(reddit: RedditStandIn, collector: Asks, fault: Fault) -> None:
    burst(reddit, 3)
    cursor = Round(collector()).cursor
    names = burst(reddit, 3)
    reddit.misbehave(fault)
    one = collector()
    with pytest.raises(Interrupted) as interrupted:
        Round(one, cursor)
    assert interrupted.value.retry_after == (7_000 if fault.headers else None)
    assert Round(one, cursor).names == names


def test_nothing_is_slept_or_tried_again_where_a_stop_cannot_reach(reddit: RedditStandIn, collector: Asks) -> None:
    stop = Event()
    one = collector(stop=stop)
    cursor = Round(one).cursor
    reddit.used = reddit.allowed - 1
    Round(one, cursor)
    asked = reddit.asked("/r/")

    def wait() -> None:
        with pytest.raises(Interrupted):
            Round(one, cursor)

    waiting = Thread(target=wait)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert reddit.asked("/r/") == asked
    stop.set()
    waiting.join(5)
    assert not waiting.is_alive()


def test_a_strange_thing_is_told_once_and_the_rest_goes_on(reddit: RedditStandIn, collector: Asks) -> None:
    one = collector()
    cursor = Round(one).cursor
    strange = reddit.publish("Acme", more={"created_utc": "yesterday"})
    unknown = reddit.publish("Acme", more={"holograms": [{"depth": 3}], "score": None, "edited": "maybe"})
    untaken = one.collect(cursor)
    assert any(delivery.malformed for delivery in untaken)
    untaken.close()
    found = Round(one, cursor)
    assert found.names == [unknown]
    (malformed,) = [one for delivery in found.deliveries for one in delivery.malformed]
    assert strange.encode() in malformed.payload
    again = Round(one, found.cursor)
    assert [one for delivery in again.deliveries for one in delivery.malformed] == []


# --- with the runner ---


@pytest.fixture
def run(log: EmbeddedLog, cursors: Cursors, ledger: Ledger) -> Callable[[Reddit, Event], Runner]:
    def run(one: Reddit, stop: Event) -> Runner:
        return Runner(
            one, log, cursors, ledger, WallClock(), prefilter=compile_prefilter([ACME]),
            backoff=Backoff(first=1, most=5), stop=stop,
        )  # fmt: skip

    return run


def test_a_search_that_is_asked_for_keeps_what_a_firehose_would_drop(
    reddit: RedditStandIn, collector: Asks, run: Callable[..., Runner], cursors: Cursors, held: Any
) -> None:
    stop = Event()
    with running(run(collector(search=True, stop=stop), stop)):
        until(lambda: cursors.get("source") is not None)
        asked_for = reddit.publish("how are they?", author="AcmeSupport", title="Hello", subreddit="anywhere")
        about = reddit.publish("Acme sent me a box")
        reddit.publish("a cat", title="Look")
        until(lambda: len(held.posts()) >= 2)
    assert {post.id for post in held.posts()} == {f"reddit:{asked_for}", f"reddit:{about}"}


def test_a_stop_in_the_middle_of_a_round_and_an_outage_lose_nothing(
    reddit: RedditStandIn, collector: Asks, run: Callable[..., Runner], cursors: Cursors, ledger: Ledger, held: Any
) -> None:
    stop = Event()
    with running(run(collector(stop=stop), stop)):
        until(lambda: cursors.get("source") is not None)
        names = burst(reddit, 150)
        reddit.misbehave(Fault("status", times=3, only="/r/"))
        until(lambda: len(held.posts()) >= 150)
    names += burst(reddit, 150)
    stop = Event()
    with running(run(collector(stop=stop), stop)):
        until(lambda: len({post.id for post in held.posts()}) >= 300)
        until(lambda: not ledger.gaps())
    assert {post.id for post in held.posts()} == {f"reddit:{name}" for name in names}
    assert ledger.gaps() == []
