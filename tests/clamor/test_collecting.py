"""Sources that Clamor asks are asked as long as they are in force; one that cannot be is told of, the others go on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from living import Living, settled_home

from clamor import networks
from clamor.chores import Watch
from clamor.clocks import set_pace
from clamor.collecting import BrandsInForce, Collecting, Make, collect
from clamor.commands.source_check import asked
from clamor.networks import NotInstalled
from clamor.sources import SourceStanding, standings
from config.sources import Collected
from ingest.collector import Collector
from ingest.setting import Setting
from stream.clock import DAY, MINUTE
from stream.ports import POSTS, InForce
from stream.records import Post, decode
from tests.standins.json_feed import JsonFeed, JsonFeedSource, collector
from tests.standins.server import Fault

PATIENCE = 60.0
STEP = 20
"""Milliseconds that the home's clock goes on while a source changes hands: a lease is asked for now and then only."""


class Registry:
    """As the home's, with the sources of a test in force."""

    def __init__(self, living: Living, sources: tuple[Collected, ...]) -> None:
        self._of_home, self.inforce = living.opened.registry, sources

    def sources(self) -> tuple[Collected, ...]:
        return self.inforce

    def current(self) -> InForce:
        return self._of_home.current()


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home")) as made:
        yield made


@pytest.fixture
def feed() -> Iterator[JsonFeed]:
    with JsonFeed() as made:
        yield made


def made(settings: Collected, setting: Setting) -> Collector:
    assert isinstance(settings, JsonFeedSource)
    return collector(settings, setting)


@contextmanager
def collecting(living: Living, *sources: Collected, make: Make = made) -> Iterator[tuple[Collecting, Registry]]:
    registry = Registry(living, sources)
    living.opened.__dict__["registry"] = registry
    work = Collecting(living.opened, make)
    try:
        yield work, registry
    finally:
        work.close()


def soon(holds: Callable[[], Any], meanwhile: Callable[[], object] = lambda: None) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        meanwhile()
        time.sleep(0.02)


def texts(living: Living) -> list[str]:
    log = living.opened.log
    found = [log.read(POSTS, partition, 0, 1_000) for partition in log.bounds(POSTS)]
    return sorted(decode(Post, record.value).text for records in found for record in records)


def standing(living: Living, id: str = "feed") -> SourceStanding:
    (found,) = [one for one in standings(living.opened) if one.source == id]
    return found


def test_a_source_in_force_is_asked_and_says_how_it_does(living: Living, feed: JsonFeed) -> None:
    feed.publish("Acme Air is late")
    feed.publish("")
    with collecting(living, JsonFeedSource(kind="json_feed", id="feed", url=feed.url)) as (work, _):
        assert standing(living).state == "shut"
        work.look()
        soon(lambda: texts(living) == ["Acme Air is late"])
        work.tell()
        one = standing(living)
        assert (one.state, one.kind, one.appended, one.dead, one.trouble) == ("listening", "json_feed", 1, 1, "")
        assert (one.lag, one.last_post_at) == (0, living.clock.now())
        feed.publish("Acme Air again")
        soon(lambda: len(texts(living)) == 2)
        soon(lambda: standing(living).appended == 2, work.tell)


def test_what_is_applied_is_asked_what_is_taken_out_is_not_and_what_changed_is_asked_anew(living: Living) -> None:
    with JsonFeed() as first, JsonFeed() as second, collecting(living) as (work, registry):
        work.look()
        registry.inforce = (JsonFeedSource(kind="json_feed", id="feed", url=first.url),)
        first.publish("one")
        work.look()
        soon(lambda: texts(living) == ["one"])
        registry.inforce = (JsonFeedSource(kind="json_feed", id="feed", url=second.url),)
        second.publish("seen already, by its number")
        second.publish("two")
        work.look()
        soon(lambda: texts(living) == ["one", "two"], lambda: living.clock.advance(STEP))
        registry.inforce = ()
        work.look()
        soon(lambda: not work._leaving, work.look)
        asked = second.asked("/")
        second.publish("three")
        time.sleep(0.4)
        assert (second.asked("/"), texts(living)) == (asked, ["one", "two"])


def test_a_secret_that_is_replaced_counts_without_a_restart(living: Living) -> None:
    secrets = living.home.secrets_file
    secrets.write_text("FEED_TOKEN=old\n")
    secrets.chmod(0o600)
    with (
        JsonFeed(token="new") as feed,
        collecting(living, JsonFeedSource(kind="json_feed", id="feed", url=feed.url, token_env="FEED_TOKEN")) as (
            work,
            _,
        ),
    ):
        feed.publish("Acme")
        work.look()
        soon(lambda: standing(living).state == "refused", work.tell)
        assert "a person has to act" in standing(living).trouble
        secrets.write_text("FEED_TOKEN=new\n")
        os.utime(secrets, (1, 1))
        soon(lambda: texts(living) == ["Acme"], lambda: (work.look(), living.clock.advance(STEP)))
        soon(lambda: standing(living).state == "listening", work.tell)


def test_until_when_a_credential_counts_is_told_by_who_asks_and_in_a_test_of_the_source(
    living: Living, feed: JsonFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = living.clock.wall() + 9 * DAY

    def make(settings: Collected, setting: Setting) -> Collector:
        found = made(settings, setting)
        found.ends = lambda: ends  # type: ignore[attr-defined]
        return found

    source = JsonFeedSource(kind="json_feed", id="feed", url=feed.url)
    with collecting(living, source, make=make) as (work, _):
        work.look()
        soon(lambda: standing(living).ends_at == ends, work.tell)
        Watch(living.opened).step()
        keys = "SELECT key FROM operation_alert WHERE resolved_at IS NULL"
        assert living.sql(keys) == [("credential:feed:14",)]
    monkeypatch.setattr(networks, "make", make)
    assert asked(living.opened, source).endswith("posts; its credential ends in 9 days (2026-09-30 14:13 UTC)")


def test_a_source_that_cannot_be_made_is_told_in_words_and_the_others_go_on(living: Living, feed: JsonFeed) -> None:
    def make(settings: Collected, setting: Setting) -> Collector:
        if settings.id == "other":
            raise NotInstalled("source other of kind json_feed needs feedlib: pip install 'clamor[feeds]'")
        return made(settings, setting)

    feed.publish("Acme")
    sources = [JsonFeedSource(kind="json_feed", id=id, url=feed.url) for id in ("other", "feed")]
    with collecting(living, *sources, make=make) as (work, registry):
        work.look()
        soon(lambda: texts(living) == ["Acme"])
        soon(lambda: standing(living, "other").state == "broken", work.tell)
        assert standing(living).state == "listening"
        watch = Watch(living.opened)
        for _ in range(2):
            watch.step()
        open_ones = (
            "SELECT o.key, a.why FROM operation_alert o JOIN alert a ON a.id = o.alert WHERE resolved_at IS NULL"
        )
        ((key, why),) = living.sql(open_ones)
        assert key == "coverage:source:other"
        assert "pip install 'clamor[feeds]'" in why
        registry.inforce = registry.inforce[1:]
        watch.step()
        assert living.sql(open_ones) == []


def test_a_strange_fault_never_shows_its_words(living: Living, feed: JsonFeed) -> None:
    def make(settings: Collected, setting: Setting) -> Collector:
        raise RuntimeError("the token is hunter2")

    with collecting(living, JsonFeedSource(kind="json_feed", id="feed", url=feed.url), make=make) as (work, _):
        work.look()
        soon(lambda: standing(living).trouble, work.tell)
        assert standing(living).trouble == "unexpected RuntimeError"


def test_a_network_that_is_down_is_told_after_a_while(living: Living, feed: JsonFeed) -> None:
    feed.misbehave(Fault("status", times=10_000, headers={"Retry-After": "0"}))
    with collecting(living, JsonFeedSource(kind="json_feed", id="feed", url=feed.url)) as (work, _):
        work.look()
        soon(lambda: standing(living).state == "cut", work.tell)
        assert standing(living).cuts > 0
        watch = Watch(living.opened)
        watch.step()
        keys = "SELECT key FROM operation_alert WHERE resolved_at IS NULL"
        assert living.sql(keys) == []
        living.clock.advance(16 * MINUTE)
        soon(lambda: standing(living).state == "cut", work.tell)
        watch.step()
        assert living.sql(keys) == [("coverage:source:feed",)]


def test_two_processes_share_the_sources(living: Living, feed: JsonFeed) -> None:
    source = JsonFeedSource(kind="json_feed", id="feed", url=feed.url)
    with collecting(living, source) as (one, _):
        one.look()
        soon(lambda: feed.asked("/"))
        other = Collecting(living.opened, made)
        other.look()
        for number in range(20):
            feed.publish(f"post {number}")
        soon(lambda: len(texts(living)) == 20)
        one.close()
        feed.publish("after the first one left")
        soon(lambda: len(texts(living)) == 21, lambda: living.clock.advance(300))
        other.close()
    assert len(set(texts(living))) == 21


def test_the_prefilter_follows_the_brands(living: Living) -> None:
    class Changing:
        brands = living.opened.registry.current()

        def current(self) -> InForce:
            return self.brands

    registry = Changing()
    acme = registry.brands.brands[0]
    living.opened.__dict__["registry"] = registry
    brands = BrandsInForce(living.opened)
    passes, narrow = brands.prefilter(()), brands.prefilter(("acme",))
    assert (passes("Acme Air is late"), passes("Zephyr is late")) == (True, False)
    zephyr = acme.model_copy(update={"id": "zephyr", "name": "Zephyr"})
    registry.brands = registry.brands._replace(brands=(acme, zephyr))
    assert (passes("Zephyr is late"), narrow("Zephyr is late"), narrow("Acme Air")) == (True, False, True)
    assert [one.brand for one in brands.wanted(("zephyr",))] == ["zephyr"]


def test_a_home_whose_time_is_simulated_asks_nobody(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Collecting] = []
    monkeypatch.setattr(Collecting, "look", looked.append)
    set_pace(living.opened.home, 1_795_000_000_000, 600.0)
    rounds = iter([False, False, True])
    collect(living.opened, lambda: next(rounds))
    assert looked == []
