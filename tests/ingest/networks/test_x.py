"""X, spoken to over a socket: what is on the network comes, once in effect, whatever the connection does; what cannot
come is in the ledger; nothing is asked for that the budget does not allow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from config.brands import Brand
from config.sources import XSource
from database.engine import open_database
from ingest.collector import Checkable, Contextual, Denied, Estimable, Interrupted, Source, Span, Sweepable, Unfillable
from ingest.coverage import Ledger
from ingest.cursors import Cursors
from ingest.networks.x import LATE, REPEATED, TOO_OLD, XCollector, collector
from ingest.networks.x import REFUSED as REFUSED_QUERY
from ingest.networks.x_standing import REFUSED, SPEND_CAP
from ingest.patience import Backoff
from ingest.runner import Runner
from ingest.setting import Setting
from ingest.wanted import wanted
from stream.clock import DAY, HOUR, MINUTE, WallClock
from stream.embedded import EmbeddedLog
from stream.records import Post
from tests.ingest.conftest import Held
from tests.places import new_database
from tests.standins.server import Fault
from tests.standins.x import TOKEN, XStandIn

ACME = Brand(id="acme", name="Acme", handles=("@acmehelp",))
OTHER = Brand(id="other", name="Other")
TAG = "clamor/source/"


@pytest.fixture
def x() -> Iterator[XStandIn]:
    with XStandIn(heartbeat=0.1, youngest=-5) as standin:
        yield standin


@pytest.fixture
def cursors(tmp_path: Path) -> Iterator[Cursors]:
    (tmp_path / "home").mkdir(exist_ok=True)
    engine = open_database(new_database(tmp_path / "home"))
    yield Cursors(engine)
    engine.dispose()


@pytest.fixture
def ledger(cursors: Cursors) -> Ledger:
    return Ledger(cursors.engine)


class Asking:
    """A source that listens for Acme, and what may change while it runs."""

    def __init__(self, x: XStandIn, **settings: object) -> None:
        self.brands: list[Brand] = [ACME]
        self.token: str | None = TOKEN
        self.capped: set[str] = set()
        self.stop = Event()
        self.settings = XSource.model_validate(
            {
                "kind": "x", "id": "source", "token_env": "X_TOKEN", "url": x.url, "search_lag": "0s",
                "refused_wait": "20ms", "silence": "20s", "rules_every": "50ms", **settings,
            }
        )  # fmt: skip
        self.setting = Setting(
            source=Source(id="source", network="x"),
            wanted=lambda: wanted(self.brands),
            secret=lambda name: self.token if name == "X_TOKEN" else None,
            clock=WallClock(),
            stop=self.stop,
            allowed=lambda brand: brand not in self.capped,
        )

    def collector(self) -> XCollector:
        return collector(self.settings, self.setting)


@pytest.fixture
def running(log: EmbeddedLog, cursors: Cursors, ledger: Ledger) -> Iterator[Callable[[Asking], Runner]]:
    started: list[tuple[Runner, Thread]] = []

    def start(asking: Asking) -> Runner:
        runner = Runner(
            asking.collector(), log, cursors, ledger, WallClock(), backoff=Backoff(first=10, most=50), stop=asking.stop
        )
        thread = Thread(target=runner.run)
        thread.start()
        started.append((runner, thread))
        return runner

    yield start
    for runner, _ in started:
        runner.stop.set()
    for _, thread in started:
        thread.join(10)
        assert not thread.is_alive()


def until(true: Callable[[], bool], seconds: float = 8.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


def versions(held: Held) -> dict[str, Post]:
    """Of each post what came last."""
    return {post.id: post for post in held.posts()}


def connected(x: XStandIn) -> Callable[[], bool]:
    return lambda: bool(x.connections)


# --- the stream ---


def test_it_keeps_every_protocol(x: XStandIn) -> None:
    one = Asking(x).collector()
    assert isinstance(one, Sweepable)
    assert isinstance(one, Contextual)
    assert isinstance(one, Estimable)
    assert isinstance(one, Checkable)


def test_posts_and_edits_come_as_they_are_written(x: XStandIn, running: Callable[..., Runner], held: Held) -> None:
    running(Asking(x))
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
    x: XStandIn, running: Callable[..., Runner], held: Held
) -> None:
    x.rules["77"] = {"id": "77", "value": '"weather"', "tag": "theirs"}
    x.rules["78"] = {"id": "78", "value": '"gone by"', "tag": TAG + "gone"}
    running(Asking(x))
    until(connected(x))
    assert {rule["tag"] for rule in x.rules.values()} == {"theirs", TAG + "acme"}
    x.publish("the weather is fine")
    id = x.publish("Acme and the weather")
    until(lambda: bool(held.posts()))
    assert [post.id for post in held.posts()] == [f"x:{id}"]


def test_a_new_brand_is_asked_for_without_a_new_connection(
    x: XStandIn, running: Callable[..., Runner], held: Held
) -> None:
    asking = Asking(x)
    running(asking)
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
    x: XStandIn, running: Callable[..., Runner], ledger: Ledger, held: Held
) -> None:
    asking = Asking(x)
    asking.brands = [ACME, OTHER]
    running(asking)
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
    x: XStandIn, running: Callable[..., Runner], held: Held
) -> None:
    asking = Asking(x)
    asking.capped = {"acme"}
    runner = running(asking)
    until(lambda: x.asked("/2/tweets/search/stream/rules") > 0)
    assert not x.connections
    asking.capped = set()
    until(connected(x))
    x.publish("Acme is fine")
    until(lambda: bool(held.posts()))
    assert not runner.trouble


def test_a_rule_that_x_refuses_stands_in_the_ledger_and_the_others_work(
    x: XStandIn, running: Callable[..., Runner], ledger: Ledger, held: Held
) -> None:
    asking = Asking(x, rule_length=2_048)
    asking.brands = [ACME, Brand(id="long", name="Long", aliases=tuple(f"{'long ' * 9}{n}" for n in range(30)))]
    running(asking)
    until(connected(x))
    x.publish("Acme is fine")
    until(lambda: bool(held.posts()))
    until(lambda: any(row.query == "long" and row.reason == REFUSED for row in ledger.gaps()))


@pytest.mark.parametrize("how", ["cut", "ended", "silent", "told", "half"])
def test_what_comes_while_the_connection_is_lost_is_searched_for(
    x: XStandIn, running: Callable[..., Runner], held: Held, ledger: Ledger, how: str
) -> None:
    if how == "silent":
        x.heartbeat = 1.0
    runner = running(Asking(x, silence="300ms") if how == "silent" else Asking(x))
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
    x: XStandIn, running: Callable[..., Runner], held: Held
) -> None:
    x.heartbeat = 0.6
    first = Asking(x)
    one = first.collector().collect(None)
    with closing(one):
        next(one)
        second = running(Asking(x))
        until(lambda: "maximum allowed connection" in second.trouble)
    until(lambda: not second.trouble and bool(x.connections))
    x.publish("Acme is back")
    until(lambda: bool(held.posts()))


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


def test_ten_thousand_posts_at_once_come_all(x: XStandIn, running: Callable[..., Runner], held: Held) -> None:
    runner = running(Asking(x))
    until(connected(x))
    ids = {x.publish(f"Acme burst {number}") for number in range(10_000)}
    until(lambda: runner.appended >= 10_000, 20.0)
    assert {post.id for post in held.posts()} == {f"x:{id}" for id in ids}


def test_lines_that_are_no_posts_are_dead_letters_and_the_rest_goes_on(
    x: XStandIn, running: Callable[..., Runner], held: Held
) -> None:
    running(Asking(x))
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


# --- search ---


def texts(found: Iterator[object]) -> list[str]:
    return [draft.text for delivery in found for draft in delivery.drafts]  # type: ignore[attr-defined]


def test_a_span_is_filled_a_day_at_a_time_and_page_by_page(x: XStandIn) -> None:
    x.page = 2
    now = time.time_ns() // 1_000_000
    for hours in (60, 50, 40, 30, 3, 2, 1):
        x.publish(f"Acme {hours}", at=now - hours * HOUR)
    x.publish("Acme before", at=now - 73 * HOUR)
    deliveries = list(Asking(x).collector().fill("", Span(now - 3 * DAY, now), None))
    found = texts(iter(deliveries))
    assert found == ["Acme 50", "Acme 60", "Acme 30", "Acme 40", "Acme 1", "Acme 2", "Acme 3"]
    assert sum(one.cost for one in deliveries) == 7
    assert {one.query for one in deliveries} == {""}


def test_a_filling_that_was_broken_off_goes_on_where_it_stood(x: XStandIn) -> None:
    x.page = 2
    now = time.time_ns() // 1_000_000
    for minutes in range(9):
        x.publish(f"Acme {minutes}", at=now - minutes * MINUTE - MINUTE)
    whole = Span(now - HOUR, now)
    one = Asking(x).collector().fill("", whole, None)
    came = [next(one), next(one)]
    rest = list(Asking(x).collector().fill("", whole, came[-1].cursor))
    assert len(texts(iter(came))) == 4
    assert len(texts(iter(rest))) == 5
    assert len({*texts(iter(came)), *texts(iter(rest))}) == 9


def test_a_page_that_x_no_longer_knows_is_asked_for_anew(x: XStandIn) -> None:
    now = time.time_ns() // 1_000_000
    x.publish("Acme one", at=now - MINUTE)
    asking = Asking(x).collector()
    (delivery,) = asking.fill("", Span(now - HOUR, now), None)
    assert delivery.cursor is not None
    stale = json.loads(delivery.cursor) | {"token": "expired", "day": now - HOUR}
    assert texts(asking.fill("", Span(now - HOUR, now), json.dumps(stale))) == ["Acme one"]
    assert texts(asking.fill("", Span(now - HOUR, now), "no cursor of ours")) == ["Acme one"]


def test_a_query_that_x_cannot_read_keeps_no_other_from_being_asked_for(x: XStandIn) -> None:
    asking, now = Asking(x), time.time_ns() // 1_000_000
    asking.brands = [OTHER, ACME]
    x.unread = "Other"
    x.publish("Acme one", at=now - MINUTE)
    deliveries = list(asking.collector().fill("", Span(now - HOUR, now), None))
    assert texts(iter(deliveries)) == ["Acme one"]
    assert [one.reason for one in deliveries if one.missed is None] == [REFUSED_QUERY]


def test_a_page_that_leads_to_itself_is_not_paid_for_again_and_again(x: XStandIn) -> None:
    x.page, x.same_page = 1, True
    now = time.time_ns() // 1_000_000
    for minutes in range(3):
        x.publish(f"Acme {minutes}", at=now - minutes * MINUTE - MINUTE)
    deliveries = list(Asking(x).collector().fill("", Span(now - HOUR, now), None))
    assert x.read == 2
    assert [one.reason for one in deliveries if one.missed is None] == [REPEATED]


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


def test_posts_too_young_for_search_are_waited_for(x: XStandIn) -> None:
    now = time.time_ns() // 1_000_000
    with pytest.raises(Interrupted) as young:
        next(Asking(x, search_lag="30s").collector().fill("", Span(now - MINUTE, now), None))
    assert young.value.retry_after is not None
    assert 25_000 < young.value.retry_after <= 30_000


def test_what_the_stream_brings_late_is_looked_for_before_the_hole(x: XStandIn) -> None:
    now = time.time_ns() // 1_000_000
    x.publish("Acme was on its way", at=now - HOUR - LATE // 2)
    assert texts(Asking(x).collector().fill("", Span(now - HOUR, now), None)) == ["Acme was on its way"]


def test_beyond_seven_days_only_the_archive_reaches(x: XStandIn) -> None:
    now = time.time_ns() // 1_000_000
    x.publish("Acme long ago", at=now - 20 * DAY)
    old = Span(now - 21 * DAY, now - 19 * DAY)
    with pytest.raises(Unfillable, match="full_archive"):
        next(Asking(x).collector().fill("", old, None))
    archive = Asking(x, full_archive=True)
    archive.stop.set()
    assert texts(archive.collector().fill("", old, None)) == ["Acme long ago"]


def test_a_span_that_is_partly_too_old_is_filled_as_far_as_it_goes_and_says_so(x: XStandIn) -> None:
    now = time.time_ns() // 1_000_000
    x.publish("Acme of late", at=now - DAY)
    deliveries = list(Asking(x).collector().fill("", Span(now - 9 * DAY, now), None))
    assert (deliveries[0].missed, deliveries[0].reason) == (None, TOO_OLD)
    assert texts(iter(deliveries)) == ["Acme of late"]


def test_a_filling_stops_before_x_refuses_and_goes_on_after_the_reset(x: XStandIn) -> None:
    x.page, x.left["/2/tweets/search/recent"], x.reset_in = 1, 2, 60.0
    now = time.time_ns() // 1_000_000
    for minutes in range(4):
        x.publish(f"Acme {minutes}", at=now - minutes * MINUTE - MINUTE)
    filling = Asking(x).collector().fill("", Span(now - HOUR, now), None)
    came = [next(filling), next(filling)]
    with pytest.raises(Interrupted, match="used up at X") as limited:
        next(filling)
    assert limited.value.retry_after is not None
    assert 50_000 < limited.value.retry_after <= 61_000
    x.left["/2/tweets/search/recent"] = 9
    rest = texts(Asking(x).collector().fill("", Span(now - HOUR, now), came[-1].cursor))
    assert len({*texts(iter(came)), *rest}) == 4


def test_nothing_is_searched_for_a_brand_whose_budget_is_used_up(x: XStandIn) -> None:
    asking = Asking(x)
    asking.capped = {"acme"}
    now = time.time_ns() // 1_000_000
    (delivery,) = asking.collector().fill("", Span(now - HOUR, now), None)
    assert (delivery.missed, delivery.reason) == (None, SPEND_CAP)
    assert not x.requests


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
    assert texts(iter(deliveries)) == ["an answer", "the beginning"]
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
    assert "0 of 3000000 posts read this month" in said
    assert "1 of 1,000 rules" in said


def test_no_error_repeats_the_token_that_x_sends_back(x: XStandIn) -> None:
    for status in (400, 401, 403, 422, 429, 500):
        body = json.dumps({"title": "Bad", "detail": f"Bearer {TOKEN} is bad", "type": "p/usage-capped"}).encode()
        x.misbehave(Fault("status", status=status, body=body))
        with pytest.raises((Denied, Interrupted)) as fault:
            Asking(x).collector().check()
        assert TOKEN not in str(fault.value)
