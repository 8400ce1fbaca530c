"""What stages say of themselves reaches another process, and the watchdog tells who stands still."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.clock import MINUTE, SECOND, WallClock
from stream.embedded import EmbeddedLog
from stream.ports import ALERTS, DEAD_LETTER, Append, Commit, LogRecord, TopicSpec, Transient
from stream.process import began, here, runs, this_process
from stream.stage import Stage, StageOptions
from stream.status import FRESH, StageStatus, StatusFolder
from stream.watchdog import PATIENCE, Stuck, absent, stuck

NOW = 1_764_000_000_000
PID, STARTED = this_process()
FINE = StageStatus(
    stage="nlp", topic="posts", group="nlp", pid=PID, started=STARTED, state="idle", at=NOW, since=NOW, progress_at=NOW
)
LATER = NOW + PATIENCE + SECOND


def one(*statuses: StageStatus, now: int = NOW) -> Stuck:
    (found,) = stuck(statuses, now)
    return found


class Nothing:
    name, topic, group, owns_offsets = "nlp", "posts", "nlp", False

    def run(self, records: list[LogRecord], commits: list[Commit], now: int) -> list[Append]:
        return []

    def offsets(self, partitions: frozenset[int], epoch: str) -> dict[int, int]:
        return {}

    def idle(self, now: int) -> None: ...

    def close(self) -> None: ...


def test_a_stage_writes_what_another_process_reads(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "log.db", WallClock())
    log.ensure([TopicSpec(topic, 1, MINUTE) for topic in ("posts", ALERTS, DEAD_LETTER)])
    log.append([Append("posts", "x:1", b"")] * 3)
    folder = StatusFolder(tmp_path / "status")
    stage = Stage(log, Nothing(), WallClock(), options=StageOptions(report=0, poll=20), publish=folder.write)
    stage.step()
    (status,) = StatusFolder(tmp_path / "status").read()
    assert (status.stage, status.state, status.records, status.lag) == ("nlp", "working", 3, 0)
    assert status.partitions == (0,)
    assert status.alive()
    stage.close()
    (status,) = folder.read()
    assert status.state == "stopped"
    log.close()


def test_what_ended_processes_left_is_known_and_swept(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = StatusFolder(tmp_path)
    folder.write(FINE)
    folder.write(replace(FINE, pid=gone.pid))
    (tmp_path / "half.json").write_text('{"stage": "n')
    assert sorted(status.alive() for status in folder.read()) == [False, True]
    folder.sweep()
    assert [status.pid for status in folder.read()] == [PID]


def test_a_process_of_another_container_lives_while_it_is_heard_of(tmp_path: Path) -> None:
    """Its number means nothing here, and two containers may give the same."""
    now = WallClock().now()
    elsewhere = replace(FINE, place="other/1", at=now)
    assert elsewhere.alive()
    assert not replace(elsewhere, at=now - FRESH - SECOND).alive()
    assert not replace(elsewhere, state="stopped").alive()
    folder = StatusFolder(tmp_path)
    for place in ("", here(), "other/1", "other/2"):
        folder.write(replace(elsewhere, place=place))
    assert {status.place for status in folder.read()} == {"", here(), "other/1", "other/2"}
    folder.sweep()
    assert len(folder.read()) == 4, "who is heard of is not swept by somebody else's start"


def test_a_stage_counts_batches_their_time_and_changes_of_its_partitions(tmp_path: Path) -> None:
    log = EmbeddedLog(tmp_path / "log.db", WallClock())
    log.ensure([TopicSpec(topic, 1, MINUTE) for topic in ("posts", ALERTS, DEAD_LETTER)])
    stage = Stage(log, Nothing(), WallClock(), options=StageOptions(pace=0, poll=20))
    for n in range(3):
        log.append([Append("posts", f"x:{n}", b"")])
        assert stage.step() == 1
    status = stage.status()
    assert sum(status.batch_time.counts) == 3
    assert status.rebalances == 1
    assert status.place == here()
    stage.close()
    log.close()


def test_a_stage_says_how_it_is_while_the_log_does_not_say_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EmbeddedLog(tmp_path / "log.db", WallClock())
    log.ensure([TopicSpec(topic, 1, MINUTE) for topic in ("posts", ALERTS, DEAD_LETTER)])
    said: list[StageStatus] = []
    stage = Stage(log, Nothing(), WallClock(), options=StageOptions(report=0, poll=20), publish=said.append)
    log.append([Append("posts", "x:1", b"")])
    stage.step()

    def away(*_: object) -> int:
        raise Transient("no broker answers")

    monkeypatch.setattr(EmbeddedLog, "lag", away)
    stage.step()
    assert len(said) == 2
    stage.close()
    log.close()


def test_a_pid_that_was_given_again_is_another_process() -> None:
    assert not replace(FINE, started="0.0").alive()


def test_stages_that_work_or_have_nothing_to_do_are_not_stuck() -> None:
    idle = replace(FINE, progress_at=NOW - 10 * MINUTE, since=NOW - 10 * MINUTE)
    busy = replace(FINE, pid=2, lag=500, state="working")
    holds_other_partitions = replace(idle, pid=3, lag=500)
    stopped = replace(FINE, stage="index", state="stopped", at=NOW - MINUTE * 60)
    assert stuck([idle, busy, holds_other_partitions, stopped], NOW) == []


def test_a_silent_process_is_stuck() -> None:
    assert "says nothing" in one(FINE, now=NOW + PATIENCE + 1).why


def test_a_stage_that_tries_again_and_again_is_stuck() -> None:
    long_ago = NOW - PATIENCE - 1
    retrying = replace(
        FINE, state="retrying", lag=5, progress_at=long_ago, since=long_ago, error="Transient: smtp refused"
    )
    assert "smtp refused" in one(retrying).why
    assert stuck([replace(retrying, since=NOW)], NOW) == [
        Stuck(stage="nlp", pid=None, since=long_ago, why="5 records wait and nobody has done any for 60 s")
    ]


def test_a_stage_that_is_held_back_says_by_whom() -> None:
    long_ago = NOW - PATIENCE - 1
    assert "after it" in one(replace(FINE, state="waiting", lag=5, progress_at=long_ago, since=long_ago)).why


def test_a_stage_that_waits_for_a_person_is_told_at_once() -> None:
    assert "schema version 2" in one(replace(FINE, state="paused", error="schema version 2")).why


@pytest.mark.parametrize("lag", [0, 7])
def test_records_that_nobody_does_are_told(lag: int) -> None:
    idle = replace(FINE, lag=lag, progress_at=NOW - PATIENCE - SECOND, since=NOW - PATIENCE - SECOND)
    assert [found.pid for found in stuck([idle], NOW)] == ([None] if lag else [])


def test_a_process_is_told_from_a_later_one_and_from_one_that_only_waits_to_be_reaped() -> None:
    assert runs(*this_process())
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = began(child.pid)
    assert started is not None
    assert runs(child.pid, started)
    assert not runs(child.pid, STARTED)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not runs(child.pid, started)
    child.communicate()
    assert not runs(child.pid, started)


def test_a_word_from_before_the_clock_was_set_back_is_no_sign_of_life() -> None:
    assert "says nothing" in one(FINE, now=NOW - PATIENCE - 1).why


def test_a_stage_that_nobody_runs_is_told_when_records_wait_for_it() -> None:
    at_work = [replace(FINE, stage="routing", began=NOW, at=LATER)]
    (found,) = absent(at_work, [], {"nlp": 1, "routing": 0}, LATER)
    assert (found.stage, found.pid, found.since) == ("nlp", None, NOW)
    assert "1 records wait and no process of it runs; start one with `clamor stage nlp`" in found.why
    assert absent(at_work, [], {"nlp": 0}, LATER) == [], "nothing waits for it"
    assert absent(at_work, [], {"nlp": 1}, NOW + PATIENCE) == [], "it may be starting"
    assert absent([], [], {"nlp": 1}, LATER) == [], "nobody works this home: it is not running"


def test_a_stage_whose_last_process_ended_without_a_word_is_told_also_where_nothing_waits() -> None:
    at_work = [replace(FINE, stage="web", began=NOW - MINUTE, at=LATER)]
    end = replace(FINE, stage="routing", pid=7)
    (found,) = absent(at_work, [end], {}, LATER)
    assert (found.stage, found.since) == ("routing", NOW)
    assert "its process 7 ended without a word" in found.why
    assert absent(at_work, [replace(end, state="stopped")], {}, LATER) == [], "it left in order"
    assert absent([*at_work, replace(end, pid=8)], [end], {}, LATER) == [], "another took its place"
    ahead = replace(end, at=LATER + 60 * MINUTE)
    assert absent(at_work, [ahead], {}, LATER)[0].since == NOW - MINUTE, "the clock was set back since"
