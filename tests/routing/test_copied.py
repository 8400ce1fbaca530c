"""Many near copies of an offer look like spam; many copies of a complaint, or of news, do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from route_home import NOW, RouteHome, passed, reading, said

from routing.copied import MANY, WITHIN
from stream.clock import MINUTE
from stream.records import Understood

MARK = 0x0F0F_0F0F_0F0F_0F0F
OFFER = "Acme coupon for all of you, click here https://a.example/get"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    yield made
    made.close()


def copies(
    count: int, text: str = OFFER, apart: int = MINUTE, intent: str = "other", **fields: Any
) -> list[Understood]:
    start = NOW - count * apart
    return [
        replace(said(str(n), reading(intent=intent, **fields), text=text, at=start + n * apart), fingerprint=MARK)
        for n in range(count)
    ]


def marked(home: RouteHome) -> list[int]:
    """Numbers of the posts that are marked."""
    return sorted(int(m.post_id.removeprefix("x:")) for m in home.mentions().values() if m.spam == ("copies",))


@pytest.mark.parametrize("size", [1, 4, 50])
def test_from_the_tenth_copy_within_hours_on_an_offer_is_marked_however_batches_are_cut(
    home: RouteHome, size: int
) -> None:
    posts = copies(MANY + 4)
    for start in range(0, len(posts), size):
        home.take(*posts[start : start + size])
    assert marked(home) == [MANY - 1, MANY, MANY + 1, MANY + 2, MANY + 3]
    decision = home.mention(f"x:{MANY}#acme").decision
    assert decision is not None
    assert (decision.rule, decision.queue) == ("spam", "none")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (OFFER, {"intent": "complaint"}),
        (OFFER, {"detractor": 1}),
        (OFFER, {"intent": "public_issue"}),
        (OFFER, {"speaker": "own"}),
        (OFFER, {"speaker": "press"}),
        (f"RT @acme: {OFFER}", {}),
        ("Acme coupon for all of you", {}),
        ("Acme opens a line to Oslo https://news.example/7", {}),
    ],
)
def test_complaints_news_and_what_is_passed_on_are_not_marked(
    home: RouteHome, text: str, fields: dict[str, Any]
) -> None:
    home.take(*copies(MANY + 4, text, **fields))
    assert marked(home) == []


def test_as_many_over_days_are_not_marked(home: RouteHome) -> None:
    home.take(*copies(MANY + 4, apart=WITHIN // (MANY - 2)))
    assert marked(home) == []


def test_what_was_deleted_does_not_count_and_the_mark_goes_with_the_text(home: RouteHome) -> None:
    posts = copies(MANY + 1)
    home.take(*posts[: MANY - 1])
    home.take(passed("0", "deleted", NOW))
    home.take(posts[MANY - 1])
    assert marked(home) == []
    home.take(posts[MANY])
    assert marked(home) == [MANY]
    home.take(passed(str(MANY), "deleted", NOW))
    assert marked(home) == []
