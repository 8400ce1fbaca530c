"""Reddit: who asks, what that one may read, and for whom it is brought."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.collector import Accountable, Checkable, Denied, Interrupted
from tests.ingest.networks.reddit_rounds import SECRETS, Asks, Round
from tests.standins.reddit import RedditStandIn
from tests.standins.server import Fault


def test_a_private_subreddit_among_others_is_told(reddit: RedditStandIn, collector: Asks) -> None:
    reddit.subreddits |= {"acmestaff": "private"}
    found = Round(collector(subreddits=("acme", "acmestaff", "acmee")))
    assert [(query, missed) for query, missed, _ in found.missing] == [("r/acmee", None), ("r/acmestaff", None)]
    assert "private" in found.missing[1][2]


def test_none_that_can_be_read_is_for_a_person(reddit: RedditStandIn, collector: Asks) -> None:
    reddit.subreddits["acme"] = "private"
    with pytest.raises(Denied, match="r/acme: it is private"):
        Round(collector())


def test_a_subreddit_that_closes_meanwhile_leaves_the_others_alone(reddit: RedditStandIn, collector: Asks) -> None:
    one = collector(search=True)
    cursor = Round(one).cursor
    reddit.subreddits["acme"] = "private"
    name = reddit.publish("Acme", subreddit="anywhere")
    found = Round(one, cursor)
    assert found.names == [name]
    assert [(query, missed) for query, missed, _ in found.missing] == [("subreddits/posts", None)]


@pytest.mark.parametrize("kind", ["private", "restricted", "employees_only", "gold_only", "of a kind to come"])
def test_what_not_everybody_may_read_is_not_brought_for_everybody(
    reddit: RedditStandIn, collector: Asks, kind: str
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


def test_a_source_for_few_brings_what_few_may_read(reddit: RedditStandIn, collector: Asks) -> None:
    reddit.subreddits |= {"staff": "private"}
    one = collector(subreddits=("staff",), password_env="PASSWORD", access="staff")
    cursor = Round(one).cursor
    secret = reddit.publish("Acme, said to few", subreddit="staff")
    found = Round(one, cursor)
    assert (found.names, found.missing) == ([secret], [])
    assert one.look_up([secret]).existence == {secret: "there"}
    assert "private" not in one.check()


def test_reddit_sees_who_asks(reddit: RedditStandIn, collector: Asks) -> None:
    Round(collector())
    assert all("(by /u/ana-writes)" in agent and ":clamor:v" in agent for agent in reddit.agents)


def test_a_token_that_ends_early_is_renewed(reddit: RedditStandIn, collector: Asks) -> None:
    one = collector()
    cursor = Round(one).cursor
    reddit.end_tokens()
    name = reddit.publish("Acme")
    assert Round(one, cursor).names == [name]


def test_a_check_says_as_whom_and_what_cannot_be_read(reddit: RedditStandIn, collector: Asks) -> None:
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
    collector: Asks, settings: dict[str, Any], secrets: dict[str, str], words: str
) -> None:
    with pytest.raises(Denied, match=words) as denied:
        collector(secrets=secrets, **settings).check()
    assert not any(secret in str(denied.value) for secret in secrets.values() if len(secret) > 1)


def test_an_account_stands_as_reddit_says(reddit: RedditStandIn, collector: Asks) -> None:
    one = collector()
    assert isinstance(one, Accountable)
    reddit.publish("From us", author="AcmeSupport")
    assert one.account("AcmeSupport") == "there"
    reddit.suspended.add("AcmeSupport")
    assert one.account("AcmeSupport") == "suspended"
    assert (one.account("nobody-has-it"), one.account("../r/acme")) == ("gone", "gone")
    reddit.close_account("nora")
    assert one.account("nora") == "gone"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault("status", status=503), Interrupted),
        (Fault("status", status=403, body=b'{"message": "Forbidden", "error": 403}'), Denied),
        (Fault("status", status=200, body=b'{"kind": "Listing", "data": {}}'), Interrupted),
        (Fault("status", status=200, body=b"[]"), Interrupted),
    ],
)
def test_what_says_nothing_of_an_account_is_no_state(
    reddit: RedditStandIn, collector: Asks, fault: Fault, raised: type[Exception]
) -> None:
    one = collector()
    reddit.publish("From us", author="AcmeSupport")
    assert one.account("AcmeSupport") == "there"
    reddit.misbehave(fault)
    with pytest.raises(raised):
        one.account("AcmeSupport")
