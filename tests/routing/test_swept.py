"""Which posts are looked up again on their network: those of which a mention stands here with its text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from route_home import MINUTE, NOW, RouteHome, passed, reading, said

from database.engine import many, write
from stream.records import Understood


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RouteHome]:
    made = RouteHome(tmp_path, durable=False)
    made.registry.in_force = made.registry.in_force._replace(swept=frozenset({"search"}))
    made.work.idle(NOW)
    yield made
    made.close()


def wrote(n: int, source: str = "search", *brands: str, at: int = NOW) -> Understood:
    readings = [reading(brand) for brand in brands or ("acme",)]
    return said(str(n), *readings, text=f"post {n}", source_id=source, at=at)


def listed(home: RouteHome) -> set[tuple[str, str]]:
    sql = "SELECT s.source_id, p.id FROM swept_post s JOIN post p ON p.n = s.post"
    return set(home.sql(sql))


def test_a_post_goes_on_the_list_of_its_source_when_it_becomes_a_mention(home: RouteHome) -> None:
    home.take(wrote(1), wrote(2, "search", "acme", "brisa"), wrote(3, "file"), said("4", source_id="search"))
    assert listed(home) == {("search", "x:1"), ("search", "x:2")}
    assert home.sql("SELECT count(*) FROM swept_post WHERE due_at IS NOT NULL") == [(0,)]


def test_what_is_planned_stays_so_when_the_post_is_seen_again(home: RouteHome) -> None:
    home.take(wrote(1))
    with write(home.engine) as connection:
        many(connection, "UPDATE swept_post SET due_at = ?, limit_at = ?", [(NOW + MINUTE, NOW + 2 * MINUTE)])
    home.take(wrote(1, at=NOW + 1), wrote(1, "search", "acme", "brisa", at=NOW + 2))
    assert home.sql("SELECT count(*) FROM swept_post") == [(1,)]


def test_a_post_that_is_back_is_on_the_list_again(home: RouteHome) -> None:
    home.take(wrote(1))
    with write(home.engine) as connection:
        many(connection, "UPDATE swept_post SET gone_at = ?, due_at = ?", [(NOW, NOW)])
    home.take(passed("1", "deleted", NOW + 1))
    home.take(said("1", reading("acme"), text="post 1", source_id="search", kind="restored", at=NOW + 2))
    assert home.sql("SELECT gone_at, due_at FROM swept_post") == [(None, None)]
