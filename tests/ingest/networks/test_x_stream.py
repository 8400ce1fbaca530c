"""X's stream, listened to over a socket: what is on the network comes, once in effect, whatever the connection does;
what cannot come is in the ledger; nothing is asked for that the budget does not allow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from config.brands import Brand
from ingest.collector import Checkable, Contextual, Estimable, Sweepable
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.networks.x_standing import REFUSED, SPEND_CAP
from ingest.patience import Backoff
from ingest.runner import Runner
from stream.clock import WallClock
from stream.embedded import EmbeddedLog
from stream.records import Post
from tests.ingest.collecting import running, until
from tests.ingest.conftest import Held
from tests.ingest.networks.x_source import ACME, OTHER, Asking
from tests.standins.server import Fault, Request
from tests.standins.x import TOKEN, XStandIn

TAG = "clamor/source/"
# What is tried here is X's: the places where Clamor keeps what it knows are tried elsewhere.
pytestmark = pytest.mark.parametrize("kept_in", ["sqlite"], indirect=True)


@pytest.fixture
def run(log: EmbeddedLog, cursors: Cursors, ledger: Ledger) -> Iterator[Callable[[Asking], Runner]]:
    with ExitStack() as at_work:

        def run(asking: Asking) -> Runner:
            runner = Runner(
                asking.collector(), log, cursors, ledger, WallClock(), backoff=Backoff(first=10, most=50),
                stop=asking.stop,
            )  # fmt: skip
            return at_work.enter_context(running(runner))

        yield run


def versions(held: Held) -> dict[str, Post]:
    """Of each post what came last."""
    return {post.id: post for post in held.posts()}


def connected(x: XStandIn) -> Callable[[], bool]:
    return lambda: bool(x.connections)


def test_it_keeps_every_protocol(x: XStandIn) -> None:
    one = Asking(x).collector()
    assert isinstance(one, Sweepable)
    assert isinstance(one, Contextual)
    assert isinstance(one, Estimable)
    assert isinstance(one, Checkable)


def test_posts_and_edits_come_as_they_are_written(x: XStandIn, run: Callable[..., Runner], held: Held) -> None:
    run(Asking(x))
    until(connected(x))
    id = x.publish("Acme & <co> is late")
    x.publish("nobody is meant")
    until(lambda: f"x:{id}" in versions(held))
    x.edit(id, "Acme is on time")
    until(lambda: versions(held)[f"x:{id}"].kind == "edited")
    first, last = [post for post in held.posts() if post.id == f"x:{id}"]
    assert (first.text, first.revision, first.query_ids) == ("Acme & <co> is late", 0, ("acme",))
    assert (last.text, last.revision, last.origin) == ("Acme is on time", 1, "live")
    assert last.edited_at is not None
    assert first.author is not None
    assert first.author.handle == "ana"
    assert len(versions(held)) == 1


def test_the_rules_of_other_programs_stay_and_what_only_they_match_is_not_kept(
    x: XStandIn, run: Callable[..., Runner], held: Held
) -> None:
    x.rules["77"] = {"id": "77", "value": '"weather"', "tag": "theirs"}
    x.rules["78"] = {"id": "78", "value": '"gone by"', "tag": TAG + "gone"}
    run(Asking(x))
    until(connected(x))
    assert {rule["tag"] for rule in x.rules.values()} == {"theirs", TAG + "acme"}
    x.publish("the weather is fine")
    id = x.publish("Acme and the weather")
    until(lambda: bool(held.posts()))
    assert [post.id for post in held.posts()] == [f"x:{id}"]


def test_a_new_brand_is_asked_for_without_a_new_connection(x: XStandIn, run: Callable[..., Runner], held: Held) -> None:
    asking = Asking(x)
    run(asking)
    until(connected(x))
    asking.brands = [ACME, OTHER]
    until(lambda: len(x.rules) == 2)
    x.publish("Other is fine")
    until(lambda: bool(held.posts()))
    assert held.posts()[0].query_ids == ("other",)
    asking.brands = [OTHER]
    until(lambda: [rule["tag"] for rule in x.rules.values()] == [TAG + "other"])
    assert x.asked("/2/tweets/search/stream") - x.asked("/2/tweets/search/stream/rules") == 1


def test_a_brand_whose_budget_is_used_up_is_not_asked_for_and_the_ledger_says_so(
    x: XStandIn, run: Callable[..., Runner], ledger: Ledger, held: Held
) -> None:
    asking = Asking(x)
    asking.brands = [ACME, OTHER]
    run(asking)
    until(connected(x))
    asking.capped = {"other"}
    until(lambda: len(x.rules) == 1)
    x.publish("Other is fine")
    x.publish("Acme is fine")
    until(lambda: bool(held.posts()))
    until(lambda: any(row.query == "other" for row in ledger.gaps()))
    (row,) = [row for row in ledger.gaps() if row.query == "other"]
    assert (row.reason, row.missed) == (SPEND_CAP, None)
    asking.capped = set()
    until(lambda: len(x.rules) == 2)
    assert len(versions(held)) == 1


def test_with_nobody_to_ask_for_there_is_no_connection_until_there_is(
    x: XStandIn, run: Callable[..., Runner], held: Held
) -> None:
    asking = Asking(x)
    asking.capped = {"acme"}
    runner = run(asking)
    until(lambda: x.asked("/2/tweets/search/stream/rules") > 0)
    assert not x.connections
    asking.capped = set()
    until(connected(x))
    x.publish("Acme is fine")
    until(lambda: bool(held.posts()))
    assert not runner.trouble


def test_a_rule_that_x_refuses_stands_in_the_ledger_and_the_others_work(
    x: XStandIn, run: Callable[..., Runner], ledger: Ledger, held: Held
) -> None:
    asking = Asking(x, rule_length=2_048)
    asking.brands = [ACME, Brand(id="long", name="Long", aliases=tuple(f"{'long ' * 9}{n}" for n in range(30)))]
    run(asking)
    until(connected(x))
    x.publish("Acme is fine")
    until(lambda: bool(held.posts()))
    until(lambda: any(row.query == "long" and row.reason == REFUSED for row in ledger.gaps()))


@pytest.mark.parametrize("how", ["cut", "ended", "silent", "told", "half"])
def test_what_comes_while_the_connection_is_lost_is_searched_for(
    x: XStandIn, run: Callable[..., Runner], held: Held, ledger: Ledger, how: str
) -> None:
    if how == "silent":
        x.heartbeat = 1.0
    runner = run(Asking(x, silence="300ms") if how == "silent" else Asking(x))
    until(connected(x))
    x.publish("Acme one")
    until(lambda: len(versions(held)) == 1)
    x.misbehave(Fault("status", times=2, only="/2/tweets/search/stream", status=503))
    x.publish("Acme two", quiet=True)
    if how == "silent":
        until(lambda: "sign of life" in runner.trouble)
        x.heartbeat = 0.05
    elif how == "told":
        x.say(
            json.dumps({"errors": [{"title": "operational-disconnect", "type": "a/operational-disconnect"}]}).encode()
        )
    elif how == "half":
        x.say(b'{"data": {"id": "1", "te')
        x.end_streams()
    elif how == "cut":
        x.cut_streams()
    elif how == "ended":
        x.end_streams()
    until(lambda: len(versions(held)) == 2)
    until(lambda: all(row.state != "gap" for row in ledger.rows()))
    assert {post.text for post in held.posts()} == {"Acme one", "Acme two"}
    assert [post.origin for post in held.posts() if post.text == "Acme two"] == ["gapfill"]


def test_a_second_connection_is_refused_for_a_while_and_comes_then(
    x: XStandIn, run: Callable[..., Runner], held: Held
) -> None:
    x.heartbeat = 0.6
    first = Asking(x)
    one = first.collector().collect(None)
    with closing(one):
        next(one)
        second = run(Asking(x))
        until(lambda: "maximum allowed connection" in second.trouble)
    until(lambda: not second.trouble and bool(x.connections))
    x.publish("Acme is back")
    until(lambda: bool(held.posts()))


def test_lines_that_are_no_posts_are_dead_letters_and_the_rest_goes_on(
    x: XStandIn, run: Callable[..., Runner], held: Held
) -> None:
    run(Asking(x))
    until(connected(x))
    rule = next(iter(x.rules))
    x.say(b"[1, 2")
    x.say(json.dumps({"data": {"text": "no id"}, "matching_rules": [{"id": rule}]}).encode())
    x.say(json.dumps({"news": "a kind of message that is not known"}).encode())
    x.publish("Acme goes on")
    until(lambda: bool(held.posts()))
    until(lambda: len(held.dead()) == 2)


def test_it_stops_at_once_though_nothing_comes(x: XStandIn) -> None:
    x.heartbeat = 30.0
    asking = Asking(x, silence="30s")
    one = asking.collector().collect(None)
    next(one)
    began = time.monotonic()
    asking.stop.set()
    assert list(one) == []
    assert time.monotonic() - began < 2.0


def test_a_source_that_may_repeat_asks_the_stream_for_its_last_minutes(x: XStandIn) -> None:
    x.enterprise = True
    with closing(Asking(x, backfill_minutes=5).collector().collect(None)) as one:
        next(one)
    assert [request.params["backfill_minutes"] for request in x.requests if request.path.endswith("/stream")] == ["5"]


def test_no_delivery_costs_more_than_was_reserved_for_it(x: XStandIn) -> None:
    asking = Asking(x)
    deliveries = asking.collector().collect(None)
    with closing(deliveries):  # type: ignore[type-var]
        next(deliveries)
        for n in range(250):
            x.publish(f"Acme {n}")
        costs: list[int] = []
        while sum(costs) < 250:
            costs.append(next(deliveries).cost)
    assert max(costs) <= asking.settings.documented().most


def test_a_client_that_goes_before_the_first_byte_leaves_no_connection_behind(x: XStandIn) -> None:
    """Of the stand-in itself: it would refuse everybody from then on, and X would look cut for good."""
    x.rules["1"] = {"id": "1", "value": "acme"}
    asked = Request("GET", "/2/tweets/search/stream", {}, {"authorization": f"Bearer {TOKEN}"}, b"", 0.0)
    said: Any = x.answer(asked).body
    assert len(x.connections) == 1
    said.close()
    assert not x.connections
