"""X, asked about single posts, before a source runs, and when it refuses."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from config.sources import XSource
from ingest.collector import Accountable, Denied, Interrupted
from ingest.sweep_plan import due, schedule_of
from stream.clock import HOUR
from tests.ingest.networks.x_source import Asking, texts
from tests.standins.server import Fault
from tests.standins.x import TOKEN, XStandIn

# --- single posts ---


def test_looking_up_tells_deletes_edits_and_reach(x: XStandIn) -> None:
    there, edited, gone, private, held_back = (x.publish(f"Acme {number}") for number in range(5))
    x.posts[there].likes = 7
    x.edit(edited, "Acme mended")
    x.delete(gone)
    x.delete(private, "protected")
    x.posts[held_back].withheld = {"copyright": True, "country_codes": ["XY"]}
    found = Asking(x).collector().look_up([there, edited, gone, private, held_back, "no-id"])
    assert found.existence == {
        there: "there", edited: "there", gone: "gone", private: "gone", held_back: "gone", "no-id": "absent",
    }  # fmt: skip
    drafts = {draft.native_id: draft for draft in found.drafts}
    assert drafts.keys() == {there, edited}
    assert drafts[there].kind == "metrics"
    assert drafts[there].metrics is not None
    assert drafts[there].metrics.likes == 7
    assert (drafts[edited].kind, drafts[edited].text, drafts[edited].revision) == ("edited", "Acme mended", 1)
    assert found.asked == 2
    assert found.cost == 4


def test_a_compliance_job_tells_deletes_of_many(x: XStandIn) -> None:
    there, gone, private, moved = (x.publish(f"Acme {number}") for number in range(4))
    x.delete(gone)
    x.delete(private, "protected")
    x.delete(moved, "scrub_geo")
    one = Asking(x, sweep="batch").collector()
    assert one.most_looked_up == 10_000
    found = one.look_up([there, gone, private, moved])
    assert found.existence == {there: "there", gone: "gone", private: "gone", moved: "there"}
    assert (found.cost, list(found.drafts)) == (0, [])
    (upload,) = [request for request in x.requests if request.path.startswith("/upload/")]
    assert "authorization" not in upload.headers


def test_what_a_post_answers_is_fetched_upwards_nearest_first(x: XStandIn) -> None:
    root = x.publish("the beginning")
    middle = x.publish("an answer", references=[("replied_to", root)])
    last = x.publish("Acme, really?", references=[("replied_to", middle)])
    deliveries = list(Asking(x).collector().context(last))
    assert texts(deliveries) == ["an answer", "the beginning"]
    assert sum(one.cost for one in deliveries) == 3


def test_a_thread_whose_beginning_is_gone_ends_there(x: XStandIn) -> None:
    root = x.publish("the beginning")
    last = x.publish("Acme, really?", references=[("replied_to", root)])
    x.delete(root)
    assert texts(Asking(x).collector().context(last)) == []


# --- before it runs ---


def test_a_sample_counts_by_the_hour_and_reads_no_post(x: XStandIn) -> None:
    now = time.time_ns() // 1_000_000
    for hours in (0.5, 0.6, 30.0):
        x.publish("Acme here", at=round(now - hours * HOUR))
    asking = Asking(x)
    sample = asking.collector().sample(asking.setting.wanted()[0])
    assert len(sample.posts_by_hour) == 168
    assert sample.posts_by_hour[-1] == 2
    assert sum(sample.posts_by_hour) == 3
    assert x.read == 0


def test_a_check_says_what_works(x: XStandIn) -> None:
    x.rules["77"] = {"id": "77", "value": '"weather"', "tag": "theirs"}
    said = Asking(x).collector().check()
    assert "0 of 3,000,000 posts read this month, counted anew from day 4" in said
    assert "1 of 1,000 rules" in said
    assert "the plan allows the filtered stream, its usage, recent search, looking posts up" in said
    assert x.read == 0, "a test costs no post"


def test_a_check_names_what_the_plan_refuses_of_what_the_source_asks_for(x: XStandIn) -> None:
    forbidden = {"title": "Client Forbidden", "reason": "client-not-enrolled", "detail": "not in this plan"}
    x.misbehave(
        Fault("status", status=403, body=json.dumps(forbidden).encode(), only="/2/tweets/search/all"),
        Fault("status", status=503, only="/2/usage"),
    )
    one = Asking(x, full_archive=True, compliance=True, sweep="batch").collector()
    with pytest.raises(Denied) as denied:
        one.check()
    said = str(denied.value)
    assert "the full archive: X does not allow this (not in this plan)" in said
    assert "compliance stream /2/tweets/compliance/stream: X does not allow" in said
    assert "allows the filtered stream, looking posts up, compliance jobs" in said
    assert "not to be learnt now: its usage" in said
    assert one.check_used == (7, 0)
    x.enterprise = True
    assert "compliance stream /2/users/compliance/stream" in one.check()


def test_no_error_repeats_the_token_that_x_sends_back(x: XStandIn) -> None:
    for status in (400, 401, 403, 422, 429, 500):
        body = json.dumps({"title": "Bad", "detail": f"Bearer {TOKEN} is bad", "type": "p/usage-capped"}).encode()
        x.misbehave(Fault("status", status=status, body=body))
        with pytest.raises((Denied, Interrupted)) as fault:
            Asking(x).collector().check()
        assert TOKEN not in str(fault.value)


# --- when it refuses ---


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"title": "Unauthorized", "detail": "Unauthorized"}, "X_TOKEN"),
        (402, {"title": "CreditsDepleted", "detail": "no credits left"}, "console.x.com"),
        (
            403,
            {"title": "Client Forbidden", "detail": "no such access", "type": "p/client-forbidden"},
            "no such access",
        ),
    ],
)
def test_what_a_person_has_to_mend_is_told_in_words(x: XStandIn, status: int, body: dict[str, str], words: str) -> None:
    x.misbehave(Fault("status", status=status, body=json.dumps(body).encode()))
    with pytest.raises(Denied, match=words) as denied:
        next(Asking(x).collector().collect(None))
    assert TOKEN not in str(denied.value)


@pytest.mark.parametrize("token", [None, "", "two words", "tökén", "line\nline"])
def test_a_token_that_is_none_is_told_without_being_shown(x: XStandIn, token: str | None) -> None:
    asking = Asking(x)
    asking.token = token
    with pytest.raises(Denied, match="X_TOKEN") as denied:
        asking.collector().check()
    assert not token or token not in str(denied.value)
    assert not x.requests


def test_a_used_up_cap_waits_as_long_as_x_says(x: XStandIn) -> None:
    body = json.dumps({"title": "UsageCapExceeded", "detail": "Monthly product cap", "type": "p/usage-capped"}).encode()
    x.misbehave(Fault("status", status=429, body=body))
    with pytest.raises(Interrupted, match="cap of posts") as capped:
        next(Asking(x).collector().collect(None))
    assert capped.value.retry_after == HOUR


def test_x_saying_when_to_ask_again_is_believed_by_its_own_clock(x: XStandIn) -> None:
    x.left["/2/tweets/search/stream/rules"] = 0
    with pytest.raises(Interrupted, match="too many requests") as limited:
        next(Asking(x).collector().collect(None))
    assert limited.value.retry_after is not None
    assert 890_000 < limited.value.retry_after <= 901_000


def test_an_account_stands_as_x_says(x: XStandIn) -> None:
    one = Asking(x).collector()
    assert isinstance(one, Accountable)
    assert one.account("acmehelp") == "there"
    x.accounts_gone = {"acmehelp": "suspended", "acme": "deleted"}
    assert (one.account("acmehelp"), one.account("acme")) == ("suspended", "gone")
    x.misbehave(Fault("status", status=503))
    with pytest.raises(Interrupted):
        one.account("acme")


@pytest.mark.parametrize(
    ("set_to", "fewest", "most"),
    [({}, 6, 7), ({"look_again": [{"younger_than": "30d", "every": "24h"}]}, 35, 40)],
    ids=["as set", "daily"],
)
def test_a_post_is_looked_at_as_often_in_its_first_month_as_the_page_says(
    set_to: dict[str, Any], fewest: int, most: int
) -> None:
    schedule = schedule_of(XSource.model_validate({"id": "x", "kind": "x", "token_env": "TOKEN", **set_to}))

    def looks(leeway: float) -> int:
        seen, count = 0, 0
        while (following := due(schedule, 0, seen)) is not None:
            seen, count = round(following.at + leeway * (following.limit - following.at)), count + 1
        return count

    assert (looks(0.5), looks(0.0)) == (fewest, most), "alone, and in full requests"
