"""Full text: pages behind entries are read politely and within bounds, and no feed waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.sources.feeds import FeedsSource
from ingest.collector import Delivery, Denied, Draft, Source
from ingest.networks import feeds_pages, feeds_reader
from ingest.networks.feeds import Feeds
from ingest.networks.feeds_reader import Reader
from ingest.setting import Setting
from stream.clock import MINUTE, ManualClock
from tests.ingest.collecting import Collecting, until
from tests.ingest.networks.test_feeds import look
from tests.ingest.rounds import making
from tests.standins.feeds import FeedsStandIn, more
from tests.standins.server import Fault, Response

for needed in feeds_reader.NEEDED:
    pytest.importorskip(needed, reason="full text needs clamor[fulltext]")


class Lasting(Reader):
    """One process for all tests: a start takes a second."""

    def close(self) -> None:
        """Once all are over."""


@pytest.fixture(scope="module")
def lasting() -> Iterator[Lasting]:
    reader = Lasting()
    yield reader
    Reader.close(reader)


@pytest.fixture(autouse=True)
def _one_process(lasting: Lasting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds_pages, "Reader", lambda: lasting)


LONG = "\n".join(more(part) for part in range(4))


@pytest.fixture
def site() -> Iterator[FeedsStandIn]:
    with FeedsStandIn() as site:
        yield site


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(FeedsStandIn.now())


@pytest.fixture
def feeds(site: FeedsStandIn, clock: ManualClock) -> Iterator[Callable[..., Feeds]]:
    def feeds(prefilter: Callable[[str], bool] | None = None, **more: Any) -> Feeds:
        given = {
            "urls": (f"{site.url}/feed.rss",),
            "full_text": True,
            "full_text_pause": "0s",
            "private_addresses": True,
        }
        settings = FeedsSource(**{"id": "source", "kind": "feeds"} | given | more)
        source = Source(id="source", network="feeds")
        setting = Setting(source, lambda: (), lambda name: None, clock, threading.Event(), prefilter)
        return Feeds(settings, setting)

    with making(feeds) as make:
        yield make


def drafts(found: list[Delivery]) -> list[Draft]:
    return [draft for one in found for draft in one.drafts]


def said(found: list[Delivery]) -> list[tuple[str, str]]:
    return [(draft.kind, draft.text) for draft in drafts(found)]


def why_left(run: Callable[[], object]) -> str:
    with structlog.testing.capture_logs() as logs:
        run()
    return "; ".join(one["why"] for one in logs if one["event"] == "feeds.page_left")


# --- what comes ---


def test_an_entry_comes_in_the_words_of_its_feed_and_then_in_those_of_its_page(
    site: FeedsStandIn, feeds: Callable[..., Feeds]
) -> None:
    found, _ = look(feeds())
    first, second = drafts(found)
    assert (first.kind, first.text) == ("created", "The feed begins")
    assert (second.kind, second.text) == ("edited", f"Entry 0\nThe feed begins\n{LONG}")
    assert (second.native_id, second.title, second.link) == (first.native_id, first.title, first.link)
    assert first.seen_at is not None
    assert second.seen_at == first.seen_at + 1, "what is old wakes nobody by its page either"
    assert sum(one.asked for one in found) == len(site.requests) == 3


def test_each_page_is_asked_for_once(site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock) -> None:
    one = feeds()
    _, cursor = look(one)
    for _ in range(3):
        clock.advance(5 * MINUTE)
        found, cursor = look(one, cursor)
        assert drafts(found) == []
    assert (site.asked("/posts"), site.asked("/robots.txt")) == (1, 1)


def test_an_entry_that_was_changed_comes_once_with_its_page(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    one = feeds()
    _, cursor = look(one)
    site.edit("/0", "The feed goes on")
    clock.advance(5 * MINUTE)
    found, _ = look(one, cursor)
    assert said(found) == [("edited", f"Entry 0\nThe feed goes on\n{LONG}")]


def test_an_entry_that_was_changed_and_whose_page_is_gone_comes_as_its_feed_says(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    one = feeds()
    _, cursor = look(one)
    site.edit("/0", "The feed goes on")
    site.pages["/posts/0"] = Response(404)
    clock.advance(5 * MINUTE)
    found, _ = look(one, cursor)
    assert said(found) == [("edited", "The feed goes on")]


def test_killed_before_its_pages_were_read_it_reads_them_when_it_is_back(
    site: FeedsStandIn, feeds: Callable[..., Feeds]
) -> None:
    killed = feeds().collect(None)
    cursor = next(one.cursor for one in killed if one.cursor)
    killed.close()
    found, cursor = look(feeds(), cursor)
    assert said(found) == [("edited", f"Entry 0\nThe feed begins\n{LONG}")]
    assert said(look(feeds(), cursor)[0]) == []


def test_switched_off_again_nothing_that_was_changed_is_kept_back(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    one = feeds()
    _, cursor = look(one)
    site.edit("/0", "The feed goes on")
    clock.advance(5 * MINUTE)
    killed = one.collect(cursor)
    cursor = next(delivery.cursor for delivery in killed if delivery.cursor)
    killed.close()
    site.publish("Another")
    found, _ = look(feeds(full_text=False), cursor)
    assert said(found) == [("edited", "The feed goes on"), ("created", "Another")]


def test_all_that_follows_sees_the_whole_text(site: FeedsStandIn, tmp_path: Path) -> None:
    """Of entries that name no brand in the feed too: their pages may."""
    settings = FeedsSource(
        id="source", kind="feeds", urls=(f"{site.url}/feed.rss",), every="100ms", private_addresses=True,
        full_text=True, full_text_pause="0s",
    )  # fmt: skip
    with Collecting(tmp_path / "home", settings, {}) as at_work:
        site.pages["/posts/1"] = Response(
            200, f"<article><h1>Planes</h1><p>Planes are late</p><p>{LONG} Acme.</p></article>".encode(),
            {"Content-Type": "text/html"},
        )  # fmt: skip
        site.publish("Planes are late")
        site.publish("Acme is late")
        until(lambda: len(at_work.held.texts()) == 2, lambda: f"{at_work.held.texts()} {at_work.runner.trouble}")
        until(lambda: all("part 3" in text for text in at_work.held.texts().values()), lambda: at_work.runner.trouble)
        assert at_work.held.dead() == []


def test_an_entry_that_is_about_nobody_is_told_and_counted_once(
    site: FeedsStandIn, feeds: Callable[..., Feeds]
) -> None:
    site.publish("A second one, about Acme")
    found, cursor = look(feeds(prefilter=lambda text: "Acme" in text))
    assert [(draft.kind, draft.title) for draft in drafts(found)] == [
        ("created", "Entry 0"), ("created", "Entry 1"), ("edited", "Entry 1"),
    ]  # fmt: skip
    assert '"unread"' not in (cursor or "")


def test_without_its_libraries_it_says_what_to_install(
    feeds: Callable[..., Feeds], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_reader, "NEEDED", ("no_such_library",))
    with pytest.raises(Denied, match=r"clamor\[fulltext\]"):
        look(feeds())


# --- what is left as the feed gave it ---


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (Response(404), "answers 404"),
        (Response(401), "wants a login"),
        (Response(402, b"Pay first"), "answers 402"),
        (Response(200, b"%PDF-1.7 The feed begins", {"Content-Type": "application/pdf"}), "application/pdf"),
        (Response(200, b"<p>x</p>", {"Content-Type": "text/html"}), "no more than the feed"),
        (
            Response(200, b"<article>" + b"<p>We and our partners value your privacy, says nobody ever.</p>" * 30,
                     {"Content-Type": "text/html"}),
            "something else",
        ),
        (Response(302, b"", {"Location": "/posts/0"}), "circle"),
        (Response(302, b"", {"Location": "file:///etc/passwd"}), "no address"),
        (Response(200, b"x" * 2_100_000, {"Content-Type": "text/html"}), "more than 2,000,000 bytes"),
        (Response(200, b"<div>" * 100_000, {"Content-Type": "text/html"}), "no more than the feed"),
    ],
)  # fmt: skip
def test_what_is_no_article_leaves_the_entry_as_it_is(
    site: FeedsStandIn, feeds: Callable[..., Feeds], page: Response, why: str
) -> None:
    site.pages["/posts/0"] = page
    one = feeds()
    told: list[list[tuple[str, str]]] = []
    assert why in why_left(lambda: told.append(said(look(one)[0])))
    assert told == [[("created", "The feed begins")]]


def test_an_entry_whose_link_only_looks_like_an_address_stops_no_other(
    site: FeedsStandIn, feeds: Callable[..., Feeds]
) -> None:
    site.publish_raw("<item><guid>odd</guid><title>An odd one</title><link>http://xn--a/</link></item>")
    found: list[list[tuple[str, str]]] = []
    assert "this is no address" in why_left(lambda: found.append(said(look(feeds())[0])))
    assert [kind for kind, _ in found[0]] == ["created", "created", "edited"]


def test_a_feed_that_gives_whole_texts_needs_no_page(site: FeedsStandIn, feeds: Callable[..., Feeds]) -> None:
    site.entries.clear()
    site.publish("All of it. " * 300)
    look(feeds())
    assert site.asked("/posts") == 0


def test_no_page_leads_into_a_private_network(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    pages = feeds(private_addresses=False)._pages
    assert pages is not None
    (entry,) = feeds_entries(site)
    pages.want(feeds_pages.Waiting("a", entry, feeds_pages.Unread()))
    assert "private network" in why_left(lambda: pages.next(clock.steady() + MINUTE))
    assert site.requests == []


def feeds_entries(site: FeedsStandIn) -> tuple[Any, ...]:
    from ingest.networks.feeds_entries import read_feed

    return read_feed(site._rss().encode(), site.url).entries


# --- politeness ---


@pytest.mark.parametrize(
    ("robots", "allowed"),
    [
        ("User-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow: /posts", False),
        ("User-agent: *\nDisallow: /*/0$", False),
        ("User-agent: Clamor\nDisallow: /\n\nUser-agent: *\nAllow: /", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Clamor\nAllow: /", True),
        ("User-agent: *\nDisallow: /posts\nAllow: /posts/0", True),
        ("User-agent: *\nDisallow: /feed.rss", True),
        ("", True),
        (None, True),
        ("User-agent: a\n" * 10_000 + "Disallow: /\n" * 10_000, False),
        ("\x00\xff" * 1_000, True),
    ],
)
def test_robots_txt_is_obeyed(
    site: FeedsStandIn, feeds: Callable[..., Feeds], robots: str | None, allowed: bool
) -> None:
    site.robots = robots
    look(feeds())
    assert site.asked("/posts") == allowed


@pytest.mark.parametrize("status", [500, 503, 429])
def test_while_robots_txt_cannot_be_read_nothing_is(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock, status: int
) -> None:
    site.misbehave(Fault("status", times=1, only="/robots", status=status, headers={"Retry-After": "60"}))
    one = feeds()
    _, cursor = look(one)
    assert site.asked("/posts") == 0
    clock.advance(MINUTE)
    found, _ = look(one, cursor)
    assert [kind for kind, _ in said(found)] == ["edited"]


def test_where_a_page_leads_the_robots_txt_of_that_place_is_asked(
    site: FeedsStandIn, feeds: Callable[..., Feeds]
) -> None:
    with FeedsStandIn() as other:
        other.robots = "User-agent: *\nDisallow: /"
        site.pages["/posts/0"] = Response(301, b"", {"Location": f"{other.url}/posts/0"})
        assert "robots.txt does not allow" in why_left(lambda: look(feeds()))
        assert (other.asked("/robots.txt"), other.asked("/posts")) == (1, 0)


def test_between_two_pages_of_a_host_lies_a_pause(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    site.robots = "User-agent: *\nCrawl-delay: 120"
    site.publish("A second")
    one = feeds(full_text_pause="40s")
    found, cursor = look(one)
    assert [kind for kind, _ in said(found)] == ["created", "created", "edited"]
    for seconds, more_came in ((40, 0), (40, 0), (40, 1)):
        clock.advance(seconds * 1_000)
        found, cursor = look(one, cursor)
        assert len(said(found)) == more_came


def test_a_host_that_fails_is_left_alone_and_given_up_in_the_end(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock
) -> None:
    site.misbehave(Fault("status", times=100, only="/posts", status=503))
    one = feeds()
    _, cursor = look(one)
    for _ in range(8):
        clock.advance(5 * MINUTE)
        _, cursor = look(one, cursor)
    assert site.asked("/posts") == feeds_pages.MOST_TRIES
    assert '"unread"' not in (cursor or "")


def test_hosts_that_fail_are_not_known_without_end(
    feeds: Callable[..., Feeds], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_pages, "MOST_FAILING", 3)
    pages = feeds()._pages
    assert pages is not None
    for host in ("a", "b", "a", "c", "d"):
        pages._leave_alone(host, None)
    assert list(pages._backoff) == ["a", "c", "d"]


def test_no_more_wait_than_may(
    site: FeedsStandIn, feeds: Callable[..., Feeds], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds_pages, "MOST_WAITING", 2)
    for n in range(5):
        site.publish(f"Entry {n} of many")
    found, cursor = look(feeds())
    assert sum(kind == "edited" for kind, _ in said(found)) == 2
    assert '"unread"' not in (cursor or "")


def test_while_a_feed_is_due_no_page_is_read_for_long(
    site: FeedsStandIn, feeds: Callable[..., Feeds], clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        site.publish(f"Entry {n} of many")
    one = feeds(every="1s")
    asked: list[int] = []
    assert one._pages is not None
    monkeypatch.setattr(one._pages, "next", asked.append)
    look(one)
    assert asked == [clock.steady() + 1_000]


# --- bounds ---


def test_a_page_that_takes_long_to_take_apart_costs_its_time_and_the_next_one_is_read() -> None:
    reader = Reader(seconds=1.0)
    try:
        slow = "<html><body><article><p>" + "<em>a</em> tail " * 15_000
        assert reader.text_of(slow) is None
        assert "part 3" in (reader.text_of(f"<html><body><article><p>{LONG}</p></article></body></html>") or "")
    finally:
        reader.close()


def test_the_reader_gets_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAMOR_TOKEN", "a-secret-of-ours")
    reader = Reader()
    try:
        reader.text_of("<p>x</p>")
        process = reader._process
        assert process is not None
        environment = Path(f"/proc/{process.pid}/environ")
        if not environment.exists():
            pytest.skip("this system does not show what a process was given")
        assert b"a-secret-of-ours" not in environment.read_bytes()
    finally:
        reader.close()


def test_the_readers_process_ends_with_the_source(feeds: Callable[..., Feeds], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds_pages, "Reader", Reader)
    one = feeds()
    look(one)
    assert one._pages is not None
    process = one._pages._reader._process
    assert process is not None
    one.close()
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=iso-8859-1", "¿Qué pasó, Ñandú?".encode("latin-1")),
        ("text/html", b"<meta charset='windows-1252'>" + "¿Qué pasó, Ñandú?".encode("cp1252")),
        ("text/html; charset=no-such", "¿Qué pasó, Ñandú?".encode()),
        ("text/html", "¿Qué pasó, Ñandú?".encode()),
        # Minutes, read as it says.
        ("text/html; charset=PunyCode", b"x-" + b"a" * 50_000 + "¿Qué pasó, Ñandú?".encode()),
    ],
)
def test_a_page_is_read_in_its_own_letters(content_type: str, body: bytes) -> None:
    answer = feeds_pages.Answer(200, {"content-type": content_type}, body, "")
    assert feeds_pages._decoded(answer).endswith("¿Qué pasó, Ñandú?")


@pytest.mark.parametrize(
    ("title", "text", "agrees"),
    [
        ("Acme loses a plane", "The airline Acme loses yet another plane", True),
        ("Acme loses a plane", "Before you go on, choose your cookies", False),
        ("全日空の飛行機が遅れた", "昨日、全日空の飛行機が三時間遅れたという", True),
        ("全日空の飛行機が遅れた", "ログインしてください", False),
        ("", "whatever", True),
    ],
)
def test_a_page_has_to_speak_of_its_entry(title: str, text: str, agrees: bool) -> None:
    assert feeds_pages._agrees(Draft(native_id="1", title=title), text) is agrees
