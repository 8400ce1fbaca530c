"""Reddit's posts and comments: what is read of them, and of those that are asked for by time, name or thread."""

from __future__ import annotations

import time

import praw
import pytest
from praw.models import Comment, Submission

from ingest.collector import Contextual, Estimable, Span, Sweepable, Unfillable
from ingest.networks.reddit_listings import Known
from ingest.networks.reddit_posts import name_of, number_of
from ingest.wanted import wanted
from stream.clock import HOUR
from tests.ingest.networks.reddit_rounds import ACME, Asks, Round, burst
from tests.standins import reddit as standin
from tests.standins.reddit import CLIENT_ID, CLIENT_SECRET, RedditStandIn


def test_a_post_says_what_reddit_says_of_it(reddit: RedditStandIn, collector: Asks) -> None:
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


def test_a_span_is_filled_as_far_as_a_listing_goes(reddit: RedditStandIn, collector: Asks) -> None:
    hours = [reddit.publish(f"Acme {n}", at=(1_700_000 + n) * 1_000_000) for n in range(300)]
    one = collector()
    span = Span(1_700_100 * 1_000_000, 1_700_200 * 1_000_000)
    found = [draft.native_id for delivery in one.fill("", span, None) for draft in delivery.drafts]
    assert sorted(found) == sorted(hours[100:200])


def test_what_lies_behind_a_listing_cannot_be_filled(reddit: RedditStandIn, collector: Asks) -> None:
    for n in range(1_100):
        reddit.publish(f"Acme {n}", at=(1_700_000 + n) * 1_000_000)
    one = collector()
    with pytest.raises(Unfillable, match="about a thousand"):
        list(one.fill("", Span(1_700_000 * 1_000_000, 1_700_050 * 1_000_000), None))
    partly = list(one.fill("", Span(1_700_000 * 1_000_000, 1_700_150 * 1_000_000), None))
    assert sum(len(delivery.drafts) for delivery in partly) == 50
    assert [(delivery.missed, delivery.reason) for delivery in partly][-1] == (None, "page cap")


def test_a_sweep_tells_deleted_removed_edited_and_absent(reddit: RedditStandIn, collector: Asks) -> None:
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


def test_what_a_comment_answers_comes_nearest_first(reddit: RedditStandIn, collector: Asks) -> None:
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


def test_a_sample_says_how_much_a_brand_would_bring(reddit: RedditStandIn, collector: Asks) -> None:
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
