"""What is kept is kept from its arrival here: history that somebody imports stays as long as what is said today."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import NOW, Living, post, settled_home

from clamor.chores import Keeper
from clamor.reprocessing import Ask, begin, reprocess
from ingest.files import Options, replay
from stream.clock import DAY, HOUR

LONG_AGO = NOW - 10 * 365 * DAY
OLD = "x:1#acme"


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home")) as living:
        yield living


def _keep(living: Living) -> None:
    """A whole round of the keeper, then what it says to the index."""
    keeper = Keeper(living.opened)
    while keeper.step():
        pass
    living.drain()


def _imported(living: Living, folder: Path) -> None:
    file = folder / "old.jsonl"
    file.write_text(
        f'{{"id": "1", "created_at": {LONG_AGO}, "text": "Acme Air lost my bag", "author": "ana"}}\n'
        f'{{"id": "2", "created_at": {LONG_AGO}, "text": "what is this about?", "author": "ben"}}\n'
    )
    replay([file], living.opened.log, living.clock, Options(network="x"))
    living.drain()


def test_history_stays_searchable_for_the_whole_time_from_its_import(living: Living, tmp_path: Path) -> None:
    _imported(living, tmp_path)
    counted = living.truth()["counts"]
    assert [minute for minute, *_ in counted] == [LONG_AGO // 60_000]
    for later in (0, 399 * DAY):
        living.clock.at = NOW + later
        _keep(living)
        assert living.found("lost") == {OLD}
    living.clock.at = NOW + 401 * DAY
    _keep(living)
    mention = living.mention(OLD)
    assert mention is not None
    assert (mention.state, mention.post) == ("expired", None)
    assert living.found("lost") == set()
    assert living.truth()["counts"] == counted, "what expires stays counted, in the minute that it was said in"


def test_posts_of_a_network_that_allows_less_are_kept_for_less(living: Living, tmp_path: Path) -> None:
    """LinkedIn's members' words for 48 hours, whatever `retention: posts` says; those of others beside them stay."""
    assert living.opened.settings.retention.networks == {"linkedin": 47 * HOUR, "yelp": 23 * HOUR}
    for network in ("linkedin", "linkedinx"):
        file = tmp_path / f"{network}.jsonl"
        file.write_text(f'{{"id": "1", "created_at": {NOW}, "text": "Acme Air lost my bag", "author": "ana"}}\n')
        replay([file], living.opened.log, living.clock, Options(network=network))
    living.drain()
    living.clock.at = NOW + 47 * HOUR - 1
    _keep(living)
    assert living.found("lost") == {"linkedin:1#acme", "linkedinx:1#acme"}
    living.clock.at = NOW + 47 * HOUR + 1
    _keep(living)
    assert living.found("lost") == {"linkedinx:1#acme"}
    mention = living.mention("linkedin:1#acme")
    assert mention is not None
    assert (mention.state, mention.post) == ("expired", None)


def test_ids_of_history_are_kept_so_that_its_replies_find_their_parents(living: Living, tmp_path: Path) -> None:
    _imported(living, tmp_path)
    living.clock.at = NOW + 29 * DAY
    _keep(living)
    assert living.sql("SELECT id FROM post ORDER BY id") == [("x:1",), ("x:2",)]
    living.clock.at = NOW + 31 * DAY
    _keep(living)
    assert living.sql("SELECT id FROM post ORDER BY id") == [("x:1",)]


def test_neither_a_second_import_nor_a_reprocess_begins_the_time_anew(living: Living, tmp_path: Path) -> None:
    _imported(living, tmp_path)
    living.clock.at = NOW + 20 * DAY
    _imported(living, tmp_path)
    living.clock.at = NOW + 40 * DAY
    ask = Ask("key", "nlp", LONG_AGO - DAY, NOW + DAY, "")
    assert reprocess(living.opened, begin(living.opened, ask), threading.Event(), lambda _: None, beside=False).done
    living.drain()
    assert living.sql("SELECT id, arrived_at, seen_at FROM post ORDER BY id") == [
        ("x:1", NOW, NOW + 20 * DAY),
        ("x:2", NOW, NOW + 20 * DAY),
    ]


def test_an_edit_does_not_keep_a_text_for_longer(living: Living) -> None:
    living.live(post(1))
    living.clock.at = NOW + 300 * DAY
    at = living.clock.at
    living.live(post(1, "Acme Air found my bag", kind="edited", seen_at=at, edited_at=at, event_time=NOW))
    assert living.found("found") == {OLD}
    living.clock.at = NOW + 401 * DAY
    _keep(living)
    assert living.found("found") == set()
