"""Of a firehose, a word about a post is kept where the post may be here, and only there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from sqlalchemy import Engine

from clamor.held import HeldInSQL
from config.brands import Brand
from database.engine import write
from database.tables.post import post
from ingest.collector import Draft, Source
from ingest.intake import Intake
from ingest.known import AGAIN
from query.prefilter import compile_prefilter
from routing.keys import author_key
from stream.embedded import EmbeddedLog
from stream.records import Author, PostKind

NOW = 1_795_000_000_000
WANTED = compile_prefilter([Brand(id="acme", name="Acme")])
ANA = Author(id="ana")


class Here:
    """What SQL knows."""

    def __init__(self, *ids: str) -> None:
        self.ids = set(ids)
        self.asked = 0

    def posts(self, ids: Collection[str]) -> set[str]:
        self.asked += 1
        return self.ids & set(ids)

    def authors(self, network: str, ids: Collection[str]) -> set[str]:
        self.asked += 1
        return self.ids & set(ids)


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def intake(log: EmbeddedLog, here: Here) -> Intake:
    return Intake(log, Source(id="all", network="bluesky", firehose=True), WANTED, here)


def word(kind: PostKind, id: str, text: str = "") -> Draft:
    return Draft(native_id=id, kind=kind, text=text, author=ANA if kind.startswith("author") else None)


def kinds(held: Any) -> list[str]:
    return [f"{one.kind} {one.id.removeprefix('bluesky:')}" for one in held.posts()]


def test_of_deletes_only_those_of_posts_that_are_here_are_kept(intake: Intake, here: Here, held: Any) -> None:
    here.ids = {"bluesky:old"}
    created = Draft(native_id="new", text="Acme is late", author=ANA)
    took = intake.take(
        [created, word("deleted", "new"), word("deleted", "foreign"), word("deleted", "old")], NOW, "live"
    )
    assert kinds(held) == ["created new", "deleted new", "deleted old"]
    assert took.filtered == 0


def test_what_this_process_appended_is_not_asked_of_sql(intake: Intake, here: Here, held: Any) -> None:
    intake.take([Draft(native_id="1", text="Acme is late", author=ANA)], NOW, "live")
    intake.take([word("deleted", "1"), word("author_gone", "ana")], NOW, "live")
    assert kinds(held) == ["created 1", "deleted 1", "author_gone ana"]
    assert here.asked == 0


def test_an_edit_that_takes_the_brand_out_of_a_post_that_is_here_is_kept(intake: Intake, held: Any) -> None:
    intake.take([Draft(native_id="1", text="Acme is late")], NOW, "live")
    took = intake.take([word("edited", "1", "it is late"), word("edited", "2", "it is late")], NOW, "live")
    assert kinds(held) == ["created 1", "edited 1"]
    assert took.filtered == 1


def test_a_word_that_came_before_sql_knew_of_its_post_is_looked_at_again(intake: Intake, here: Here, held: Any) -> None:
    intake.take([word("deleted", "1"), word("author_gone", "ana"), word("deleted", "2")], NOW, "live")
    here.ids = {"bluesky:1", "ana"}
    intake.take([], NOW + AGAIN - 1, "live")
    assert kinds(held) == []
    intake.take([], NOW + AGAIN, "live")
    assert kinds(held) == ["deleted 1", "author_gone ana"]
    intake.take([], NOW + 3 * AGAIN, "live")
    assert kinds(held) == ["deleted 1", "author_gone ana"]


def test_an_edit_that_came_before_sql_knew_of_its_post_is_looked_at_again(
    intake: Intake, here: Here, held: Any
) -> None:
    """The process was started anew, and the stages lag: the brand's name is gone from a post that is on its way."""
    intake.take([word("edited", "1", "it is late"), word("edited", "2", "nobody is meant")], NOW, "live")
    here.ids = {"bluesky:1"}
    intake.take([], NOW + AGAIN, "live")
    (edit,) = held.posts()
    assert (edit.kind, edit.text, edit.seen_at) == ("edited", "it is late", NOW)


def test_edits_that_wait_take_no_more_room_than_is_given_them(intake: Intake, here: Here, held: Any) -> None:
    here.ids = {"bluesky:0"}
    long = "x" * 100_000
    for n in range(60):
        intake.take([word("edited", str(n), long)], NOW, "live")
    here.ids = {"bluesky:0", "bluesky:5", "bluesky:59"}
    intake.take([], NOW + AGAIN, "live")
    assert kinds(held) == ["edited 0", "edited 59"], (
        "the first was here; the sixth was looked at early, and not here yet"
    )


def test_what_failed_for_the_moment_is_sorted_again_the_same_way(
    intake: Intake, here: Here, held: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.ids = {"bluesky:1"}
    append = intake.log.append
    monkeypatch.setattr(intake.log, "append", lambda records: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        intake.take([word("deleted", "1"), word("deleted", "2")], NOW, "live")
    monkeypatch.setattr(intake.log, "append", append)
    intake.take([word("deleted", "1"), word("deleted", "2")], NOW, "live")
    here.ids = {"bluesky:2"}
    intake.take([], NOW + AGAIN, "live")
    assert kinds(held) == ["deleted 1", "deleted 2"]


def test_sql_knows_posts_by_id_and_their_authors(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(
            post.insert().values(
                n=1, id="bluesky:a", author=author_key("bluesky", "ana"), conversation=1, state="live", seen_at=1,
                event_time=1, generation=1, tier=0, parts=b"",
            )
        )  # fmt: skip
    here = HeldInSQL(engine)
    assert here.posts(["bluesky:a", "bluesky:b"]) == {"bluesky:a"}
    assert here.authors("bluesky", ["ana", "bo"]) == {"ana"}
    assert here.authors("mastodon", ["ana"]) == set()
