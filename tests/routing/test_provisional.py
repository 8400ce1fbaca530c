"""What was read by the linear model under overload is marked until a better reading of its text takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from route_home import NOW, RouteHome, passed, reading, said

from stream.records import Understood


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    home = RouteHome(tmp_path)
    yield home
    home.close()


def hasty(*given: Any, **more: Any) -> Understood:
    return replace(said(*given, **more), provisional=True)


def marked(home: RouteHome) -> list[str]:
    return [id for (id,) in home.sql("SELECT id FROM post WHERE provisional = 1 ORDER BY n")]


def test_a_better_reading_of_the_same_generation_takes_its_place(home: RouteHome) -> None:
    home.take(hasty("1", reading(intent="praise", reputation="positive")), said("2", reading(), tier="fast"))
    held = home.mention("x:1#acme")
    assert held.decision is not None
    assert held.decision.provisional
    assert marked(home) == ["x:1"]
    home.take(said("1", reading(intent="complaint"), tier="fast", origin="reprocess"))
    mention = home.mention("x:1#acme")
    assert mention.decision is not None
    assert (mention.decision.provisional, mention.decision.tier, mention.revision) == (False, "fast", 2)
    assert mention.decision.queue == "support"
    assert marked(home) == []
    assert home.counted()["mentions"] == 2


def test_a_hasty_reading_never_replaces_a_better_one_of_the_same_text(home: RouteHome) -> None:
    home.take(said("1", reading(intent="complaint"), tier="fast"))
    home.take(hasty("1", reading(intent="praise", reputation="positive")))
    mention = home.mention("x:1#acme")
    assert (mention.understanding and mention.understanding.intent.label, mention.revision) == ("complaint", 1)
    assert marked(home) == []


def test_an_edit_that_is_read_in_haste_is_marked(home: RouteHome) -> None:
    home.take(said("1", reading(), text="one", tier="fast"))
    home.take(hasty("1", reading(), text="two", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    assert marked(home) == ["x:1"]
    home.take(said("1", reading(), text="one", tier="fast"))
    assert marked(home) == ["x:1"]
    home.take(said("1", reading(), text="two", tier="fast", kind="edited", edited_at=NOW + 1, at=NOW + 1))
    assert marked(home) == []


def test_what_has_no_text_cannot_be_read_anew(home: RouteHome) -> None:
    home.take(hasty("1", reading()), passed("1", "deleted", NOW + 1))
    home.take(hasty("2", reading()))
    home.take(passed("2", "deleted", NOW + 1))
    assert marked(home) == []


def test_a_text_that_comes_back_is_taken_from_whoever_reads_it(home: RouteHome) -> None:
    home.take(said("1", reading(), text="here", tier="fast"), passed("1", "deleted", NOW + 10))
    home.take(hasty("1", reading(), text="here", kind="restored", at=NOW + 20))
    mention = home.mention("x:1#acme")
    assert (mention.state, mention.post and mention.post.text) == ("live", "here")
    assert marked(home) == ["x:1"]


def test_a_reply_that_waits_for_the_post_that_it_answers_keeps_its_mark(home: RouteHome) -> None:
    home.take(hasty("2", reply_to="x:1", unnamed=reading("", "complaint"), text="me too"))
    assert marked(home) == ["x:2"]
    home.take(said("1", reading(), tier="fast"))
    mention = home.mention("x:2#acme")
    assert mention.decision is not None
    assert mention.decision.provisional
    home.take(said("1", text="about nobody", kind="edited", edited_at=NOW + 1, at=NOW + 1, tier="fast"))
    home.take(said("1", reading(), text="acme", kind="edited", edited_at=NOW + 2, at=NOW + 2, tier="fast"))
    again = home.mention("x:2#acme")
    assert again.decision is not None
    assert again.decision.provisional
    assert marked(home) == ["x:2"]
