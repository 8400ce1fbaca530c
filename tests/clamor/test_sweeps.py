"""A sweep that is late or paused is told to people, until it is over; a person's word lets a paused one go on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from living import NOW, Living, settled_home
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from clamor.chores import Watch
from clamor.cli import program
from clamor.collecting import Collecting
from clamor.metrics import metrics
from clamor.status import status
from config.sources import LookAgain, Swept
from ingest.sweep_list import Standing, SweepList, standings
from ingest.sweep_plan import Step, schedule_of
from stream.clock import DAY, HOUR, MINUTE
from tests.board import BoardSource, collector
from tests.standins.board import Board

CONFIGURATION = """\
brands:
  - {id: acme, name: Acme Air}
sources:
  - {id: forum, kind: file}
  - {id: shop, kind: file}
people:
  - {id: ana, name: Ana Example, email: ana@example.org, operations: true}
mail: {host: null}
understanding: {model: linear}
"""


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home", CONFIGURATION)) as made:
        yield made


def tell(living: Living, source: str, **fields: object) -> None:
    standing = {"schedule": "", "looked_at": NOW, "held": 7, **fields}
    SweepList(living.opened.engine, source).tell(Standing(source_id=source, **standing))  # type: ignore[arg-type]


def troubles(living: Living) -> dict[str, str]:
    Watch(living.opened).step()
    return {one["key"]: one["why"] for one in status(living.opened)["troubles"]}


def test_a_sweep_that_is_late_is_a_trouble_until_it_has_caught_up(living: Living) -> None:
    tell(living, "forum", overdue=3, oldest_limit=NOW - 5 * MINUTE)
    tell(living, "gone", overdue=3, oldest_limit=NOW - DAY)
    assert troubles(living) == {}, "late for little; a source that is no more"
    tell(living, "forum", overdue=3, oldest_limit=NOW - 3 * HOUR, why="no answer")
    (why,) = troubles(living).values()
    assert "3 posts of source forum were not looked up in time, the first for 3h (no answer)" in why
    tell(living, "forum")
    assert troubles(living) == {}


def test_a_paused_sweep_is_a_trouble_until_a_person_has_looked(living: Living) -> None:
    tell(living, "forum")
    SweepList(living.opened.engine, "forum").pause("9 of 40 posts are gone at once", NOW)
    tell(living, "forum", why="something else")
    found = troubles(living)
    assert list(found) == ["coverage:sweep:forum"]
    assert "9 of 40 posts are gone at once" in found["coverage:sweep:forum"]
    assert "clamor sweep --go-on forum" in found["coverage:sweep:forum"]
    run = CliRunner().invoke(program(), ["--home", str(living.home.root), "sweep", "--go-on", "forum"])
    assert run.exit_code == 0, run.output
    assert standings(living.opened.engine)["forum"].paused_at is None
    assert troubles(living) == {}
    assert CliRunner().invoke(program(), ["--home", str(living.home.root), "sweep", "--go-on", "forum"]).exit_code == 1


def test_status_metrics_and_the_command_say_how_each_sweep_does(living: Living) -> None:
    tell(living, "forum", overdue=3, oldest_limit=NOW - HOUR)
    tell(living, "shop")
    SweepList(living.opened.engine, "shop").pause("many are gone", NOW)
    found = status(living.opened)["sweeps"]
    assert [(one["source"], one["state"], one["held"], one["overdue"]) for one in found] == [
        ("forum", "late", 7, 3),
        ("shop", "paused", 7, 0),
    ]
    told = {
        (sample.name, sample.labels.get("source")): sample.value
        for family in text_string_to_metric_families(metrics(living.opened).decode())
        for sample in family.samples
        if sample.name.startswith("clamor_sweep")
    }
    assert told["clamor_sweep_overdue_posts", "forum"] == 3
    assert (told["clamor_sweep_paused", "forum"], told["clamor_sweep_paused", "shop"]) == (0, 1)
    run = CliRunner().invoke(program(), ["--home", str(living.home.root), "sweep", "--json"])
    assert [json.loads(line)["state"] for line in run.output.splitlines()] == ["late", "paused"]


def test_the_steps_of_a_sources_settings_are_its_schedule() -> None:
    swept = Swept(id="forum")
    steps = schedule_of(swept)
    assert steps[0] == Step(DAY, 12 * HOUR)
    assert all(step.every <= step.younger_than for step in steps)
    assert schedule_of(swept.model_copy(update={"look_again": ()})) == ()
    falling = [{"younger_than": "30d", "every": "10d"}, {"younger_than": "24h", "every": "12h"}]
    with pytest.raises(ValueError, match="the ages do not rise"):
        Swept.model_validate({"id": "forum", "look_again": falling})
    assert LookAgain.model_validate(falling[1]).every == 12 * HOUR


def test_from_the_network_to_the_last_trace_and_back(living: Living) -> None:
    """A post that its network no longer shows leaves SQL, index, case and counts; seen again, it is back."""
    with Board() as board, collecting(living, BoardSource(id="board", url=board.url)) as work:
        first = board.publish("Acme Air lost my bag again, I want my money back", NOW)
        board.publish("Acme Air is fine", NOW)
        work.look()
        soon(lambda: len(living.found()) == 2, living.drain)
        cases, counted = living.truth()["cases"], living.truth()["counts"]
        was = board.delete(first, loudly=True)
        living.clock.advance(12 * HOUR)
        soon(lambda: len(living.found()) == 1, living.drain)
        mention = living.mention(f"board:{first}#acme")
        assert mention is not None
        assert (mention.state, mention.post) == ("deleted", None)
        assert (cases[0][2], living.truth()["cases"][0][2]) == (1, 0)
        assert living.truth()["counts"] != counted
        assert status(living.opened)["erasure"]["unreachable"]["sql"]["hour"]["count"] == 1
        board.put_back(was)
        living.clock.advance(DAY + 13 * HOUR)
        soon(lambda: len(living.found()) == 2, living.drain)
        assert living.truth()["counts"] == counted


def test_a_kind_of_source_that_is_not_swept_is_on_no_list(living: Living) -> None:
    with Board() as board, collecting(living, BoardSource(id="board", url=board.url, look_again=())) as work:
        board.publish("Acme Air lost my bag again", NOW)
        work.look()
        soon(lambda: len(living.found()) == 1, living.drain)
        assert living.sql("SELECT count(*) FROM swept_post") == [(0,)]


@contextmanager
def collecting(living: Living, source: BoardSource) -> Iterator[Collecting]:
    """With this source in force, besides what the home's file says."""
    registry = living.opened.registry
    swept = frozenset({source.id} if source.look_again else ())
    registry._in_force = registry.current()._replace(swept=swept)
    registry._sources = (source,)
    living.stages[1].step(0)
    work = Collecting(living.opened, collector)
    try:
        yield work
    finally:
        work.close()


def soon(holds: Callable[[], bool], meanwhile: Callable[[], None]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends, "it did not come to pass"
        meanwhile()
        time.sleep(0.02)
