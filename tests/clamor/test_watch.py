"""Who stands still is told by status, `/readyz` and mail: also a stage that nobody runs, or that cannot stay up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Living, post, settled_home
from msgspec.structs import replace

from clamor import chores
from clamor.chores import Watch
from clamor.serving import ready
from clamor.standstill import standing_still
from clamor.status import status
from clamor.upkeep import FAILING, Kept, noted, noting
from config.disk import DiskFree
from database.engine import write
from routing.operations import raise_operations
from stream.clock import HOUR, MINUTE, SECOND
from stream.process import this_process
from stream.status import StageStatus


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    with Living(settled_home(tmp_path / "home")) as living:
        yield living


def says(living: Living, stage: str, began: int, **changes: object) -> None:
    """As a process of the stage, this one, that began at `began` and is well."""
    pid, started = this_process()
    now = living.clock.wall()
    well = StageStatus(
        stage=stage, topic="", group=stage, pid=pid, started=started, state="idle", at=now, began=began, since=began,
        progress_at=now,
    )  # fmt: skip
    living.opened.statuses.write(replace(well, **changes))


def troubles(living: Living) -> list[tuple[str, bool]]:
    """(key, whether it is over) of all that were ever raised."""
    return living.sql("SELECT key, resolved_at IS NOT NULL FROM operation_alert ORDER BY key")


def test_posts_that_no_process_understands_are_told_everywhere(living: Living) -> None:
    began = living.clock.wall()
    living.take(post(1))
    living.clock.advance(MINUTE + SECOND)
    for stage in ("routing", "index", "web"):
        says(living, stage, began)
    (found,) = status(living.opened)["stuck"]
    assert found["stage"] == "nlp"
    assert "1 records wait and no process of it runs" in found["why"]
    assert list(ready(living.opened)) == ["stage nlp"]
    Watch(living.opened).step()
    assert troubles(living) == [("stage:nlp", False)]
    assert living.mail() == 1


def test_an_api_that_was_killed_is_told_of_while_others_work(living: Living) -> None:
    began = living.clock.wall()
    says(living, "web", began, pid=2**22 + 1, started="killed")
    living.clock.advance(MINUTE + SECOND)
    says(living, "routing", began)
    assert [one.stage for one in standing_still(living.opened)] == ["web"]


def test_a_home_that_nobody_works_is_not_stuck(living: Living) -> None:
    living.take(post(1))
    living.clock.advance(HOUR)
    assert standing_still(living.opened) == []


def test_a_process_that_cannot_stay_up_is_told_by_its_supervisor_s_note(living: Living) -> None:
    note = noting(living.home)
    up = Kept("index", 5, 0, None, None)
    note((Kept("web", 0, FAILING - 1, 1, 7), up))
    assert standing_still(living.opened) == []
    note((Kept("web", 0, FAILING, 1, 7), up))
    (found,) = standing_still(living.opened)
    assert (found.stage, found.since) == ("web", 7)
    assert "ended 3 times soon after its start, the last time with exit code 1" in found.why
    assert [stage["state"] for stage in status(living.opened)["stages"] if stage["stage"] == "web"] == ["not running"]


def test_a_note_of_a_supervisor_that_is_gone_says_nothing(living: Living) -> None:
    noting(living.home)((Kept("web", 0, FAILING, 1, 7),))
    path = living.home.data / "processes.json"
    path.write_text(path.read_text().replace(this_process()[1], "earlier"))
    assert noted(living.home) == ()


def test_a_trouble_that_was_told_before_a_restart_ends_and_is_told_again(living: Living) -> None:
    with write(living.opened.engine) as connection:
        raise_operations(connection, "stage:nlp", "stage", "stage nlp makes no progress", living.clock.now())
        raise_operations(connection, "coverage:x", "coverage", "nothing comes from x", living.clock.now())
    Watch(living.opened).step()
    assert troubles(living) == [("coverage:x", False), ("stage:nlp", True)], "the other one is for others to end"
    began = living.clock.wall()
    living.take(post(1))
    living.clock.advance(2 * HOUR)
    says(living, "routing", began)
    Watch(living.opened).step()
    assert troubles(living) == [("coverage:x", False), ("stage:nlp", False)]
    assert living.sql("SELECT count(*) FROM alert WHERE kind = 'stage'") == [(2,)]


def test_a_clock_that_is_set_back_is_told_once(living: Living) -> None:
    watch = Watch(living.opened)
    watch.step()
    living.clock.set(-HOUR)
    for _ in range(3):
        living.clock.advance(5 * SECOND)
        watch.step()
    assert troubles(living) == [("clock:wall", True)]
    ((why,),) = living.sql("SELECT why FROM alert WHERE kind = 'clock'")
    assert "set back by 3600 s" in why
    assert living.mail() == 1


def test_a_machine_takes_no_trouble_of_another_one_for_over(living: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chores, "file_of", lambda configuration: None)
    watches, free = {}, {"one": DiskFree(7, 100), "two": DiskFree(50, 100)}
    for name in free:
        machine(living, name)
        watches[name] = Watch(living.opened)
    monkeypatch.setattr(chores, "gethostname", lambda: "host1")
    for name in ("one", "two", "one", "two"):
        monkeypatch.setattr(living.opened, "disk", lambda name=name: free[name])
        watches[name].step()
    assert troubles(living) == [("disk:data@one", False)]
    ((why,),) = living.sql("SELECT why FROM alert WHERE kind = 'disk'")
    assert why.endswith("(on host1)")
    monkeypatch.setattr(living.opened, "disk", lambda: free["two"])
    machine(living, "one")
    monkeypatch.setattr(chores, "gethostname", lambda: "host2")
    Watch(living.opened).step()
    assert troubles(living) == [("disk:data@one", True)], (
        "the machine itself sees that it is over, whatever its host name"
    )


def machine(living: Living, name: str) -> None:
    (living.home.data / "machine").write_text(name)


def test_the_name_of_a_machine_stays(living: Living) -> None:
    name = living.home.machine
    assert len(name) == 8
    assert living.home.machine == name
    assert sorted(path.name for path in living.home.data.glob("machine*")) == ["machine"]


def test_of_a_process_that_was_started_again_under_its_name_the_latest_status_counts(living: Living) -> None:
    now = living.clock.wall()
    wall = time.time_ns() // 1_000_000
    says(living, "nlp", now, place="container/boot/1", pid=7, at=wall - 20 * SECOND, records=5)
    says(living, "nlp", now, place="container/boot/2", pid=7, at=wall, records=1)
    says(living, "nlp", now, place="other/boot/3", pid=7, at=wall, records=2)
    found = {one["process"]: one["records"] for one in status(living.opened)["processes"]}
    assert found == {"container:7": 1, "other:7": 2}
    (nlp,) = [one for one in status(living.opened)["stages"] if one["stage"] == "nlp"]
    assert nlp["processes"] == 2
