"""An estimate of what is read whole: asked for once, counted for each brand, bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ingest.collector import Delivery, Draft, Interrupted, Source, Span
from ingest.last_week import HOURS, MOST_ASKED, LastWeek
from ingest.wanted import Wanted
from stream.clock import HOUR, ManualClock
from tests.ingest.conftest import NOW

ACME, BRISA = Wanted(brand="acme", phrases=("Acme",), handles=("@acme",)), Wanted(brand="brisa", phrases=("Brisa",))
OWN = Source(id="page", network="board", brands=("acme",))


def said(text: str, hours_ago: int, title: str | None = None) -> Draft:
    return Draft(native_id=f"{text}{hours_ago}", text=text, title=title, claimed_at=NOW - hours_ago * HOUR + 1)


class Board:
    def __init__(self, *deliveries: Delivery) -> None:
        self.deliveries: Sequence[Delivery] = deliveries
        self.asked: list[Span] = []

    def fill(self, span: Span) -> Iterator[Delivery]:
        self.asked.append(span)
        yield from self.deliveries


def test_an_own_page_brings_all_to_its_brand_and_to_others_what_names_them() -> None:
    board = Board(
        Delivery(drafts=[said("late again", 2), said("brisa is better", 30, "Bags")], asked=2),
        Delivery(drafts=[said("see", 30, "Brisa"), said("late again", 2)], asked=1),
    )
    week = LastWeek(board.fill, OWN, ManualClock(NOW))
    first, second = week.sample(ACME), week.sample(BRISA)
    assert (len(first.posts_by_hour), sum(first.posts_by_hour), first.asked, first.capped) == (HOURS, 3, 3, False)
    assert (first.posts_by_hour[-2], first.posts_by_hour[-30]) == (1, 2)
    assert (sum(second.posts_by_hour), second.asked) == (2, 0)
    assert board.asked == [Span(NOW - HOURS * HOUR, NOW + 60_000)], "it is asked for once"


def test_what_is_not_shown_or_would_cost_too_much_makes_the_number_a_lower_bound() -> None:
    hidden = Board(Delivery(drafts=[said("x", 1)], missed=None, reason="page cap"))
    assert LastWeek(hidden.fill, OWN, ManualClock(NOW)).sample(ACME).capped
    long = Board(*[Delivery(drafts=[said("x", 1)], asked=10) for _ in range(50)])
    sample = LastWeek(long.fill, OWN, ManualClock(NOW)).sample(ACME)
    assert (sample.asked, sample.capped) == (MOST_ASKED, True)


def test_nothing_said_is_a_sample_too() -> None:
    sample = LastWeek(Board().fill, OWN, ManualClock(NOW)).sample(ACME)
    assert (sum(sample.posts_by_hour), len(sample.posts_by_hour), sample.capped) == (0, HOURS, False)


def test_that_nobody_answered_is_no_sample_of_nothing() -> None:
    silent = Board(*[Delivery(missed=None) for _ in range(100)])
    with pytest.raises(Interrupted, match=f"none of {MOST_ASKED} questions"):
        LastWeek(silent.fill, OWN, ManualClock(NOW)).sample(ACME)
    one = Board(*[Delivery(missed=None) for _ in range(50)], Delivery(), *[Delivery(missed=None) for _ in range(50)])
    assert LastWeek(one.fill, OWN, ManualClock(NOW)).sample(ACME).capped
