"""Reddit: nothing that a listing, a search or a number leads to is lost, and what is lost is known."""

from __future__ import annotations

import pytest

from ingest.collector import CursorLost
from ingest.networks.reddit_listings import LONGEST_QUERY, searches
from ingest.networks.reddit_posts import number_of
from ingest.wanted import Wanted
from tests.ingest.networks.reddit_rounds import Asks, Round, burst
from tests.standins.reddit import RedditStandIn

# --- a round ---


def test_from_now_on_every_new_post_and_comment_comes_once(reddit: RedditStandIn, collector: Asks) -> None:
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


@pytest.mark.parametrize("count", [99, 100, 101, 900])
def test_a_burst_that_a_listing_shows_is_read_back_to_the_last_one_seen(
    reddit: RedditStandIn, collector: Asks, count: int
) -> None:
    burst(reddit, 3, at=1_700_000_000_000)
    one = collector()
    cursor = Round(one).cursor
    names = burst(reddit, count)
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])
    assert Round(one, found.cursor).names == []


def test_twelve_hundred_posts_between_two_polls_lose_none(reddit: RedditStandIn, collector: Asks) -> None:
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
    reddit: RedditStandIn, collector: Asks
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


def test_comments_beyond_a_listing_are_looked_up(reddit: RedditStandIn, collector: Asks) -> None:
    post = reddit.publish("Acme is down")
    reddit.comment("first", on=post)
    one = collector(comments=True)
    cursor = Round(one).cursor
    reddit.allowed = 10**6
    names = sorted(reddit.comment(f"Acme {n}", on=post) for n in range(3_000))
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])


def test_subreddits_that_are_asked_for_together_overflow_one_by_one(reddit: RedditStandIn, collector: Asks) -> None:
    burst(reddit, 3)
    burst(reddit, 3, subreddit="acmefans")
    one = collector(subreddits=("Acme", "AcmeFans"), most_scanned=0)
    cursor = Round(one).cursor
    names = sorted(burst(reddit, 800) + burst(reddit, 800, subreddit="AcmeFans"))
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])


def test_the_last_one_seen_may_be_deleted(reddit: RedditStandIn, collector: Asks) -> None:
    seen = burst(reddit, 150)
    one = collector()
    cursor = Round(one).cursor
    for name in seen:
        reddit.delete(name)
    older = burst(reddit, 130)
    found = Round(one, cursor)
    assert (found.names, found.missing) == (older, [])


def test_a_page_whose_last_post_is_deleted_meanwhile_has_a_next_one(reddit: RedditStandIn, collector: Asks) -> None:
    burst(reddit, 3)
    one = collector(most_scanned=0)
    cursor = Round(one).cursor
    names = sorted(burst(reddit, 250), key=number_of)
    reading = one.collect(cursor)
    found = [draft.native_id for draft in next(reading).drafts]
    reddit.delete(names[150])
    found += [draft.native_id for delivery in reading for draft in delivery.drafts]
    assert sorted(found, key=number_of) == names


def test_a_post_that_a_moderator_approves_late_comes_below_newer_ones(reddit: RedditStandIn, collector: Asks) -> None:
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


def test_an_old_post_at_the_top_does_not_end_the_reading(reddit: RedditStandIn, collector: Asks) -> None:
    seen = burst(reddit, 5)
    one = collector()
    cursor = Round(one).cursor
    names = burst(reddit, 150)
    reddit.things[seen[0]].created += 3_600
    found = Round(one, cursor)
    assert set(names) <= set(found.names)


def test_what_a_killed_round_brought_comes_again(reddit: RedditStandIn, collector: Asks) -> None:
    burst(reddit, 3)
    cursor = Round(collector()).cursor
    names = burst(reddit, 250)
    killed = collector().collect(cursor)
    next(killed)
    found = Round(collector(), cursor)
    assert found.names == names


def test_a_look_up_that_is_interrupted_goes_on_where_it_was(reddit: RedditStandIn, collector: Asks) -> None:
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


def test_another_company_of_subreddits_goes_on_where_the_former_stood(reddit: RedditStandIn, collector: Asks) -> None:
    burst(reddit, 3)
    cursor = Round(collector()).cursor
    missed = burst(reddit, 3)
    found = Round(collector(subreddits=("acme", "other")), cursor)
    assert found.names == missed


def test_a_strange_cursor_is_lost(collector: Asks) -> None:
    with pytest.raises(CursorLost):
        Round(collector(), "{}")


def test_a_busy_subreddit_is_asked_sooner(reddit: RedditStandIn, collector: Asks) -> None:
    one = collector(interval="1m", shortest_interval="60ms")
    cursor = Round(one).cursor
    assert one.interval == 60_000
    burst(reddit, 900)
    cursor = Round(one, cursor).cursor
    assert 60 <= one.interval < 10_000
    for _ in range(40):
        cursor = Round(one, cursor).cursor
    assert one.interval == 60_000


# --- searching ---


def test_brands_are_searched_for_everywhere(reddit: RedditStandIn, collector: Asks) -> None:
    one = collector(subreddits=(), search=True)
    cursor = Round(one).cursor
    name = reddit.publish("what does Acme say?", subreddit="anywhere")
    own = reddit.publish("We are here", subreddit="anywhere", author="AcmeSupport")
    reddit.publish("nothing of it", subreddit="anywhere", title="Weather")
    found = Round(one, cursor)
    assert found.names == sorted([name, own])
    assert {draft.query_ids for draft in found.drafts} == {("acme",)}


def test_a_search_that_overflows_is_looked_up_by_number(reddit: RedditStandIn, collector: Asks) -> None:
    reddit.publish("Acme", subreddit="anywhere")
    one = collector(subreddits=(), search=True)
    cursor = Round(one).cursor
    names = burst(reddit, 600, subreddit="anywhere")
    found = Round(one, cursor)
    assert (found.names, found.missing) == (names, [])


def test_a_brand_without_budget_is_left_out_and_said_to_be(reddit: RedditStandIn, collector: Asks) -> None:
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
