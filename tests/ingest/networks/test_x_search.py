"""X's search: a span that was missed is asked for once, as far as X goes back, and no post is paid for again."""

from __future__ import annotations

import json
import time
from contextlib import closing

import pytest

from ingest.collector import Interrupted, Span, Unfillable
from ingest.networks.x import LATE, REPEATED, TOO_OLD
from ingest.networks.x import REFUSED as REFUSED_QUERY
from ingest.networks.x_standing import SPEND_CAP
from stream.clock import DAY, HOUR, MINUTE, SECOND
from stream.records import Millis
from tests.ingest.collecting import until
from tests.ingest.networks.x_source import ACME, OTHER, Asking, texts
from tests.standins.x import XStandIn


def test_a_span_is_filled_a_day_at_a_time_and_page_by_page(x: XStandIn) -> None:
    x.page = 2
    now = time.time_ns() // 1_000_000
    for hours in (60, 50, 40, 30, 3, 2, 1):
        x.publish(f"Acme {hours}", at=now - hours * HOUR)
    x.publish("Acme before", at=now - 73 * HOUR)
    deliveries = list(Asking(x).collector().fill("", Span(now - 3 * DAY, now), None))
    found = texts(deliveries)
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
    assert len(texts(came)) == 4
    assert len(texts(rest)) == 5
    assert len({*texts(came), *texts(rest)}) == 9


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
    assert texts(deliveries) == ["Acme one"]
    assert [one.reason for one in deliveries if one.missed is None] == [REFUSED_QUERY]


def test_a_page_that_leads_to_itself_is_not_paid_for_again_and_again(x: XStandIn) -> None:
    x.page, x.same_page = 1, True
    now = time.time_ns() // 1_000_000
    for minutes in range(3):
        x.publish(f"Acme {minutes}", at=now - minutes * MINUTE - MINUTE)
    deliveries = list(Asking(x).collector().fill("", Span(now - HOUR, now), None))
    assert x.read == 2
    assert [one.reason for one in deliveries if one.missed is None] == [REPEATED]


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
    assert texts(deliveries) == ["Acme of late"]


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
    assert len({*texts(came), *rest}) == 4


def test_nothing_is_searched_for_a_brand_whose_budget_is_used_up(x: XStandIn) -> None:
    asking = Asking(x)
    asking.capped = {"acme"}
    now = time.time_ns() // 1_000_000
    (delivery,) = asking.collector().fill("", Span(now - HOUR, now), None)
    assert (delivery.missed, delivery.reason) == (None, SPEND_CAP)
    assert not x.requests


def test_a_hole_begins_as_much_earlier_as_the_stream_was_late(x: XStandIn) -> None:
    """Each post of that time is paid for once more."""
    asking = Asking(x)
    one = asking.collector()
    now = time.time_ns() // 1_000_000
    x.publish("Acme forty seconds before", at=now - 40 * SECOND)
    before_it_listened = Span(now - SECOND, now)
    assert texts(one.fill("", before_it_listened, None)) == ["Acme forty seconds before"]

    def brought(late: Millis) -> list[str]:
        with closing(one.collect(None)) as stream:  # type: ignore[type-var]
            next(stream)
            for n in range(60):
                x.publish(f"Acme {n}", at=time.time_ns() // 1_000_000 - late)
            came = 0
            while came < 60:
                came += len(next(stream).drafts)
        x.end_streams()
        until(lambda: not x.connections)
        cut = time.time_ns() // 1_000_000
        x.publish(f"Acme behind {late}", at=cut - 40 * SECOND, quiet=True)
        return [text for text in texts(one.fill("", Span(cut - 1, cut), None)) if "behind" in text]

    assert brought(late=0) == []
    whoever_follows = asking.collector()
    assert not [text for text in texts(whoever_follows.fill("", before_it_listened, None)) if "forty" in text]
    assert brought(late=25 * SECOND) == ["Acme behind 25000", "Acme behind 0"]
