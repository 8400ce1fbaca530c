"""Feeds: the contract, politeness, windows, and what real feeds get wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.sources.feeds import FeedsSource
from ingest.collector import Delivery, Denied, Interrupted, Source
from ingest.networks.feeds import Feeds
from ingest.networks.feeds_entries import MOST_ENTRIES, Unreadable, read_feed
from ingest.setting import Setting
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from tests.ingest.case import Case, How, agree, collecting
from tests.ingest.collecting import Collecting, until
from tests.ingest.contract import Contract
from tests.ingest.rounds import making
from tests.standins.feeds import FeedsStandIn
from tests.standins.server import Fault


class FeedsCase:
    edits: How = "poll"
    deletes: How = ""
    fills = False
    first = "/feed"

    def __init__(self, standin: FeedsStandIn, path: str = "/feed.rss") -> None:
        self.standin, self._path = standin, path

    def settings(self) -> FeedsSource:
        return FeedsSource(
            id="source", kind="feeds", urls=(self.standin.url + self._path,), every="100ms", private_addresses=True
        )

    def secrets(self) -> Mapping[str, str]:
        return {}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.standin.publish(text, at=at, author=author)

    def publish_malformed(self) -> None:
        self.standin.publish_raw("<item><guid>nothing</guid></item>")

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        raise AssertionError("a feed does not tell")

    def truth(self) -> Mapping[str, str]:
        return self.standin.texts()


class TestFeeds(Contract):
    asks_by_brand = False
    burst_kept = False
    """A feed shows its last entries only."""

    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with FeedsStandIn() as site:
            yield FeedsCase(site)


def test_an_atom_feed_tells_the_same(tmp_path: Path) -> None:
    with FeedsStandIn() as site:
        case = FeedsCase(site, "/feed.atom")
        with collecting(case, tmp_path / "home") as at_work:
            changed, _ = case.publish("Acme one"), case.publish("Acme <two> & more")
            agree(case, at_work)
            case.edit(changed, "Acme one, edited")
            agree(case, at_work)
            assert {post.link for post in at_work.held.contents()} == {f"{site.url}/posts/{n}" for n in (1, 2)}


# --- politeness, redirects, several feeds ---


@pytest.fixture
def site() -> Iterator[FeedsStandIn]:
    with FeedsStandIn() as site:
        yield site


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FeedsStandIn.now())


@pytest.fixture
def feeds(site: FeedsStandIn, clock: ManualClock) -> Iterator[Callable[..., Feeds]]:
    def feeds(*paths: str, **more: Any) -> Feeds:
        urls = tuple(site.url + path for path in paths or ("/feed.rss",))
        settings = FeedsSource(**{"id": "source", "kind": "feeds", "urls": urls, "private_addresses": True} | more)
        setting = Setting(Source(id="source", network="feeds"), lambda: (), lambda name: None, clock, threading.Event())
        return Feeds(settings, setting)

    with making(feeds) as make:
        yield make


def test_an_estimate_counts_the_entries_of_the_last_week_and_says_what_a_feed_does_not_show(
    site: FeedsStandIn, feeds: Callable[..., Feeds]
) -> None:
    now, acme = FeedsStandIn.now(), Wanted(brand="acme", phrases=("Acme",))
    site.publish("Acme is late", at=now - HOUR)
    site.publish("Brisa is late", at=now - 2 * HOUR)
    assert feeds().sample(acme).capped, "perhaps it has had more entries in the week than it shows"
    site.publish("Acme was late", at=now - 9 * DAY)
    sample = feeds().sample(acme)
    assert (sum(sample.posts_by_hour), sample.asked, sample.capped) == (1, 1, False)
    site.gone.add("/gone")
    sample = feeds("/feed.rss", "/feed.atom", "/gone").sample(acme)
    assert (sum(sample.posts_by_hour), sample.capped) == (1, True)
    with pytest.raises(Denied, match="410"):
        feeds("/gone").sample(acme)


def look(feeds: Feeds, cursor: str | None = None) -> tuple[list[Delivery], str | None]:
    """One round, and the cursor behind it."""
    found = list(feeds.collect(cursor))
    return found, next((one.cursor for one in reversed(found) if one.cursor), cursor)


def titles(found: list[Delivery]) -> list[str | None]:
    return [draft.title for one in found for draft in one.drafts]


def test_what_has_not_changed_is_not_sent_again(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    found, cursor = look(feeds())
    assert titles(found) == ["Entry 0"]
    found, _ = look(feeds(), cursor)
    assert titles(found) == []
    assert site.requests[-1].headers["if-none-match"].startswith('"')


@pytest.mark.parametrize(
    ("ttl", "headers", "wait"),
    [
        ("", {}, 5 * MINUTE),
        ("30", {}, 30 * MINUTE),
        ("2", {}, 5 * MINUTE),
        ("14400", {}, HOUR),
        ("soon", {}, 5 * MINUTE),
        ("", {"Cache-Control": "public, max-age=1200"}, 20 * MINUTE),
        ("", {"Cache-Control": "max-age=99999999"}, HOUR),
    ],
)
def test_a_feed_is_asked_no_sooner_than_it_says(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock, ttl: str, headers: dict[str, str], wait: int
) -> None:
    site.ttl, site.headers = ttl, headers
    one = feeds()
    _, cursor = look(one)
    asked_after = 0
    while site.asked("/feed") == 1:
        clock.advance(MINUTE)
        asked_after += MINUTE
        look(one, cursor)
    assert abs(asked_after - wait) <= MINUTE


def test_where_a_feed_moved_is_followed_and_told(site: FeedsStandIn, feeds: Callable[..., Feeds]) -> None:
    site.moved = {"/old.rss": (301, "/older.rss"), "/older.rss": (302, f"{site.url}/feed.rss")}
    with structlog.testing.capture_logs() as logs:
        found, _ = look(feeds("/old.rss"))
    assert titles(found) == ["Entry 0"]
    assert ["moved for good" in one["why"] for one in logs] == [True]


def test_a_circle_of_redirects_ends(site: FeedsStandIn, feeds: Callable[..., Feeds]) -> None:
    site.moved = {"/a": (302, "/b"), "/b": (302, "/a")}
    with pytest.raises(Interrupted, match="circle"):
        look(feeds("/a"))


def test_a_feed_that_is_gone_for_good_is_told(site: FeedsStandIn, feeds: Callable[..., Feeds]) -> None:
    site.gone = {"/feed.rss"}
    with pytest.raises(Denied, match="gone for good"):
        look(feeds())


def test_one_of_several_that_fails_stands_in_the_ledger_by_itself(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    one = feeds("/feed.rss", "/other.rss")
    _, cursor = look(one)
    clock.advance(5 * MINUTE)
    site.misbehave(Fault("status", times=1, only="/other", headers={"Retry-After": "600"}))
    site.publish("Acme")
    found, cursor = look(one, cursor)
    (gap,) = [delivery for delivery in found if delivery.missed is None]
    assert gap.query.endswith("/other.rss")
    assert titles(found) == ["Entry 1"], "the other one goes on"
    clock.advance(9 * MINUTE)
    asked = site.asked("/other")
    look(one, cursor)
    assert site.asked("/other") == asked, "its Retry-After is obeyed"
    clock.advance(2 * MINUTE)
    found, _ = look(one, cursor)
    (closed,) = [delivery for delivery in found if delivery.page]
    assert (closed.page, closed.query, closed.missed) == (gap.page, gap.query, 0)


@pytest.mark.parametrize("where", ["http://[", "http://a.example:99999999/", "http://a.example:x/", "file:///etc", ""])
def test_a_feed_that_leads_nowhere_stops_no_other(site: FeedsStandIn, feeds: Callable[..., Feeds], where: str) -> None:
    site.moved = {"/bad.rss": (301, where)}
    found, _ = look(feeds("/bad.rss", "/feed.rss"))
    assert titles(found) == ["Entry 0"]


def test_an_answer_that_cannot_be_unpacked_stops_no_other(site: FeedsStandIn, feeds: Callable[..., Feeds]) -> None:
    site.misbehave(Fault("status", times=1, status=200, body=b"no zip", headers={"Content-Encoding": "gzip"}))
    found, _ = look(feeds("/bad.rss", "/feed.rss"))
    assert titles(found) == ["Entry 0"]


def test_no_entry_stops_a_feed(site: FeedsStandIn, feeds: Callable[..., Feeds]) -> None:
    site.publish_raw("<item><guid>odd</guid><title>Odd</title><description>&lt;![foo[x]]&gt; y</description></item>")
    found, _ = look(feeds())
    assert titles(found) == ["Entry 0", "Odd"]


def test_when_none_answers_the_source_is_cut_off_until_one_does(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    site.misbehave(Fault("status", times=2, status=503))
    one = feeds("/feed.rss", "/other.rss")
    with pytest.raises(Interrupted):
        look(one)
    with pytest.raises(Interrupted) as waiting:
        look(one)
    assert site.asked("/") == 2, "neither is due"
    assert waiting.value.retry_after
    clock.advance(10 * MINUTE)
    assert titles(look(one)[0]) == ["Entry 0", "Entry 0"]


def test_a_feed_that_fails_while_the_others_are_not_due_cuts_nothing_off(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    one = feeds("/feed.rss", "/other.rss")
    site.misbehave(Fault("status", times=2, only="/other", status=503, headers={"Retry-After": "60"}))
    _, cursor = look(one)
    clock.advance(2 * MINUTE)
    found, _ = look(one, cursor)
    assert [delivery.query.rpartition("/")[2] for delivery in found if delivery.missed is None] == ["other.rss"]


def test_entries_that_came_and_went_between_two_looks_are_admitted(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    site.window = 10
    one = feeds()
    _, cursor = look(one)
    for shown in (9, 10):
        for n in range(shown):
            site.publish(f"Acme {shown} {n}")
        clock.advance(5 * MINUTE)
        found, cursor = look(one, cursor)
        missed = [(delivery.missed, delivery.reason) for delivery in found if delivery.missed is None]
        assert missed == ([] if shown == 9 else [(None, "feed window")])


def test_nothing_leads_into_a_private_network(site: FeedsStandIn, feeds: Callable[..., Feeds]) -> None:
    with pytest.raises(Interrupted, match="private network"):
        look(feeds(private_addresses=False))
    assert site.requests == []


def test_the_first_look_dates_entries_by_themselves(tmp_path: Path, site: FeedsStandIn) -> None:
    at = site.now() - 3 * DAY
    site.publish("Acme long ago", at=at)
    case = FeedsCase(site)
    with Collecting(tmp_path / "home", case.settings(), {}) as at_work:
        until(lambda: at_work.held.contents(), lambda: at_work.runner.trouble)
        (post,) = at_work.held.contents()
        assert (post.event_time, post.seen_at, post.clock_doubted) == (at, at, False)


def test_a_feed_of_ones_own_brings_all_its_entries(tmp_path: Path, site: FeedsStandIn) -> None:
    settings = FeedsCase(site).settings().model_copy(update={"brands": ("acme",), "network": "blog"})
    with Collecting(tmp_path / "home", settings, {}) as at_work:
        until(lambda: at_work.held.contents(), lambda: at_work.runner.trouble)
        (post,) = at_work.held.contents()
        assert (post.network, post.brands, post.text) == ("blog", ("acme",), "The feed begins")


# --- what feeds get wrong ---


def rss(items: str) -> bytes:
    return f'<?xml version="1.0"?>{without(items)}'.encode()


def without(items: str) -> str:
    """Its declaration."""
    return f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'


def one(items: str) -> Any:
    (entry,) = read_feed(rss(items), "https://news.example.org/rss").entries
    return entry.draft


def test_an_entry_needs_neither_id_nor_date() -> None:
    by_link = one("<item><title>Acme</title><link>https://news.example.org/1</link></item>")
    assert (by_link.native_id, by_link.claimed_at) == ("news.example.org/1", None)
    by_words = one("<item><title>Acme</title></item>")
    assert by_words.native_id == one("<item><title>Acme</title></item>").native_id
    assert by_words.native_id != one("<item><title>Acme 2</title></item>").native_id


def test_no_feed_can_touch_the_entries_of_another_host() -> None:
    stolen = one("<item><guid>https://paper.example.org/story</guid><title>Acme</title></item>")
    assert stolen.native_id.startswith("news.example.org/")


def test_one_id_for_all_entries_is_no_id() -> None:
    items = "".join(
        f"<item><guid isPermaLink='false'>0</guid><title>{n}</title><link>https://news.example.org/{n}</link></item>"
        for n in range(3)
    )
    found = read_feed(rss(items), "https://news.example.org/rss")
    assert len({entry.key for entry in found.entries}) == 3


def test_html_becomes_what_a_reader_sees() -> None:
    html = (
        "&lt;p&gt;First &lt;b&gt;bold&lt;/b&gt;  words&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
        "&lt;p&gt;Second &amp;amp; last&lt;br/&gt;line"
    )
    assert one(f"<item><title>T</title><description>{html}</description></item>").text == (
        "First bold words\nSecond & last\nline"
    )


def test_of_summary_and_content_the_longer_is_the_text() -> None:
    atom = (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>tag:a,2026:1</id><title>T</title>'
        b"<summary>Short</summary><content type='html'>&lt;p&gt;The whole of it&lt;/p&gt;</content>"
        b"<updated>2026-11-24T10:00:00+01:00</updated></entry></feed>"
    )
    (entry,) = read_feed(atom, "https://news.example.org/atom").entries
    assert entry.draft.text == "The whole of it"
    assert entry.draft.claimed_at == 1_795_510_800 * SECOND


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Soon</body></html>",
        b'{"version": "https://jsonfeed.org/version/1"}',
        rss("<item><title>Acme</title></item>")[:-20],
        b"\x00\xff" * 100,
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><html>&b;</html>',
    ],
)
def test_what_is_no_whole_feed_is_not_taken(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_feed(body, "https://news.example.org/rss")


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "iso-8859-1", "utf-16", "utf-16-be", "utf-32", "cp037"])
def test_a_feed_is_read_in_its_own_letters(coding: str) -> None:
    declared = "utf-8" if coding == "utf-8-sig" else coding
    text = f'<?xml version="1.0" encoding="{declared}"?>{without("<item><title>Ñandú</title></item>")}'
    (entry,) = read_feed(text.encode(coding), "https://news.example.org/rss", "application/rss+xml").entries
    assert entry.draft.title == "Ñandú"


@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("opening", "content_type"),
    [
        ('<?xml version="1.0"?>' + "encoding='a'" * 20_000, "application/rss+xml"),
        ("<? " + "encoding='a'" * 20_000, "application/rss+xml"),
        ('<?xml version="1.0" encoding="punycode"?>x-' + "a" * 2_000_000, "application/rss+xml"),
        ('<?xml version="1.0"?>x-' + "a" * 2_000_000, "application/rss+xml; charset=idna"),
    ],
)
def test_a_feed_whose_beginning_is_made_to_take_hours_takes_none(opening: str, content_type: str, coding: str) -> None:
    body = (opening + without("<item><title>x</title></item>")).encode(coding)
    began = time.monotonic()
    with suppress(Unreadable):
        read_feed(body, "https://news.example.org/rss", content_type)
    assert time.monotonic() - began < 10


def test_of_an_endless_feed_the_first_entries_are_read_and_the_rest_is_admitted() -> None:
    items = "<item><title>x</title></item>" * (MOST_ENTRIES + 7)
    assert read_feed(rss(items), "https://news.example.org/rss").left_out == 7
