"""Reddit: nothing that a listing or a number leads to is lost, and what is lost is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event, Thread
from typing import Any

import praw
import pytest
from praw.models import Comment, Submission

from clamor.networks import make
from config.brands import Brand
from config.sources import RedditSource
from ingest.collector import (
    Checkable,
    Contextual,
    CursorLost,
    Delivery,
    Denied,
    Draft,
    Estimable,
    Interrupted,
    Source,
    Span,
    Sweepable,
    Unfillable,
)
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.networks.reddit import Reddit
from ingest.networks.reddit_listings import LONGEST_QUERY, Known, searches
from ingest.networks.reddit_posts import name_of, number_of
from ingest.patience import Backoff
from ingest.runner import Runner
from ingest.setting import Setting
from ingest.wanted import Wanted, wanted
from query.prefilter import compile_prefilter
from stream.clock import HOUR, WallClock
from stream.embedded import EmbeddedLog
from tests.ingest.contract import Contract
from tests.standins import reddit as standin
from tests.standins.reddit import CLIENT_ID, CLIENT_SECRET, OVERLOADED, PASSWORD, RedditStandIn
from tests.standins.server import Fault

ACME = Brand(id="acme", name="Acme", handles=("@AcmeHelp",), accounts=("reddit:AcmeSupport",))
SECRETS = {"ID": CLIENT_ID, "SECRET": CLIENT_SECRET, "PASSWORD": PASSWORD}
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def reddit() -> Iterator[RedditStandIn]:
    with RedditStandIn() as reddit:
        yield reddit


@pytest.fixture
def collector(reddit: RedditStandIn) -> Iterator[Callable[..., Reddit]]:
    made: list[Reddit] = []

    def collector(
        *,
        secrets: Mapping[str, str] = SECRETS,
        brands: Sequence[Wanted] | None = None,
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
            wanted=lambda: wanted([ACME]) if brands is None else brands,
            secret=secrets.get,
            clock=WallClock(),
            stop=stop or Event(),
            allowed=allowed,
        )
        one = make(section, setting)
        assert isinstance(one, Reddit)
        made.append(one)
        return one

    yield collector
    for one in made:
        one.close()


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


# --- a round ---


def test_from_now_on_every_new_post_and_comment_comes_once(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    old = reddit.publish("Acme, long ago", at=1_700_000_000_000)
    reddit.comment("so long ago", on=old, at=1_700_000_000_000)
    one = collector(comments=True)
    first = Round(one)
    assert first.names == []
    post = reddit.publish("Where is my order?", title="Acme forgot me")
    answer = reddit.comment("Ask Acme again", on=post)
    second = Round(one, first.cursor)
    assert second.names == sorted([post, answer])
    third = Round(one, second.cursor)
    assert (third.names, third.missing) == ([], [])


def test_a_post_says_what_reddit_says_of_it(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    one = collector(comments=True)
    cursor = Round(one).cursor
    post = reddit.publish("It broke & I cried", title="Acme <3", at=(at := int(time.time()) * 1000), score=-4)
    link = reddit.publish("", title="Read this", url="https://news.example/acme-recall")
    picture = reddit.publish("", title="Look", url="https://i.redd.it/abc.jpg")
    shared = reddit.publish("", title="Seen elsewhere", crosspost=post)
    answer = reddit.comment("Me too", on=post, author="[deleted]")
    below = reddit.comment("And me", on=answer)
    found = {draft.native_id: draft for draft in Round(one, cursor).drafts}
    said = found[post]
    assert (said.title, said.text, said.claimed_at, said.conversation) == ("Acme <3", "It broke & I cried", at, post)
    assert said.author is not None
    assert (said.author.handle, said.author.id) == ("ana", "t2_ana")
    assert said.link == f"https://www.reddit.com/r/acme/comments/{post[3:]}/a/"
    assert said.metrics is not None
    assert (said.metrics.likes, said.metrics.replies) == (0, 2)
    assert found[link].text == "https://news.example/acme-recall"
    assert (found[picture].text, found[picture].media) == ("", ("https://i.redd.it/abc.jpg",))
    assert found[shared].quote_of == post
    assert (found[answer].author, found[answer].conversation, found[answer].reply_to) == (None, post, post)
    assert (found[below].conversation, found[below].reply_to) == (post, answer)


@pytest.mark.parametrize("count", [99, 100, 101, 900])
def test_a_burst_that_a_listing_shows_is_read_back_to_the_last_one_seen(
    reddit: RedditStandIn, collector: Callable[..., Reddit], count: int
) -> None:
    burst(reddit, 3, at=1_700_000_000_000)
    one = collector()
    cursor = Round(one).cursor
    names = burst(reddit, count)
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])
    assert Round(one, found.cursor).names == []


def test_twelve_hundred_posts_between_two_polls_lose_none(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    burst(reddit, 120)
    one = collector()
    cursor = Round(one).cursor
    names = []
    for _ in range(12):
        names += burst(reddit, 100)
        reddit.elsewhere("t3", 150)
    found = Round(one, cursor)
    assert (found.names, found.missing) == (sorted(names), [])


def test_ten_thousand_posts_are_more_than_may_be_looked_up_and_the_ledger_says_so(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    burst(reddit, 10)
    one = collector(most_scanned=5_000)
    cursor = Round(one).cursor
    names = burst(reddit, 10_000)
    found = Round(one, cursor)
    assert found.names == sorted(names, key=number_of)[-1_000:]
    assert found.missing == [("subreddits/posts", None, "page cap")]
    later = burst(reddit, 5)
    after = Round(one, found.cursor)
    assert (after.names, after.missing) == (later, [])


def test_comments_beyond_a_listing_are_looked_up(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    post = reddit.publish("Acme is down")
    reddit.comment("first", on=post)
    one = collector(comments=True)
    cursor = Round(one).cursor
    reddit.allowed = 10**6
    names = sorted(reddit.comment(f"Acme {n}", on=post) for n in range(3_000))
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])


def test_subreddits_that_are_asked_for_together_overflow_one_by_one(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    burst(reddit, 3)
    burst(reddit, 3, subreddit="acmefans")
    one = collector(subreddits=("Acme", "AcmeFans"), most_scanned=0)
    cursor = Round(one).cursor
    names = sorted(burst(reddit, 800) + burst(reddit, 800, subreddit="AcmeFans"))
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])


def test_the_last_one_seen_may_be_deleted(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    seen = burst(reddit, 150)
    one = collector()
    cursor = Round(one).cursor
    for name in seen:
        reddit.delete(name)
    older = burst(reddit, 130)
    found = Round(one, cursor)
    assert (found.names, found.missing) == (older, [])


def test_a_page_whose_last_post_is_deleted_meanwhile_has_a_next_one(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    burst(reddit, 3)
    one = collector(most_scanned=0)
    cursor = Round(one).cursor
    names = sorted(burst(reddit, 250), key=number_of)
    reading = one.collect(cursor)
    found = [draft.native_id for draft in next(reading).drafts]
    reddit.delete(names[150])
    found += [draft.native_id for delivery in reading for draft in delivery.drafts]
    assert sorted(found, key=number_of) == names


def test_a_post_that_a_moderator_approves_late_comes_below_newer_ones(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    burst(reddit, 3)
    one = collector()
    cursor = Round(one).cursor
    held = reddit.publish("Acme, held back")
    reddit.put(held, "removed")
    newer = burst(reddit, 20)
    first = Round(one, cursor)
    assert first.names == newer
    reddit.put(held, "there")
    assert Round(one, first.cursor).names == [held]


def test_an_old_post_at_the_top_does_not_end_the_reading(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    seen = burst(reddit, 5)
    one = collector()
    cursor = Round(one).cursor
    names = burst(reddit, 150)
    reddit.things[seen[0]].created += 3_600
    found = Round(one, cursor)
    assert set(names) <= set(found.names)


def test_what_a_killed_round_brought_comes_again(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    burst(reddit, 3)
    cursor = Round(collector()).cursor
    names = burst(reddit, 250)
    killed = collector().collect(cursor)
    next(killed)
    found = Round(collector(), cursor)
    assert found.names == names


def test_a_look_up_that_is_interrupted_goes_on_where_it_was(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    burst(reddit, 3)
    cursor = Round(collector()).cursor
    names = burst(reddit, 2_000)
    found: set[str] = set()
    for number, delivery in enumerate(collector().collect(cursor)):
        found.update(draft.native_id for draft in delivery.drafts)
        cursor = delivery.cursor or cursor
        if number == 15:
            break
    asked = reddit.asked("/api/info")
    found.update(Round(collector(), cursor).names)
    assert found == set(names)
    assert reddit.asked("/api/info") - asked <= 7


def test_another_company_of_subreddits_goes_on_where_the_former_stood(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    burst(reddit, 3)
    cursor = Round(collector()).cursor
    missed = burst(reddit, 3)
    found = Round(collector(subreddits=("acme", "other")), cursor)
    assert found.names == missed


def test_a_strange_cursor_is_lost(collector: Callable[..., Reddit]) -> None:
    with pytest.raises(CursorLost):
        Round(collector(), "{}")


# --- searching ---


def test_brands_are_searched_for_everywhere(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    one = collector(subreddits=(), search=True)
    cursor = Round(one).cursor
    name = reddit.publish("what does Acme say?", subreddit="anywhere")
    own = reddit.publish("We are here", subreddit="anywhere", author="AcmeSupport")
    reddit.publish("nothing of it", subreddit="anywhere", title="Weather")
    found = Round(one, cursor)
    assert found.names == sorted([name, own])
    assert {draft.query_ids for draft in found.drafts} == {("acme",)}


def test_a_search_that_overflows_is_looked_up_by_number(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    reddit.publish("Acme", subreddit="anywhere")
    one = collector(subreddits=(), search=True)
    cursor = Round(one).cursor
    names = burst(reddit, 600, subreddit="anywhere")
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])


def test_a_brand_without_budget_is_left_out_and_said_to_be(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    reddit.publish("Acme", subreddit="anywhere")
    cursor = Round(collector(subreddits=(), search=True)).cursor
    name = reddit.publish("Acme", subreddit="anywhere")
    spent = Round(collector(subreddits=(), search=True, allowed=lambda brand: False), cursor)
    assert (spent.names, spent.missing) == ([], [("acme", None, "spend cap")])
    assert Round(collector(subreddits=(), search=True), spent.cursor).names == [name]


def test_a_query_is_in_reddits_own_language_and_no_longer_than_it_takes() -> None:
    (search,) = searches(
        Wanted(brand="acme", phrases=('Acme "Plus"', "Acme"), handles=("@AcmeHelp",), require=("phone",))
    )
    assert search.params["q"] == '("Acme Plus" AND ("phone")) OR ("Acme" AND ("phone")) OR "@AcmeHelp"'
    many = searches(Wanted(brand="acme", phrases=tuple(f"Acme number {n}" for n in range(90))))
    assert len(many) > 1
    assert all(len(one.params["q"]) <= LONGEST_QUERY for one in many)


def test_a_search_that_is_asked_for_keeps_what_a_firehose_would_drop(
    reddit: RedditStandIn,
    collector: Callable[..., Reddit],
    log: EmbeddedLog,
    cursors: Cursors,
    ledger: Ledger,
    held: Any,
) -> None:
    stop = Event()
    one = collector(search=True, stop=stop)
    with _running(one, log, cursors, ledger, stop):
        _until(lambda: cursors.get("source") is not None)
        asked_for = reddit.publish("how are they?", author="AcmeSupport", title="Hello", subreddit="anywhere")
        about = reddit.publish("Acme sent me a box")
        reddit.publish("a cat", title="Look")
        _until(lambda: len(held.posts()) >= 2)
    assert {post.id for post in held.posts()} == {f"reddit:{asked_for}", f"reddit:{about}"}


# --- subreddits that give nothing ---


def test_a_private_subreddit_among_others_is_told(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    reddit.subreddits |= {"acmestaff": "private"}
    found = Round(collector(subreddits=("acme", "acmestaff", "acmee")))
    assert [(query, missed) for query, missed, _ in found.missing] == [("r/acmee", None), ("r/acmestaff", None)]
    assert "private" in found.missing[1][2]


def test_none_that_can_be_read_is_for_a_person(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    reddit.subreddits["acme"] = "private"
    with pytest.raises(Denied, match="r/acme: it is private"):
        Round(collector())


def test_a_subreddit_that_closes_meanwhile_leaves_the_others_alone(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    one = collector(search=True)
    cursor = Round(one).cursor
    reddit.subreddits["acme"] = "private"
    name = reddit.publish("Acme", subreddit="anywhere")
    found = Round(one, cursor)
    assert found.names == [name]
    assert [(query, missed) for query, missed, _ in found.missing] == [("subreddits/posts", None)]


@pytest.mark.parametrize("kind", ["private", "restricted", "employees_only", "gold_only", "of a kind to come"])
def test_what_not_everybody_may_read_is_not_brought_for_everybody(
    reddit: RedditStandIn, collector: Callable[..., Reddit], kind: str
) -> None:
    reddit.subreddits |= {"staff": kind}
    named = {"subreddits": ("acme", "staff"), "comments": True, "search": True, "password_env": "PASSWORD"}
    one, cursor = collector(**named), None
    cursor = Round(one).cursor
    shown, secret = reddit.publish("Acme, said to all"), reddit.publish("Acme, said to few", subreddit="staff")
    below = reddit.comment("and below", on=secret)
    found = Round(one, cursor)
    assert set(found.names) == {shown}
    assert ("acme", 1, "in subreddits that not everybody may read") in found.missing
    assert one.look_up([shown, secret, below]).existence == {shown: "there", secret: "gone", below: "gone"}
    assert [draft for delivery in one.context(below) for draft in delivery.drafts] == []
    told = one.check()
    assert "r/staff: it is " in told
    assert "`access` of the source is public" in told
    assert [query for query, _, _ in Round(collector(**named)).missing] == ["r/staff"]


def test_a_source_for_few_brings_what_few_may_read(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    reddit.subreddits |= {"staff": "private"}
    one = collector(subreddits=("staff",), password_env="PASSWORD", access="staff")
    cursor = Round(one).cursor
    secret = reddit.publish("Acme, said to few", subreddit="staff")
    found = Round(one, cursor)
    assert (found.names, found.missing) == ([secret], [])
    assert one.look_up([secret]).existence == {secret: "there"}
    assert "private" not in one.check()


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
def test_what_passes_interrupts_and_loses_nothing(
    reddit: RedditStandIn, collector: Callable[..., Reddit], fault: Fault
) -> None:
    burst(reddit, 3)
    cursor = Round(collector()).cursor
    names = burst(reddit, 3)
    reddit.misbehave(fault)
    one = collector()
    with pytest.raises(Interrupted) as interrupted:
        Round(one, cursor)
    assert interrupted.value.retry_after == (7_000 if fault.headers else None)
    assert Round(one, cursor).names == names


def test_nothing_is_slept_or_tried_again_where_a_stop_cannot_reach(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
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


def test_a_token_that_ends_early_is_renewed(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    one = collector()
    cursor = Round(one).cursor
    reddit.end_tokens()
    name = reddit.publish("Acme")
    assert Round(one, cursor).names == [name]


def test_a_strange_thing_is_told_once_and_the_rest_goes_on(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    one = collector()
    cursor = Round(one).cursor
    strange = reddit.publish("Acme", more={"created_utc": "yesterday"})
    unknown = reddit.publish("Acme", more={"holograms": [{"depth": 3}], "score": None, "edited": "maybe"})
    found = Round(one, cursor)
    assert found.names == [unknown]
    (malformed,) = [one for delivery in found.deliveries for one in delivery.malformed]
    assert strange.encode() in malformed.payload
    again = Round(one, found.cursor)
    assert [one for delivery in again.deliveries for one in delivery.malformed] == []


def test_reddit_sees_who_asks(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    Round(collector())
    assert all("(by /u/ana-writes)" in agent and ":clamor:v" in agent for agent in reddit.agents)


def test_a_busy_subreddit_is_asked_sooner(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    one = collector(interval="1m", shortest_interval="60ms")
    cursor = Round(one).cursor
    assert one.interval == 60_000
    burst(reddit, 900)
    cursor = Round(one, cursor).cursor
    assert 60 <= one.interval < 10_000
    for _ in range(40):
        cursor = Round(one, cursor).cursor
    assert one.interval == 60_000


# --- history, sweeps, threads, estimates, checks ---


def test_a_span_is_filled_as_far_as_a_listing_goes(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    hours = [reddit.publish(f"Acme {n}", at=(1_700_000 + n) * 1_000_000) for n in range(300)]
    one = collector()
    span = Span(1_700_100 * 1_000_000, 1_700_200 * 1_000_000)
    found = [draft.native_id for delivery in one.fill("", span, None) for draft in delivery.drafts]
    assert sorted(found) == sorted(hours[100:200])


def test_what_lies_behind_a_listing_cannot_be_filled(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    for n in range(1_100):
        reddit.publish(f"Acme {n}", at=(1_700_000 + n) * 1_000_000)
    one = collector()
    with pytest.raises(Unfillable, match="about a thousand"):
        list(one.fill("", Span(1_700_000 * 1_000_000, 1_700_050 * 1_000_000), None))
    partly = list(one.fill("", Span(1_700_000 * 1_000_000, 1_700_150 * 1_000_000), None))
    assert sum(len(delivery.drafts) for delivery in partly) == 50
    assert [(delivery.missed, delivery.reason) for delivery in partly][-1] == (None, "page cap")


def test_a_sweep_tells_deleted_removed_edited_and_absent(
    reddit: RedditStandIn, collector: Callable[..., Reddit]
) -> None:
    one = collector()
    assert isinstance(one, Sweepable)
    old = int((time.time() - 7_200) * 1000)
    post, other = reddit.publish("Acme 1"), reddit.publish("Acme 2", at=old)
    edited, deleted = reddit.comment("Acme 3", on=post, at=old), reddit.comment("Acme 4", on=post)
    removed, vanished = reddit.publish("Acme 5"), reddit.publish("Acme 6")
    orphan = reddit.comment("Acme 7", on=post, author="dora", at=old)
    reddit.edit(edited, "Acme, but better")
    reddit.edit(post, "Acme without a mark", marked=False)
    reddit.delete(deleted)
    reddit.put(removed, "removed")
    reddit.put(vanished, "vanished")
    reddit.close_account("dora")
    found = one.look_up([post, other, edited, deleted, removed, vanished, orphan])
    assert found.existence == {
        post: "there",
        other: "there",
        edited: "there",
        deleted: "gone",
        removed: "gone",
        vanished: "absent",
        orphan: "there",
    }
    drafts = {draft.native_id: draft for draft in found.drafts}
    assert (drafts[edited].kind, drafts[edited].text) == ("edited", "Acme, but better")
    assert drafts[edited].edited_at is not None
    assert (drafts[post].kind, drafts[post].text) == ("edited", "Acme without a mark")
    assert drafts[other].kind == "metrics"
    assert (drafts[orphan].kind, drafts[orphan].author, drafts[orphan].text) == ("edited", None, "Acme 7")


def test_what_a_comment_answers_comes_nearest_first(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    post = reddit.publish("Does Acme answer?")
    upper = reddit.comment("No", on=post)
    middle = reddit.comment("Never", on=upper)
    own = reddit.comment("Me neither", on=middle)
    below = reddit.comment("Write to them", on=own)
    one = collector()
    assert isinstance(one, Contextual)
    (delivery,) = one.context(own)
    assert [draft.native_id for draft in delivery.drafts] == [middle, upper, post, below]
    (of_post,) = one.context(post)
    assert {draft.native_id for draft in of_post.drafts} == {upper, middle, own, below}
    assert list(one.context("t1_zzzzz")) == []


def test_a_sample_says_how_much_a_brand_would_bring(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    now = int(time.time() * 1000)
    for hours in (1, 1, 5, 30):
        reddit.publish("Acme", at=now - hours * HOUR - 60_000, subreddit="anywhere")
    one = collector(search=True)
    assert isinstance(one, Estimable)
    sample = one.sample(wanted([ACME])[0])
    assert (sum(sample.posts_by_hour), len(sample.posts_by_hour), sample.capped) == (3, 24, False)
    assert sample.posts_by_hour[22] == 2
    burst(reddit, 400)
    assert one.sample(wanted([ACME])[0]).capped


def test_a_check_says_as_whom_and_what_cannot_be_read(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    one = collector(subreddits=("acme", "nowhere"))
    assert isinstance(one, Checkable)
    assert one.check() == (
        "Reddit answers as the app alone, 999 requests are left in this window; "
        "but r/nowhere: there is none of that name, or it was banned"
    )
    assert "as u/ana-writes" in collector(password_env="PASSWORD").check()
    assert collector(subreddits=(), search=True).check().startswith("Reddit answers")


@pytest.mark.parametrize(
    ("settings", "secrets", "words"),
    [
        ({}, {}, "ID and SECRET not set"),
        ({}, {"ID": "x", "SECRET": "y"}, "ID and SECRET hold what reddit.com/prefs/apps shows"),
        ({"password_env": "PASSWORD"}, {**SECRETS, "PASSWORD": "wrong-one"}, "script app of u/ana-writes"),
    ],
)
def test_what_is_wrong_with_the_access_is_told_without_a_secret(
    collector: Callable[..., Reddit], settings: dict[str, Any], secrets: dict[str, str], words: str
) -> None:
    with pytest.raises(Denied, match=words) as denied:
        collector(secrets=secrets, **settings).check()
    assert not any(secret in str(denied.value) for secret in secrets.values() if len(secret) > 1)


# --- with the runner ---


def test_a_stop_in_the_middle_of_a_round_and_an_outage_lose_nothing(
    reddit: RedditStandIn,
    collector: Callable[..., Reddit],
    log: EmbeddedLog,
    cursors: Cursors,
    ledger: Ledger,
    held: Any,
) -> None:
    stop = Event()
    with _running(collector(stop=stop), log, cursors, ledger, stop):
        _until(lambda: cursors.get("source") is not None)
        names = burst(reddit, 150)
        reddit.misbehave(Fault("status", times=3, only="/r/"))
        _until(lambda: len(held.posts()) >= 150)
    names += burst(reddit, 150)
    stop = Event()
    with _running(collector(stop=stop), log, cursors, ledger, stop):
        _until(lambda: len({post.id for post in held.posts()}) >= 300)
        _until(lambda: not ledger.gaps())
    assert {post.id for post in held.posts()} == {f"reddit:{name}" for name in names}
    assert ledger.gaps() == []


class _running:
    def __init__(self, one: Reddit, log: EmbeddedLog, cursors: Cursors, ledger: Ledger, stop: Event) -> None:
        runner = Runner(
            one,
            log,
            cursors,
            ledger,
            WallClock(),
            prefilter=compile_prefilter([ACME]),
            backoff=Backoff(first=1, most=5),
            stop=stop,
        )
        self.stop, self.thread = stop, Thread(target=runner.run)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


def _until(done: Callable[[], bool], seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.01)


# --- what every collector promises ---


class SubredditCase:
    """A subreddit that is read whole."""

    edits = deletes = "sweep"
    fills = True
    first = "/r/"
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


def test_every_request_of_a_round_stands_in_the_ledger(reddit: RedditStandIn, collector: Callable[..., Reddit]) -> None:
    one = collector(comments=True, search=True, subreddits=("acme", "acmefans"))
    first = Round(one)
    burst(reddit, 320)
    second = Round(one, first.cursor)
    told = sum(delivery.asked for each in (first, second) for delivery in each.deliveries)
    assert told == reddit.asked("/") - reddit.asked("/api/v1/access_token")


# --- numbers, and the stand-in itself ---


def test_a_number_is_the_name_in_base_36() -> None:
    for number in (0, 35, 36, 36**7 - 1, 123_456_789_012):
        assert number_of(name_of("t1", number)) == number
    assert Known().arrived([]) is False


def test_praw_itself_reads_the_stand_in(reddit: RedditStandIn) -> None:
    for n in range(250):
        post = reddit.publish(f"Acme {n}")
    answer = reddit.comment("Me too", on=post)
    reddit.resets_in = 0  # praw spreads its requests over the window, asleep
    with praw.Reddit(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        user_agent="test:clamor.tests:v1 (by /u/ana-writes)",
        oauth_url=reddit.url,
        reddit_url=reddit.url,
        check_for_updates=False,
    ) as client:
        newest = list(client.subreddit("acme").new(limit=None))
        assert (len(newest), newest[0].selftext) == (250, "Acme 249")
        (comment,) = client.subreddit("acme").comments(limit=None)
        assert (comment.body, comment.link_id, comment.author.name) == ("Me too", post, "ben")
        found = list(client.info(fullnames=[post, answer]))
        assert [type(one) for one in found] == [Submission, Comment]
        assert len(list(client.subreddit("all").search('"Acme 1"', sort="new", limit=None))) > 0
    assert standin.PAGE == 100
