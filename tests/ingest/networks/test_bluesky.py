"""Bluesky keeps the contract in both versions of its stream, and what is special to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest

from clamor.networks import make
from config.brands import Brand
from config.sources import BlueskySource
from ingest.collector import (
    Checkable,
    Contextual,
    CursorLost,
    Delivery,
    Draft,
    Estimable,
    Interrupted,
    Source,
    Span,
    Sweepable,
    Unfillable,
)
from ingest.setting import Setting
from ingest.wanted import Wanted
from query.prefilter import compile_prefilter
from stream.clock import HOUR, WallClock
from tests.ingest.case import How, agree, collecting
from tests.ingest.collecting import until
from tests.ingest.contract import Contract
from tests.standins.bluesky import V1, V2, BlueskyStandIn, iso


class BlueskyCase:
    edits: How = "stream"
    deletes: How = "stream"
    fills = True
    firehose = True
    silence = True
    uncounted = ("/xrpc/network.bsky.jetstream.getZstdDictionary", "/xrpc/app.bsky.actor.getProfiles")

    def __init__(self, standin: BlueskyStandIn, version: int) -> None:
        self.standin, self.version = standin, version
        self.first = V2 if version == 2 else V1

    def settings(self) -> BlueskySource:
        address = self.standin.stream + (V1 if self.version == 1 else "")
        return BlueskySource(id="source", kind="bluesky", hosts=(address,), api=self.standin.url)

    def secrets(self) -> Mapping[str, str]:
        return {}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        created = iso(time.time() if at is None else at / 1_000)
        return self.standin.post({"$type": "app.bsky.feed.post", "text": text, "createdAt": created}, author)

    def publish_malformed(self) -> None:
        self.standin.raw({"$type": "app.bsky.feed.post", "text": {"no": "Acme"}, "createdAt": 7})

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.delete(native_id)

    def truth(self) -> Mapping[str, str]:
        with self.standin.lock:
            return {uri: held["record"]["text"] for uri, held in self.standin.posts.items()}


class TestBluesky(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[Any]:
        with BlueskyStandIn() as bluesky:
            yield BlueskyCase(bluesky, 2)


class TestBlueskyOfVersion1(Contract):
    asks_by_brand = False

    @pytest.fixture
    def case(self) -> Iterator[Any]:
        with BlueskyStandIn() as bluesky:
            yield BlueskyCase(bluesky, 1)


ACME = Wanted(brand="acme", phrases=("Acme",), accounts=("bluesky:acme.bsky.example",))
BRAND = Brand(id="acme", name="Acme", accounts=("bluesky:acme.bsky.example",))


MADE: list[Any] = []


@pytest.fixture
def bluesky() -> Iterator[BlueskyStandIn]:
    with BlueskyStandIn() as standin:
        standin.account("acme")
        yield standin
        while MADE:
            MADE.pop().close()


class Fast(WallClock):
    """What it measures by takes a twentieth of the time."""

    def steady(self) -> int:
        return super().steady() * 20


def collector(bluesky: BlueskyStandIn, *, clock: Any = None, **more: Any) -> Any:
    settings = BlueskySource(id="source", kind="bluesky", api=bluesky.url, **{"hosts": (bluesky.stream,), **more})
    setting = Setting(
        source=Source(id="source", network="bluesky"), wanted=lambda: (ACME,), secret=lambda name: None,
        clock=clock or WallClock(), prefilter=compile_prefilter([BRAND]),
    )  # fmt: skip
    MADE.append(make(settings, setting))
    return MADE[-1]


def record(text: str, **more: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.feed.post", "text": text, "createdAt": iso(time.time()), **more}


def drafts(deliveries: Iterator[Delivery], most: int) -> list[Draft]:
    """As many as are expected."""
    found: list[Draft] = []
    with closing(cast("Any", deliveries)):
        for delivery in deliveries:
            found += delivery.drafts
            if len(found) >= most:
                return found
    return found


def all_of(bluesky: BlueskyStandIn, most: int, **more: Any) -> list[Draft]:
    """What a collector makes of everything that has happened."""
    at = bluesky.events[0].time_us
    return drafts(collector(bluesky, **more).collect(f"v2 {bluesky.stream[5:]} 1 {at}"), most)


def test_of_a_firehose_only_what_names_a_brand_or_speaks_to_its_account_comes_on(bluesky: BlueskyStandIn) -> None:
    own = bluesky.post(record("We are on it"), "acme")
    bluesky.post(record("nothing of interest"))
    ref = {"cid": "c", "uri": own}
    answer = bluesky.post(record("still broken", reply={"parent": ref, "root": ref}), "bo")
    quote = bluesky.post(record("look", embed={"$type": "app.bsky.embed.record", "record": ref}), "bo")
    named = bluesky.post(record("Acme is late"))
    found = {draft.native_id: draft for draft in all_of(bluesky, 4)}
    assert list(found) == [own, answer, quote, named]
    assert (found[answer].brands, found[answer].reply_to, found[answer].conversation) == (("acme",), own, own)
    assert (found[quote].brands, found[quote].quote_of) == (("acme",), own)
    assert (found[named].brands, found[named].link) == (
        (),
        "https://bsky.app/profile/" + named[5:].replace("app.bsky.feed.post", "post"),
    )


def test_authors_come_with_handle_name_and_followers(bluesky: BlueskyStandIn) -> None:
    bluesky.post(record("Acme is late"))
    (draft,) = all_of(bluesky, 1)
    author = draft.author
    assert author is not None
    assert (author.id, author.handle, author.name, author.followers) == ("did:plc:ana", "ana.bsky.example", "Ana", 7)


def test_a_post_comes_without_handle_where_no_more_look_ups_are_allowed(bluesky: BlueskyStandIn) -> None:
    bluesky.post(record("Acme is late"))
    (draft,) = all_of(bluesky, 1, profiles_per_minute=0)
    assert draft.author is not None
    assert (draft.author.id, draft.author.handle) == ("did:plc:ana", None)


def test_accounts_that_go_away_and_come_back_are_told(bluesky: BlueskyStandIn) -> None:
    for active, status in ((False, "suspended"), (True, None), (False, "throttled"), (False, "deleted")):
        bluesky.change_account("ana", active, status)
    found = all_of(bluesky, 3)
    assert [draft.kind for draft in found] == ["author_gone", "author_back", "author_gone"]
    assert {draft.author.id for draft in found if draft.author} == {"did:plc:ana"}


@pytest.mark.parametrize("version", [1, 2])
def test_a_cursor_that_an_instance_no_longer_keeps_is_said_to_be_lost(bluesky: BlueskyStandIn, version: int) -> None:
    bluesky.post(record("Acme long ago"))
    bluesky.age(48)
    old = bluesky.events[0].time_us
    bluesky.forget()
    bluesky.post(record("Acme today"))
    address = bluesky.stream + (V1 if version == 1 else "")
    for cursor in (f"v{version} {bluesky.stream[5:]} {version - 1} {old}", f"v1 elsewhere 0 {old}"):
        with pytest.raises(CursorLost):
            list(islice(collector(bluesky, hosts=(address,)).collect(cursor), 5))


def test_a_cursor_of_no_known_version_is_said_to_be_lost(bluesky: BlueskyStandIn) -> None:
    with pytest.raises(CursorLost, match="no known version"):
        next(collector(bluesky).collect("1725911162329308"))


def test_what_is_left_of_a_lost_span_is_fetched_and_the_rest_said_to_be_missing(bluesky: BlueskyStandIn) -> None:
    now = round(time.time() * 1_000)
    bluesky.post(record("Acme long ago"))
    bluesky.age(38)
    bluesky.forget()
    bluesky.post(record("Acme yesterday"))
    bluesky.age(10)
    bluesky.post(record("Acme now"))
    deliveries = list(collector(bluesky).fill("", Span(now - 50 * HOUR, now - HOUR), None))
    assert [draft.text for delivery in deliveries for draft in delivery.drafts] == ["Acme yesterday"]
    assert [delivery.reason for delivery in deliveries if delivery.missed is None] == [
        "the instance keeps nothing that old"
    ]
    with pytest.raises(Unfillable):
        list(collector(bluesky).fill("", Span(now - 50 * HOUR, now - 49 * HOUR), None))


def test_when_an_instance_fails_the_next_one_goes_on_by_time(tmp_path: Path) -> None:
    with BlueskyStandIn() as first, BlueskyStandIn() as second:
        case = BlueskyCase(second, 2)
        both = {"hosts": (first.stream, second.stream)}
        case.settings = lambda: BlueskySource(id="source", kind="bluesky", api=second.url, **both)  # type: ignore[method-assign]
        with collecting(case, tmp_path / "home") as at_work:
            missed = case.publish("Acme is only told by the second")
            first.__exit__(None, None, None)
            agree(case, at_work)
            assert f"bluesky:{missed}" in at_work.held.texts()
            until(lambda: not at_work.ledger.gaps(), lambda: f"{at_work.ledger.gaps()}")


def test_a_dictionary_that_was_retired_is_fetched_anew(bluesky: BlueskyStandIn) -> None:
    network = collector(bluesky)
    bluesky.retired_dictionaries = True
    with pytest.raises(Interrupted, match="UnknownZstdDictionary"):
        next(network.collect(None))
    bluesky.retired_dictionaries = False
    with closing(network.collect(None)) as deliveries:
        next(deliveries)
    assert bluesky.asked("/xrpc/network.bsky.jetstream.getZstdDictionary") == 2


def test_an_instance_that_falls_silent_is_left(bluesky: BlueskyStandIn) -> None:
    with pytest.raises(Interrupted, match="fell silent"):
        list(collector(bluesky, clock=Fast(), silence="5s").collect(None))


def test_records_that_are_no_posts_are_buried_only_where_they_may_name_a_brand(bluesky: BlueskyStandIn) -> None:
    bluesky.raw({"text": 7})
    bluesky.raw({"text": 7, "langs": "Acme"})
    bluesky.post(record("Acme is late"))
    at = bluesky.events[0].time_us
    with closing(collector(bluesky).collect(f"v1 - 0 {at}")) as deliveries:
        found = next(delivery for delivery in deliveries if delivery.drafts)
    assert [one.number for one in found.malformed] == [0]


def test_single_posts_are_looked_up_with_their_reach(bluesky: BlueskyStandIn) -> None:
    there = bluesky.post(record("Acme is late"))
    bluesky.posts[there] |= {"likeCount": 4, "repostCount": 2, "replyCount": 1}
    network = collector(bluesky)
    assert isinstance(network, Sweepable)
    found = network.look_up([there, "at://did:plc:ana/app.bsky.feed.post/3gone"])
    assert list(found.existence.values()) == ["there", "absent"]
    (draft,) = found.drafts
    assert draft.metrics is not None
    assert (draft.kind, draft.metrics.likes, draft.metrics.reposts, draft.metrics.replies) == ("metrics", 4, 2, 1)


def test_the_thread_over_a_reply_comes_nearest_first(bluesky: BlueskyStandIn) -> None:
    chain = [bluesky.post(record("0"))]
    for n in range(1, 4):
        refs = {"parent": {"uri": chain[-1], "cid": "c"}, "root": {"uri": chain[0], "cid": "c"}}
        chain.append(bluesky.post(record(str(n), reply=refs)))
    network = collector(bluesky)
    assert isinstance(network, Contextual)
    assert [draft.text for draft in drafts(network.context(chain[2]), 9)] == ["1", "0", "3"]
    assert list(network.context("at://did:plc:ana/app.bsky.feed.post/3gone")) == []


def test_a_sample_counts_a_minute_of_each_hour_that_is_kept(bluesky: BlueskyStandIn) -> None:
    now = round(time.time() * 1_000)
    for hours in (3, 2, 1):
        bluesky.post(record("nothing of interest"))
        for _ in range(hours):
            bluesky.post(record("Acme is late"))
        since = (now - hours * HOUR + 30_000) * 1_000
        fresh = [one for one in bluesky.events if one.time_us > now * 1_000 - 3_600_000_000 // 2]
        bluesky.events[-len(fresh) :] = [one._replace(time_us=since + n) for n, one in enumerate(fresh)]
    bluesky.post(record("now"))
    network = collector(bluesky, clock=Fast())
    assert isinstance(network, Estimable)
    assert network.sample(ACME).posts_by_hour == (180, 120, 60)


def test_its_access_is_checked_in_words(bluesky: BlueskyStandIn) -> None:
    network = collector(bluesky)
    assert isinstance(network, Checkable)
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.1):
            bluesky.post(record("anything"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert "no account is needed" in network.check()
    finally:
        done.set()
        writer.join()
    with pytest.raises(Interrupted):
        collector(bluesky, hosts=("ws://127.0.0.1:9",)).check()
