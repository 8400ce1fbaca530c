"""What Yelp shows a partner of a business's reviews comes once each; what it shows no more is gone here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from config.sources import YelpSource
from ingest.collector import (
    Checkable,
    CursorLost,
    Denied,
    Estimable,
    Interrupted,
    Source,
    Span,
    Sweepable,
)  # fmt: skip
from ingest.networks.yelp import Yelp
from ingest.setting import Setting, Unshared
from ingest.wanted import Wanted
from stream.clock import DAY, HOUR, ManualClock
from tests.ingest.case import How
from tests.ingest.conftest import NOW
from tests.ingest.contract import Contract
from tests.ingest.rounds import Rounds, making
from tests.standins.server import Fault
from tests.standins.yelp import BUSINESS, KEY, OTHER, YelpStandIn


class At(Rounds[Yelp]):
    """A source on a clock that is moved by hand."""

    def __init__(self, site: YelpStandIn, clock: ManualClock, **more: Any) -> None:
        asked: dict[str, Any] = {"key_env": "KEY", "businesses": [BUSINESS], **more}
        settings = YelpSource(id="source", kind="yelp", url=site.url, **asked)
        source = Source(id="source", network="yelp", brands=("acme",))
        setting = Setting(source=source, wanted=tuple, secret={"KEY": KEY}.get, clock=clock, notes=Unshared())
        super().__init__(Yelp, settings, setting)


@pytest.fixture
def site(clock: ManualClock) -> Iterator[YelpStandIn]:
    with YelpStandIn(clock.now) as site:
        yield site


@pytest.fixture
def at(site: YelpStandIn, clock: ManualClock) -> Iterator[Callable[..., At]]:
    with making(partial(At, site, clock)) as made:

        def make(**more: Any) -> At:
            source = made(**more)
            source.brought(0)
            return source

        yield make


@pytest.mark.parametrize(("with_ids", "plain"), [(True, False), (False, True)])
def test_a_review_has_its_stars_and_what_the_business_answers(
    site: YelpStandIn, at: Any, with_ids: bool, plain: bool
) -> None:
    site.with_ids, site.plain = with_ids, plain
    site.review("written before anybody listened")
    source = at()
    id = site.review("Nobody answers at the desk.", rating=2)
    site.answer_to(id, "We are sorry, Ana.")
    own, reply = sorted(source.brought(), key=lambda draft: draft.native_id)
    assert (own.native_id, own.title, own.text) == (id, "★★☆☆☆", "Nobody answers at the desk.")
    assert own.rating == 2
    assert (own.claimed_at, own.lang, own.conversation) == (NOW, "en", id)
    assert own.author is not None
    assert (own.author.id, own.author.name) == (f"of/{id}", "Ana B.")
    assert own.link == f"https://www.yelp.com/biz/acme?hrid={id}"
    assert (reply.native_id, reply.text, reply.reply_to) == (f"{id}/reply", "We are sorry, Ana.", id)
    assert reply.author is not None
    assert (reply.author.handle, reply.author.name) == (BUSINESS, "Acme's desk")
    assert source.brought() == []


def test_times_are_pacific_in_summer_and_in_winter(site: YelpStandIn, clock: ManualClock, at: Any) -> None:
    clock.at = round(datetime(2026, 6, 30, tzinfo=UTC).timestamp() * 1000)
    source = at(look_back="30d")
    for month in (7, 12):
        when = round(datetime(2026, month, 1, 12, tzinfo=UTC).timestamp() * 1000)
        source.clock.at = when
        site.review(f"in month {month}", at=when)
        assert [draft.claimed_at for draft in source.brought()] == [when]


def test_edits_stars_and_answers_are_seen_by_whoever_goes_on(site: YelpStandIn, at: Any) -> None:
    source = at()
    one, two, three = (site.review(f"review {n}") for n in range(3))
    source.brought()
    site.edit(one, "they called back")
    site.edit(two, "review 1", rating=5)
    site.answer_to(three, "Sorry!")
    source.restart()
    assert source.told() == sorted([("edited", one), ("edited", two), ("created", f"{three}/reply")])
    site.answer_to(three, None)
    assert source.told() == [("deleted", f"{three}/reply")]
    assert source.told() == []


def test_what_the_list_shows_no_more_is_gone_after_two_rounds_and_may_come_back(site: YelpStandIn, at: Any) -> None:
    source = at()
    ids = [site.review(f"review {n}", at=NOW + n * 1_000) for n in range(5)]
    site.answer_to(ids[3], "Sorry!")
    source.brought()
    removed = site.remove(ids[3])
    assert source.told() == []
    assert source.told() == [("deleted", ids[3]), ("deleted", f"{ids[3]}/reply")]
    assert source.told() == []
    site.reviews[ids[3]] = removed
    assert source.told() == [], "an answer from a cache may show it a while longer"
    assert source.told(2 * HOUR) == [("restored", ids[3]), ("restored", f"{ids[3]}/reply")]


def test_what_only_fell_out_behind_is_not_gone(site: YelpStandIn, at: Any) -> None:
    site.most = 3
    source = at()
    for n in range(9):
        new = site.review(f"review {n}", at=NOW + n * 1_000)
        assert source.told() == [("created", new)]
        assert source.told() == []


def test_one_missing_once_is_there(site: YelpStandIn, at: Any) -> None:
    source = at()
    ids = [site.review(f"review {n}", at=NOW + n * 1_000) for n in range(5)]
    source.brought()
    for _ in range(3):
        removed = site.remove(ids[2])
        assert source.told() == []
        site.reviews[ids[2]] = removed
        assert source.told() == []


def test_a_list_in_another_order_says_nothing_of_what_is_gone(site: YelpStandIn, at: Any) -> None:
    source = at()
    ids = [site.review(f"review {n}", at=NOW + n * 1_000) for n in range(5)]
    source.brought()
    site._by_time = sorted((n % 2, id) for n, (_, id) in enumerate(site._by_time))
    site.remove(ids[1])
    assert [source.told() for _ in range(3)] == [[], [], []]


def test_what_cannot_be_read_is_not_taken_for_gone(site: YelpStandIn, at: Any) -> None:
    source = at()
    ids = [site.review(f"review {n}", at=NOW + n * 1_000) for n in range(5)]
    source.brought()
    for held in site.reviews.values():
        held["rating"] = "five"
    assert [source.told() for _ in range(3)] == [[], [], []]
    for held in site.reviews.values():
        held["rating"] = 1
    site.reviews[ids[2]]["rating"] = {}
    assert [source.told(2 * HOUR) for _ in range(3)] == [[], [], []]
    site.remove(ids[2])
    assert [told for _ in range(3) for told in source.told()] == [("deleted", ids[2])], "then it is"


def test_a_list_that_is_empty_all_at_once_is_believed_after_an_hour(site: YelpStandIn, at: Any) -> None:
    source = at()
    id = site.review("there")
    source.brought()
    site.most = 0
    assert [source.told() for _ in range(5)] == [[], [], [], [], []]
    assert source.told(HOUR) == [("deleted", id)]


def test_an_address_that_is_none_costs_one_review(site: YelpStandIn, at: Any) -> None:
    source = at()
    item = {"id": "x", "rating": 1, "text": "odd", "time_created": "2026-01-01 10:00:00"}
    site.broken = [
        {**item, "url": "http://["},
        {**item, "time_created": "0001-01-01 00:00:00"},
        {**item, "time_created": "9999-12-31 23:59:59"},
        {**item, "public_response": {"text": "a", "time_created": "0001-01-01T00:00:00+14:00"}},
    ]
    new = site.review("there")
    assert ("created", new) in source.told()
    assert sum(len(one.malformed) for one in source.last) >= 3


def test_a_time_that_lies_ahead_makes_no_other_review_old(site: YelpStandIn, at: Any) -> None:
    source = at()
    ahead = site.review("of next year", at=NOW + 365 * DAY)
    assert source.told() == [("created", ahead)]
    new = site.review("of today")
    assert source.told(10 * DAY) == [("created", new)]


def test_an_edited_review_on_top_does_not_pass_for_an_overlap(site: YelpStandIn, at: Any) -> None:
    site.most = 3
    source = at()
    old = site.review("old", at=NOW)
    source.brought()
    for n in range(5):
        site.review(f"review {n}", at=NOW + 10_000 + n * 1_000)
    site._by_time.remove((NOW // 1000, old))
    site._by_time.append((NOW // 1000 + 20, old))
    site.reviews[old].update(at=NOW + 20_000, text="old, edited")
    assert ("edited", old) in source.told()
    assert [one.missed for one in source.last] == [None, 0]


def test_a_short_list_of_which_one_cannot_be_read_may_hide_some(site: YelpStandIn, at: Any) -> None:
    site.most = 2
    site.review("old")
    source = at()
    site.broken = [{"text": "Acme"}]
    for n in range(5):
        site.review(f"review {n}", at=NOW + n * 1_000)
    source.brought()
    assert [one.missed for one in source.last] == [None, 0]


@pytest.mark.parametrize("status", [404, 403, 500, 400])
def test_businesses_that_always_fail_keep_no_other_from_being_read(site: YelpStandIn, at: Any, status: int) -> None:
    bad = [f"b{n:021d}" for n in range(4)]
    source = at()
    source.settings = source.settings.model_copy(update={"businesses": (*bad, BUSINESS)})
    source.restart()
    for business in bad:
        site.misbehave(Fault("status", status=status, times=99, only=f"/v3/private/businesses/{business}"))
    new = site.review("read all the same")
    told: list[str] = []
    for _ in range(4):
        with pytest.raises((Denied, Interrupted), match=f"{status}|knows no business|contracted partners"):
            source.brought()
        told += [draft.native_id for delivery in source.last for draft in delivery.drafts]
    assert told == [new]


def test_what_was_written_while_a_new_business_failed_is_news(site: YelpStandIn, at: Any) -> None:
    source = at()
    source.settings = source.settings.model_copy(update={"businesses": (BUSINESS, OTHER)})
    source.restart()
    site.misbehave(Fault("status", status=500, only=f"/v3/private/businesses/{OTHER}"))
    with pytest.raises(Interrupted):
        source.brought()
    new = site.review("meanwhile", business=OTHER)
    assert source.told() == [("created", new)]


def test_told_to_stop_in_the_middle_of_a_round_it_asks_for_nothing_more(site: YelpStandIn, at: Any) -> None:
    source = at(businesses=[BUSINESS, OTHER])
    deliveries = source.collector.collect(source.cursor)
    next(deliveries)
    source.setting.stop.set()
    asked = len(site.requests)
    list(deliveries)
    assert len(site.requests) == asked


def test_what_is_no_review_comes_again_where_nobody_took_it(site: YelpStandIn, at: Any) -> None:
    source = at()
    site.broken = [{"id": 7}]
    deliveries = source.collector.collect(source.cursor)
    assert len(next(deliveries).malformed) == 1
    deliveries.close()
    found = [sum(len(one.malformed) for one in source.collector.collect(source.cursor)) for _ in range(2)]
    assert found == [1, 0]


def test_what_a_filling_brought_and_was_edited_since_is_told_of(site: YelpStandIn, at: Any) -> None:
    source = at(businesses=[BUSINESS, OTHER])
    site.review("of the other", business=OTHER)
    id = site.review("shown only now", at=NOW - 10 * DAY)
    span = Span(NOW - 11 * DAY, NOW - 9 * DAY)
    filled = list(source.collector.fill("", span, None))
    assert [draft.native_id for one in filled for draft in one.drafts] == [id]
    rest = source.collector.fill("", span, next(one.cursor for one in filled if one.cursor))
    assert [draft.native_id for one in rest for draft in one.drafts] == []
    source.brought()
    site.edit(id, "edited")
    assert source.told() == [("edited", id)]


def test_a_list_of_new_ones_alone_may_hide_some(site: YelpStandIn, at: Any) -> None:
    site.most = 3
    site.review("old")
    source = at()
    ids = [site.review(f"review {n}", at=NOW + n * 1_000) for n in range(5)]
    assert source.told() == [("created", id) for id in ids[2:]]
    assert [(one.missed, one.reason) for one in source.last] == [(None, "page cap"), (0, "")]
    site.review("one more", at=NOW + 10_000)
    source.brought()
    assert [one.missed for one in source.last] == [0, 0]


def test_every_business_and_language_is_asked_for(site: YelpStandIn, at: Any) -> None:
    source = at(businesses=[BUSINESS, OTHER], locales=["en_US", "fr_CA"])
    id = site.review("La nourriture est froide", business=OTHER)
    asked = len(site.requests)
    (draft,) = source.brought()
    assert draft.native_id == id
    assert [(one.path.split("/")[4], one.params["locale"]) for one in site.requests[asked:]] == [
        (BUSINESS, "en_US"), (BUSINESS, "fr_CA"), (OTHER, "en_US"), (OTHER, "fr_CA")
    ]  # fmt: skip


def test_a_used_up_day_waits_for_yelps_midnight(site: YelpStandIn, at: Any) -> None:
    source = at()
    site.left = 0
    site.wall = lambda: round(datetime.now(UTC).timestamp() * 1000)
    with pytest.raises(Interrupted, match="fewer requests") as fault:
        source.brought()
    now = datetime.now(UTC)
    left = 86_400 - (now.hour * 3600 + now.minute * 60 + now.second)
    assert fault.value.retry_after is not None
    assert abs(fault.value.retry_after - left * 1000) < 10_000
    site.misbehave(Fault("status", status=429, body=b'{"error": {"code": "TOO_MANY_REQUESTS_PER_SECOND"}}'))
    with pytest.raises(Interrupted) as fault:
        source.brought()
    assert fault.value.retry_after is None, "the runner's own waits do"


def test_a_missed_time_is_filled_as_far_as_the_list_goes(site: YelpStandIn, at: Any) -> None:
    site.most = 4
    ids = [site.review(f"review {n}", at=NOW - (10 - n) * DAY) for n in range(8)]
    source = at()
    delivery, _ = source.collector.fill("", Span(NOW - 9 * DAY, NOW - 3 * DAY), None)
    assert ([draft.native_id for draft in delivery.drafts], delivery.missed) == ([ids[6], ids[5], ids[4]], None)
    delivery, _ = source.collector.fill("", Span(NOW - 5 * DAY, NOW), None)
    assert (len(delivery.drafts), delivery.missed) == (3, 0)


def test_a_filling_does_not_take_a_list_that_had_reviews_for_one_without(site: YelpStandIn, at: Any) -> None:
    site.review("there", at=NOW - HOUR)
    source = at()
    site.most = 0
    assert [one.missed for one in source.collector.fill("", Span(NOW - DAY, NOW), None)] == [None, 0]


def test_a_clock_that_is_set_back_brings_no_history(site: YelpStandIn, at: Any) -> None:
    source = at(look_back="1h")
    ids = [site.review(f"review {n}", at=NOW - (9 - n) * DAY) for n in range(3)]
    assert source.told() == [], "the list was empty at first"
    source.clock.at -= 3650 * DAY
    assert source.brought() == []
    assert source.setting.notes.all([f"told:{id}" for id in ids]) == {}
    source.clock.at += 3650 * DAY
    new = site.review("new")
    assert source.told() == [("created", new)]


def test_an_estimate_counts_the_week_as_far_as_it_is_shown(site: YelpStandIn, at: Any) -> None:
    source = at()
    for n in range(4):
        site.review(f"review {n}", at=NOW - n * DAY)
    assert isinstance(source.collector, Estimable)
    sample = source.collector.sample(Wanted(brand="acme"))
    assert (sum(sample.posts_by_hour), sample.capped, sample.asked) == (4, True, 1)


def test_a_check_says_what_is_shown_or_whom_to_ask(site: YelpStandIn, at: Any) -> None:
    site.review("one")
    source = at()
    assert isinstance(source.collector, Checkable)
    assert not isinstance(source.collector, Sweepable)
    assert source.collector.check() == (
        f"Yelp shows 1 reviews of {BUSINESS} in en_US, as many as the agreement with it allows"
    )
    site.partner = False
    with pytest.raises(Denied, match="contracted partners"):
        source.collector.check()
    with pytest.raises(Denied, match="no API key: put one into NOWHERE"):
        at(key_env="NOWHERE")
    site.partner = True
    with pytest.raises(Denied, match="knows no business"):
        at(businesses=["n" * 22])


@pytest.mark.parametrize("body", [b'{"reviews": 7}', b'{"reviews": {"reviews": []}}', b'{"reviews": {"review": {}}}'])
def test_an_answer_of_another_shape_passes(site: YelpStandIn, at: Any, body: bytes) -> None:
    source = at()
    site.misbehave(Fault("status", status=200, body=body))
    with pytest.raises(Interrupted):
        source.brought()


@pytest.mark.parametrize("cursor", ["x", "[1]", '{"a": "b"}'])
def test_a_strange_cursor_is_lost(at: Any, cursor: str) -> None:
    with pytest.raises(CursorLost):
        next(at().collector.collect(cursor))


class YelpCase:
    """What fell out behind the end of a list is neither edited nor deleted any more, as far as anybody learns."""

    edits: How = "poll"
    deletes: How = "poll"
    fills = True
    first = f"/v3/private/businesses/{BUSINESS}/reviews"

    def __init__(self, standin: YelpStandIn) -> None:
        self.standin = standin
        for n in range(3):
            standin.review(f"of a year ago, {n}", at=standin.wall() - 365 * DAY)

    def settings(self) -> YelpSource:
        return YelpSource(
            id="source", kind="yelp", url=self.standin.url, key_env="KEY", businesses=(BUSINESS,), interval="100ms"
        )

    def secrets(self) -> Mapping[str, str]:
        return {"KEY": KEY}

    def publish(self, text: str, *, at: int | None = None, author: str = "ana") -> str:
        return self.standin.review(text, author=author, at=at)

    def publish_malformed(self) -> None:
        self.standin.broken.append({"text": "Acme", "rating": 1})

    def edit(self, native_id: str, text: str) -> None:
        self.standin.edit(native_id, text)

    def delete(self, native_id: str) -> None:
        self.standin.remove(native_id)

    def truth(self) -> Mapping[str, str]:
        with self.standin.lock:
            return {id: held["text"] for id, held in self.standin.reviews.items()}


class TestYelp(Contract):
    asks_by_brand = False
    burst_kept = False

    @pytest.fixture
    def case(self) -> Iterator[YelpCase]:
        with YelpStandIn(most=1_000) as site:
            site.left = 1_000_000
            yield YelpCase(site)
