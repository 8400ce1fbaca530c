"""What a source costs is foreseen, kept within its cap, and told before and when the cap is reached."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from living import NOW, settled_home
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from clamor import networks
from clamor.budgets import budget_of, budgets
from clamor.chores import Watch
from clamor.cli import program
from clamor.collecting import Collecting
from clamor.commands import backfill as backfill_command
from clamor.commands import estimate as estimate_command
from clamor.commands import status as status_command
from clamor.estimating import NO_ROOM, estimate
from clamor.metrics import metrics
from clamor.opening import Opened, open_home
from clamor.starting import make_ready
from clamor.status import status
from config.sources import Collected, TelegramSource
from config.sources.budget import Costs
from database.engine import read, rows
from ingest.collector import Delivery, Draft, Sample, Span, Style, Unfillable
from ingest.networks.telegram import Telegram
from ingest.setting import Setting
from ingest.wanted import Wanted, wanted
from stream.clock import DAY, SECOND, ManualClock
from stream.ports import POSTS, InForce
from stream.records import Post, decode
from tests.clamor.test_collecting import soon

CONFIGURATION = """\
brands:
  - {id: acme, name: Acme Air}
  - {id: zephyr, name: Zephyr, kind: competitor}
people:
  - {id: ana, name: Ana Example, email: ana@example.org, operations: true}
mail: {host: null}
understanding: {model: linear}
"""


class BilledSource(Collected):
    """Bills each post read."""

    kind: Literal["billed"] = "billed"
    costs: ClassVar[Costs] = Costs(unit="posts read", most=10, per_post=1, price=0.5)
    hours: int = 168
    rate: int = 2
    capped: bool = False
    bursts: int = 10
    """Posts that each brand has at every round."""


class Billed:
    """Its posts are numbered; a round asks for each brand that there is room for."""

    style: Style = "poll"
    resumes = True
    interval = 20

    def __init__(self, settings: BilledSource, setting: Setting) -> None:
        self.source, self._settings, self._setting = setting.source, settings, setting
        self.closed = False

    def collect(self, cursor: str | None) -> Iterator[Delivery]:
        number = int(cursor or 0)
        for one in self._setting.wanted():
            if not self._setting.allowed(one.brand):
                yield Delivery(query=one.brand, asked=0, missed=None, reason="spend cap")
                continue
            drafts = [
                Draft(native_id=str(number + n), text=f"{one.phrases[0]} {n}") for n in range(self._settings.bursts)
            ]
            number += len(drafts)
            yield Delivery(query=one.brand, drafts=drafts, cursor=str(number), cost=len(drafts))

    def fill(self, query: str, span: Span, cursor: str | None) -> Iterator[Delivery]:
        raise Unfillable("no history")

    def sample(self, wanted: Wanted) -> Sample:
        assert self._setting.prefilter is not None
        if not self._setting.prefilter(f"{wanted.phrases[0]} 1"):
            return Sample((0,) * self._settings.hours, cost=1)
        of_brand = self._settings.rate * (10 if wanted.kind == "competitor" else 1)
        return Sample((of_brand,) * self._settings.hours, cost=1, capped=self._settings.capped)

    def close(self) -> None:
        self.closed = True


class Living:
    """A home of which nothing but the sources is at work."""

    def __init__(self, opened: Opened, clock: ManualClock) -> None:
        self.opened, self.clock, self.home = opened, clock, opened.home

    def sql(self, statement: str) -> list[Any]:
        with read(self.opened.engine) as connection:
            return rows(connection, statement)


class Registry:
    def __init__(self, opened: Opened, sources: Sequence[Collected]) -> None:
        self._of_home, self._sources = opened.registry, sources

    def sources(self) -> Sequence[Collected]:
        return self._sources

    def current(self) -> InForce:
        return self._of_home.current()


@pytest.fixture
def living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Living]:
    monkeypatch.setattr(networks, "make", Billed)
    clock = ManualClock(NOW)
    with open_home(settled_home(tmp_path / "home", CONFIGURATION), clock) as opened:
        make_ready(opened)
        yield Living(opened, clock)


def inforce(living: Living, **more: Any) -> BilledSource:
    source = BilledSource.model_validate({"id": "paid", **more})
    living.opened.__dict__["registry"] = Registry(living.opened, (source,))
    return source


def run(living: Living, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    @contextmanager
    def opened(*_: Any, **__: Any) -> Iterator[Opened]:
        yield living.opened

    for command in (backfill_command, estimate_command, status_command):
        monkeypatch.setattr(command, "open_home", opened)
    return CliRunner().invoke(program(), ["--home", str(living.home.root), *words], env={"COLUMNS": "200"})


def alerts(living: Living) -> list[str]:
    return [why for (why,) in living.sql("SELECT why FROM alert WHERE kind = 'budget' ORDER BY id")]


def spend(living: Living, source: BilledSource, units: int, brand: str = "acme") -> None:
    brands = living.opened.registry.current().brands
    purse = budget_of(living.opened, source, lambda: wanted(brands))
    assert purse is not None
    purse.spent(source.id, units, 1, living.clock.wall(), brand)


# --- while it runs --------------------------------------------------------------------------------------------------


def test_competitors_are_left_out_first_and_the_ledger_says_so(living: Living) -> None:
    source = inforce(living, budget={"money": 100.0})
    work = Collecting(living.opened, networks.make)
    try:
        work.look()
        soon(lambda: budgets(living.opened)[0].level == 100, lambda: living.clock.advance(SECOND))
    finally:
        work.close()
    log = living.opened.log
    records = [record for partition in log.bounds(POSTS) for record in log.read(POSTS, partition, 0, 1_000)]
    came = [decode(Post, record.value).text.split()[0] for record in records]
    assert came.count("Zephyr") <= 80 + 10 <= came.count("Acme")
    assert 180 <= len(came) <= 200, "of the 200 that the cap pays for, a twentieth is kept for incidents"
    whole = budgets(living.opened)[0]
    assert (whole.limit, whole.used) == (100.0, pytest.approx(len(came) * 0.5))
    left_out = [row for row in living.opened.ledger.rows([source.id]) if "spend cap" in row.reason]
    assert {row.query for row in left_out} >= {"zephyr"}
    assert all(row.missed is None and row.state == "partial" for row in left_out)
    of_acme = living.opened.ledger.rows(brand="acme")
    assert {row.query for row in of_acme} == {"acme"}, "what is missing of one brand lowers no other's figure"


def test_people_are_told_at_50_80_and_100_per_cent_once_each(living: Living) -> None:
    source, watch = inforce(living, budget={"money": 100.0, "money_per": "day"}), Watch(living.opened)
    for units in (90, 9, 1, 1, 58, 1, 40, 10):
        spend(living, source, units)
        watch.step()
        watch.step()
    told = alerts(living)
    assert [why.partition(" % reached")[0].rpartition("(")[2] for why in told] == ["50", "80", "100"]
    assert "source paid has used up 50.00 USD of 100.00 USD of this day" in told[0]
    assert "competitors are not asked for any more" in told[1]
    assert "nothing is asked for any more" in told[2]
    assert all("raise `budget: money`" in why for why in told)
    living.clock.advance(DAY)
    watch.step()
    assert living.sql("SELECT key FROM operation_alert WHERE resolved_at IS NULL AND key LIKE 'budget:%'") == []
    spend(living, source, 101)
    watch.step()
    assert len(alerts(living)) == 4, "a new day, a new word"


def test_status_and_metrics_show_what_is_used_up_by_source_and_brand(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = inforce(living, budget={"money": 100.0, "brands": {"zephyr": 0.25}})
    spend(living, source, 20)
    spend(living, source, 10, "zephyr")
    found = {one["brand"]: one for one in status(living.opened)["budgets"]}
    assert {brand: one["used"] for brand, one in found.items()} == {"": 15.0, "acme": 10.0, "zephyr": 5.0}
    assert (found["zephyr"]["limit"], found["zephyr"]["share"], found["acme"]["limit"]) == (25.0, 0.2, None)
    shown = run(living, monkeypatch, "status").stdout
    assert "paid 15.00 USD of 100.00 USD (15%), paid zephyr 5.00 USD of 25.00 USD (20%)" in " ".join(shown.split())
    families = {one.name: one for one in text_string_to_metric_families(metrics(living.opened).decode())}
    used = {sample.labels["brand"]: sample.value for sample in families["clamor_budget_used"].samples}
    assert used == {"": 15.0, "acme": 10.0, "zephyr": 5.0}
    assert len(families["clamor_budget_cap"].samples) == 2


# --- before it goes live --------------------------------------------------------------------------------------------


def test_an_estimate_says_what_each_brand_brings_and_costs_and_when_the_cap_is_reached(living: Living) -> None:
    source = inforce(living, budget={"money": 1_500.0, "brands": {"zephyr": 0.5}})
    found = estimate(living.opened, [source], living.opened.registry.current().brands, ())
    by_brand = {one.brand: one for one in found.expected}
    acme, zephyr = by_brand["acme"], by_brand["zephyr"]
    assert (acme.hours, acme.sampled, acme.unit) == (168, 336, "USD")
    assert acme.posts_per_day.high is not None
    assert acme.posts_per_day.low < 48 < acme.posts_per_day.high < 110
    assert acme.cost_per_day is not None
    assert acme.cost_per_day.middle == pytest.approx(acme.posts_per_day.middle * 0.5)
    assert zephyr.cost_per_month is not None
    assert zephyr.cost_per_month.low < 480 * 30 * 0.5 < (zephyr.cost_per_month.high or 0)
    whole, part = found.reached
    assert (whole.brand, part.brand, part.cap) == ("", "zephyr", "750.00 USD a month")
    now = living.clock.wall()
    assert whole.soonest is not None
    assert whole.middle is not None
    assert now + 2 * DAY < whole.soonest < now + 1_500 / 264 * DAY < (whole.latest or whole.until)
    assert budgets(living.opened)[0].used == 1.0, "the samples are paid for"
    assert len(found.unknown) == 0


def test_a_sample_that_was_cut_off_is_a_lower_bound(living: Living) -> None:
    source = inforce(living, capped=True, hours=3)
    (acme,) = estimate(living.opened, [source], living.opened.registry.current().brands, ["acme"]).expected
    assert acme.capped
    assert acme.posts_per_day.high is None
    assert acme.cost_per_month is not None
    assert acme.cost_per_month.high is None


def test_what_shows_nothing_of_the_past_says_what_to_do_instead(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "make", Telegram)
    bot = TelegramSource(id="our-channel", kind="telegram", channels=("@acme_news",), token_env="CLAMOR_TEST_BOT")
    found = estimate(living.opened, [bot], living.opened.registry.current().brands, ())
    ((source, brand, why),) = found.unknown
    assert (source, brand, found.expected) == ("our-channel", "", ())
    assert "clamor coverage --source our-channel" in why


def test_without_room_nothing_is_sampled(living: Living) -> None:
    source = inforce(living, budget={"money": 10.0})
    spend(living, source, 20)
    found = estimate(living.opened, [source], living.opened.registry.current().brands, ["acme"])
    assert found.unknown == (("paid", "acme", NO_ROOM),)


def test_the_command_shows_it_and_gives_it_to_programs(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    inforce(living, budget={"money": 1_500.0})
    shown = run(living, monkeypatch, "sources", "estimate")
    assert shown.exit_code == 0, shown.output
    assert "336 in 168 h" in shown.stdout
    assert "the cap of 1,500.00 USD a month is reached" in shown.stdout
    told = run(living, monkeypatch, "sources", "estimate", "paid", "--brand", "acme", "--json")
    (one,) = json.loads(told.stdout)["expected"]
    assert (one["brand"], one["unit"]) == ("acme", "USD")
    assert run(living, monkeypatch, "sources", "estimate", "--brand", "nobody").exit_code == 2
    assert run(living, monkeypatch, "sources", "estimate", "nothing").exit_code == 2


def test_where_nothing_could_be_estimated_the_command_fails(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    source = inforce(living, budget={"money": 10.0})
    spend(living, source, 20)
    for form in ([], ["--json"]):
        failed = run(living, monkeypatch, "sources", "estimate", "--brand", "acme", *form)
        assert failed.exit_code == 1
        assert NO_ROOM in failed.stdout
    inforce(living, listen_for=["zephyr"])
    silent = run(living, monkeypatch, "sources", "estimate", "--brand", "acme")
    assert (silent.exit_code, silent.stdout) == (1, "")
    assert "no brand is listened for there" in silent.stderr
    living.opened.__dict__["registry"] = Registry(living.opened, ())
    nowhere = run(living, monkeypatch, "sources", "estimate")
    assert (nowhere.exit_code, nowhere.stdout) == (1, "")
    assert "no source is asked by Clamor itself" in nowhere.stderr


def test_brands_of_files_that_are_not_in_force_are_estimated(
    living: Living, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inforce(living)
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "clamor.yaml").write_text("brands:\n  - {id: fresh, name: Fresh Brand}\n")
    told = run(living, monkeypatch, "sources", "estimate", "--files", str(folder), "--brand", "fresh", "--json")
    assert told.exit_code == 0, told.output
    assert [(one["brand"], one["sampled"]) for one in json.loads(told.stdout)["expected"]] == [("fresh", 336)]


def test_a_backfill_says_what_it_will_cost_and_pays_for_its_sample(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    inforce(living, budget={"money": 1_500.0})
    refused = run(living, monkeypatch, "backfill", "--source", "paid", "--since", "-10d", "--brand", "acme")
    said = re.search(
        r"about (\d+) posts \((\d+) to (\d+)\), ([\d.]+) USD \(([\d.]+) USD to ([\d.]+) USD\)", refused.output
    )
    assert said is not None, refused.output
    posts, low, high, *bill = map(float, said.groups())
    assert 240 < low < posts < high < 960
    assert low < 480 < high
    assert bill == pytest.approx([posts / 2, low / 2, high / 2], abs=0.5), "each post is billed 0.50 USD"
    assert budgets(living.opened)[0].used == 0.5, "one unit of 0.50 USD"


def test_a_backfill_whose_sample_was_cut_off_says_a_lower_bound(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    inforce(living, capped=True, budget={"money": 1_500.0})
    refused = run(living, monkeypatch, "backfill", "--source", "paid", "--since", "-10d", "--brand", "acme")
    assert re.search(r"at least \d+ posts, at least [\d.]+ USD,", refused.output), refused.output


def test_a_backfill_without_room_takes_no_sample(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    source = inforce(living, budget={"money": 10.0})
    spend(living, source, 20)
    refused = run(living, monkeypatch, "backfill", "--source", "paid", "--since", "-10d", "--brand", "acme")
    assert NO_ROOM in " ".join(refused.output.split())
    assert budgets(living.opened)[0].used == 10.0
