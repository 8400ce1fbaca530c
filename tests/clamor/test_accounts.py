"""A brand's own account that is suspended or gone is told to people, once, and not for one wrong answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Living, settled_home

from clamor import networks
from clamor.accounts import Accounts
from clamor.clocks import set_pace
from clamor.commands.source_check import asked, sources_of
from config.sources import Collected
from ingest.collector import Collector
from ingest.setting import Setting
from tests.standins.bluesky import BlueskyStandIn
from tests.standins.mastodon import MastodonStandIn
from tests.standins.server import Fault

BEA, ACME = "bea.bsky.example", "mastodon:acme"


@pytest.fixture
def bluesky() -> Iterator[BlueskyStandIn]:
    with BlueskyStandIn() as standin:
        standin.account("bea")
        yield standin


@pytest.fixture
def mastodon() -> Iterator[MastodonStandIn]:
    with MastodonStandIn() as standin:
        standin.accounts["acme"] = {"id": "1", "acct": "acme"}
        yield standin


@pytest.fixture
def living(tmp_path: Path, bluesky: BlueskyStandIn, mastodon: MastodonStandIn) -> Iterator[Living]:
    text = f"""\
brands:
  - {{id: acme, name: Acme Air, accounts: ['bluesky:{BEA}', '{ACME}', 'x:acme', '@acme']}}
  - {{id: orbit, name: Orbit, kind: competitor, accounts: ['bluesky:nobody.example']}}
understanding: {{model: linear}}
people:
  - {{id: ana, name: Ana Example, email: ana@example.org, operations: true}}
sources:
  - {{id: sky, kind: bluesky, hosts: ['{bluesky.stream}'], api: '{bluesky.url}'}}
  - {{id: fedi, kind: mastodon, instances: ['{mastodon.url}'], budget: {{requests: 900}}}}
"""
    with Living(settled_home(tmp_path, text)) as living:
        yield living


def troubles(living: Living) -> dict[str, str]:
    return dict(
        living.sql(
            "SELECT o.key, a.why FROM operation_alert o JOIN alert a ON a.id = o.alert "
            "WHERE o.resolved_at IS NULL AND o.key LIKE 'account:%'"
        )
    )


@pytest.mark.parametrize(
    ("said", "words"), [("AccountTakedown", "is suspended"), ("AccountDeactivated", "is not there any more")]
)
def test_an_account_that_is_away_twice_is_told_and_over_when_it_is_back(
    living: Living, bluesky: BlueskyStandIn, said: str, words: str
) -> None:
    accounts = Accounts(living.opened)
    assert not accounts.look()
    bluesky.unseen[BEA] = said
    assert accounts.look(), "it is soon looked at again"
    assert troubles(living) == {}
    assert not accounts.look()
    assert words in troubles(living)[f"account:bluesky:{BEA}"]
    living.drain()
    living.clock.advance(60_000)
    assert living.mail() == 1
    accounts.look()
    del bluesky.unseen[BEA]
    accounts.look()
    assert troubles(living) == {}


def test_a_renamed_account_is_gone(living: Living, bluesky: BlueskyStandIn) -> None:
    bluesky.names.clear()
    accounts = Accounts(living.opened)
    accounts.look()
    accounts.look()
    assert list(troubles(living)) == [f"account:bluesky:{BEA}"]


def test_mastodon_tells_of_limits_and_suspensions(living: Living, mastodon: MastodonStandIn) -> None:
    accounts = Accounts(living.opened)
    for flag in ("limited", "suspended"):
        mastodon.accounts["acme"] = {"id": "1", "acct": "acme", flag: True}
        accounts.look()
        accounts.look()
    assert "hidden" in troubles(living)["account:mastodon:acme"]


def test_a_network_that_does_not_answer_says_nothing_of_an_account(living: Living, bluesky: BlueskyStandIn) -> None:
    bluesky.misbehave(Fault("status", times=4, status=503))
    accounts = Accounts(living.opened)
    for _ in range(3):
        assert not accounts.look()
    assert troubles(living) == {}


def test_a_strange_answer_about_one_account_ends_no_look_at_the_others(
    living: Living, mastodon: MastodonStandIn
) -> None:
    def make(settings: Collected, setting: Setting) -> Collector:
        if settings.id == "sky":
            raise ValueError("an answer that nobody understands")
        return networks.make(settings, setting)

    mastodon.accounts["acme"] = {"id": "1", "acct": "acme", "suspended": True}
    accounts = Accounts(living.opened, make)
    accounts.look()
    accounts.look()
    assert list(troubles(living)) == ["account:mastodon:acme"]


def test_a_home_whose_time_is_simulated_looks_at_no_account(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Accounts] = []
    monkeypatch.setattr(Accounts, "look", looked.append)
    monkeypatch.setattr("clamor.accounts.FIRST", 0.0)
    set_pace(living.opened.home, 1_795_000_000_000, 600.0)
    accounts = Accounts(living.opened)
    thread = threading.Thread(target=accounts.run)
    thread.start()
    thread.join(0.3)
    accounts.stop()
    thread.join()
    assert looked == []


def test_a_look_at_an_account_and_a_test_of_the_access_are_counted(living: Living) -> None:
    def counted() -> int:
        ((used,),) = living.sql("SELECT coalesce(sum(used), 0) FROM budget_used WHERE source_id = 'fedi'")
        return int(used)

    Accounts(living.opened).look()
    assert counted() == 1
    (fedi,) = sources_of(living.opened, ["fedi"])
    assert isinstance(fedi, Collected)
    asked(living.opened, fedi.model_copy(update={"public": True, "streaming": False}))
    assert counted() == 2
