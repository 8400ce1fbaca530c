"""Wikimedia's stream, spoken to over a socket: two data centers, what is deleted and comes back, and what lags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config.sources import MediawikiSource
from ingest.collector import CursorLost
from ingest.networks.mediawiki_stream import CHANGES, REWIND, STREAMS, Place
from stream.clock import HOUR
from tests.ingest.collecting import Collecting, until
from tests.standins.mediawiki import MediawikiStandIn
from tests.standins.server import Fault

NOW = 1_800_000_000_000


@pytest.fixture
def wiki() -> Iterator[MediawikiStandIn]:
    with MediawikiStandIn() as wiki:
        wiki.edit_page("Main page", "Welcome", at=NOW - 9_999 * HOUR)
        yield wiki


def settings(wiki: MediawikiStandIn, **more: Any) -> MediawikiSource:
    return MediawikiSource.model_validate(
        {"id": "source", "kind": "mediawiki", "url": f"{wiki.url}/w/api.php", "contact": "ana@example.org"}
        | {"streaming": True, "streaming_url": wiki.url, "gather": "50ms", "timeout": "2s"}
        | more
    )


def listening(home: Path, wiki: MediawikiStandIn, **more: Any) -> Collecting:
    return Collecting(home, settings(wiki, **more), {})


def comes(at_work: Collecting, native_id: str) -> None:
    until(lambda: f"mediawiki:{native_id}" in at_work.held.texts(), lambda: at_work.runner.trouble)


def goes(at_work: Collecting, native_id: str) -> None:
    until(lambda: f"mediawiki:{native_id}" not in at_work.held.texts(), lambda: at_work.runner.trouble)


# --- what comes ---


def test_only_changes_of_the_wiki_count_that_the_settings_ask_for(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", wiki) as at_work:
        with wiki.lock:
            for domain, more in (
                ("canary", {}),
                ("elsewhere.example", {}),
                (wiki.host, {"namespace": 2}),
                (wiki.host, {"bot": True}),
                (wiki.host, {"type": "log", "log_type": "delete"}),
                (wiki.host, {"type": "categorize"}),
            ):
                event = {"type": "edit", "namespace": 0, "title": "A", "revision": {"new": 7, "old": 6}} | more
                wiki.topics.tell(CHANGES, domain, event)
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
        (post,) = at_work.held.contents()
        assert (post.title, post.author and post.author.handle) == ("Airlines", "ana")
        assert at_work.held.dead() == []
        assert "revids=7" not in " ".join(request.query for request in wiki.requests)


def test_what_is_no_change_is_a_dead_letter_once_and_holds_nobody_up(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [
        {"type": "edit", "title": "A"},
        {"type": "edit", "title": "B", "revision": {"new": 10**17, "old": 1}},
        {"type": "edit", "title": "C", "revision": {"new": -1, "old": 1}},
        {"type": "new", "title": "D", "revision": {"new": 7, "old": 2**62}},
        {"type": "edit", "title": "E", "timestamp": 1e300, "revision": {"new": 7, "old": 6}},
        {"type": ["edit"]},
    ]
    with listening(tmp_path / "home", wiki) as at_work:
        with wiki.lock:
            for event in odd:
                wiki.topics.tell(CHANGES, wiki.host, event)
            wiki.topics.tell("mediawiki.page-delete", wiki.host, {"page_title": "A"})
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
        wiki.cut_streams()
        comes(at_work, wiki.edit_page("Trains", "Acme is early."))
        assert len(at_work.held.dead()) == len(odd) + 1


def test_texts_are_asked_for_together(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", wiki, gather="300ms") as at_work:
        asked = wiki.asked("/w/api.php")
        for n in range(20):
            last = wiki.edit_page(f"Page {n}", f"Acme {n}")
        comes(at_work, last)
        assert wiki.asked("/w/api.php") - asked <= 4


def test_a_revision_that_the_wiki_does_not_know_yet_is_waited_for(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", wiki) as at_work:
        with wiki.lock:
            late = wiki.edit_page("Airlines", "Acme is late.")
            wiki.not_yet.add(int(late.rpartition("/")[2]))
        comes(at_work, wiki.edit_page("Trains", "Acme is on time."))
        at_work.end()
    wiki.not_yet.clear()
    with listening(tmp_path / "home", wiki) as at_work:
        comes(at_work, late)


def test_a_wiki_that_asks_to_wait_a_moment_does_not_end_the_stream_and_one_that_fails_for_long_does(
    wiki: MediawikiStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(tmp_path / "home", wiki) as at_work:
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
        wiki.misbehave(Fault("status", only="/w/api.php"))
        comes(at_work, wiki.edit_page("Trains", "Acme is early."))
        assert (at_work.runner.cuts, wiki.asked("/v2/"), wiki.to_go_wrong) == (0, 1, 0)
        monkeypatch.setattr("ingest.networks.mediawiki_live.LAGS", 0)
        wiki.misbehave(Fault("status", only="/w/api.php"))
        comes(at_work, wiki.edit_page("Ships", "Acme is on time."))
        assert at_work.runner.cuts == 1


# --- what goes ---


def test_a_deleted_page_takes_its_posts_away_and_a_restored_one_brings_them_back_also_after_a_restart(
    wiki: MediawikiStandIn, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with listening(home, wiki) as at_work:
        first, second = wiki.edit_page("Airlines", "Acme is late."), wiki.edit_page("Trains", "Acme is early.")
        comes(at_work, first)
        comes(at_work, second)
    with listening(home, wiki) as at_work:
        wiki.delete(first)
        goes(at_work, first)
        comes(at_work, second)
        wiki.undelete(first)
        comes(at_work, first)


def test_a_hidden_text_is_gone_until_it_is_shown_again_and_a_hidden_author_is_taken_away(
    wiki: MediawikiStandIn, tmp_path: Path
) -> None:
    with listening(tmp_path / "home", wiki) as at_work:
        hidden, nameless = wiki.edit_page("Airlines", "Acme is late."), wiki.edit_page("Trains", "Acme is early.")
        comes(at_work, hidden)
        comes(at_work, nameless)
        wiki.hide(hidden, "text")
        goes(at_work, hidden)
        wiki.hide(hidden, "text", hidden=False)
        comes(at_work, hidden)
        wiki.hide(nameless, "user")
        until(lambda: at_work.held.contents()[-1].kind == "edited", lambda: "the author is still named")
        post = at_work.held.contents()[-1]
        assert (post.id, post.author, post.text) == (f"mediawiki:{nameless}", None, "Acme is early.")


def test_what_becomes_of_pages_that_hold_no_post_costs_no_question(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", wiki) as at_work:
        other = wiki.edit_page("Elsewhere", "Beta is late.")
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
        asked = wiki.asked("/w/api.php")
        wiki.hide(other, "user")
        wiki.delete(other)
        wiki.undelete(other)
        comes(at_work, wiki.edit_page("Trains", "Acme is early."))
        assert wiki.asked("/w/api.php") - asked <= 2
        assert {post.kind for post in at_work.held.look().all} == {"created"}


# --- where it goes on ---


def test_what_another_data_center_said_during_a_cut_is_not_lost(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", wiki) as at_work:
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
        wiki.cut_and(Fault("status", status=503, times=1_000_000))
        until(lambda: at_work.runner.trouble, lambda: "no word of the outage")
        wiki.topics.center = "codfw"
        moved = wiki.edit_page("Trains", "Acme is early.")
        wiki.recover()
        comes(at_work, moved)
        until(lambda: not at_work.ledger.gaps(["source"]), lambda: f"{at_work.ledger.gaps(['source'])}")
        told = json.loads([one for one in wiki.requests if one.path.startswith("/v2/")][-1].headers["last-event-id"])
        assert {one["topic"] for one in told} == {f"{center}.{one}" for center in ("eqiad", "codfw") for one in STREAMS}
        assert all("timestamp" in one for one in told)


def test_what_the_stream_does_not_keep_any_more_is_asked_of_the_wiki(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with listening(home, wiki) as at_work:
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
    missed = wiki.edit_page("Trains", "Acme is early.")
    with wiki.lock:
        wiki.topics.forget(2**60)
    stream = Place(",".join(STREAMS), NOW - 9_000 * HOUR)
    with listening(home, wiki) as at_work:
        at_work.end()
        at_work.runner.cursors.put("source", "", str(stream), at_work.clock.wall())
    with listening(home, wiki) as at_work:
        until(
            lambda: any(row.state == "backfilled" and row.received for row in at_work.ledger.rows(["source"])),
            lambda: f"no gap was filled: {at_work.ledger.rows(['source'])}",
        )
        comes(at_work, missed)
        until(lambda: not at_work.ledger.gaps(["source"]), lambda: f"{at_work.ledger.gaps(['source'])}")


def test_without_the_streams_of_deletes_changes_are_heard_all_the_same(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    home = tmp_path / "home"
    wiki.topics.streams.remove("mediawiki.page-undelete")
    with listening(home, wiki) as at_work:
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
    wiki.topics.streams.append("mediawiki.page-undelete")
    meanwhile = wiki.edit_page("Trains", "Acme is early.")
    with listening(home, wiki) as at_work:
        comes(at_work, meanwhile)
        request = [one for one in wiki.requests if one.path.startswith("/v2/")][-1]
        assert request.path.count(",") == 3
        assert "since" in request.params


def test_a_place_is_behind_each_topic_and_begins_a_little_earlier() -> None:
    place = Place("a,b", NOW - HOUR).moved(
        b'[{"topic":"x.a","partition":0,"timestamp":%d},{"topic":"y.a","partition":0,"offset":-1},'
        b'{"topic":"x.b","partition":1,"offset":77}]' % NOW,
        NOW + HOUR,
    )
    assert place.at == {"x.a/0": NOW, "y.a/0": NOW, "x.b/1": NOW - HOUR}
    later = place.moved(b'[{"topic":"x.a","timestamp":%d},{"topic":"y.a","offset":-1}]' % (NOW + 5), NOW + HOUR)
    assert later.at == {"x.a/0": NOW + 5, "y.a/0": NOW, "x.b/1": NOW - HOUR}
    headers, query = later.asked("a,b")
    assert json.loads(headers["Last-Event-ID"])[0] == {"topic": "x.a", "partition": 0, "timestamp": NOW + 5 - REWIND}
    assert query == {}
    assert later.asked("a") == ({}, {"since": "2027-01-15T06:59:50Z"})
    assert Place.read(str(later)) == later


@pytest.mark.parametrize(
    "id",
    [
        b"", b"7", b"{}", b"[7]", b'[{"topic": 7}]', b"\xff", b'[{"topic":"a\\r\\nX: 1","timestamp":1}]',
        b'[{"topic":"a","timestamp":-1e99}]', b"[" * 100_000, b'[{"topic":"' + b"a" * 300 + b'","timestamp":1}]',
    ],
)  # fmt: skip
def test_an_id_that_is_none_moves_nothing(id: bytes) -> None:
    place = Place("a", NOW, {"x.a/0": NOW})
    assert place.moved(id, NOW) == place


def test_no_topic_is_gone_on_with_from_a_time_that_was_not_yet() -> None:
    assert Place("a", NOW).moved(b'[{"topic":"x.a","timestamp":%d}]' % 2**62, NOW).at == {"x.a/0": NOW}


def test_the_cursor_of_a_wiki_that_was_polled_is_lost_and_what_lies_between_asked_for(
    wiki: MediawikiStandIn, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with listening(home, wiki, streaming=False, interval="100ms") as at_work:
        comes(at_work, wiki.edit_page("Airlines", "Acme is late."))
    between = wiki.edit_page("Trains", "Acme is early.")
    with listening(home, wiki) as at_work:
        comes(at_work, between)
    with pytest.raises(CursorLost):
        Place.read("7")


# --- settings ---


def test_its_access_is_checked_with_the_wiki_and_the_stream(wiki: MediawikiStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", wiki) as at_work:
        collector: Any = at_work.collector
        said = collector.check()
        assert (said.endswith("Wikimedia's stream answers"), collector.check_used) == (True, (2, 0))
        assert "ana@example.org" in wiki.requests[-1].headers["user-agent"]


def test_only_wikis_of_wikimedia_are_streamed(wiki: MediawikiStandIn) -> None:
    own = {"streaming_url": "https://stream.wikimedia.org"}
    assert settings(wiki, **own, url="https://es.wikipedia.org/w/api.php").streaming
    with pytest.raises(ValidationError, match="no wiki of Wikimedia"):
        settings(wiki, **own, url="https://wiki.acme.example/w/api.php")
