"""A source that used to bring posts and brings none: people are told, once, until it brings some again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from living import NOW, Living, settled_home
from prometheus_client.parser import text_string_to_metric_families

from clamor.chores import Watch
from clamor.clocks import set_pace
from clamor.metrics import metrics
from clamor.opening import open_home
from clamor.starting import make_ready
from clamor.status import status
from clamor.webhooks import Webhooks
from config.disk import DiskFree
from ingest.listening import PAUSED
from ingest.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from stream.clock import HOUR, MINUTE, ManualClock

SECRET = "a-secret-of-thirty-characters-or-so"
CONFIGURATION = """\
brands:
  - {id: acme, name: Acme Air}
sources:
  - {id: shop, kind: webhook, network: forum, secret_env: CLAMOR_TEST_PUSH, silent_after: 2h}
  - {id: rare, kind: webhook, network: forum, secret_env: CLAMOR_TEST_PUSH}
  - {id: keyless, kind: webhook, network: forum, secret_env: CLAMOR_TEST_NOTHING, silent_after: 2h}
people:
  - {id: ana, name: Ana Example, email: ana@example.org, operations: true}
mail: {host: null}
"""


@pytest.fixture
def living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Living]:
    monkeypatch.setenv("CLAMOR_TEST_PUSH", SECRET)
    monkeypatch.setenv("CLAMOR_TEST_NOTHING", "")
    with Living(settled_home(tmp_path / "home", CONFIGURATION)) as made:
        yield made


def open_keys(living: Living) -> set[str]:
    return {key for (key,) in living.sql("SELECT key FROM operation_alert WHERE resolved_at IS NULL")}


def states(living: Living) -> dict[str, str]:
    return {one["source"]: one["state"] for one in status(living.opened)["sources"]}


def pushed(webhooks: Webhooks, source: str, number: int, now: int) -> None:
    mounted = webhooks.of(source)
    assert mounted is not None
    body = b'{"posts": [{"id": "%d", "text": "Acme Air"}, {"id": "%d", "text": ""}]}' % (
        number,
        number + 1_000,
    )
    stamp = now // 1_000
    headers = {TIMESTAMP_HEADER: str(stamp), SIGNATURE_HEADER: sign(SECRET, stamp, body)}
    status, answer = mounted.handle(headers, body, now, now, {})
    assert (status, answer["accepted"], len(answer["rejected"])) == (202, 1, 1)


def listened(living: Living, webhooks: Webhooks, hours: float) -> None:
    for _ in range(int(hours * 12)):
        living.clock.advance(5 * MINUTE)
        webhooks.look()


def test_it_is_told_once_and_is_over_when_posts_come_again(living: Living) -> None:
    webhooks, watch = Webhooks(living.opened), Watch(living.opened)
    webhooks.look()
    listened(living, webhooks, 30)
    watch.step()
    assert (open_keys(living), states(living)) == (set(), {"shop": "open", "rare": "open"}), "new sources"
    pushed(webhooks, "shop", 1, living.clock.now())
    pushed(webhooks, "rare", 1, living.clock.now())
    listened(living, webhooks, 2)
    watch.step()
    assert open_keys(living) == set()
    listened(living, webhooks, 1)
    for _ in range(3):
        watch.step()
    assert open_keys(living) == {"coverage:silent:shop"}
    assert states(living) == {"shop": "silent", "rare": "open"}
    ((kind, why),) = living.sql("SELECT kind, why FROM alert")
    assert kind == "coverage"
    assert "source shop brought posts and has brought none for 2 h (silent_after: 2h)" in why
    assert "/api/webhooks/shop" in why
    assert living.mail() == 1
    pushed(webhooks, "shop", 2, living.clock.now())
    webhooks.look()
    watch.step()
    assert (open_keys(living), states(living)["shop"]) == (set(), "open")


def test_a_trouble_that_ended_while_nothing_ran_is_over(living: Living) -> None:
    """Or it would never be told again."""
    webhooks = Webhooks(living.opened)
    pushed(webhooks, "shop", 1, living.clock.now())
    webhooks.look()
    listened(living, webhooks, 3)
    Watch(living.opened).step()
    assert open_keys(living) == {"coverage:silent:shop"}
    pushed(webhooks, "shop", 2, living.clock.now())
    webhooks.look()
    Watch(living.opened).step()
    assert open_keys(living) == set()


def test_what_was_pushed_stands_in_the_ledger(living: Living) -> None:
    webhooks = Webhooks(living.opened)
    webhooks.look()
    for number in (1, 2):
        living.clock.advance(MINUTE)
        pushed(webhooks, "shop", number, living.clock.now())
    webhooks.close()
    rows = [(row.state, row.received, row.refused, row.missed) for row in living.opened.ledger.rows(["shop"])]
    assert rows == [("complete", 2, 2, 0)]
    assert status(living.opened)["coverage"]["share"] == 1.0


def test_metrics_name_it(living: Living) -> None:
    webhooks = Webhooks(living.opened)
    pushed(webhooks, "shop", 1, living.clock.now())
    webhooks.look()
    listened(living, webhooks, 3)
    found = {
        (sample.name, sample.labels.get("source")): sample.value
        for family in text_string_to_metric_families(metrics(living.opened).decode())
        for sample in family.samples
    }
    assert found["clamor_source_silent", "shop"] == 1
    assert found["clamor_source_silent", "rare"] == 0
    assert found["clamor_source_last_post_timestamp_seconds", "shop"] == NOW / 1_000


def test_a_disk_that_fills_up_pauses_it_with_one_gap_and_is_no_silence(living: Living) -> None:
    webhooks, watch = Webhooks(living.opened), Watch(living.opened)
    pushed(webhooks, "shop", 1, living.clock.now())
    webhooks.look()
    listened(living, webhooks, 1)
    free = living.opened.disk
    living.opened.disk = lambda: DiskFree(9, 100)  # type: ignore[method-assign]
    listened(living, webhooks, 10)
    watch.step()
    assert open_keys(living) == {"disk:data"}
    assert states(living) == {"shop": "paused", "rare": "paused"}
    gaps = status(living.opened)["coverage"]["gaps"]
    assert {(gap["source_id"], gap["reason"], gap["until"] - gap["since"]) for gap in gaps} == {
        ("shop", PAUSED, 10 * HOUR), ("rare", PAUSED, 10 * HOUR),
    }  # fmt: skip
    living.opened.disk = free  # type: ignore[method-assign]
    listened(living, webhooks, 1)
    watch.step()
    assert (open_keys(living), states(living)) == (set(), {"shop": "open", "rare": "open"})
    living.clock.advance(HOUR)
    assert states(living) == {"shop": "shut", "rare": "shut"}


def test_in_simulated_time_it_is_that_time_which_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAMOR_TEST_PUSH", SECRET)
    home = settled_home(tmp_path / "home", CONFIGURATION)
    home.data.mkdir()
    clock = set_pace(home, NOW, 3_600)
    with open_home(home) as opened:
        make_ready(opened)
        wall = ManualClock(clock.anchor)
        monkeypatch.setattr(opened.clock, "wall", wall.wall)
        webhooks = Webhooks(opened)
        pushed(webhooks, "shop", 1, opened.clock.now())
        webhooks.look()
        for _ in range(9):
            wall.advance(1_000)
            webhooks.look()
        shop = status(opened)["sources"][0]
        assert (shop["state"], shop["silent_for"]) == ("silent", 9 * HOUR)
