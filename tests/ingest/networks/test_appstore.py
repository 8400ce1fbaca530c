"""The App Store: what each feed shows becomes posts, edits are edits, and what fell out of the window is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Any

import pytest
import structlog

from config.sources import AppstoreSource
from ingest.collector import (
    Checkable,
    CursorLost,
    Delivery,
    Denied,
    Estimable,
    Interrupted,
    Source,
    Span,
    Sweepable,
)
from ingest.intake import stamped
from ingest.networks.appstore import Appstore
from ingest.setting import Setting
from stream.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from stream.merge import content_key
from tests.ingest.case import Case, How
from tests.ingest.collecting import ACME
from tests.ingest.conftest import NOW
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.appstore import AppstoreStandIn
from tests.standins.server import Fault

APP, OTHER = "1234567890", "222"


class At(Rounds[Appstore]):
    """A source on the store's clock, which is moved by hand."""

    pause = 15 * MINUTE

    def __init__(self, store: AppstoreStandIn, clock: ManualClock, **more: Any) -> None:
        settings = AppstoreSource.model_validate(
            {"id": "source", "kind": "appstore", "url": store.url, "apps": {APP: ["acme"]}, "countries": ["us"]} | more
        )
        source = Source(id="source", network="appstore")
        setting = Setting(source=source, wanted=lambda: [ACME], secret=lambda name: None, clock=clock)
        super().__init__(Appstore, settings, setting)


@pytest.fixture
def store(clock: ManualClock) -> Iterator[AppstoreStandIn]:
    with AppstoreStandIn(clock.now) as store:
        yield store


@pytest.fixture
def at(store: AppstoreStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, store, clock)) as make:
        yield make


def test_a_review_has_its_stars_version_country_and_brands(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    one = at()
    one.brought()
    id = store.publish("It crashes.", stars=2, title="Crashes", version="3.4.1", helpful=3)
    (draft,) = one.brought()
    assert (draft.native_id, draft.title, draft.text) == (id, "★★☆☆☆ Crashes (3.4.1)", "It crashes.")
    assert draft.rating == 2
    assert (draft.country, draft.brands) == ("US", ("acme",))
    assert (draft.claimed_at, draft.seen_at) == (NOW + 15 * MINUTE, None)
    assert draft.author is not None
    assert (draft.author.id.isdecimal(), draft.author.name) == (True, "ana")
    assert draft.metrics is not None
    assert draft.metrics.likes == 3
    assert draft.link == f"https://apps.apple.com/us/app/id{APP}"


def test_what_is_older_than_a_day_at_the_first_look_is_left_to_a_backfill(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    store.publish("older", at=NOW - 3 * DAY)
    store.publish("young", at=NOW - HOUR)
    one = at()
    (draft,) = one.brought()
    assert (draft.text, draft.seen_at) == ("young", NOW - HOUR), "it is late, and wakes nobody"
    filled = list(one.collector.fill("", Span(NOW - 4 * DAY, NOW - DAY), None))
    assert [draft.text for found in filled for draft in found.drafts] == ["older"]
    assert all(found.missed == 0 for found in filled)


def test_a_first_look_that_a_full_feed_ends_before_its_day_says_so(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    for n in range(502):
        store.publish(f"review {n}", at=NOW - HOUR + n * SECOND)
    one = at()
    (missing,) = [found for found in one.round() if found.missed is None]
    assert (missing.query, missing.reason) == (f"us/{APP}", "list window")
    assert missing.span == Span(one.clock.now() - DAY, NOW - HOUR + 3 * SECOND), "the rest is here"


def test_what_came_in_a_long_pause_counts_for_when_it_was_written(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    one = at()
    one.brought()
    store.publish("review")
    (draft,) = one.brought(6 * HOUR)
    assert draft.claimed_at == draft.seen_at == NOW + 15 * MINUTE


def test_of_two_versions_of_one_second_the_one_that_was_seen_last_holds(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    """Though the process that saw the first was killed before it could remember it."""
    one = at()
    one.brought()
    before = one.cursor
    id = store.publish("as it was")
    (first,) = one.brought(MINUTE)
    store.publish("another")
    store._found(id)[1]["content"] = {"label": "as it is"}
    one.cursor = before
    second = next(draft for draft in one.brought(MINUTE) if draft.native_id == id)
    keys = [
        content_key(stamped(draft, one.collector.source, seen, "live").post, "")
        for draft, seen in ((first, NOW + 16 * MINUTE), (second, NOW + 17 * MINUTE))
    ]
    assert keys == sorted(keys)
    assert keys[0] != keys[1]


def test_an_edit_is_one_whether_words_or_stars_change_and_votes_are_reach(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    first, second, third = (store.publish(f"review {n}") for n in range(3))
    one = at()
    one.brought()
    one.clock.advance(MINUTE)
    store.edit(first, "review, edited")
    store.edit(second, stars=1)
    store.vote(third, 9)
    found = {draft.native_id: draft for draft in one.brought()}
    assert (found[first].kind, found[first].text) == ("edited", "review, edited")
    assert (found[first].claimed_at, found[first].edited_at) == (None, NOW + 16 * MINUTE)
    assert (found[second].kind, found[second].title) == ("edited", "★☆☆☆☆ A title (3.4.1)")
    assert found[third].kind == "metrics"
    assert one.brought() == []


def test_an_answer_out_of_an_old_cache_changes_nothing(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    one = at()
    id = store.publish("as it was")
    one.brought()
    before = dict(store._feeds)
    store._feeds = {name: list(feed) for name, feed in before.items()}
    store.edit(id, "as it is")
    assert [draft.text for draft in one.brought()] == ["as it is"]
    now, store._feeds = store._feeds, before
    assert one.brought() == []
    store._feeds = now
    assert one.brought() == []


def test_a_review_that_shows_up_late_further_down_is_found(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    for n in range(120):
        store.publish(f"review {n}", at=NOW - HOUR + n)
    one = at()
    assert len(one.brought()) == 120
    feed = store._feeds[f"us/{APP}"]
    store.publish("held back for a look", at=NOW - 2 * HOUR)
    feed.insert(10, feed.pop())
    assert one.brought() == [], "that far down it is looked once an hour"
    (draft,) = one.brought(HOUR)
    assert (draft.text, draft.seen_at) == ("held back for a look", None), "it was received when it was seen"


def test_what_fell_out_of_the_window_stands_in_the_ledger(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    one = at()
    store.publish("known")
    one.brought()
    one.clock.advance(MINUTE)
    for n in range(700):
        store.publish(f"burst {n}")
    found = one.round()
    assert sum(len(delivery.drafts) for delivery in found) == 500
    (lost,) = [delivery for delivery in found if delivery.missed is None]
    assert (lost.query, lost.reason, lost.span) == (
        f"us/{APP}", "list window", Span(NOW + 15 * MINUTE, NOW + 31 * MINUTE)
    )  # fmt: skip
    assert all(delivery.missed == 0 for delivery in one.round())


def test_a_window_whose_pages_are_not_quite_full_is_one_all_the_same(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    one = at()
    store.publish("known")
    one.brought()
    one.clock.advance(MINUTE)
    store.page = 49
    for n in range(700):
        store.publish(f"burst {n}")
    assert [delivery.reason for delivery in one.round() if delivery.missed is None] == ["list window"]


def test_told_to_stop_in_the_middle_a_round_does_not_pass_for_a_whole_one(at: Callable[..., At]) -> None:
    one = at(apps={APP: [], OTHER: []})
    stop = threading.Event()
    source = Source(id="source", network="appstore")
    setting = Setting(source, lambda: [ACME], lambda name: None, one.clock, stop)
    with closing(Appstore(one.settings, setting)) as collector:
        deliveries = collector.collect(None)
        next(deliveries)
        stop.set()
        *_, last = deliveries
    assert (last.asked, list(json.loads(last.cursor or ""))) == (0, [f"us/{APP}"])


@pytest.mark.parametrize("later", [0, MINUTE])
def test_an_edited_review_on_top_does_not_pass_for_an_overlap(
    store: AppstoreStandIn, at: Callable[..., At], later: int
) -> None:
    one = at()
    one.brought()
    id = store.publish("known")
    one.brought(0)
    one.clock.advance(later)
    for n in range(700):
        store.publish(f"burst {n}")
    store.edit(id, "known, edited")
    assert [delivery.reason for delivery in one.round() if delivery.missed is None] == ["list window"]


def test_a_list_that_is_empty_all_at_once_is_asked_again_and_believed_after_an_hour(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    one = at()
    id = store.publish("known")
    one.brought()
    store.emptied = {1}
    with pytest.raises(Interrupted, match="no reviews"):
        one.round()
    store.emptied = set()
    store.publish("more")
    assert [draft.text for draft in one.brought()] == ["more"]
    store.emptied = {1}
    for _ in range(4):
        with pytest.raises(Interrupted):
            one.round()
    assert one.brought() == []
    store.emptied = set()
    assert one.brought() == [], f"{id} is known all the time"


def test_an_empty_page_behind_a_full_one_hides_nothing_for_good(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    one = at()
    store.publish("known")
    one.brought()
    one.clock.advance(MINUTE)
    for n in range(80):
        store.publish(f"review {n}")
    store.emptied = {2}
    found = one.round()
    assert sum(len(delivery.drafts) for delivery in found) == 50
    assert [delivery.missed for delivery in found if delivery.span] == [None]
    store.emptied = set()
    assert len(one.brought()) == 30


def test_a_backfill_does_not_take_an_empty_page_for_the_end(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    for n in range(80):
        store.publish(f"review {n}", at=NOW - 2 * DAY + n)
    one = at()
    one.brought()
    store.emptied = {2}
    found = list(one.collector.fill("", Span(NOW - 4 * DAY, NOW), None))
    assert sum(len(delivery.drafts) for delivery in found) == 50
    assert [delivery.reason for delivery in found if delivery.missed is None] == ["history ends"]
    assert one.collector.sample(ACME).capped


@pytest.mark.parametrize("odd", ["empty", "not there"])
def test_a_backfill_does_not_take_a_list_that_had_reviews_for_one_without(
    store: AppstoreStandIn, at: Callable[..., At], odd: str
) -> None:
    store.publish("review")
    one = at(apps={APP: [], OTHER: []})
    one.brought()
    one.brought()
    if odd == "empty":
        store.emptied = {1}
    else:
        store.gone = {f"us/{APP}", f"us/{OTHER}"}
    found = list(one.collector.fill("", Span(NOW - DAY, NOW), None))
    assert [delivery.reason for delivery in found if delivery.missed is None] == ["history ends"], "of one that had"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", status=500, times=999),
        Fault("status", status=403, times=999),
        Fault("status", status=503, times=999, headers={"Retry-After": "1"}),
    ],
)
def test_feeds_that_always_fail_keep_no_other_from_being_read(
    store: AppstoreStandIn, at: Callable[..., At], fault: Fault
) -> None:
    bad = [str(n) for n in range(1, 5)]
    one = at(apps={app: [] for app in (*bad, APP)})
    for app in bad:
        store.misbehave(fault._replace(only=f"/us/rss/customerreviews/page=1/id={app}/"))
    store.publish("review")
    found: list[Delivery] = []
    for _ in range(6):
        one.clock.advance(MINUTE)
        with suppress(Interrupted, Denied):
            for delivery in one.collector.collect(one.cursor):
                found.append(delivery)
                one.cursor = delivery.cursor or one.cursor
    assert "review" in [draft.text for delivery in found for draft in delivery.drafts]
    if not fault.headers:
        assert {delivery.query for delivery in one.round() if delivery.missed is None} == {f"us/{app}" for app in bad}


def test_a_feed_that_is_refused_is_told_once(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    one = at(apps={APP: [], OTHER: []})
    store.misbehave(Fault("status", status=403, times=2, only=f"/us/rss/customerreviews/page=1/id={OTHER}"))
    with structlog.testing.capture_logs() as logs:
        one.round()
        one.round()
    assert [("403" in log["why"], log["source"]) for log in logs] == [(True, "source")]
    store.misbehave(Fault("status", status=403, times=1, only="/us"))
    with pytest.raises(Denied):
        at().round()


def test_a_feed_that_never_answered_before_hides_nothing_when_it_does(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    one = at(apps={APP: [], OTHER: []})
    store.misbehave(Fault("status", status=500, only=f"/us/rss/customerreviews/page=1/id={APP}"))
    one.brought()
    for n in range(700):
        store.publish(f"burst {n}")
    found = one.round()
    assert [delivery.reason for delivery in found if delivery.missed is None] == ["list window"]


def test_what_is_no_review_comes_again_where_nobody_took_it(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    one = at()
    store.broken()
    deliveries = one.collector.collect(None)
    assert len(next(deliveries).malformed) == 1
    assert isinstance(deliveries, Generator)
    deliveries.close()
    assert [sum(len(delivery.malformed) for delivery in one.round()) for _ in range(2)] == [1, 0]


def test_more_reviews_than_are_remembered_are_not_told_of_again(
    store: AppstoreStandIn, at: Callable[..., At], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.networks.review_lists.MOST_KNOWN", 30)
    for n in range(90):
        store.publish(f"review {n}", at=NOW - HOUR + n * 1_000)
    one = at()
    assert len(one.brought()) == 90
    assert one.brought(2 * HOUR) == []


@pytest.mark.parametrize("app_first", [False, True])
def test_one_review_alone_is_no_list_and_the_app_is_no_review(
    store: AppstoreStandIn, at: Callable[..., At], app_first: bool
) -> None:
    store.app_first = app_first
    store.publish("alone")
    one = at()
    assert [draft.text for draft in one.brought()] == ["alone"]
    assert one.brought() == []


def test_an_app_that_one_store_does_not_have_is_told_and_keeps_no_other_from_being_read(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    store.gone = {f"es/{APP}"}
    store.publish("review")
    one = at(countries=["es", "us"])
    with structlog.testing.capture_logs() as logs:
        assert [draft.text for draft in one.brought()] == ["review"]
        one.brought()
    assert [log["why"] for log in logs] == [f"the store of es has no app {APP}"]
    store.gone.add(f"us/{APP}")
    with pytest.raises(Interrupted, match="though it had"):
        one.round()
    nowhere = at(countries=["es"])
    with pytest.raises(Denied, match=f"es/{APP}"):
        nowhere.round()
    with pytest.raises(Denied, match="apps"):
        nowhere.collector.check()


def test_one_feed_that_fails_stands_in_the_ledger_by_itself(store: AppstoreStandIn, at: Callable[..., At]) -> None:
    one = at(apps={APP: [], OTHER: []})
    one.brought()
    store.misbehave(Fault("status", status=500, only=f"/us/rss/customerreviews/page=1/id={OTHER}"))
    store.publish("review")
    found = one.round()
    assert [draft.text for delivery in found for draft in delivery.drafts] == ["review"]
    (gap,) = [delivery for delivery in found if delivery.missed is None]
    assert gap.query == f"us/{OTHER}"
    (closed,) = [delivery for delivery in one.round() if delivery.page]
    assert (closed.page, closed.query, closed.missed) == (gap.page, gap.query, 0)


def test_a_limit_ends_the_round_and_the_next_one_begins_with_those_left_out(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    one = at(apps={APP: [], OTHER: []})
    store.misbehave(Fault("status", status=429, only=f"/us/rss/customerreviews/page=1/id={OTHER}",
                          headers={"Retry-After": "60"}))  # fmt: skip
    with pytest.raises(Interrupted) as limit:
        one.round()
    assert limit.value.retry_after == 60_000
    one.round()
    asked = [request.path.split("/")[5] for request in store.requests[2:]]
    assert asked == [f"id={OTHER}", f"id={APP}"]


def test_an_estimate_counts_the_brands_apps_and_the_access_is_checked(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    for hours in (1, 1, 30, 24 * 8):
        store.publish("review", at=NOW - hours * HOUR)
        store.publish("of another", feed=f"us/{OTHER}", at=NOW - hours * HOUR)
    collector = at(apps={APP: ["acme"], OTHER: ["beta"]}).collector
    assert isinstance(collector, Estimable)
    assert isinstance(collector, Checkable)
    sample = collector.sample(ACME)
    assert (sum(sample.posts_by_hour), sample.posts_by_hour[-2], sample.capped) == (3, 2, False)
    assert "its newest review has ★★★★☆" in collector.check()
    assert not isinstance(collector, Sweepable), "nobody can ask for one review"


def test_an_estimate_of_apps_that_the_store_does_not_have_is_none(
    store: AppstoreStandIn, at: Callable[..., At]
) -> None:
    store.publish("review", at=NOW - HOUR)
    absent = Fault("status", status=404, only=f"/us/rss/customerreviews/page=1/id={OTHER}", times=2)
    store.misbehave(absent)
    with pytest.raises(Denied):
        at(apps={OTHER: []}).collector.sample(ACME)
    assert sum(at(apps={APP: [], OTHER: []}).collector.sample(ACME).posts_by_hour) == 1


def test_another_sources_cursor_is_refused(at: Callable[..., At]) -> None:
    with pytest.raises(CursorLost):
        list(at().collector.collect("7"))


def test_more_feeds_than_one_source_reads_are_refused() -> None:
    with pytest.raises(ValueError, match="share them out"):
        AppstoreSource.model_validate(
            {"id": "source", "kind": "appstore", "apps": {str(n): [] for n in range(1, 1_000)},
             "countries": ["us", "es"]}
        )  # fmt: skip


# --- the contract ---


class AppstoreCase:
    edits: How = "poll"
    deletes: How = ""
    fills = True
    first = "/us/rss"

    def __init__(self, standin: AppstoreStandIn) -> None:
        self.standin = standin

    def settings(self) -> AppstoreSource:
        return AppstoreSource.model_validate(
            {"id": "source", "kind": "appstore", "url": self.standin.url, "interval": "100ms", "countries": ["us"]}
            | {"apps": {APP: ["acme"]}}
        )

    def secrets(self) -> Mapping[str, str]:
        return {}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.standin.publish(text, author=author, at=at)

    def publish_malformed(self) -> None:
        self.standin.broken()

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        raise AssertionError("a feed does not tell")

    def truth(self) -> Mapping[str, str]:
        return self.standin.truth()


class TestAppstore(Contract):
    asks_by_brand = False  # the feeds of the apps are read whole
    burst_kept = False
    """A feed shows the last 500 reviews only."""

    @pytest.fixture
    def case(self) -> Iterator[Case]:
        with AppstoreStandIn() as store:
            yield AppstoreCase(store)
