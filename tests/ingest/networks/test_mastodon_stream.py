"""Mastodon's streams, spoken to over a socket: several at once, each cut, deaf or down by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.sources import MastodonSource
from ingest.wanted import Wanted
from tests.ingest.collecting import ACME, Collecting, until
from tests.standins.mastodon import MastodonStandIn
from tests.standins.server import Fault


@pytest.fixture
def here() -> Iterator[MastodonStandIn]:
    with MastodonStandIn() as standin:
        yield standin


@pytest.fixture
def there() -> Iterator[MastodonStandIn]:
    with MastodonStandIn() as standin:
        yield standin


def listening(home: Path, *standins: MastodonStandIn, wanted: tuple[Wanted, ...] = (), **more: Any) -> Collecting:
    settings = MastodonSource(
        id="source", kind="mastodon", instances=tuple(one.url for one in standins), timeout="500ms",
        **{"public": True, "silence": "5s", **more},
    )  # fmt: skip
    return Collecting(home, settings, {"TOKEN": "a-token-of-the-server-0123"}, firehose=True, wanted=wanted)


def host(standin: MastodonStandIn) -> str:
    return standin.url.partition("//")[2]


def held(at_work: Collecting, uri: str) -> bool:
    return f"mastodon:{uri}" in at_work.held.texts()


def test_one_of_several_servers_that_is_down_costs_the_others_nothing_and_its_gap_is_filled(
    here: MastodonStandIn, there: MastodonStandIn, tmp_path: Path
) -> None:
    with listening(tmp_path / "home", here, there) as at_work:
        there.misbehave(Fault("status", status=503, times=1_000_000))
        there.cut_streams()
        until(lambda: at_work.ledger.gaps(["source"]), lambda: "its gap is not in the ledger")
        missed, heard = there.post("Acme meanwhile there"), here.post("Acme meanwhile here")
        until(lambda: held(at_work, heard), lambda: "the other server was left as well")
        (gap,) = at_work.ledger.gaps(["source"])
        assert (gap.query, gap.state) == (host(there), "gap")
        assert at_work.connected
        there.recover()
        until(lambda: held(at_work, missed), lambda: "its gap was not filled")
        until(lambda: not at_work.ledger.gaps(["source"]), lambda: f"{at_work.ledger.gaps(['source'])}")


def test_the_gap_of_all_is_filled_where_a_server_answers_and_stays_where_none_does(
    here: MastodonStandIn, there: MastodonStandIn, tmp_path: Path
) -> None:
    with listening(tmp_path / "home", here, there) as at_work:
        for standin in (here, there):
            standin.cut_and(Fault("status", status=503, times=1_000_000))
        until(lambda: at_work.runner.trouble, lambda: "no word of the outage")
        lost, missed = there.post("Acme there"), here.post("Acme here")
        here.recover()
        until(lambda: held(at_work, missed), lambda: "nothing was filled")
        until(
            lambda: {gap.query for gap in at_work.ledger.gaps(["source"])} == {host(there)},
            lambda: f"{at_work.ledger.gaps(['source'])}",
        )
        there.recover()
        until(lambda: held(at_work, lost), lambda: "what is back was not asked")


def test_a_delete_is_understood_after_a_restart_and_a_remote_post_can_be_looked_up(
    here: MastodonStandIn, tmp_path: Path
) -> None:
    with listening(tmp_path / "home", here) as at_work:
        gone, kept = here.remote("Acme from afar"), here.remote("Acme stays")
        until(lambda: held(at_work, gone) and held(at_work, kept), lambda: at_work.runner.trouble)
    with listening(tmp_path / "home", here) as at_work:
        collector: Any = at_work.collector
        collector._ids._uris.clear()
        collector._ids._places.clear()
        found = collector.look_up([kept])
        assert (found.existence[kept], found.asked) == ("there", 1)
        here.delete(gone)
        until(lambda: not held(at_work, gone), lambda: "the delete was not understood")
        assert held(at_work, kept)


def test_a_remote_post_that_comes_late_is_heard_and_one_of_an_outage_is_found(
    here: MastodonStandIn, tmp_path: Path
) -> None:
    with listening(tmp_path / "home", here) as at_work:
        here.post("Acme now")
        heard = here.remote("Acme half an hour ago", late=1_800)
        until(lambda: held(at_work, heard), lambda: "the stream brought it")
        here.misbehave(Fault("status", status=503, times=1_000_000))
        here.cut_streams()
        until(lambda: at_work.runner.trouble, lambda: "no word of the outage")
        found = here.remote("Acme two minutes ago", late=120)
        here.recover()
        until(lambda: held(at_work, found), lambda: "it lies before the outage, and was not asked for")


def test_a_quote_names_what_it_quotes_where_that_was_allowed(here: MastodonStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", here) as at_work:
        first = here.post("Acme is late")
        whole = here.statuses[here._numbers[first]]
        quotes = {
            here.post("Acme, see", quote={"state": "accepted", "quoted_status": whole}): f"mastodon:{first}",
            here.post(
                "Acme, shallow", quote={"state": "accepted", "quoted_status_id": whole["id"]}
            ): f"mastodon:{first}",
            here.post("Acme, refused", quote={"state": "rejected", "quoted_status": None}): None,
            here.post("Acme, odd", quote=["what", 7]): None,
        }
        until(lambda: all(held(at_work, uri) for uri in quotes), lambda: at_work.runner.trouble)
        posts = {post.id: post.quote_of for post in at_work.held.contents()}
        assert {uri: posts[f"mastodon:{uri}"] for uri in quotes} == quotes


def test_each_hashtag_is_a_lane_and_comes_with_the_brands(here: MastodonStandIn, tmp_path: Path) -> None:
    with listening(tmp_path / "home", here, public=False, hashtags=("Trains",), wanted=(ACME,)) as at_work:
        uri = here.post("late again #acme")
        until(lambda: held(at_work, uri), lambda: at_work.runner.trouble)
        at_work.end()
        assert {row.query for row in at_work.ledger.rows(["source"])} == {f"{host(here)}#trains", f"{host(here)}#acme"}


def test_a_token_is_sent_where_it_is_needed_and_to_no_other_site(here: MastodonStandIn, tmp_path: Path) -> None:
    here.token = "a-token-of-the-server-0123"
    with listening(tmp_path / "home", here, token_envs={here.url: "TOKEN"}) as at_work:
        uri = here.post("Acme is late")
        until(lambda: held(at_work, uri), lambda: at_work.runner.trouble)
    here.streaming_url = "wss://elsewhere.example"
    settings = MastodonSource(id="source", kind="mastodon", instances=(here.url,), public=True, timeout="500ms")
    with Collecting(tmp_path / "other", settings, {}, firehose=True, wait=0) as at_work:
        until(lambda: "streaming_urls" in at_work.runner.trouble, lambda: at_work.runner.trouble)
