"""The text of a post that a reply in a case answers is kept where it was asked for, and goes like every other text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from route_home import MINUTE, NOW, RouteHome, passed, reading, said

from database.engine import many, write
from routing import context, erasure
from routing.context import KEPT_FOR
from routing.desk import Desk
from stream.clock import DAY
from stream.records import Author, Post, Understood, decode

SECRET = "Which-airline-would-you-take"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    made.registry.in_force = made.registry.in_force._replace(swept=frozenset({"search"}))
    made.work.idle(NOW)
    yield made
    made.close()


def parent(at: int = NOW, text: str = SECRET, **more: Any) -> Understood:
    """About no brand."""
    return said("top", text=text, at=at, source_id="search", **more)


def complained(home: RouteHome) -> int:
    """A case with a reply in it, whose parent is listed as the collecting process lists it."""
    home.take(said("reply", reading("acme", "help_request"), text="Acme lost my bag", reply_to="x:top", at=NOW))
    (case,) = home.live_cases()
    listed(home, case["id"])
    id: int = case["id"]
    return id


def listed(home: RouteHome, case: int) -> None:
    with write(home.engine) as connection:
        many(connection, "INSERT INTO context_post (id, case_id, asked_at) VALUES ('x:top', ?, ?)", [(case, NOW)])


def kept(home: RouteHome) -> list[str | None]:
    found = home.sql("SELECT body FROM context_post")
    return [None if body is None else decode(Post, body).text for (body,) in found]


def test_the_text_of_what_was_asked_for_is_kept_and_of_nothing_else(home: RouteHome) -> None:
    complained(home)
    home.take(parent(), said("other", text="about nobody"))
    assert kept(home) == [SECRET]
    assert b"about nobody" not in home.bytes_on_disk()


def test_it_is_kept_too_where_the_post_was_known_before_and_its_text_let_go(home: RouteHome) -> None:
    home.take(parent())
    assert SECRET.encode() not in home.bytes_on_disk()
    complained(home)
    home.take(parent(origin="backfill"))
    assert kept(home) == [SECRET]


def test_an_edit_is_kept_and_an_older_version_that_comes_later_is_not(home: RouteHome) -> None:
    complained(home)
    home.take(parent(kind="edited", text="Which train?", at=NOW + MINUTE, edited_at=NOW + MINUTE))
    home.take(parent())
    assert kept(home) == ["Which train?"]


@pytest.mark.parametrize("kind", ["deleted", "forgotten"])
def test_a_delete_takes_it_away_in_its_transaction(home: RouteHome, kind: Any) -> None:
    complained(home)
    home.take(parent())
    home.take(passed("top", kind, NOW + 1))
    assert kept(home) == []
    erasure.wipe(home.engine)
    assert SECRET.encode() not in home.bytes_on_disk()


def test_a_delete_that_came_first_wins(home: RouteHome) -> None:
    complained(home)
    home.take(passed("top", "deleted", NOW + 1))
    listed_again = home.sql("SELECT count(*) FROM context_post")
    assert listed_again == [(0,)]
    listed(home, home.live_cases()[0]["id"])
    home.take(parent())
    assert kept(home) == []
    assert SECRET.encode() not in home.bytes_on_disk()


def test_it_goes_with_its_author(home: RouteHome) -> None:
    complained(home)
    home.take(parent(author="bo", kind="created"))
    home.take(passed("bo", "author_gone", NOW + 1, author=Author(id="bo")))
    home.sweep()
    assert kept(home) == []


def test_it_expires_like_a_mention(home: RouteHome) -> None:
    complained(home)
    home.take(parent())
    erasure.expire(home.engine, Desk(home.registry.current()), NOW + 400 * DAY, NOW + 400 * DAY)
    assert kept(home) == []


def test_what_is_a_mention_stands_in_the_mention_alone(home: RouteHome) -> None:
    complained(home)
    home.take(said("top", reading("brisa"), text="Brisa or whom?", source_id="search"))
    assert kept(home) == [None]
    home.take(parent(kind="edited", at=NOW + MINUTE, edited_at=NOW + MINUTE))
    assert kept(home) == [SECRET]


def test_its_source_looks_it_up_again_so_that_its_delete_is_learnt(home: RouteHome) -> None:
    complained(home)
    home.take(parent())
    sql = "SELECT s.source_id, p.id FROM swept_post s JOIN post p ON p.n = s.post"
    assert ("search", "x:top") in home.sql(sql)


def test_its_id_is_not_forgotten_while_its_text_is_here(home: RouteHome) -> None:
    complained(home)
    home.take(parent())
    erasure.forget_unmatched(home.engine, NOW + 60 * DAY, NOW + 60 * DAY)
    assert home.sql("SELECT count(*) FROM post WHERE id = 'x:top'") == [(1,)]


def test_it_is_let_go_some_time_after_its_case_has_closed(home: RouteHome) -> None:
    case = complained(home)
    home.take(parent())
    assert context.let_go(home.engine, NOW + 900 * DAY) == 0, "the case lives"
    with write(home.engine) as connection:
        closed = [(NOW, case)]
        many(connection, "UPDATE cases SET live = 0, state = 'closed', closed_at = ? WHERE id = ?", closed)
    assert context.let_go(home.engine, NOW + KEPT_FOR - 1) == 0
    with write(home.engine) as connection:
        many(connection, "UPDATE context_post SET asked_at = ?", [(NOW + 5,)])
    assert context.let_go(home.engine, NOW + KEPT_FOR + 1) == 0, "it was asked for of the closed case"
    assert context.let_go(home.engine, NOW + KEPT_FOR + 6) == 1
    assert kept(home) == []
